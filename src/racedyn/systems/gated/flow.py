"""The system that runs the machine: gradient flow of a gated linear network at the levels "full",
"matrix" and "modes".
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._text import clipped
from racedyn._types import EDGE, MODE, PATH, Array, ArrayLike, HostOnly
from racedyn.paths import (
    MAX_UNNAMED_PATHS,
    PROJECTORS,
    SHARES,
    observe_paths,
    observe_projectors,
    observe_shares,
    path_maps,
)
from racedyn.rules import staged
from racedyn.systems.base import AbstractSystem, entry_sizes
from racedyn.systems.gated import conserved, field, rise
from racedyn.systems.gated.edges import largest_values, path_products
from racedyn.systems.gated.parts import Known, Level, Reading, State, Trained, Work
from racedyn.tasks import Modes
from racedyn.trajectory import OBSERVABLES


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
    singular values. On request, where all paths join one pair: what shares tell of a mode
    (`participation`, `winner`, ...); and off the level "modes" `strength_matrix` (path, mode_out,
    mode_in), and what `racedyn.paths.projectors` and its like make of it."""

    level: Level = eqx.field(static=True)
    work: Work
    weights: State  # at the start
    weight_decay: Array
    trained: Trained = eqx.field(static=True)
    known: Known
    reading: Reading = eqx.field(static=True)
    measured: HostOnly = eqx.field(static=True)  # by `reduce`, of this reduction

    @property
    def modes(self) -> Modes | None:
        return self.reading.modes

    @property
    def path_ends(self) -> Sequence[tuple[str, str]]:
        ends = [self.work.network.ends(path) for path in self.reading.paths]
        return ends if len(set(ends)) > 1 else ()

    @property
    def validity(self) -> Mapping[str, Any]:
        """What `reduce` measured about this reduction; it prints itself."""
        return self.measured.value

    @property
    def known_to(self) -> float:
        return float(self.validity.get("known_to", 0.0))

    def __repr__(self) -> str:
        return clipped(self.describe())

    def describe(self) -> str:
        edges = len(self._learning())
        states = sum(
            self.trained.learns(edge) for bundle in self.work.plan.bundles for edge in bundle.edges
        )
        shared = f", {states} of them distinct" if states < edges else ""
        modes = f", {self.lanes} modes" if self.lanes is not None else ""
        return f"GatedFlow at level {self.level.name!r} of {edges} edges{shared}{modes}"

    @property
    def lanes(self) -> int | None:
        return self.weights[0].shape[-1] if self.level.laned else None

    def y0(self) -> State:
        return self.weights

    def at(self, y: State) -> "GatedFlow":
        return eqx.tree_at(lambda flow: flow.weights, self, y)

    def vector_field(self, t: Array, y: State, args: Any) -> State:
        return self._each_lane(self._field)(y, self.work.inputs, self.work.targets)

    def _field(self, y: State, inputs: Any, targets: Any) -> State:
        """The field in one lane."""
        fixed, stages = self.trained.fixed, self.trained.stages
        masks = []
        for number, stage in enumerate(stages):
            so_far = {edge for before in stages[: number + 1] for edge in before} | set(fixed)
            masks.append((self._mask(y, set(stage)), self._mask(y, so_far)))
        descent = staged(
            lambda weights: field.descent(self.work.plan, weights, inputs, targets), y, masks
        )
        flow = jax.tree.map(lambda f, w: f - self.weight_decay * w, descent, y)
        if not fixed:
            return flow
        return jax.tree.map(jnp.multiply, self._mask(y, set(self.work.place) - set(fixed)), flow)

    def _mask(self, y: State, edges: set[str]) -> State:
        return tuple(
            jnp.asarray([[[edge in edges]] for edge in bundle.edges], y[0].dtype)
            for bundle in self.work.plan.bundles
        )

    def _learning(self) -> list[str]:
        """The edges that are weights."""
        return [edge for edge in self.work.network.edges if self.trained.learns(edge)]

    def _each_lane(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """`function` of arrays with modes last, mode by mode; as it is where there is one lane or
        none.
        """
        return (
            jax.vmap(function, in_axes=-1, out_axes=-1) if self.weights[0].ndim == 4 else function
        )

    def _missing(self, y: State) -> Array:
        """The loss above its floor; mode by mode at a laned level."""
        return self._each_lane(lambda *arrays: field.missing(self.work.plan, *arrays))(
            y, self.work.inputs, self.work.targets
        )

    def matrices(self, y: State) -> dict[str, Array]:
        """Edge -> (n_target, n_source[, mode]), of every edge of the network."""
        return self.work.matrices(y)

    def observe(self, t: Array, y: State) -> dict[str, Array]:
        observed = {"loss": jnp.sum(self._missing(y)) + self.known.floor}
        matrices, paths = self.matrices(y), self.reading.paths
        if self.level.laned:
            edges = self._learning()
            strengths = jnp.stack([matrices[edge][0, 0] for edge in edges])
            observed["edge_strength"] = strengths
            if paths:
                observed["strength"] = path_products(strengths, edges, paths)
            return observed
        if paths:
            observed |= observe_paths(self.work.network, matrices, dict(self.reading.bases), paths)
        if self.level.reads_edges:
            size = self.reading.num_modes
            values = [largest_values(matrices[edge], size) for edge in self._learning()]
            observed["edge_strength"] = jnp.stack(values)
        return observed

    def observe_on_request(self, t: Array, y: State) -> dict[str, Array]:
        network, paths = self.work.network, self.reading.paths
        if not paths:
            return {}
        # In bases of each path's own, paths end in nodes of their own: no mode is common to two.
        shared = len({network.ends(path) for path in paths}) == 1
        if self.level.laned:
            return observe_shares(self.observe(t, y)["strength"]) if shared else {}
        matrices = path_maps(network, self.matrices(y), dict(self.reading.bases), paths)
        found = {"strength_matrix": matrices}
        if shared:
            strength = jnp.diagonal(matrices, axis1=1, axis2=2)
            found |= observe_shares(strength) | observe_projectors(matrices)
        return found

    def dims(self) -> Mapping[str, tuple[str, ...]]:
        known = ("strength", "off_diagonal", "group_strength", "edge_strength", "strength_matrix")
        return {name: OBSERVABLES[name].axes for name in (*known, *SHARES, *PROJECTORS)}

    def labels(self) -> Mapping[str, tuple[str, ...]]:
        names: dict[str, tuple[str, ...]] = {}
        if self.reading.paths:
            names[PATH] = self.reading.names
        if self.level.reads_edges:
            names[EDGE] = tuple(self._learning())
        if self.modes is not None:
            names[MODE] = self.modes.names
        return names

    def rates(self) -> Array | None:
        """Growth rate at the start, mode by mode."""
        return _growth_of_lanes(self) if self.level.laned else None

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
        """As of the chain of numbers that the leading path is (`systems.gated.rise`)."""
        given = self.weights, self.work.inputs, self.work.targets
        return self._each_lane(self._amplification)(*given, self.known.reach, self.known.variance)

    def _amplification(
        self, weights: State, inputs: Any, targets: Any, reach: Array, variance: Array
    ) -> Array:
        gains = {
            edge: rise.gain(matrix)
            for edge, matrix in self.matrices(weights).items()
            if self.trained.learns(edge)
        }
        gains |= {edge: jnp.ones_like(reach) for edge in self.trained.fixed}
        growth = self._growth(weights, inputs, targets)
        leading = rise.leading_path(self.work.network, gains)
        return rise.amplification(*leading, reach, variance, growth)

    def mixing(self) -> Array:
        network = self.work.network
        if (
            self.level.laned
            or not self.reading.paths
            or max(network.count_paths().values()) > MAX_UNNAMED_PATHS
        ):
            return jnp.asarray(1.0)
        widths = {node: network.nodes[node].width for node in network.order}
        sources = rise.columns(
            {node: widths[node] for node in network.inputs}, self.reading.bases, "V", 0
        )
        targets = rise.columns(
            {node: widths[node] for node in network.outputs}, self.reading.bases, "U", 1
        )
        return rise.mixing(network, self.matrices(self.weights), sources, targets, entry_sizes)

    def settled(self, t: Array, y: State, tolerance: ArrayLike) -> Array:
        """Whether the strengths still missing are below `tolerance`, that of the weakest mode too:
        the loss, quadratic in them, near its floor. Weight decay goes on there, and so do the
        stages before the last."""
        plain = (self.weight_decay == 0) & (not self.trained.stages)
        return plain & (self._missing(y) <= tolerance**2 * self.known.least)

    def drift(self, y: State, y0: State) -> Array:
        """Largest change of sum_in W W^T - sum_out W^T W at an inner node, over the norm of both
        sums at the start.

        Gates or not, it is conserved; with weight decay it is not, and the drift is NaN.
        """
        balances = self._each_lane(lambda w: conserved.balances(self.work, self.trained, w))
        worst = jnp.asarray(jnp.nan)
        for (now, _), (then, scale) in zip(balances(y), balances(y0), strict=True):
            change = jnp.sqrt(jnp.sum((now - then) ** 2, axis=(0, 1)))
            worst = jnp.fmax(worst, jnp.max(change / jnp.maximum(scale, rise.TINY)))
        return jnp.where(self.weight_decay == 0, worst, jnp.nan)


@eqx.filter_jit
def _growth_of_lanes(flow: GatedFlow) -> Array:
    return flow._each_lane(flow._growth)(flow.weights, flow.work.inputs, flow.work.targets)
