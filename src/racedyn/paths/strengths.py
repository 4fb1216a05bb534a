"""What each path carries, read in the task's modes: U^T W_p V and the numbers made of it.

A path p of a nonlinear network has no matrix W_p. Two definitions take its place, and for a linear
network on inputs with Sigma_x = d 1 (one-hot, whitened) they are one number:

- `path_maps`: its response to unit inputs, U^T net_p(I) V ([Shi22] figs. 7, 8), the observable
  "strength";
- `data_maps`: what its answers to the examples have in common with the inputs, U^T < yhat_p x^T > V
  / d, "data_strength".

net_p is what the output does when input comes in by p alone: every other edge into p's nodes
carries what it carries at silence. Silence is x = 0 with constant inputs (biases,
`networks.with_biases`) left on, and what the output is then is taken off, so that net_p(0) = 0;
outputs of pathways add up to yhat(x) - yhat(0). Gates are not applied."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from racedyn._checks import as_list, fail, shown
from racedyn._text import listed
from racedyn._types import Array, Path, Weights
from racedyn.networks import Network, traceable_weights
from racedyn.paths.beginnings import Pair as Pair
from racedyn.paths.beginnings import Probe, in_order, mode_responses
from racedyn.paths.reading import Bases
from racedyn.tasks import Modes

MAX_UNNAMED_PATHS = 1000


def observed_paths(
    network: Network, paths: Sequence[Path] | None, modes: Collection[Pair] | None = None
) -> dict[Path, str]:
    """The paths whose strengths are saved, with their names: `paths`, or all where there are at
    most 1,000, else none.

    `modes`: the pairs of nodes that have some (all of them if None); a path between others cannot
    be read, and is left out unless it is named. Raises `ValueError` for something that is no path
    of the network, and for a named path without modes."""
    few = network.num_paths <= MAX_UNNAMED_PATHS
    names = dict(zip(network.paths(), network.path_names(), strict=True)) if few else {}
    if paths is None:
        return {
            path: name
            for path, name in names.items()
            if modes is None or network.ends(path) in modes
        }
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
    must, remedy = (
        "name paths of the network, a list of tuples of edges",
        "network.paths() lists them.",
    )
    checked = []
    for path in as_list(argument, paths, must, remedy):
        named = isinstance(path, tuple | list) and all(isinstance(edge, str) for edge in path)
        if not named or not network.is_path(tuple(path)):
            fail(argument, must, f"{shown(path)} is none", remedy)
        checked.append(tuple(path))
    return checked


def path_maps(
    network: Network,
    weights: Weights,
    modes: Mapping[Pair, Modes | Bases],
    paths: Sequence[Path],
    *,
    constants: Mapping[str, Array] | None = None,
) -> Array:
    """U^T W_p V for each path in the modes of its (input, output) pair: (path, mode_out, mode_in).

    In a nonlinear network W_p is the path's own response to each unit input, all other paths
    silent: U^T net_p(I) V ([Shi22] figs. 7, 8). `constants`: input node -> (n,) of those that stay
    on, `networks.constant_inputs(task)`; a linear network's maps don't depend on them. Pairs with
    fewer modes are padded with NaN. Gates are not applied.

        >>> task = rd.tasks.clusters(sizes=(2, 1))
        >>> network = rd.networks.chain(task, depth=1, width=1)
        >>> maps = rd.paths.path_maps(network, {"w1": task.Y}, task.all_modes(), network.paths())
        >>> maps.round(3).tolist()  # the targets themselves: sqrt(2) and 1
        [[[1.414, 0.0], [0.0, 1.0]]]
    """
    weights = traceable_weights(network, weights)
    paths = check_paths(network, "paths", paths)
    if not isinstance(modes, Mapping) or not all(
        isinstance(pair, Modes | Bases) for pair in modes.values()
    ):
        fail(
            "modes",
            "be a dict (input, output) -> Modes",
            f"it is {shown(modes)}",
            "For example task.all_modes().",
            TypeError,
        )
    for path in paths:
        if network.ends(path) not in modes:
            fail(
                "modes",
                f"have the pair {network.ends(path)}, which a path joins",
                f"it has {listed(modes)}",
            )

    def unit(pair: Pair) -> Probe:
        V = modes[pair].V
        return Probe(V, None) if network.linear else Probe(np.eye(len(V)), V)

    return _maps(network, weights, modes, paths, unit, constants)


def data_maps(
    network: Network,
    weights: Weights,
    modes: Mapping[Pair, Modes | Bases],
    paths: Sequence[Path],
    inputs: Mapping[str, Array],
    *,
    constants: Mapping[str, Array] | None = None,
) -> Array:
    """U^T < yhat_p x^T > V / d for each path in the modes of its pair, d those of mode_in: (path,
    mode_out, mode_in).

    `inputs`: input node -> (n, P), the examples; `constants` as for `path_maps`. yhat_p = net_p(x),
    which for paths that meet in a nonlinear layer is not their share of the output
    (`not_separable`). For a linear network this is

        U^T W_p Sigma_x V / d = (U^T W_p V)(V^T Sigma_x V) / d + U^T W_p (1 - V V^T) Sigma_x V / d:

    `path_maps` where Sigma_x V = V d. With correlated inputs the diagonal takes in what the path
    maps other inputs to, as far as these go with mode_in. In return its sum over paths is S/d
    wherever < (y - yhat) x^T > = 0, as at the end of training without gates, which that of
    `path_maps` need not be. NaN where d = 0. Padding and gates as for `path_maps`.

        >>> task = rd.tasks.clusters(sizes=(2, 1))
        >>> network = rd.networks.chain(task, depth=1, width=1)
        >>> given = network, {"w1": task.Y}, task.all_modes(), network.paths()
        >>> maps = rd.paths.data_maps(*given, inputs=task.inputs)
        >>> np.allclose(maps, rd.paths.path_maps(*given))  # as inputs are one-hot
        True
    """

    def on_data(pair: Pair) -> Probe:
        X, known = inputs[pair[0]], modes[pair]
        V, d = (jnp.asarray(array, X.dtype) for array in (known.V, known.variances))
        read = X.T @ V / (X.shape[1] * d)
        return Probe(X @ read, None) if network.linear else Probe(X, read)

    return _maps(network, weights, modes, paths, on_data, constants)


def not_separable(network: Network, path: Path, constants: Collection[str] = ()) -> str | None:
    """The first nonlinear node of a path at which another path comes in, so that the output is no
    sum over them; or None.

    Inputs in `constants` count for none: they are part of what a path does.
    """
    ways = {node: int(node not in constants) for node in network.inputs}
    for node in network.order:
        ways.setdefault(
            node, sum(ways[network.edges[edge][0]] for edge in network.edges_into(node))
        )
    own = int(network.ends(path)[0] not in constants)
    for edge in path:
        source, target = network.edges[edge]
        if network.edge_kinds.get(edge, "linear") != "linear" and ways[source] > own:
            return source
        if network.nodes[target].kind != "linear" and ways[target] > own:
            return target
    return None


def _maps(
    network: Network,
    weights: Weights,
    modes: Mapping[Pair, Modes | Bases],
    paths: Sequence[Path],
    probe_of: Callable[[Pair], Probe],
    constants: Mapping[str, Array] | None,
) -> Array:
    """U^T (response of each path to its probe), (path, mode_out, mode_in)."""
    pairs = [network.ends(path) for path in paths]
    probes = {pair: probe_of(pair) for pair in dict.fromkeys(pairs)}
    constants = {} if network.linear or constants is None else constants
    # A path from a constant input is read with nothing else on.
    groups = [
        [i for i, (source, _) in enumerate(pairs) if (source in constants) == alone]
        for alone in (False, True)
    ]
    parts = [
        mode_responses(
            network, weights, modes, [paths[i] for i in group], probes, {} if alone else constants
        )
        for alone, group in enumerate(groups)
        if group
    ]
    size = max(modes[pair].num for pair in probes)
    padded = [
        jnp.pad(maps, ((0, 0), *[(0, size - maps.shape[-1])] * 2), constant_values=np.nan)
        for maps in parts
    ]
    return in_order(padded, [i for group in groups for i in group])


def observe_paths(
    network: Network,
    weights: Weights,
    modes: Mapping[Pair, Modes | Bases],
    paths: Sequence[Path],
    *,
    matrices: bool = False,
    inputs: Mapping[str, Array] | None = None,
    constants: Mapping[str, Array] | None = None,
) -> dict[str, Array]:
    """The observables of paths: `strength`, `off_diagonal`, and `group_strength` where all paths
    share one pair.

    `strength` (path, mode): the diagonal of U^T W_p V, signed. `off_diagonal` (path,): norm of the
    rest over the norm of the diagonal. `group_strength` (path, group): norm of the block of each
    group of equal S, which no rotation of a degenerate basis changes. With `matrices` also
    `strength_matrix` (path, mode_out, mode_in), U^T W_p V itself; with `inputs` also
    `data_strength` (path, mode), the diagonal of `data_maps`. `constants` as for `path_maps`.

        >>> task = rd.tasks.clusters(sizes=(2, 1))
        >>> network = rd.networks.chain(task, depth=1, width=1)
        >>> weights = {"w1": task.Y}
        >>> seen = rd.paths.observe_paths(network, weights, task.all_modes(), network.paths())
        >>> {name: values.round(3).tolist() for name, values in seen.items()}
        {'strength': [[1.414, 1.0]], 'off_diagonal': [0.0], 'group_strength': [[1.414, 1.0]]}
    """
    maps = path_maps(network, weights, modes, paths, constants=constants)
    groups = next(iter(modes.values())).groups if len(modes) == 1 else None
    observed = observe_maps(maps, groups)
    if matrices:
        observed["strength_matrix"] = maps
    if inputs is not None:
        on_data = data_maps(network, weights, modes, paths, inputs, constants=constants)
        observed["data_strength"] = jnp.diagonal(on_data, axis1=1, axis2=2)
    return observed


def observe_maps(maps: Array, groups: Sequence[Sequence[int]] | None) -> dict[str, Array]:
    """`strength`, `off_diagonal` and, with `groups` of modes, `group_strength` of maps U^T W_p V,
    (path, mode_out, mode_in), padded with NaN; see `observe_paths`.
    """
    strength = jnp.diagonal(maps, axis1=1, axis2=2)
    diagonal = jnp.sqrt(jnp.nansum(strength**2, axis=1))
    rest = jnp.where(jnp.eye(maps.shape[-1], dtype=bool), 0, maps)
    observed = {
        "strength": strength,
        "off_diagonal": jnp.sqrt(jnp.nansum(rest**2, axis=(1, 2))) / diagonal,
    }
    if groups is not None:
        blocks = [maps[:, group][:, :, group] for group in map(np.asarray, groups)]
        norms = [jnp.sqrt(jnp.sum(block**2, axis=(1, 2))) for block in blocks]
        observed["group_strength"] = jnp.stack(norms, axis=1)
    return observed
