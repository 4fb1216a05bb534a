"""What each path carries, read in the task's modes: U^T W_p V and the numbers made of it."""

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from racedyn._types import Array, Path, Weights
from racedyn.networks.forward import ACTIVATIONS
from racedyn.networks.network import Network
from racedyn.tasks.modes import Modes

Pair = tuple[str, str]


def path_maps(network: Network, weights: Weights, modes: Mapping[Pair, Modes], paths: Sequence[Path]) -> Array:
    """U^T W_p V for each path in the modes of its (input, output) pair: (path, mode_out, mode_in).

    In a nonlinear network W_p is the path's own response to each unit input, all other paths silent: U^T net_p(I) V
    ([Shi22] figs. 7, 8). Pairs with fewer modes are padded with NaN. Gates are not applied. Products go edge by edge,
    each shared beginning of several paths once.
    """
    size = max(modes[network.ends(path)].num for path in paths)
    begun: dict[tuple[Path, int], Array] = {}

    def carried(path: Path, start: np.ndarray) -> Array:
        """The path's response to the columns of `start`, from the longest beginning known already."""
        known = (path, id(start))
        if known not in begun:
            edge = path[-1]
            before = carried(path[:-1], start) if len(path) > 1 else jnp.asarray(start, weights[edge].dtype)
            edge_kind = network.edge_kinds.get(edge, "linear")
            node_kind = network.nodes[network.edges[edge][1]].kind
            begun[known] = ACTIVATIONS[node_kind](ACTIVATIONS[edge_kind](weights[edge] @ before))
        return begun[known]

    units = {node: np.eye(network.nodes[node].width) for node in network.inputs}
    maps = []
    for path in paths:
        pair = modes[network.ends(path)]
        # A linear path needs the modes' columns only; they may be far fewer than the inputs.
        response = carried(path, pair.V if network.linear else units[network.ends(path)[0]])
        U, V = (jnp.asarray(basis, response.dtype) for basis in (pair.U, pair.V))
        path_map = U.T @ (response if network.linear else response @ V)
        short = size - pair.num
        maps.append(jnp.pad(path_map, ((0, short), (0, short)), constant_values=np.nan))
    return jnp.stack(maps)


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
