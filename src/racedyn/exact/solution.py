"""What closed forms share: their times, their loss, and the trajectory that they come back as."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_real
from racedyn._checks import check_is, fail
from racedyn._jit import is_traced
from racedyn._types import MODE, TIME, Array, ArrayLike, Times
from racedyn.tasks import Modes
from racedyn.trajectory import Provenance, Status, Trajectory, now, versions


def flow_times(ts: Times) -> Array:
    """Flow times (time,), counted from the start; infinity, the end, is one of them."""
    t = jnp.asarray(as_real("ts", ts), float)
    if t.ndim > 1 or not t.size:
        fail(
            "ts",
            "be one time or a vector of times",
            f"its shape is {t.shape}",
            "For example jnp.linspace(0, 10, 200).",
        )
    # As NumPy, because what JAX computes inside jit has no value yet, even of an array that has
    # one.
    if not isinstance(t, jax.core.Tracer) and not (earliest := np.asarray(t).min()) >= 0:
        fail("ts", "be of at least 0, where the start is", f"its smallest is {earliest:g}")
    return t if t.ndim else t[None]


def loss_of(
    singular_values: ArrayLike, variances: ArrayLike, total: Array, modes: Modes | None
) -> Array:
    """Loss (time,) where the strengths of each mode add up to `total` (time, mode): the sum over
    modes of (S - d K)^2 / 2 d, and the floor of `modes`. Without variance it has no floor: it is
    infinite unless S is 0, too."""
    check_modes(modes, total.shape[-1])
    given = jnp.asarray(singular_values, float), jnp.asarray(variances, float), total
    xp: Any = jnp if is_traced(*given) else np  # JAX would compile a program for each operation
    S, d, total = map(xp.asarray, given)
    known = d > 0
    with np.errstate(all="ignore"):
        squares, twice = (S - d * total) ** 2, 2 * xp.where(known, d, 1.0)
    missing = jnp.divide(squares, twice)  # XLA's, which differs from NumPy's in the last bit
    missing = xp.where(known, missing, xp.where(S == 0, 0.0, np.inf))
    return jnp.sum(missing, axis=-1) + (0.0 if modes is None else modes.floor)


def check_modes(modes: Modes | None, num: int) -> None:
    """Refuse what are no modes, or not as many as are solved."""
    if modes is not None:
        check_is("modes", modes, Modes, "be Modes", "task.modes has those of a task.")
        if modes.num != num:
            fail("modes", f"be the {num} that are solved", f"there are {modes.num}")


def solution(
    system: str,
    ts: Array,
    observables: Mapping[str, Array],
    dims: Mapping[str, tuple[str, ...]],
    *,
    solver: str = "closed form",
    labels: Mapping[str, Sequence[str]] | None = None,
    status: Array | int = int(Status.DONE),
    modes: Modes | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Trajectory:
    """A closed form as a `Trajectory`: `dims` as a system names them, without time; no provenance
    of what JAX is tracing."""
    names = {axis: tuple(along) for axis, along in (labels or {}).items()}
    if modes is not None:
        names.setdefault(MODE, modes.names)
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in (ts, status, *observables.values()))
    provenance = Provenance(
        kind="exact",
        system=system,
        solver=solver,
        settings={"t0": 0.0, "time_unit": "tau"} | dict(settings or {}),
        modes=modes,
        versions=versions(),
        created=now(),
    )
    return Trajectory(
        ts=ts,
        observables=dict(observables),
        dims={name: (TIME, *dims.get(name, ())) for name in observables},
        labels=names,
        status=jnp.asarray(status, jnp.int32),
        provenance=None if traced else provenance,
    )
