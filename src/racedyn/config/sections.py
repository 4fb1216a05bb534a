"""The sections of a configuration. The text under each field is its help on the command line."""

import dataclasses
import functools
import sys
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from racedyn.config.problems import ConfigError, kinds_in, problems

T = TypeVar("T")
# Keys have 64 bits, and up to 2**53 a step's time can be told from that of the next.
LARGEST_KEY, MOST = 2**63 - 1, 2**53
WIDEST = 2**31 - 1
"""Units of one layer: no array is longer."""
MOST_LAYERS = 1000
"""Weight matrices of one pathway: each is compiled by itself, and a thousand take minutes."""
FINEST_RTOL, LOOSEST_RTOL = 10 * sys.float_info.epsilon, 0.1
"""What float64 can meet, and from where on a tolerance lets anything pass; those of
`racedyn.simulate`.
"""

WholePositive: TypeAlias = Annotated[int, Field(ge=1, le=MOST)]
Width: TypeAlias = Annotated[int, Field(ge=1, le=WIDEST)]
Depth: TypeAlias = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
Key: TypeAlias = Annotated[int, Field(ge=-LARGEST_KEY - 1, le=LARGEST_KEY)]
DataPath: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00]+$")]
NotNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Activation: TypeAlias = Literal["linear", "relu", "tanh"]
Sharing: TypeAlias = WholePositive | Literal["shared", "dedicated"]
Structure: TypeAlias = Literal["tree", "ring", "order", "cross_cutting"]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def as_section(cls: type[T]) -> type[T]:
    """A frozen, strict pydantic dataclass whose errors are `ConfigError`s."""
    checked: Any = dataclass(
        cls, frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True)
    )
    init = checked.__init__
    known, kinds = [field.name for field in dataclasses.fields(checked)], kinds_in(checked)

    @functools.wraps(init)
    def __init__(self: Any, **values: Any) -> None:
        try:
            init(self, **values)
        except ValidationError as error:
            raise ConfigError("\n".join(problems(error, known, kinds))) from None

    checked.__init__ = __init__
    return checked


@as_section
class Hierarchy:
    """`racedyn.tasks.hierarchy`."""

    kind: Literal["hierarchy"] = "hierarchy"
    items: WholePositive = 8
    """Number of items, a power of two."""


@as_section
class Order:
    """`racedyn.tasks.order`."""

    kind: Literal["order"] = "order"
    items: WholePositive = 8
    """Number of items."""


@as_section
class Ring:
    """`racedyn.tasks.ring`."""

    kind: Literal["ring"] = "ring"
    items: WholePositive = 8
    """Number of items."""


@as_section
class Grid:
    """`racedyn.tasks.grid`."""

    kind: Literal["grid"] = "grid"
    rows: WholePositive
    """Rows of items."""
    columns: WholePositive
    """Columns of items."""


@as_section
class Clusters:
    """`racedyn.tasks.clusters`."""

    kind: Literal["clusters"] = "clusters"
    sizes: Annotated[tuple[WholePositive, ...], Field(min_length=1)]
    """Number of items of each cluster."""
    properties: WholePositive = 1
    """Properties of each cluster."""


@as_section
class CrossCutting:
    """`racedyn.tasks.cross_cutting`."""

    kind: Literal["cross_cutting"] = "cross_cutting"
    branches: WholePositive = 4
    """Leaves of the tree, a power of two."""
    classes: WholePositive = 2
    """Classes that cut across the tree: each branch has an item of each."""
    properties: WholePositive = 1
    """Properties of each class."""


@as_section
class Random:
    """`racedyn.tasks.random`."""

    kind: Literal["random"] = "random"
    singular_values: Annotated[tuple[Positive, ...], Field(min_length=1)]
    """Of the correlation between items and features."""
    items: WholePositive
    """Number of items, at least that of the singular values."""
    features: WholePositive
    """Number of features, at least that of the singular values."""
    key: Key
    """From which the modes are drawn; the initial weights have a seed of their own."""


@as_section
class Xor:
    """`racedyn.tasks.xor`."""

    kind: Literal["xor"] = "xor"
    margin: NotNegative = 0.0
    """By which the third coordinate separates the labels; 0 is pure XoR."""


@as_section
class Routing:
    """`racedyn.tasks.routing`."""

    kind: Literal["routing"] = "routing"
    domains: WholePositive
    """Input domains, and as many output domains."""
    trained: WholePositive | None = None
    """Outputs that each input domain is trained with; all if left out."""
    pattern: Literal["circulant", "regular"] = "circulant"
    """Which: the next ones, or drawn."""
    key: Key | None = None
    """From which a regular pattern is drawn; the initial weights have a seed of their own."""


@as_section
class Contextual:
    """`racedyn.tasks.contextual`."""

    kind: Literal["contextual"] = "contextual"
    items: WholePositive = 8
    contexts: WholePositive = 3
    structures: Structure | Annotated[tuple[Structure, ...], Field(min_length=1)] = "tree"
    """That of all blocks, or of each: the common one, then one per context."""


@as_section
class Arrays:
    """`racedyn.tasks.from_arrays`."""

    kind: Literal["arrays"] = "arrays"
    path: DataPath
    """A .npz file with X (n_in, P) and Y (n_out, P); in a file of configuration relative to that
    file.
    """


@as_section
class Csv:
    """`racedyn.tasks.from_csv`."""

    kind: Literal["csv"] = "csv"
    path: DataPath
    """A table, a row per item and a column per property; in a file of configuration relative to
    that file.
    """
    inputs: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Columns that are the inputs; one-hot items if left out."""
    delimiter: str | None = None
    """Between two cells; found if left out."""
    header: bool | None = None
    """Whether the first row names the properties; if left out it does, and names that are all
    numbers are refused.
    """


@as_section
class Parallel:
    """`racedyn.networks.parallel`."""

    kind: Literal["parallel"] = "parallel"
    depths: Annotated[tuple[Depth, ...], Field(min_length=1)]
    """Number of weight matrices of each pathway."""
    width: Width
    """Units of every hidden layer."""
    activation: Activation = "linear"
    """Of the hidden layers."""
    activate_last: bool = False
    """Whether each pathway's last matrix is followed by the activation too, before the sum."""


@as_section
class Chain:
    """`racedyn.networks.chain`."""

    kind: Literal["chain"] = "chain"
    depth: Depth
    """Number of weight matrices."""
    width: Width
    """Units of every hidden layer."""
    activation: Activation = "linear"
    """Of the hidden layers."""


@as_section
class XorPathways:
    """`racedyn.networks.xor`, for the task "xor"."""

    kind: Literal["xor"] = "xor"
    gating: Literal["linear", "xor", "both"] = "xor"
    """A pathway for each label, for each example, or both kinds."""
    width: Width = 128
    """Hidden units of each pathway."""


@as_section
class RoutingPathways:
    """`racedyn.networks.routing`, for the task "routing"."""

    kind: Literal["routing"] = "routing"
    width: Width = 64
    """Units of every hidden layer."""
    hidden_layers: Depth = 1
    """Matrices between the first and the last of a pathway."""
    sharing: Sharing | Annotated[tuple[Sharing, ...], Field(min_length=1)] = "shared"
    """"shared", "dedicated" or a group size: domains that share a pathway; several of them race in
    one network.
    """


@as_section
class ContextualPathways:
    """`racedyn.networks.contextual`, for the task "contextual"."""

    kind: Literal["contextual"] = "contextual"
    active: WholePositive | Annotated[tuple[WholePositive, ...], Field(min_length=1)] | None = None
    """Contexts that open a context pathway, all but one if left out; several numbers race in one
    network.
    """
    width: Width = 100
    """Hidden units of each pathway."""


@as_section
class Gaussian:
    """`racedyn.init.Gaussian`."""

    kind: Literal["gaussian"] = "gaussian"
    std: Positive
    """Standard deviation of each weight."""


@as_section
class Orthogonal:
    """`racedyn.init.Orthogonal`."""

    kind: Literal["orthogonal"] = "orthogonal"
    scale: Positive = 1.0
    """Factor on orthonormal rows or columns."""


@as_section
class Aligned:
    """`racedyn.init.Aligned`."""

    kind: Literal["aligned"] = "aligned"
    scale: Positive
    """Strength of every weight matrix in each mode."""
    bases: Literal["nodes", "paths"] = "nodes"
    """Whose modes: the task's, or each path's own, for paths that share no edge (as in "xor")."""


@as_section
class Balanced:
    """`racedyn.init.Balanced`."""

    kind: Literal["balanced"] = "balanced"
    scale: Positive
    """Strength of the weakest weight matrix in each mode."""


@as_section
class Train:
    """`racedyn.train`."""

    lr: Positive
    """Size of a descent step on the loss named by `loss`."""
    steps: WholePositive
    """Number of descent steps."""
    save_every: WholePositive | None = None
    """Steps between two saves; chosen by `racedyn.train` if left out."""
    dtype: Literal["float32", "float64"] = "float64"
    """Precision of the training; the theory is always float64."""
    loss: Literal["mean", "half_sum", "sum", "mse", "routes"] = "mean"
    """Whose normalisation of the loss `lr` belongs to (`racedyn.rules.losses`)."""
    weight_decay: NotNegative = 0.0
    """Rate, in units of 1/tau, at which weights decay besides; in the theory too."""


@as_section
class Theory:
    """`racedyn.reduce` and `racedyn.simulate`."""

    level: Literal["pathway", "modes", "matrix", "full"] = "pathway"
    """The reduction to solve: `racedyn.reduce` says which is exact when."""
    force: bool = False
    """Whether to solve a level that is not exact here."""
    rtol: Annotated[float, Field(ge=FINEST_RTOL, lt=LOOSEST_RTOL)] = 1e-8
    """Relative tolerance of the solver, below 0.1 and such that float64 can meet it."""


TaskSection: TypeAlias = (
    Hierarchy
    | Order
    | Ring
    | Grid
    | Clusters
    | CrossCutting
    | Random
    | Xor
    | Routing
    | Contextual
    | Arrays
    | Csv
)
NetworkSection: TypeAlias = Parallel | Chain | XorPathways | RoutingPathways | ContextualPathways
InitSection: TypeAlias = Gaussian | Orthogonal | Aligned | Balanced
