"""What a reader should know of a compressed theory beside its errors."""

from racedyn.comparison import compare
from racedyn.simulation import SolveError, simulate
from racedyn.systems import COMPRESSED, AbstractSystem, Descent
from racedyn.trajectory import Trajectory


def remarks(system: AbstractSystem, trained: Trajectory, progress: bool) -> list[str]:
    """Its size and estimated error; and how far it is from the training when it goes by the
    training's own steps, which are no flow: empty for other levels."""
    told = system.validity or {}
    if told.get("level") != COMPRESSED.name or "estimate" not in told:
        return []
    estimate = ", ".join(f"{name} {error:.1e}" for name, error in told["estimate"].items())
    found = [f"compressed to {told['directions']}; estimated error: {estimate}"]
    if trained.step is None or len(trained.ts) < 2:
        return found
    lr = float(trained.ts[1] / trained.step[1])
    try:
        by_steps = simulate(Descent(system, lr), trained.ts, progress=progress)
        errors = compare({"by steps": by_steps}, trained)["by steps"].errors
    except (SolveError, ValueError):  # a remark costs nobody a run
        return found
    off = ", ".join(
        f"{name} {errors[name].relative_l2:.1e}" for name in ("strength", "loss") if name in errors
    )
    found.append(
        f"the flow is compared with descent; by steps of {lr:g} tau, as the training goes, the "
        f"compressed theory is off by: {off}"
    )
    return found
