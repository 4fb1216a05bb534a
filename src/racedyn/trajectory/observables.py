"""What can be observed of a run: one table, which training, theory, comparison, plots and files
read.
"""

import dataclasses
from collections.abc import Callable, Collection
from difflib import get_close_matches
from functools import partial
from typing import Any, NamedTuple

from racedyn.tasks import Task


@dataclasses.dataclass(frozen=True, eq=False)
class Observable:
    """A function of yours that a training observes, as an entry of `observe=`.

    **Fields:** `name`, under which the run has it; `axes`: names of the result's axes, time left
    out; `function`: of (network, task, weights), an array of real numbers with these axes, traced
    by JAX and computed at every saved row; `meaning`, a sentence; `unit`, "1" for a pure number.

        >>> def sizes(network, task, weights):
        ...     return jnp.stack([jnp.linalg.norm(w) for w in weights.values()])
        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.chain(task, depth=2, width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> size = rd.Observable("size", axes=("edge",), function=sizes, unit="weight")
        >>> run = rd.train(network, task, weights, lr=0.1, steps=10, observe=["strength", size])
        >>> run["size"].shape  # (time, edge)
        (11, 2)
    """

    name: str
    axes: tuple[str, ...]
    function: Callable[..., Any]
    meaning: str = ""
    unit: str = "1"


@dataclasses.dataclass(frozen=True, eq=False)
class Probe:
    """Another task with the same nodes, whose loss a training observes beside its own: an entry of
    `observe=`, read as `run["probe_loss"]`, (time, probe), of the kind that is descended. Where
    "accuracy" is asked for too, `run["probe_accuracy"]` is that on the probes.

        >>> task = rd.tasks.routing(domains=3, trained=2)
        >>> network = rd.networks.routing(task, width=8)
        >>> weights = network.init(rd.init.Gaussian(std=0.1), key=0)
        >>> probe = rd.Probe("untrained", task.structure.untrained())
        >>> run = rd.train(network, task, weights, lr=0.02, steps=10, observe=["strength", probe])
        >>> run["probe_loss"].shape, run.labels["probe"]
        ((11, 1), ('untrained',))
    """

    name: str
    task: Task


class Row(NamedTuple):
    """An observable of the table.

    **Fields:** `name`; `axes`, that of time left out; `meaning`, a sentence; `unit`, "1" for a pure
    number, with x, y, h for units of inputs, targets and a node; `training`: what stands in
    `observe=` of `train` and `observe` for it; `theory`: the systems that have it, and so their
    ensembles; both "" where it can't be had; `symbol`, in figures; `in_ensembles`: whether these
    keep it; `turns`: it is read in modes, and strength matrices tell it in others; `one_pair`: it
    is that of all paths together, which then join one pair of nodes; `on_request`: theory computes
    it only where it is asked for by name."""

    name: str
    axes: tuple[str, ...]
    meaning: str
    unit: str
    training: str = ""
    theory: str = ""
    symbol: str = ""
    in_ensembles: bool = True
    turns: bool = False
    one_pair: bool = False
    on_request: bool = False

    @property
    def label(self) -> str:
        """For an axis of a figure: strength $K_a$."""
        return f"{self.name.replace('_', ' ')} {self.symbol}".rstrip()

    @property
    def of_node(self) -> bool:
        """Whether it is that of a node, asked for as "activity:h1"."""
        return self.training.endswith(":NODE")

    @property
    def where(self) -> str:
        """Where it can be had, in words."""
        is_name = self.training.partition(":")[0] == self.name
        asked = repr(self.training) if is_name else self.training
        training = f"train and observe (observe=[{asked}])" if self.training else ""
        doors = "simulate, solve and ensemble" if self.in_ensembles else "simulate and solve"
        doors += f" (observe=[{self.name!r}])" if self.on_request else ""
        theory = f"{doors}, of {self.theory}" if self.theory else ""
        return "; ".join(place for place in (training, theory) if place)


ALL = "all that `reduce` returns, Pathways and Maps"
MATRICES = "what `reduce` returns at the levels full, matrix, signals and compressed, and Maps"
WHOLE = f"{MATRICES}, and Pathways"
EDGES = "what `reduce` returns at the levels modes and matrix"
PATHWAYS = "Pathways"
_of_matrices = partial(Row, theory=WHOLE, turns=True, one_pair=True, on_request=True)
_of_shares = partial(Row, theory=ALL, turns=True, one_pair=True, on_request=True)

_ROWS = (
    Row(
        "loss",
        (),
        "L = 1/2 < |y - yhat|^2 >: mean over examples, summed over outputs; or cross-entropy, a "
        "pure number, where training descends it",
        "y^2",
        "loss",
        ALL,
        "$L$",
    ),
    Row(
        "strength",
        ("path", "mode"),
        "K_a = u^T W_a v: what a path carries of a mode, signed",
        "y/x",
        "strength",
        ALL,
        "$K_a$",
        turns=True,
    ),
    Row(
        "off_diagonal",
        ("path",),
        "norm of what is off the diagonal of U^T W_a V, over that of the diagonal",
        "1",
        "off_diagonal",
        MATRICES,
        turns=True,
    ),
    Row(
        "group_strength",
        ("path", "group"),
        "norm of the block of U^T W_a V of each group of equal S, whatever its basis",
        "y/x",
        "group_strength",
        MATRICES,
        turns=True,
        one_pair=True,
    ),
    _of_matrices(
        "strength_matrix",
        ("path", "mode_out", "mode_in"),
        "U^T W_a V whole: strengths, and what couples modes",
        "y/x",
        "strength_matrix",
        symbol="$U^T W_a V$",
        one_pair=False,
    ),
    _of_matrices(
        "projectors",
        ("path", "mode_out", "mode_in"),
        "P_a = M_a (sum_b M_b)^-1, M_a = U^T W_a V: what a path has of what the observed paths do "
        "together; NaN where that is singular",
        "1",
        "projectors",
        symbol="$P_a$",
    ),
    _of_matrices(
        "projector_eigenvalues",
        ("path", "direction"),
        "eigenvalues of P_a, falling, their real parts: a path's shares of mixtures of modes",
        "1",
        "projector_eigenvalues",
    ),
    _of_matrices(
        "basis_free_participation",
        (),
        "R / sum_a tr(P_a^2) of R modes: 1 where every direction belongs to one path, M where M "
        "share all",
        "1",
        "basis_free_participation",
    ),
    _of_shares(
        "share",
        ("path", "mode"),
        "w_a = |K_a| / sum_b |K_b|: a path's part of what the observed paths carry of a mode",
        "1",
        "share",
        symbol="$w_a$",
    ),
    _of_shares(
        "largest_share",
        ("mode",),
        "max_a w_a: 1 where one path has the mode, 1 / M where M share it equally",
        "1",
        "largest_share",
        symbol=r"$\max_a w_a$",
    ),
    _of_shares(
        "participation",
        ("mode",),
        "1 / sum_a w_a^2: 1 where one path has the mode, M where M share it equally",
        "1",
        "participation",
        symbol=r"$1 / \sum_a w_a^2$",
    ),
    _of_shares(
        "entropy",
        ("mode",),
        "-sum_a w_a ln w_a: 0 where one path has the mode, ln M where M share it equally",
        "1",
        "entropy",
        symbol=r"$-\sum_a w_a \ln w_a$",
    ),
    _of_shares(
        "winner",
        ("mode",),
        "argmax_a w_a: the number of the path with the largest share, from 0; NaN without any",
        "1",
        "winner",
        symbol=r"$\mathrm{argmax}_a w_a$",
    ),
    Row(
        "data_strength",
        ("path", "mode"),
        "strength as measured on the examples, the diagonal of U^T < yhat_a x^T > V / d",
        "y/x",
        "data_strength",
    ),
    Row(
        "edge_strength",
        ("edge", "mode"),
        "strength of a mode in one edge: its number, or the matrix's singular values",
        "weight",
        theory=EDGES,
    ),
    Row(
        "q",
        ("path", "mode"),
        "strength of a mode in each of the D - 1 equal matrices of a pathway",
        "weight",
        theory=PATHWAYS,
    ),
    Row(
        "p",
        ("path", "mode"),
        "strength of a mode in the remaining matrix of a pathway: K = p q^(D-1)",
        "weight",
        theory=PATHWAYS,
    ),
    Row(
        "activity",
        ("unit", "example"),
        "what a node holds of every example",
        "h",
        "activity:NODE",
    ),
    Row(
        "similarity",
        ("example", "example"),
        "cosine of what a node holds of every two examples; NaN of a silent one",
        "1",
        "similarity:NODE",
    ),
    Row("probe_loss", ("probe",), "L on other tasks", "y^2", "rd.Probe(NAME, TASK)"),
    Row(
        "accuracy",
        (),
        "part of the examples whose largest output is that of their class, over all output nodes "
        "where they have one",
        "1",
        "accuracy",
    ),
    Row(
        "probe_accuracy",
        ("probe",),
        "accuracy on other tasks",
        "1",
        "'accuracy', rd.Probe(NAME, TASK)",
    ),
    Row(
        "tangent_kernel",
        ("row", "row"),
        "Theta = sum_e J_e J_e^T, J_e = d yhat / d W_e; a row is an output in an example",
        "1/tau",
        "tangent_kernel",
    ),
    Row(
        "sharpness",
        (),
        "largest eigenvalue of the Hessian of the loss in the weights; NaN where not converged",
        "1/tau",
        "sharpness",
    ),
    Row(
        "weights",
        ("target", "source"),
        "every edge's matrix; in `ys`, by the edge's name",
        "weight",
        "weights",
    ),
    Row(
        "states",
        (),
        "the state of the system as it is, in `ys`; axes are its own",
        "1",
        theory="any system",
        in_ensembles=False,
    ),
)
OBSERVABLES = {row.name: row for row in _ROWS}
# What a training by cross-entropy has instead.
_OF_CLASSES = {
    "loss": "L = -< log softmax(yhat)_c > of each example's class c: mean over examples, summed "
    "over output nodes",
    "probe_loss": "cross-entropy on other tasks",
}
BY_DEFAULT = ("loss", "strength", "off_diagonal", "group_strength")  # of a training


def row_of(name: str) -> Row | None:
    """The row of the table for a name as a run has it, or None; "activity:h1" has the axes of h1.

    Units of two nodes are not as many, so that their axis has the node's name.
    """
    kind, _, node = name.partition(":")
    row = OBSERVABLES.get(kind)
    if row is None or row.of_node != bool(node):
        return None
    axes = tuple(f"unit_{node}" if axis == "unit" else axis for axis in row.axes)
    return row._replace(name=name, axes=axes)


def by_cross_entropy(row: Row) -> Row:
    """The row as a training by cross-entropy has it."""
    meaning = _OF_CLASSES.get(row.name)
    return row if meaning is None else row._replace(meaning=meaning, unit="1")


def remedy_for(name: object, known: Collection[str]) -> str:
    """What to do about a name that is not among those `known` here: where it can be had, or what
    was meant.
    """
    if not isinstance(name, str):
        return ""
    if (row := OBSERVABLES.get(name.partition(":")[0])) is not None:
        return f"{row.name!r} is had from {row.where}."
    near = get_close_matches(name, [*known, *OBSERVABLES], n=1)
    if not near:
        return ""
    elsewhere = "" if near[0] in known else f" It is had from {OBSERVABLES[near[0]].where}."
    return f"Did you mean {near[0]!r}?{elsewhere}"


def table() -> str:
    """The table in Markdown, for documents."""
    lines = ["| name | axes | unit | what it is | from |", "|---|---|---|---|---|"]
    for row in _ROWS:
        axes = ", ".join(("time", *row.axes))
        meaning = row.meaning.replace("|", "\\|")
        lines.append(f"| `{row.name}` | ({axes}) | {row.unit} | {meaning} | {row.where} |")
    return "\n".join(lines)
