"""Whether states come from a system's own solution or from a solver: decided here, for one system
and for many.
"""

from collections.abc import Mapping
from typing import Any

from racedyn._checks import check_name, fail

METHODS = ("auto", "exact", "ode")
EXACT_ACCURACY = 1e-8  # of trajectories without a solver, in the larger of S and the start
MAX_STEPS = 2**16


def takes_exact(has_exact: bool, method: str, told: Mapping[str, Any], rtol: Any = None) -> bool:
    """Whether the system's own solution is taken, if it has one. `told`: what was given for a
    solver, name -> value, None where nothing was; `rtol`: None where the end is asked for, which
    is found to rounding.

    "auto" takes it unless something is asked for that only a solver can do: any of `told`, or an
    accuracy finer than EXACT_ACCURACY. "exact" takes it whatever `rtol` is; `max_steps` and `retry`
    are then for the modes that are never learned, which are left to a solver. Raises `ValueError`
    where it is asked for and can't be had."""
    check_name("method", method, METHODS)
    given = [name for name, value in told.items() if _is_given(name, value)]
    if method == "auto":
        return has_exact and not given and (rtol is None or float(rtol) >= EXACT_ACCURACY)
    if method == "ode":
        return False
    if not has_exact:
        fail(
            "method",
            "be 'ode' or 'auto' for a system without a solution of its own",
            "it is 'exact'",
            "systems.Pathways has one, in float64, of whole depths and without weight decay.",
        )
    if given := [name for name in given if name not in ("max_steps", "retry")]:
        fail(
            "method",
            "be 'ode' where options of a solver are given",
            f"it is 'exact' beside {given}",
        )
    return True


def _is_given(name: str, value: Any) -> bool:
    return value != MAX_STEPS if name == "max_steps" else value is not None
