"""The door of the machine: from a network and a condensed task to the system that learns it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from racedyn._types import ArrayLike, FrozenDict, HostOnly
from racedyn.networks import Network
from racedyn.systems.gated.condensed import Condensed, condense_modes
from racedyn.systems.gated.flow import GatedFlow
from racedyn.systems.gated.parts import Known, Level, PerLayer, Reading, Trained, Work
from racedyn.systems.gated.plan import Plan, make_plan, weakest
from racedyn.systems.gated.symmetry import share
from racedyn.systems.gated.wiring import wire


class Modewise(NamedTuple):
    """A network in one direction per mode: `network` has width 1 at all nodes but, perhaps, outputs
    (of k directions); `frames`: node -> (n, mode), at such an output (n, k, mode).
    """

    network: Network
    frames: Mapping[str, np.ndarray]


class Size(NamedTuple):
    """Size of the map to be learned, S/d (`reach`), and of d summed over inputs (`variance`), per
    mode at a laned level.
    """

    reach: np.ndarray
    variance: np.ndarray


def gated_flow(
    network: Network,
    condensed: Condensed,
    weights: Mapping[str, ArrayLike],
    level: Level,
    *,
    size: Size,
    reading: Reading,
    trained: Trained,
    weight_decay: float,
    tolerance: float,
    validity: Mapping[str, Any],
    modewise: Modewise | None = None,
) -> GatedFlow:
    """The gradient flow of `network` on a condensed task, from `weights`.

    **Arguments:**

    - `condensed`: what `condense(network, task)` made of a task.
    - `weights`: edge -> (n_target, n_source), at a laned level (n_target, n_source, mode), of all
      edges of `network`, or of `modewise.network` where that is given.
    - `trained`: its stages hold all edges that learn.
    - `tolerance`: differences of this size, relative to the largest value, between weights, inputs
      or targets count as rounding, where symmetry keeps matrices equal.
    - `validity`: what was measured of this reduction.
    - `modewise`: the network to be integrated at a laned level, and the directions in which the
      task is read there.
    """
    if modewise is not None:
        condensed = condense_modes(network, condensed, modewise.frames)
        network = modewise.network
    stages = trained.stages
    if stages:  # a fixed edge goes with the last stage: nothing trains it, all may pass through it
        stages = (*stages[:-1], (*stages[-1], *trained.fixed))
    start = {edge: np.asarray(matrix) for edge, matrix in weights.items()}
    wiring, stands_for = share(wire(network, condensed), start, stages, tolerance)
    plan = make_plan(wiring)
    place = _places(plan)
    return GatedFlow(
        level=level,
        work=Work(
            network=Network(network.nodes, network.edges),
            plan=plan,
            place=FrozenDict({edge: place[other] for edge, other in stands_for.items()}),
            inputs=_as_arrays(wiring.inputs),
            targets=_as_arrays(wiring.targets),
        ),
        weights=tuple(
            jnp.stack([jnp.asarray(start[edge], float) for edge in bundle.edges])
            for bundle in plan.bundles
        ),
        weight_decay=jnp.asarray(weight_decay, float),
        trained=Trained(stages, trained.fixed),
        known=Known(
            floor=jnp.asarray(condensed.floor, float),
            least=jnp.asarray(weakest(plan, wiring.targets), float),
            reach=jnp.asarray(size.reach, float),
            variance=jnp.asarray(size.variance, float),
        ),
        reading=reading,
        measured=HostOnly(validity),
    )


def _places(plan: Plan) -> dict[str, tuple[int, int]]:
    """Edge -> (bundle, place in it)."""
    return {
        edge: (b, i) for b, bundle in enumerate(plan.bundles) for i, edge in enumerate(bundle.edges)
    }


def _as_arrays(rows: tuple[np.ndarray | None, ...]) -> PerLayer:
    return tuple(None if array is None else jnp.asarray(array, float) for array in rows)
