"""A look: the signals of the wide network at one time, and what of them leaves the store.

Learning moves an edge's matrix within span(backward signals) x span(forward signals), so the store
has to hold these at all times, down to a share `eps` of each column's own signal. Forward signals
are those of the columns' inputs. Backward signals are those of the outputs that the columns ask
for, and of the rest of their error: in a single pathway it grows although it cancels in the sum."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from racedyn.reduction.compression.columns import Columns
from racedyn.reduction.compression.store import BACKWARD, FORWARD, Side, Store, arrive, longer
from racedyn.rules import Stages

Weights = Mapping[str, np.ndarray]
Held = dict[str, np.ndarray]


class Signals(NamedTuple):
    """**Fields:** `forward`: inner node -> (size, column); `backward`: inner node -> (size, 2
    columns), of what is asked for and of the rest of the error; `answers`: output -> (n, column).
    """

    forward: Held
    backward: Held
    answers: Held


class Looked(NamedTuple):
    """**Fields:** `signals`; `weights`: those of the network, with the directions that are new;
    `before`, `after`: the largest share of a signal that lay outside the store, root mean square
    over columns, before and after it grew.
    """

    signals: Signals
    weights: Weights
    before: float
    after: float


class _Look:
    """One look at a network whose matrices are `shrunk` x the initial ones, but for `weights` on
    the directions that were known.
    """

    def __init__(self, store: Store, columns: Columns, weights: Weights, shrunk: float, eps: float):
        self.store, self.columns, self.eps = store, columns, eps
        self.weights, self.shrunk = weights, shrunk
        self.before = self.after = 0.0
        self._whole: dict[str, np.ndarray] = {}

    def matrix(self, edge: str) -> np.ndarray:
        """The matrix of an edge in the bases as they are."""
        start = self.store.B[edge]
        if edge not in self._whole or self._whole[edge].shape != start.shape:
            known = self.weights[edge]
            self._whole[edge] = self.shrunk * start
            self._whole[edge][: known.shape[0], : known.shape[1]] = known
        return self._whole[edge]

    def carry(self, side: Side, start: Held, edges: set[str] | None) -> Held:
        """The signals of `start` at all nodes, exploring what leaves the store; along `edges` alone
        where these are given.
        """
        store, columns, network = self.store, self.columns, self.store.network
        held: Held = {}
        times = next(iter(start.values())).shape[1] // columns.num

        for node in network.order if side == FORWARD else network.order[::-1]:
            gate = columns.node_gate(node, times)
            if node in start:
                held[node] = start[node] * gate
                continue
            coming = [e for e in store.coming(node, side) if edges is None or e in edges]
            if not coming:
                continue

            arrived = gate * arrive(store, self.matrix, coming, side, held, columns, times)
            if node not in store.complete:
                scale = scale_of(columns, side, np.linalg.norm(arrived, axis=0))
                grown = [
                    self._explore(
                        edge,
                        side,
                        held[store.ends(edge, side)[0]]
                        * (gate * columns.edge_gate(edge, times) * scale),
                        int(np.count_nonzero(scale[: columns.num][columns.learning])),
                    )
                    for edge in coming
                ]
                if any(grown):
                    arrived = gate * arrive(store, self.matrix, coming, side, held, columns, times)
            held[node] = arrived
        return held

    def _explore(self, edge: str, side: Side, signal: np.ndarray, columns: int) -> int:
        store = self.store
        usual = self.shrunk * store.std[edge]
        usual *= np.sqrt(float(store.network.nodes[store.ends(edge, side)[1]].width))
        outside = store.outside(edge, side, signal) * usual
        size = float(np.linalg.norm(outside)) / np.sqrt(max(columns, 1))
        self.before = max(self.before, size)
        if size <= self.eps:  # mostly so
            self.after = max(self.after, size)
            return 0
        left, values, _ = np.linalg.svd(outside, full_matrices=False)
        rest = tails(values) / np.sqrt(max(columns, 1))
        kept = int(np.argmax(rest <= self.eps))
        self.after = max(self.after, float(rest[kept]))
        return store.explore(edge, side, left[:, :kept])


def scale_of(columns: Columns, side: Side, norms: np.ndarray) -> np.ndarray:
    """What signals at a node, of the norms given, are multiplied by so that a column's is 1; (times
    columns,).

    A column that asks for nothing counts as much as its input: as there is no signal of its own
    backwards, it is there measured by those of its group."""
    num, asked = columns.num, columns.asked > 0
    own = norms[:num]
    if side == FORWARD:
        size = np.where(asked, own, own / np.maximum(columns.given, np.finfo(float).tiny))
    else:
        alike = (columns.group[:, None] == columns.group) & asked & (own > 0)
        mean = alike @ own / np.maximum(alike.sum(axis=1), 1)
        size = np.where(asked, own, mean)
    scale = np.divide(1.0, size, out=np.zeros_like(size), where=size > 0)
    return np.tile(scale, len(norms) // num)


def tails(values: np.ndarray) -> np.ndarray:
    """Root of the sum of squares of all values from the i-th on, i = 0 ... n."""
    return np.sqrt(np.concatenate([np.cumsum(np.square(values[::-1]))[::-1], [0.0]]))


def look(
    store: Store,
    columns: Columns,
    weights: Weights,
    *,
    shrunk: float,
    eps: float,
    stages: Stages,
) -> Looked:
    """The signals of the network that stands at `weights`, whose store grows until a share `eps` of
    them at most lies outside.

    `shrunk`: what weight decay has left of the initial matrices.
    """
    network = store.network
    seen = _Look(store, columns, weights, shrunk, eps)
    forward = seen.carry(FORWARD, columns.inputs, None)
    backward: Held = {}
    units = columns.unit_targets()
    for number, _ in enumerate(stages or ((),)):
        so_far = {edge for stage in stages[: number + 1] for edge in stage} if stages else None
        reached = forward if so_far is None else seen.carry(FORWARD, columns.inputs, so_far)
        errors = {
            node: Y - reached[node] if node in reached else Y for node, Y in columns.targets.items()
        }
        rest = columns.outside(errors)
        start = {node: np.hstack([units[node], rest[node]]) for node in network.outputs}
        own = set(stages[number]) if stages else None
        found = seen.carry(BACKWARD, start, own)
        backward |= {node: held for node, held in found.items() if node not in store.complete}
    forward = {node: longer(held, store.size[node]) for node, held in forward.items()}
    answers = {node: forward.pop(node) for node in network.outputs}
    inner = [node for node in network.order if node not in store.complete]
    signals = Signals(
        {node: forward[node] for node in inner},
        {node: longer(backward[node], store.size[node]) for node in inner},
        answers,
    )
    now = {edge: seen.matrix(edge) for edge in network.edges}
    return Looked(signals, now, seen.before, seen.after)
