"""What each path carries, read in the task's modes: U^T W_p V and the numbers made of it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_list, fail, shown
from racedyn._types import Array, Path, Weights
from racedyn.networks.fit import traceable_weights
from racedyn.networks.forward import ACTIVATIONS
from racedyn.networks.network import Network
from racedyn.tasks.modes import Modes

Pair = tuple[str, str]
MAX_UNNAMED_PATHS = 1000


def observed_paths(
    network: Network, paths: Sequence[Path] | None, modes: Collection[Pair] | None = None
) -> dict[Path, str]:
    """The paths whose strengths are saved, with their names: `paths`, or all where there are at most 1,000, else none.

    `modes`: the pairs of nodes that have some (all of them if None); a path between others cannot be read, and is left out
    unless it is named. Raises `ValueError` for something that is no path of the network, and for a named path without modes.
    """
    few = network.num_paths <= MAX_UNNAMED_PATHS
    names = dict(zip(network.paths(), network.path_names(), strict=True)) if few else {}
    if paths is None:
        return {path: name for path, name in names.items() if modes is None or network.ends(path) in modes}
    paths = check_paths(network, "paths", paths)
    for path in paths:
        if modes is not None and network.ends(path) not in modes:
            fail(
                "paths",
                "join nodes that are correlated",
                f"{network.ends(path)} are not",
                "Give the pair bases in the task.",
            )
    return {tuple(path): names.get(tuple(path), " > ".join(path)) for path in paths}


def check_paths(network: Network, argument: str, paths: Any) -> list[Path]:
    """Refuse what is no list of paths of the network."""
    must, remedy = "name paths of the network, a list of tuples of edges", "network.paths() lists them."
    checked = []
    for path in as_list(argument, paths, must, remedy):
        named = isinstance(path, tuple | list) and all(isinstance(edge, str) for edge in path)
        if not named or not network.is_path(tuple(path)):
            fail(argument, must, f"{shown(path)} is none", remedy)
        checked.append(tuple(path))
    return checked


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
    """A beginning of one or several paths: where its response stands among the arrays made so far."""

    array: int
    row: int


def path_maps(network: Network, weights: Weights, modes: Mapping[Pair, Modes], paths: Sequence[Path]) -> Array:
    """U^T W_p V for each path in the modes of its (input, output) pair: (path, mode_out, mode_in).

    In a nonlinear network W_p is the path's own response to each unit input, all other paths silent: U^T net_p(I) V
    ([Shi22] figs. 7, 8). Pairs with fewer modes are padded with NaN. Gates are not applied. Each shared beginning of
    several paths is computed once, and beginnings that go through matrices of one shape together: what is traced does
    not grow with the number of paths.
    """
    weights = traceable_weights(network, weights)
    paths = check_paths(network, "paths", paths)
    if not isinstance(modes, Mapping) or not all(isinstance(pair, Modes) for pair in modes.values()):
        fail(
            "modes",
            "be a dict (input, output) -> Modes",
            f"it is {shown(modes)}",
            "For example task.all_modes().",
            TypeError,
        )
    for path in paths:
        if network.ends(path) not in modes:
            fail("modes", f"have the pair {network.ends(path)}, which a path joins", f"it has {list(modes)}")
    dtype = next(iter(weights.values())).dtype
    starts, arrays = _starts(network, modes, paths, dtype)
    begun: dict[Beginning, _Begun] = {}
    for length in range(1, max(map(len, paths)) + 1):
        # Beginnings of this length by the edge they end in and their number of columns, then by what happens to them: all
        # of a kind are one product of stacks.
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
            columns_before = _gathered(arrays, [list(fresh[end].values()) for end in ends], kind.sources)
            product = jnp.einsum("ets,ebsr->ebtr", jnp.stack([weights[edge] for edge, _ in ends]), columns_before)
            product = ACTIVATIONS[kind.node](ACTIVATIONS[kind.edge](product))
            arrays.append(product.reshape(-1, *product.shape[2:]))
            keys = [key for end in ends for key in fresh[end]]
            begun.update({key: _Begun(len(arrays) - 1, row) for row, key in enumerate(keys)})
    return _read(network, modes, paths, [begun[path, start] for path, start in zip(paths, starts, strict=True)], arrays)


def _starts(
    network: Network, modes: Mapping[Pair, Modes], paths: Sequence[Path], dtype: Any
) -> tuple[list[int], list[Array]]:
    """For each path the number of the array (1, n_in, columns) that it starts with, and these arrays.

    A linear path needs the modes' columns only; they may be far fewer than the inputs.
    """
    known: dict[tuple[str, bytes], int] = {}
    starts: list[int] = []
    arrays: list[Array] = []
    linear, edges = network.linear, network.edges
    for path in paths:
        source, target = edges[path[0]][0], edges[path[-1]][1]
        V = modes[source, target].V if linear else np.eye(network.nodes[source].width)
        key = source, V.tobytes()
        if key not in known:
            known[key] = len(arrays)
            arrays.append(jnp.asarray(V, dtype)[None])
        starts.append(known[key])
    return starts, arrays


def _gathered(arrays: Sequence[Array], befores: Sequence[Sequence[_Begun]], sources: Sequence[int]) -> Array:
    """(edge, beginning, n, column) of the beginnings before each edge."""
    offset = dict(zip(sources, np.cumsum([0, *(len(arrays[source]) for source in sources)]), strict=False))
    rows = np.asarray([[offset[before.array] + before.row for before in row] for row in befores])
    joined = arrays[sources[0]] if len(sources) == 1 else jnp.concatenate([arrays[source] for source in sources])
    return joined[rows]


def _read(
    network: Network,
    modes: Mapping[Pair, Modes],
    paths: Sequence[Path],
    ends: Sequence[_Begun],
    arrays: Sequence[Array],
) -> Array:
    """U^T (response) V, paths whose responses stand in one array together."""
    edges = network.edges
    read = [modes[edges[path[0]][0], edges[path[-1]][1]] for path in paths]
    size = max(pair.num for pair in read)
    groups: dict[tuple[int, int], list[int]] = {}
    for i, (pair, end) in enumerate(zip(read, ends, strict=True)):
        groups.setdefault((end.array, pair.num), []).append(i)
    parts, order = [], []
    for (array, num), members in groups.items():
        response = arrays[array][np.asarray([ends[i].row for i in members])]
        pairs = [read[i] for i in members]
        maps = jnp.einsum("pna,pnb->pab", _stacked([pair.U for pair in pairs], response.dtype), response)
        if not network.linear:
            maps = jnp.einsum("pan,pnb->pab", maps, _stacked([pair.V for pair in pairs], response.dtype))
        parts.append(jnp.pad(maps, ((0, 0), (0, size - num), (0, size - num)), constant_values=np.nan))
        order += members
    back = np.argsort(np.asarray(order))
    joined = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
    return joined if np.array_equal(back, np.arange(len(back))) else joined[back]


def _stacked(bases: Sequence[np.ndarray], dtype: Any) -> Array:
    """(path, n, mode); one basis that all share is not copied."""
    if all(basis is bases[0] for basis in bases):
        return jnp.broadcast_to(jnp.asarray(bases[0], dtype), (len(bases), *bases[0].shape))
    return jnp.asarray(np.stack(bases), dtype)


def observe_paths(
    network: Network, weights: Weights, modes: Mapping[Pair, Modes], paths: Sequence[Path], *, matrices: bool = False
) -> dict[str, Array]:
    """The observables of paths: `strength`, `off_diagonal`, and `group_strength` where all paths share one pair.

    `strength` (path, mode): the diagonal of U^T W_p V, signed. `off_diagonal` (path,): norm of the rest over the norm
    of the diagonal. `group_strength` (path, group): norm of the block of each group of equal S, which no rotation of a
    degenerate basis changes. With `matrices` also `strength_matrix` (path, mode_out, mode_in), U^T W_p V itself.
    """
    maps = path_maps(network, weights, modes, paths)
    strength = jnp.diagonal(maps, axis1=1, axis2=2)
    diagonal = jnp.sqrt(jnp.nansum(strength**2, axis=1))
    rest = jnp.where(jnp.eye(maps.shape[-1], dtype=bool), 0, maps)
    observed = {"strength": strength, "off_diagonal": jnp.sqrt(jnp.nansum(rest**2, axis=(1, 2))) / diagonal}
    if len(modes) == 1:
        groups = [np.asarray(group) for pair in modes.values() for group in pair.groups]
        norms = [jnp.sqrt(jnp.sum(maps[:, group][:, :, group] ** 2, axis=(1, 2))) for group in groups]
        observed["group_strength"] = jnp.stack(norms, axis=1)
    if matrices:
        observed["strength_matrix"] = maps
    return observed
