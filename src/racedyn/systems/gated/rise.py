"""How a network rises from small weights, as its start alone tells: what an early error of the
weights does to the result.

A chain of numbers w_1 ... w_D with product K learns S/d so that all w_l^2 grow by the same x (their
differences are conserved): from any start the end is known, and with it the rate at which the last
of the error goes. A network is judged by its leading path, each matrix by its gain, |W| /
sqrt(smaller side)."""

from collections.abc import Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._types import Array
from racedyn.networks import Network
from racedyn.paths import Pair
from racedyn.tasks import Modes

TINY = 1e-300
HALVINGS = 64  # of the interval in which x lies: more than a double can tell


def gain(matrix: Array) -> Array:
    """|W| / sqrt(smaller side): what a matrix does to the length of a signal, in the mean over
    those that it passes.
    """
    return jnp.sqrt(jnp.sum(matrix**2, axis=(0, 1)) / min(matrix.shape[:2]))


def leading_path(network: Network, gains: Mapping[str, Array]) -> tuple[Array, Array]:
    """Gains along the path with the largest product, (depth,), and which of these places it uses at
    all.
    """
    places = network.distances()
    depth = max(places.values())
    one = next(iter(gains.values()))
    best = {
        node: (jnp.zeros_like(one), jnp.ones(depth, one.dtype), jnp.zeros(depth, bool))
        for node in network.inputs
    }
    for node in network.order:
        ways = []
        for edge in network.edges_into(node):
            product, taken, used = best[network.edges[edge][0]]
            at = places[node] - 1
            grown = product + jnp.log(jnp.maximum(gains[edge], TINY))
            ways.append((grown, taken.at[at].set(gains[edge]), used.at[at].set(True)))
        if ways:
            best[node] = _largest(ways)
    _, taken, used = _largest([best[node] for node in network.outputs])
    return taken, used


def _largest(ways: Sequence[tuple[Array, Array, Array]]) -> tuple[Array, Array, Array]:
    found = ways[0]
    for way in ways[1:]:
        found = jax.tree.map(
            lambda new, old, better=way[0] > found[0]: jnp.where(better, new, old), way, found
        )
    return found


def relaxation(gains: Array, used: Array, reach: Array, variance: Array) -> Array:
    """d sum_l prod_(m != l) w_m^2 where prod w = S/d: the rate at which the product of a chain
    approaches its end.
    """
    squares, count = jnp.where(used, gains**2, 1), jnp.sum(used).astype(gains.dtype)

    def product(x: Array) -> Array:
        return jnp.prod(jnp.where(used, jnp.sqrt(jnp.maximum(squares + x, 0)), 1))

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        below = product(middle) < reach
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    low = -jnp.min(jnp.where(used, squares, jnp.inf))
    _, x = jax.lax.fori_loop(0, HALVINGS, halve, (low, reach ** (2 / count)))
    return variance * reach**2 * jnp.sum(jnp.where(used, 1 / jnp.maximum(squares + x, TINY), 0))


def amplification(gains: Array, used: Array, reach: Array, variance: Array, growth: Array) -> Array:
    """By how much an early relative error of the weights grows: a plateau turns it into a shift in
    time.

    The rise from K to S/d takes ln(1 + S/(d K)) / `growth`; the end is approached at `relaxation`.
    At least the depth: an error in each of D factors is D times that in K."""
    start = jnp.prod(jnp.where(used, gains, 1))
    rise = jnp.log1p(reach / jnp.maximum(start, TINY)) / jnp.maximum(growth, TINY)
    return jnp.maximum(
        jnp.sum(used).astype(gains.dtype), rise * relaxation(gains, used, reach, variance)
    )


def mixing(
    network: Network,
    matrices: Mapping[str, Array],
    sources: Mapping[str, Array],
    targets: Mapping[str, Array],
    sizes: Callable[[Array], Array],
) -> Array:
    """By how much less than the entries of a matrix a mode that it carries is known; at least 1.

    `sources`, `targets`: input and output node -> (n, mode), the v and u of every mode, 0 where it
    is not read there. A solve knows each entry to its tolerance times its size (`sizes` of a
    matrix). What these errors make of u^T W_p v, unit by unit, is large beside the signal itself
    where a weak mode is spread over the rows and columns of strong ones."""
    arriving, wanted = dict(sources), dict(targets)
    for node in network.order:
        if edges := network.edges_into(node):
            arriving[node] = sum(
                (matrices[e] @ arriving[network.edges[e][0]] for e in edges), jnp.zeros(())
            )
    for node in reversed(network.order):
        if edges := network.edges_from(node):
            wanted[node] = sum(
                (matrices[e].T @ wanted[network.edges[e][1]] for e in edges), jnp.zeros(())
            )
    worst = jnp.asarray(1.0)
    for edge, (source, target) in network.edges.items():
        before, after = arriving[source], wanted[target]
        signal = jnp.sum((after * (matrices[edge] @ before)) ** 2, axis=0)
        blur = jnp.sum(after**2 * (sizes(matrices[edge]) ** 2 @ before**2), axis=0)
        worst = jnp.maximum(
            worst,
            jnp.max(jnp.where(signal > 0, jnp.sqrt(blur / jnp.where(signal > 0, signal, 1)), 1)),
        )
    return worst


def columns(
    widths: Mapping[str, int], bases: Sequence[tuple[Pair, Modes]], basis: str, end: int
) -> dict[str, Array]:
    """Node -> U or V of every pair side by side, 0 for those that have another node at this end."""
    columns = {}
    for node, width in widths.items():
        own = [
            getattr(modes, basis) if pair[end] == node else np.zeros((width, modes.num))
            for pair, modes in bases
        ]
        columns[node] = jnp.asarray(np.concatenate(own, axis=1))
    return columns
