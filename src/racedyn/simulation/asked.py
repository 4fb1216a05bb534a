"""What an ensemble is asked for beside its members: of systems a solver and its options, of
trainings none of them.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import diffrax as dfx
from jax.sharding import Mesh

from racedyn._arrays import check_times
from racedyn._checks import fail, shown
from racedyn._types import Times
from racedyn.simulation.blocks import Work, observed
from racedyn.simulation.checks import as_times, check_by_steps, check_field, check_solver
from racedyn.simulation.cores import Cores
from racedyn.simulation.crossings import Asked as Crossings
from racedyn.simulation.crossings import none_if_empty
from racedyn.simulation.members import Builder
from racedyn.simulation.method import MAX_STEPS, takes_exact
from racedyn.simulation.solve import rtol_of, settings_for


@dataclasses.dataclass(frozen=True)
class Asked:
    """Arguments of `racedyn.ensemble`, as they were given."""

    ts: Times | None = None
    observe: Sequence[str] | None = None
    method: str = "auto"
    args: Any = None
    rtol: float | None = None
    atol: float | None = None
    max_steps: int = MAX_STEPS
    solver: dfx.AbstractSolver | None = None
    retry: dfx.AbstractSolver | None = None
    jumps: Times | None = None
    crossings: Crossings | None = None

    def check(self) -> None:
        """Refuse what is no option of a solver, before anything is built."""
        check_solver(max_steps=self.max_steps, solver=self.solver, retry=self.retry)

    def refuse_beside_trainings(self) -> None:
        """Refuse all of them: a training goes by its own steps, and observes what it says."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is not field.default and value != field.default:
                fail(
                    field.name,
                    "be left out beside trainings, which have steps of their own",
                    f"it is {shown(value)}",
                    "rd.Training takes steps=, save_every= and observe=.",
                )

    def work(self, builder: Builder, mesh: Mesh, cores: Cores) -> Work:
        """What is to be done with systems. Raises `ValueError` or `TypeError` for what does not fit
        them."""
        like, ts, rtol = builder.first(), self.ts, self.rtol
        check_field(like, self.args)
        check_by_steps(like, retry=self.retry)
        settings = settings_for(
            like,
            rtol=rtol,
            atol=self.atol,
            max_steps=self.max_steps,
            solver=self.solver,
            adjoint=dfx.ForwardMode(),
            jumps=self.jumps,
            crossings=self.crossings,
        )
        told = {
            "args": self.args,
            "max_steps": self.max_steps,
            "solver": self.solver,
            "retry": self.retry,
            "jumps": self.jumps,
            "crossings": none_if_empty(self.crossings),
        }
        has_exact = like.lanes is not None and builder.sample.has_exact
        tolerance = None if ts is None else rtol_of(like) if rtol is None else rtol
        exact = takes_exact(has_exact, self.method, told, tolerance)
        if ts is None and not exact:
            fail(
                "ts",
                "be given where a solver is to find the states",
                "it is left out, which means the end",
                "For example jnp.linspace(0, 10, 200).",
            )
        return Work(
            like=like,
            times=None if ts is None else as_times(like, check_times(ts)),
            exact=exact,
            settings=settings,
            long=dataclasses.replace(settings, solver=self.solver or dfx.Dopri8()),
            retry=self.retry or dfx.Kvaerno5(),
            args=self.args,
            names=observed(like, self.observe),
            modes=builder.modes,
            mesh=mesh,
            cores=cores,
        )
