"""What a gated flow is made of, by what each part is for: integrated, trained, known, read."""

import dataclasses

import equinox as eqx

from racedyn._types import Array, FrozenDict, HostOnly, Path
from racedyn.networks import Network
from racedyn.paths import Pair
from racedyn.rules import Stages
from racedyn.systems.gated.plan import Plan
from racedyn.tasks import Modes

State = tuple[Array, ...]  # bundle by bundle, (edge, n_target, n_source[, mode])
PerLayer = tuple[Array | None, ...]


@dataclasses.dataclass(frozen=True)
class Level:
    """A level of reduction that is a gated flow, and what sets it apart from others.

    **Fields:** `laned`: all widths are 1, arrays have a last axis of modes, and each mode is a
    lane; `reads_edges`: whether the strength of every edge is observed."""

    name: str
    laned: bool = False
    reads_edges: bool = True


FULL = Level("full", reads_edges=False)
MATRIX = Level("matrix")
MODES = Level("modes", laned=True)
SIGNALS = Level("signals", reads_edges=False)
COMPRESSED = Level("compressed", reads_edges=False)


class Work(eqx.Module):
    """What is integrated: the order of work of one step, and the rows that go into it.

    **Fields:** `network`, without gates, which have gone into `plan`; `place`: edge -> (bundle,
    place in it), of every edge of the network; `inputs`, `targets`: per layer (row, n[, mode]) or
    None."""

    network: Network = eqx.field(static=True)
    plan: Plan = eqx.field(static=True)
    place: FrozenDict = eqx.field(static=True)
    inputs: PerLayer
    targets: PerLayer

    def matrices(self, y: State) -> dict[str, Array]:
        """Edge -> (n_target, n_source[, mode]), of every edge of the network."""
        return {edge: y[bundle][i] for edge, (bundle, i) in self.place.items()}


@dataclasses.dataclass(frozen=True)
class Trained:
    """Which edges learn, and when. `stages`: groups of edges, each trained on what those before it
    leave, () for all at once; `fixed`: edges that are no weights and stay what they are.
    """

    stages: Stages = ()
    fixed: tuple[str, ...] = ()

    def learns(self, edge: str) -> bool:
        return edge not in self.fixed


class Known(eqx.Module):
    """What is known of the end before anything is integrated: how accurate a solve has to be, and
    where it may stop.

    **Fields:** `floor` (): the part of the loss that no weights remove; `least`: the part above it
    that the weakest mode has where all weights are zero; `reach`, `variance`: size of the map to be
    learned, S/d, and of d. All but `floor` are () or, at a laned level, (mode,)."""

    floor: Array
    least: Array
    reach: Array
    variance: Array


@dataclasses.dataclass(frozen=True)
class Reading:
    """What is observed. `paths`: whose strengths; `bases`: the modes in which each (input, output)
    pair is read, in the network's coordinates; `num_modes`: how many singular values of an edge;
    `notes`: `names` of the paths, and `modes` of the task itself where it has one pair, which are
    said and never computed with.
    """

    paths: tuple[Path, ...]
    bases: tuple[tuple[Pair, Modes], ...]
    num_modes: int
    notes: HostOnly

    @property
    def modes(self) -> Modes | None:
        return self.notes.value["modes"]

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the paths."""
        return tuple(self.notes.value["names"][path] for path in self.paths)
