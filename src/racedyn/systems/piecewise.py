"""One system after the other from the same state: tasks that change at given times."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import as_list, check_names, fail, shown
from racedyn._types import Array, ArrayLike, HostOnly, PyTree
from racedyn.systems.base import AbstractSystem
from racedyn.tasks import Modes


class Piecewise(AbstractSystem):
    """`systems`, each from the state that the one before it reached at its switch: continual and
    reversal learning.

    Solvers stop at each switch and begin anew, so that no step runs over one. A row at the time of
    a switch is the last of the system before it, as in `racedyn.train`, where a run that goes on
    with another task has the row before its first step from the task before.

    **Arguments:**

    - `systems`: of one kind, with states and observables of the same shapes. Strengths have to be
      read in the same modes: `racedyn.reduce(network, later, weights, modes=earlier)`. The first
      has the start; those of the others don't matter.
    - `switches`: one time fewer, rising, in units of tau; or the `switches` of a run that was
      trained so.
    - `names`: of the systems, as figures name what begins at a switch; "system 1", ... by default.

    Raises `ValueError` where they do not fit together, `TypeError` for what is no system.

        >>> first = rd.systems.Pathways([2.0], depths=(3, 3), q=1.0, p=[[0.01], [0.02]])
        >>> then = rd.systems.Pathways([-2.0], depths=(3, 3), q=1.0, p=[[0.01], [0.02]])  # reversed
        >>> both = rd.systems.Piecewise([first, then], switches=[5.0])
        >>> run = rd.simulate(both, np.linspace(0.0, 20.0, 81))
        >>> run["strength"][[20, 80]].sum(axis=(1, 2)).round(2).tolist()
        [2.0, -2.0]
    """

    systems: tuple[AbstractSystem, ...]
    times: tuple[Array, ...]  # numbers, as arrays with an axis have that of lanes
    notes: HostOnly = eqx.field(static=True)

    def __init__(
        self,
        systems: Sequence[AbstractSystem],
        switches: ArrayLike | Sequence[float],
        *,
        names: Sequence[str] | None = None,
    ):
        self.systems = tuple(as_list("systems", systems, "be a list of systems"))
        for system in self.systems:
            if not isinstance(system, AbstractSystem) or isinstance(system, Piecewise):
                fail(
                    "systems",
                    "be systems, none of them piecewise itself",
                    f"one is {shown(system)}",
                    "See racedyn.AbstractSystem.",
                    TypeError,
                )
        if isinstance(switches, Sequence) and not isinstance(switches, str | bytes):
            switches = [
                switch["time"] if isinstance(switch, Mapping) else switch for switch in switches
            ]
        times = np.asarray(as_real("switches", switches), dtype=np.float64)
        if times.shape != (len(self.systems) - 1,) or len(self.systems) < 2:
            fail(
                "switches",
                "be one time fewer than there are systems, of which there are at least two",
                f"there are {times.size} for {len(self.systems)} systems",
            )
        if not np.all(np.isfinite(times)) or np.any(np.diff(times) <= 0):
            fail("switches", "be finite and rise", f"they are {times.tolist()}", "Sort them.")
        first = self.systems[0]
        for number, system in enumerate(self.systems[1:], start=1):
            for what, shape in _SHAPES.items():
                if shape(system) != shape(first):
                    fail(
                        "systems",
                        f"have {what} of one kind",
                        f"that of systems[{number}] is {shape(system)}, that of "
                        f"systems[0] {shape(first)}",
                    )
            mine, others = first.modes, system.modes
            if mine is not None and others is not None and not mine.same_as(others):
                but = f"those of systems[{number}] are others than those of systems[0]"
                remedy = (
                    "racedyn.reduce(network, later, weights, modes=earlier) reads one task "
                    "in the modes of another."
                )
                fail("systems", "be read in the same modes", but, remedy)
        self.times = tuple(jnp.asarray(time, float) for time in times)
        numbered = [f"system {number}" for number in range(1, len(self.systems) + 1)]
        names = numbered if names is None else list(check_names("names", names))
        if len(names) != len(self.systems):
            fail(
                "names", "be one for each system", f"there are {len(names)} for {len(self.systems)}"
            )
        self.notes = HostOnly({"times": times.tolist(), "names": names})

    @property
    def switches(self) -> list[dict[str, Any]]:
        """What is recorded of each switch; see `Trajectory.switches`."""
        times, names = self.notes.value["times"], self.notes.value["names"]
        recorded = []
        for number, time in enumerate(times):
            modes = self.systems[number].modes
            known = (
                {}
                if modes is None
                else {"S": modes.S.tolist(), "variances": modes.variances.tolist()}
            )
            before = {"task": names[number], **known}
            recorded.append(
                {"time": time, "step": None, "task": names[number + 1], "before": before}
            )
        return recorded

    @property
    def modes(self) -> Modes | None:
        """Those in which all systems are read, with S and d of the last."""
        return self.systems[-1].modes

    @property
    def validity(self) -> Mapping[str, Any]:
        """That of each system, by number; and what the worst of them has off the diagonal of the
        modes, which it leaves out.
        """
        each = [dict(system.validity or {}) for system in self.systems]
        left_out = [
            found["targets_off_diagonal"] for found in each if "targets_off_diagonal" in found
        ]
        told = {"targets_off_diagonal": max(left_out)} if left_out else {}
        return {str(number): found for number, found in enumerate(each)} | told

    def __repr__(self) -> str:
        times, names = self.notes.value["times"], self.notes.value["names"]
        later = "".join(
            f", then {name} from t = {time:g}" for time, name in zip(times, names[1:], strict=True)
        )
        return f"Piecewise({names[0]}{later}: {self.systems[0].describe()})"

    def y0(self) -> PyTree:
        return self.systems[0].y0()

    def at(self, y: PyTree) -> "Piecewise":
        return eqx.tree_at(lambda piecewise: piecewise.systems[0], self, self.systems[0].at(y))

    def pieces(self) -> tuple[Sequence[Any], Array]:
        return self.systems, jnp.stack(self.times)

    def _now(self, t: Array, each: Callable[[Any], PyTree]) -> PyTree:
        """What `each` gives of the system at time t."""
        which = jnp.sum(t > jnp.stack(self.times))
        found = [each(system) for system in self.systems]
        return jax.tree.map(lambda *leaves: jnp.stack(leaves)[which], *found)

    def vector_field(self, t: Array, y: PyTree, args: Any) -> PyTree:
        return self._now(t, lambda system: system.vector_field(t, y, args))

    def observe(self, t: Array, y: PyTree) -> dict[str, Array]:
        return self._now(t, lambda system: system.observe(t, y))

    def observe_on_request(self, t: Array, y: PyTree) -> dict[str, Array]:
        return self._now(t, lambda system: system.observe_on_request(t, y))

    def dims(self) -> Mapping[str, tuple[str, ...]]:
        return self.systems[0].dims()

    def labels(self) -> Mapping[str, tuple[str, ...]]:
        return self.systems[0].labels()

    def describe(self) -> str:
        return ", then ".join(system.describe() for system in self.systems)

    @property
    def lanes(self) -> int | None:
        return self.systems[0].lanes

    def rates(self) -> Array | None:
        return self.systems[0].rates()

    def amplification(self) -> ArrayLike:
        return self.systems[0].amplification()

    def magnitudes(self, y: PyTree) -> PyTree:
        return self.systems[0].magnitudes(y)

    def drift(self, y: PyTree, y0: PyTree) -> Array:
        return self.systems[0].drift(y, y0)


def _shape(tree: PyTree) -> Any:
    return jax.tree.map(lambda leaf: leaf.shape, tree)


_SHAPES: dict[str, Callable[[Any], Any]] = {
    "states": lambda system: _shape(jax.eval_shape(system.y0)),
    "observables": lambda system: _shape(
        jax.eval_shape(lambda: system.observe(jnp.asarray(0.0), system.y0()))
    ),
    "lanes": lambda system: system.lanes,
}
