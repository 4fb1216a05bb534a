"""The sections beside the task: network, initial weights, training, theory. The text under each
field is its help on the command line.
"""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from racedyn.config.fields import (
    FINEST_RTOL,
    LOOSEST_RTOL,
    Activation,
    Depth,
    NotNegative,
    Positive,
    Real,
    Sharing,
    WholePositive,
    Width,
    as_section,
)


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
class Fusion:
    """`racedyn.networks.fusion`, for a task of several inputs, as "multimodal"."""

    kind: Literal["fusion"] = "fusion"
    depth: Depth
    """Number of weight matrices from input to output, at least 2."""
    fuse_at: Depth
    """Layer where modalities add up: from 1, early fusion, to `depth`, late fusion."""
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
    activation: Activation = "linear"
    """Of the hidden layers."""


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
    imbalance: Real = 0.0
    """lambda of W2^T W2 - W1 W1^T = lambda I, in two-layer networks."""


@as_section
class Train:
    """`racedyn.train`."""

    lr: Positive
    """Size of a descent step on the loss named by `loss`."""
    steps: WholePositive
    """Number of descent steps."""
    until: Literal["converged"] | Positive | None = None
    """A loss at which it ends before that; or "converged", where the floor is known."""
    save_every: WholePositive | None = None
    """Steps between two saves; chosen by `racedyn.train` if left out."""
    dtype: Literal["float32", "float64"] = "float64"
    """Precision of the training; the theory is always float64."""
    loss: Literal["mean", "half_sum", "sum", "mse", "routes", "cross_entropy"] = "mean"
    """The loss, and whose normalisation of it `lr` belongs to (`racedyn.rules.losses`)."""
    weight_decay: NotNegative = 0.0
    """Rate, in units of 1/tau, at which weights decay besides; in the theory too."""


Level: TypeAlias = Literal[
    "pathway", "maps", "modes", "matrix", "signals", "compressed", "best", "full"
]


@as_section
class Theory:
    """`racedyn.reduce` and `racedyn.simulate`."""

    level: Level = "best"
    """The reduction to solve: `racedyn.reduce` says which is exact when."""
    beside: tuple[Level, ...] | None = None
    """Further levels to solve and compare; by default "pathway", where it applies."""
    tolerance: Annotated[float, Field(gt=0, le=0.3)] = 1e-3
    """Relative L2 error of strengths and loss, of the level "compressed"."""
    inexact: bool = False
    """Whether to solve a level that is not exact here."""
    rtol: Annotated[float, Field(ge=FINEST_RTOL, lt=LOOSEST_RTOL)] | None = None
    """Relative tolerance of the solver, below 0.1 and such that float64 can meet it; by default
    1e-8, or a tenth of `tolerance` at the level "compressed".
    """


NetworkSection: TypeAlias = (
    Parallel | Chain | Fusion | XorPathways | RoutingPathways | ContextualPathways
)
InitSection: TypeAlias = Gaussian | Orthogonal | Aligned | Balanced
