"""What comes out of many paths at once: shared beginnings are computed once, matrices of one shape
together.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, Path, Weights
from racedyn.networks import ACTIVATIONS, Network, is_silent
from racedyn.paths.reading import Bases
from racedyn.tasks import Modes

Pair = tuple[str, str]


class Probe(NamedTuple):
    """What is sent into paths of a pair, (n_in, column), and what their responses are multiplied
    by, (column, mode_in).

    A linear path needs the modes' columns only, which may be far fewer than the inputs: they are
    read as they come out."""

    columns: Any
    read: Any


Beginning = tuple[Path, int]  # of a path, from the start of this number


class _Kind(NamedTuple):
    """What happens to several beginnings at once."""

    shape: tuple[int, int]
    columns: int
    members: int
    sources: tuple[int, ...]
    edge: str
    node: str


class _Begun(NamedTuple):
    """A beginning of one or several paths: where its response stands among the arrays made so
    far.
    """

    array: int
    row: int


def mode_responses(
    network: Network,
    weights: Weights,
    modes: Mapping[Pair, Modes | Bases],
    paths: Sequence[Path],
    probes: Mapping[Pair, Probe],
    constants: Mapping[str, Array],
) -> Array:
    """U^T (response of each path to its pair's probe), read: (path, mode_out, mode_in), fewer modes
    padded with NaN.

    `constants`: input node -> (n,) of those that stay on. Each shared beginning of several paths is
    computed once, and beginnings that go through matrices of one shape together: what is traced
    does not grow with the number of paths."""
    dtype = jnp.result_type(*weights.values())
    starts, arrays = _starts(network, paths, probes, dtype)
    silent, beside = _silence(network, weights, constants, dtype)
    begun: dict[Beginning, _Begun] = {}
    for length in range(1, max(map(len, paths)) + 1):
        # Beginnings of this length by the edge they end in and their number of columns, then by
        # what happens to them: all of a kind are one product of stacks.
        fresh: dict[tuple[str, int], dict[Beginning, _Begun]] = {}
        for path, start in zip(paths, starts, strict=True):
            key = (path[:length], start)
            if len(path) >= length and key not in begun:
                before = begun[path[: length - 1], start] if length > 1 else _Begun(start, 0)
                fresh.setdefault((path[length - 1], arrays[start].shape[-1]), {})[key] = before
        kinds: dict[_Kind, list[tuple[str, int]]] = {}
        for (edge, columns), members in fresh.items():
            kinds.setdefault(
                _Kind(
                    network.shape(edge),
                    columns,
                    len(members),
                    tuple(sorted({before.array for before in members.values()})),
                    network.edge_kinds.get(edge, "linear"),
                    network.nodes[network.edges[edge][1]].kind,
                ),
                [],
            ).append((edge, columns))
        for kind, ends in kinds.items():
            columns_before = _gathered(
                arrays, [list(fresh[end].values()) for end in ends], kind.sources
            )
            product = jnp.einsum(
                "ets,ebsr->ebtr", jnp.stack([weights[edge] for edge, _ in ends]), columns_before
            )
            product = ACTIVATIONS[kind.edge](product)
            if beside:
                product += jnp.stack([beside[edge] for edge, _ in ends])[:, None, :, None]
            product = ACTIVATIONS[kind.node](product)
            arrays.append(product.reshape(-1, *product.shape[2:]))
            keys = [key for end in ends for key in fresh[end]]
            begun.update({key: _Begun(len(arrays) - 1, row) for row, key in enumerate(keys)})
    found = [begun[path, start] for path, start in zip(paths, starts, strict=True)]
    return _read(network, modes, paths, probes, silent, found, arrays)


def _silence(
    network: Network, weights: Weights, constants: Mapping[str, Array], dtype: Any
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Node -> what it holds at silence (n,), and edge -> what the other edges into its node then
    bring there (n_target,).

    Both are empty where all of it is 0: without constants, and activations that are 0 at 0.
    """
    kinds = {node.kind for node in network.nodes.values()} | set(network.edge_kinds.values())
    if not constants and all(is_silent(kind) for kind in kinds):
        return {}, {}
    silent: dict[str, Array] = {}
    beside: dict[str, Array] = {}
    for node in network.order:
        width, kind = network.nodes[node]
        nothing = jnp.zeros(width, dtype)
        edges = network.edges_into(node)
        carried = {
            edge: ACTIVATIONS[network.edge_kinds.get(edge, "linear")](
                weights[edge] @ silent[network.edges[edge][0]]
            )
            for edge in edges
        }
        for edge in edges:
            beside[edge] = sum((carried[other] for other in edges if other != edge), start=nothing)
        held = (
            sum(carried.values(), start=nothing)
            if edges
            else jnp.asarray(constants.get(node, nothing), dtype)
        )
        silent[node] = ACTIVATIONS[kind](held) if edges else held
    return silent, beside


def _starts(
    network: Network, paths: Sequence[Path], probes: Mapping[Pair, Probe], dtype: Any
) -> tuple[list[int], list[Array]]:
    """For each path the number of the array (1, n_in, columns) that it starts with, and these
    arrays.
    """
    known: dict[tuple[str, Any], int] = {}
    starts: list[int] = []
    arrays: list[Array] = []
    for path in paths:
        columns = probes[network.ends(path)].columns
        # Equal arrays of the host are one start, whatever the pair; of traced ones each is its own.
        key = (
            network.ends(path)[0],
            columns.tobytes() if isinstance(columns, np.ndarray) else id(columns),
        )
        if key not in known:
            known[key] = len(arrays)
            arrays.append(jnp.asarray(columns, dtype)[None])
        starts.append(known[key])
    return starts, arrays


def _gathered(
    arrays: Sequence[Array], befores: Sequence[Sequence[_Begun]], sources: Sequence[int]
) -> Array:
    """(edge, beginning, n, column) of the beginnings before each edge."""
    offset = dict(
        zip(sources, np.cumsum([0, *(len(arrays[source]) for source in sources)]), strict=False)
    )
    rows = np.asarray([[offset[before.array] + before.row for before in row] for row in befores])
    joined = (
        arrays[sources[0]]
        if len(sources) == 1
        else jnp.concatenate([arrays[source] for source in sources])
    )
    return joined[rows]


def _read(
    network: Network,
    modes: Mapping[Pair, Modes | Bases],
    paths: Sequence[Path],
    probes: Mapping[Pair, Probe],
    silent: Mapping[str, Array],
    ends: Sequence[_Begun],
    arrays: Sequence[Array],
) -> Array:
    """U^T (response - what the output is at silence), read by the probe; paths whose responses
    stand together together.
    """
    pairs = [network.ends(path) for path in paths]
    size = max(modes[pair].num for pair in pairs)
    groups: dict[tuple[int, int], list[int]] = {}
    for i, (pair, end) in enumerate(zip(pairs, ends, strict=True)):
        groups.setdefault((end.array, modes[pair].num), []).append(i)
    parts, order = [], []
    for (array, num), members in groups.items():
        response = arrays[array][np.asarray([ends[i].row for i in members])]
        if silent:
            response -= jnp.stack([silent[pairs[i][1]] for i in members])[:, :, None]
        maps = jnp.einsum(
            "pna,pnb->pab", _stacked([modes[pairs[i]].U for i in members], response.dtype), response
        )
        if not network.linear:
            reads = [probes[pairs[i]].read for i in members]
            maps = jnp.einsum("pan,pnb->pab", maps, _stacked(reads, response.dtype))
        parts.append(
            jnp.pad(maps, ((0, 0), (0, size - num), (0, size - num)), constant_values=np.nan)
        )
        order += members
    return in_order(parts, order)


def in_order(parts: Sequence[Array], order: Sequence[int]) -> Array:
    """Parts joined along the first axis, `order[i]` being where row i of them belongs."""
    back = np.argsort(np.asarray(order))
    joined = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
    return joined if np.array_equal(back, np.arange(len(back))) else joined[back]


def _stacked(bases: Sequence[Any], dtype: Any) -> Array:
    """(path, n, mode); one basis that all share is not copied."""
    if all(basis is bases[0] for basis in bases):
        return jnp.broadcast_to(jnp.asarray(bases[0], dtype), (len(bases), *bases[0].shape))
    return jnp.asarray(
        np.stack(bases) if isinstance(bases[0], np.ndarray) else jnp.stack(bases), dtype
    )
