"""Gradient flow of a gated linear network: the system behind the levels "full", "matrix" and
"modes".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._text import clipped
from racedyn._types import EDGE, MODE, PATH, Array, ArrayLike, FrozenDict, HostOnly, Path
from racedyn.networks import Network
from racedyn.paths import MAX_UNNAMED_PATHS, Pair, observe_paths
from racedyn.rules import Stages, staged
from racedyn.systems.base import AbstractSystem, entry_sizes
from racedyn.systems.gated import field, rise
from racedyn.systems.gated.plan import Plan, weakest
from racedyn.tasks import Modes

State = tuple[Array, ...]
Place = tuple[int, int]


class GatedFlow(AbstractSystem):
    """tau dW_e/dt = -dL/dW_e - weight_decay W_e for every edge of a gated linear network ([Saxe22]
    eq. 5).

    Made by `racedyn.reduce`. At the levels "full" and "matrix" the state is the network's (or the
    projected network's) matrices, stacked bundle by bundle (edge, n_target, n_source). At the level
    "modes" all widths are 1, every leaf has a last axis of modes, and each mode is a lane. Edges
    that symmetry keeps equal share one entry of the state.

    Observables: `loss` (); `strength` (path, mode), and off the level "modes" `off_diagonal`
    (path,) and `group_strength` (path, group), as in `racedyn.train`; `edge_strength` (edge, mode):
    at the level "modes" the strength of every edge in each mode, signed, at "matrix" its largest
    singular values."""

    weights: State
    inputs: tuple[Array | None, ...]
    targets: tuple[Array | None, ...]
    reach: Array
    variance: Array
    floor: Array
    # The part of the loss above its floor that the weakest mode has where all weights are zero
    least: Array
    weight_decay: Array
    level: str = eqx.field(static=True)
    network: Network = eqx.field(static=True)
    plan: Plan = eqx.field(static=True)
    place: FrozenDict = eqx.field(static=True)
    num_modes: int = eqx.field(static=True)
    paths: tuple[Path, ...] = eqx.field(static=True)
    bases: tuple[tuple[Pair, Modes], ...] = eqx.field(static=True)
    stages: Stages = eqx.field(static=True)
    fixed: tuple[str, ...] = eqx.field(static=True)
    notes: HostOnly = eqx.field(static=True)

    def __init__(
        self,
        network: Network,
        plan: Plan,
        inputs: Sequence[np.ndarray | None],
        targets: Sequence[np.ndarray | None],
        weights: Mapping[str, ArrayLike],
        *,
        level: str,
        floor: float,
        reach: ArrayLike,
        variance: ArrayLike,
        num_modes: int,
        place: Mapping[str, Place],
        weight_decay: ArrayLike,
        stages: Stages,
        paths: Mapping[Path, str],
        bases: Mapping[Pair, Modes],
        modes: Modes | None,
        fixed: Sequence[str] = (),
        validity: Mapping[str, Any],
    ):
        """What the flow is made of; `racedyn.reduce` puts it together.

        **Arguments:** `plan`, `inputs`, `targets` of `network` on a task (`systems.wiring`);
        `weights`: edge -> (n_target, n_source[, mode]) at the start, for the edges of the plan;
        `floor` of the loss; `reach`, `variance`: size of the map to be learned, S/d, and of d, per
        mode at the level "modes"; `num_modes` of the task; `place`: edge -> (bundle, place in it),
        of every edge; `paths`: the observed ones with their names; `bases`: the modes in which each
        (input, output) pair is read, in the network's coordinates; `modes`: those of the task
        itself, where it has one pair; `fixed`: edges that are no weights and stay what they are.
        """
        self.network = Network(network.nodes, network.edges)  # its gates have gone into the plan
        self.plan, self.level = plan, level
        self.place = FrozenDict(place)
        self.weights = tuple(
            jnp.stack([jnp.asarray(weights[edge], float) for edge in bundle.edges])
            for bundle in plan.bundles
        )
        self.inputs, self.targets = (
            tuple(None if array is None else jnp.asarray(array, float) for array in arrays)
            for arrays in (inputs, targets)
        )
        self.reach, self.variance = jnp.asarray(reach, float), jnp.asarray(variance, float)
        self.floor = jnp.asarray(floor, float)
        self.least = jnp.asarray(weakest(plan, targets), float)
        self.weight_decay = jnp.asarray(weight_decay, float)
        self.num_modes = num_modes
        self.paths = tuple(paths)
        self.bases = tuple(bases.items())
        self.stages = stages
        self.fixed = tuple(fixed)
        self.notes = HostOnly({"modes": modes, "validity": validity, "names": dict(paths)})

    @property
    def validity(self) -> Mapping[str, Any]:
        """What `reduce` measured about this reduction; it prints itself."""
        return self.notes.value["validity"]  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return clipped(self.describe())

    @property
    def modes(self) -> Modes | None:
        """The modes in which strengths are read, where the task has one pair of input and
        output.
        """
        return self.notes.value["modes"]  # type: ignore[no-any-return]

    def describe(self) -> str:
        edges = len(self._trained())
        states = sum(
            edge not in self.fixed for bundle in self.plan.bundles for edge in bundle.edges
        )
        shared = f", {states} of them distinct" if states < edges else ""
        modes = f", {self.lanes} modes" if self.lanes is not None else ""
        return f"GatedFlow at level {self.level!r} of {edges} edges{shared}{modes}"

    @property
    def lanes(self) -> int | None:
        return self.weights[0].shape[-1] if self.level == "modes" else None

    def y0(self) -> State:
        return self.weights

    def at(self, y: State) -> "GatedFlow":
        return eqx.tree_at(lambda flow: flow.weights, self, y)

    def vector_field(self, t: Array, y: State, args: Any) -> State:
        return self._each_lane(self._field)(y, self.inputs, self.targets)

    def _field(self, y: State, inputs: Any, targets: Any) -> State:
        """The field in one lane."""
        masks = []
        for number, stage in enumerate(self.stages):
            so_far = {edge for before in self.stages[: number + 1] for edge in before} | set(
                self.fixed
            )
            masks.append((self._mask(y, set(stage)), self._mask(y, so_far)))
        descent = staged(
            lambda weights: field.descent(self.plan, weights, inputs, targets), y, masks
        )
        flow = jax.tree.map(lambda f, w: f - self.weight_decay * w, descent, y)
        if not self.fixed:
            return flow
        return jax.tree.map(jnp.multiply, self._mask(y, set(self.place) - set(self.fixed)), flow)

    def _mask(self, y: State, edges: set[str]) -> State:
        return tuple(
            jnp.asarray([[[edge in edges]] for edge in bundle.edges], y[0].dtype)
            for bundle in self.plan.bundles
        )

    def _trained(self) -> list[str]:
        return [edge for edge in self.network.edges if edge not in self.fixed]

    def _each_lane(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` of arrays with modes last, mode by mode; as it is where there is one lane or
        none.
        """
        return (
            jax.vmap(function, in_axes=-1, out_axes=-1) if self.weights[0].ndim == 4 else function
        )

    def _missing(self, y: State) -> Array:
        """The loss above its floor; mode by mode at the level "modes"."""
        return self._each_lane(lambda *arrays: field.missing(self.plan, *arrays))(
            y, self.inputs, self.targets
        )

    def matrices(self, y: State) -> dict[str, Array]:
        """Edge -> (n_target, n_source[, mode]), of every edge of the network."""
        return {edge: y[bundle][i] for edge, (bundle, i) in self.place.items()}

    def observe(self, t: Array, y: State) -> dict[str, Array]:
        observed = {"loss": jnp.sum(self._missing(y)) + self.floor}
        matrices = self.matrices(y)
        if self.level == "modes":
            observed["edge_strength"] = jnp.stack(
                [matrices[edge][0, 0] for edge in self._trained()]
            )
            if self.paths:
                observed["strength"] = path_products(
                    observed["edge_strength"], self._trained(), self.paths
                )
            return observed
        if self.paths:
            observed |= observe_paths(self.network, matrices, dict(self.bases), self.paths)
        if self.level == "matrix":
            values = [_largest(matrices[edge], self.num_modes) for edge in self._trained()]
            observed["edge_strength"] = jnp.stack(values)
        return observed

    def dims(self) -> Mapping[str, tuple[str, ...]]:
        return {
            "strength": (PATH, MODE),
            "off_diagonal": (PATH,),
            "group_strength": (PATH, "group"),
            "edge_strength": (EDGE, MODE),
        }

    def labels(self) -> Mapping[str, tuple[str, ...]]:
        names: dict[str, tuple[str, ...]] = {}
        if self.paths:
            names[PATH] = tuple(self.notes.value["names"][path] for path in self.paths)
        if self.level != "full":
            names[EDGE] = tuple(self._trained())
        if self.modes is not None:
            names[MODE] = self.modes.names
        return names

    def rates(self) -> Array | None:
        """Growth rate at the start, mode by mode."""
        return _growth_of_lanes(self) if self.level == "modes" else None

    def _growth(self, weights: State, inputs: Any, targets: Any) -> Array:
        """Largest |dW/dt| / |W| of a matrix, in one lane."""
        rates = [
            jnp.max(
                jnp.sqrt(
                    jnp.sum(f**2, axis=(1, 2)) / jnp.maximum(jnp.sum(w**2, axis=(1, 2)), rise.TINY)
                )
            )
            for f, w in zip(self._field(weights, inputs, targets), weights, strict=True)
        ]
        return jnp.max(jnp.stack(rates))

    def amplification(self) -> Array:
        """As of the chain of numbers that the leading path is (`systems.rise`)."""
        given = self.weights, self.inputs, self.targets, self.reach, self.variance
        return self._each_lane(self._amplification)(*given)  # type: ignore[no-any-return]

    def _amplification(
        self, weights: State, inputs: Any, targets: Any, reach: Array, variance: Array
    ) -> Array:
        gains = {
            edge: rise.gain(matrix)
            for edge, matrix in self.matrices(weights).items()
            if edge not in self.fixed
        }
        gains |= {edge: jnp.ones_like(reach) for edge in self.fixed}
        growth = self._growth(weights, inputs, targets)
        return rise.amplification(*rise.leading_path(self.network, gains), reach, variance, growth)

    def mixing(self) -> Array:
        if (
            self.level == "modes"
            or not self.paths
            or max(self.network.count_paths().values()) > MAX_UNNAMED_PATHS
        ):
            return jnp.asarray(1.0)
        widths = {node: self.network.nodes[node].width for node in self.network.order}
        sources = rise.columns(
            {node: widths[node] for node in self.network.inputs}, self.bases, "V", 0
        )
        targets = rise.columns(
            {node: widths[node] for node in self.network.outputs}, self.bases, "U", 1
        )
        return rise.mixing(self.network, self.matrices(self.weights), sources, targets, entry_sizes)

    def settled(self, t: Array, y: State, tolerance: ArrayLike) -> Array:
        """Whether the strengths still missing are below `tolerance`, that of the weakest mode too:
        the loss, quadratic in them, near its floor. Weight decay goes on there, and so do the
        stages before the last."""
        plain = (self.weight_decay == 0) & (not self.stages)
        return plain & (self._missing(y) <= tolerance**2 * self.least)

    def drift(self, y: State, y0: State) -> Array:
        """Largest change of sum_in W W^T - sum_out W^T W at an inner node, over the norm of both
        sums at the start.

        Gates or not, it is conserved; with weight decay it is not, and the drift is NaN.
        """
        conserved = self._each_lane(
            lambda w: [self._balance(node, w) for node in self._inner_nodes()]
        )
        worst = jnp.asarray(jnp.nan)
        for (now, _), (then, scale) in zip(conserved(y), conserved(y0), strict=True):
            change = jnp.sqrt(jnp.sum((now - then) ** 2, axis=(0, 1)))
            worst = jnp.fmax(worst, jnp.max(change / jnp.maximum(scale, rise.TINY)))
        return jnp.where(self.weight_decay == 0, worst, jnp.nan)

    def _inner_nodes(self) -> list[str]:
        """Inner nodes whose edges are all trained."""
        ends = {*self.network.inputs, *self.network.outputs}
        ends |= {node for edge in self.fixed for node in self.network.edges[edge]}
        return [node for node in self.network.order if node not in ends]

    def _balance(self, node: str, y: State) -> tuple[Array, Array]:
        """The conserved matrix of a node, (n, n), and its scale, from bundles (edge, n_target,
        n_source).
        """
        sums = []
        for edges, product in (
            (self.network.edges_into(node), "eij,ekj->ik"),
            (self.network.edges_from(node), "eji,ejk->ik"),
        ):
            which: dict[int, list[int]] = {}
            for edge in edges:
                bundle, i = self.place[edge]
                which.setdefault(bundle, []).append(i)
            parts = [
                jnp.einsum(product, stack, stack)
                for stack in (y[b][np.asarray(i)] for b, i in which.items())
            ]
            sums.append(sum(parts[1:], start=parts[0]))
        return sums[0] - sums[1], jnp.linalg.norm(sums[0]) + jnp.linalg.norm(sums[1])


@eqx.filter_jit
def _growth_of_lanes(flow: GatedFlow) -> Array:
    return flow._each_lane(flow._growth)(flow.weights, flow.inputs, flow.targets)


def places(plan: Plan) -> dict[str, Place]:
    """Edge -> (bundle, place in it)."""
    return {
        edge: (b, i) for b, bundle in enumerate(plan.bundles) for i, edge in enumerate(bundle.edges)
    }


def path_products(strengths: Array, edges: Sequence[str], paths: Sequence[Path]) -> Array:
    """Products along paths, (path, mode), of the strengths (edge, mode) of `edges`."""
    number = {edge: i for i, edge in enumerate(edges)}
    one = len(number)
    longest = max(map(len, paths))
    along = np.asarray(
        [[*(number[edge] for edge in path), *[one] * (longest - len(path))] for path in paths]
    )
    padded = jnp.concatenate([strengths, jnp.ones_like(strengths[:1])])
    return jnp.prod(padded[along], axis=1)


def _largest(matrix: Array, size: int) -> Array:
    """The `size` largest singular values, falling; NaN where there are fewer."""
    values = jnp.linalg.svd(matrix, compute_uv=False)[:size]
    return jnp.pad(values, (0, size - len(values)), constant_values=jnp.nan)
