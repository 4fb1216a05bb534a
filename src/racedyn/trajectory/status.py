"""How a lane, a member or a run ended."""

from enum import IntEnum


class Status(IntEnum):
    """How one lane, member or run ended, with a solver or without. Its `message` is what the user
    reads; files keep its number."""

    DONE = 0
    SETTLED = 1
    EVENT = 2
    STEPS_EXHAUSTED = 3
    NOT_FINITE = 4
    FAILED = 5
    INTERRUPTED = 6
    UNLEARNED = 7
    SYMMETRIC = 8

    @property
    def message(self) -> str:
        return _MESSAGES[self]

    @property
    def ok(self) -> bool:
        return self in (Status.DONE, Status.SETTLED, Status.EVENT, Status.SYMMETRIC)


_MESSAGES = {
    Status.DONE: "reached the last time asked for",
    Status.SETTLED: (
        "settled: what is left to change is as small as was asked for; later values, if there are "
        "any, are that one"
    ),
    Status.EVENT: "stopped by an event; later rows are NaN",
    Status.STEPS_EXHAUSTED: (
        "used up its steps: raise max_steps, rtol, atol; pass an implicit solver; or it "
        "blows up or is NaN"
    ),
    Status.NOT_FINITE: (
        "became infinite or NaN: lower lr (training), or look at the start and the "
        "vector field (a solve)"
    ),
    Status.FAILED: (
        "was given up: tighten rtol or pass another solver; or, without a solver, no end was found"
    ),
    Status.INTERRUPTED: "was interrupted: the rows up to then are kept",
    Status.UNLEARNED: (
        "has modes that no pathway can learn, so that there is no end; simulate, or ensemble with "
        "ts=, follows them"
    ),
    Status.SYMMETRIC: (
        "learned, by pathways that are exactly equal: any difference decides which of them wins"
    ),
}
