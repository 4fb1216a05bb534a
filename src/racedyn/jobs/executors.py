"""Blocks of a job computed here, in processes of this machine, or wherever an executor puts them.

What is done is decided by part files alone: blocks that are done are not begun again, and what
was finished stays, whatever ends the rest."""

import dataclasses
import pkgutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, as_completed
from typing import Any, TypeAlias

from racedyn._checks import check_int, check_mapping, check_name, check_names, fail, shown
from racedyn.jobs.calls import check_run, compute, settings
from racedyn.jobs.slurm import Slurm
from racedyn.jobs.tally import Tally
from racedyn.jobs.workers import TAIL, Workers, available

NAMED = ("local", "slurm")
TASKS = 64  # of a job array, at most, unless `jobs` says so
TRIES = 2  # of each block
NAMES = 8  # of missing blocks in a warning

Round: TypeAlias = Callable[[Tally, int], str]  # tries what is missing; what the last error said


@dataclasses.dataclass(frozen=True)
class Work:
    """What a worker computes.

    **Fields:** `folder`, in which lies everything that a worker must know; `run`, the name of a
    function as "package.module:function", which takes the folder and the name of a block, computes
    the block and writes its part file there, whole or not at all, and does nothing where that is
    there; `is_done`, asked here, whether the part file of a block is there."""

    folder: str
    run: str
    is_done: Callable[[str], bool]


def execute(
    work: Work,
    blocks: Sequence[str],
    executor: Any = None,
    *,
    jobs: int | None = None,
    options: Mapping[str, Any] | None = None,
    report: Callable[[int], None] = lambda done: None,
) -> list[str]:
    """Compute the blocks that are not done, and return those that are still missing, of which a
    warning says why. `report` is told how many of them all are done, at the beginning too.

    `executor`:

    - None: this process, one block after the other. What a block raises is raised.
    - "local": as many processes of this machine as `jobs` says, or as this one may use cores,
      which they share out. On a GPU say how many it has room for, as a rule 1.
    - "slurm": a job array of at most `jobs` tasks (64), with several blocks each; needs
      `pip install "racedyn[slurm]"`. `options` are those of `submitit.SlurmExecutor`, with or
      without "slurm_" in front: `time` in minutes (60), `partition`, `array_parallelism`,
      `cpus_per_task`, ... The folder must be seen from all nodes. Logs are in its folder "slurm".
    - A `concurrent.futures.Executor`, such as `client.get_executor()` of Dask, a process pool, or
      mpi4py's: a call for each block. JAX's settings that change numbers are set as they are here.

    A block whose worker is lost, or raises an error, is tried once more by another one. Ctrl-C ends
    the workers, and takes the jobs out of Slurm's queue; of an executor of yours it cancels what
    has not begun. It is raised, and what was finished stays. Workers on this machine end with this
    process, however that ends.

    Raises `ValueError` or `TypeError` for other arguments, `ImportError` without submitit, and
    `RuntimeError` where Slurm's commands are not there.

        >>> work = Work("runs/sweep", "package.module:function", is_done)
        >>> execute(work, ["0", "1", "2"], "local", jobs=2)  # doctest: +SKIP
        []
    """
    blocks = check_names("blocks", blocks, "names of blocks")
    _check(executor, jobs, options)
    check_run(work.run)
    tally = Tally(blocks, work.is_done, report)
    if executor is None:
        _here(work, tally)
        return tally.missing
    why = ""
    if executor == "local":
        number = min(jobs or available(), len(tally.missing))
        if number:
            with Workers(work.folder, work.run, number) as workers:
                why = _tried(_futures(lambda block, _: workers.submit(block)), tally)
    elif executor == "slurm":
        slurm = Slurm(work.folder, work.run, jobs or TASKS, options or {})
        why = _tried(lambda left, _: slurm.round(left), tally)
    else:
        set_to = settings()
        why = _tried(
            _futures(
                lambda block, attempt: executor.submit(
                    compute, work.run, work.folder, block, set_to, attempt
                )
            ),
            tally,
        )
    if tally.missing:
        warnings.warn(_told(tally.missing, len(blocks), why), RuntimeWarning, stacklevel=2)
    return tally.missing


def _check(executor: Any, jobs: int | None, options: Mapping[str, Any] | None) -> None:
    if isinstance(executor, str):
        check_name("executor", executor, NAMED)
    elif executor is not None and not isinstance(executor, Executor):
        dask = callable(getattr(executor, "get_executor", None))
        fail(
            "executor",
            "be None, 'local', 'slurm' or a concurrent.futures.Executor",
            f"it is {shown(executor)}",
            "Pass client.get_executor()." if dask else "",
            TypeError,
        )
    if jobs is not None:
        check_int("jobs", jobs, 1)
        if not isinstance(executor, str):
            fail(
                "jobs",
                "be left out unless executor is 'local' or 'slurm'",
                f"it is {jobs}",
                "executor='local' computes in so many processes." if executor is None else "",
            )
    if options is not None:
        check_mapping("options", options, "be a dict of options of Slurm's jobs")
        if executor != "slurm":
            fail("options", "be left out unless executor is 'slurm'", f"it is {shown(options)}")


def _here(work: Work, tally: Tally) -> None:
    function = pkgutil.resolve_name(work.run)
    for block in tally.missing:
        function(work.folder, block)
        tally.look([block])


def _tried(each: Round, tally: Tally) -> str:
    """Try what is missing, and what is then still missing once more; what the last error said."""
    why = ""
    for attempt in range(TRIES):
        if tally.missing:
            why = each(tally, attempt) or why
    return why


def _futures(submit: Callable[[str, int], Future[None]]) -> Round:
    """A round of calls, one for each missing block."""

    def each(tally: Tally, attempt: int) -> str:
        why, calls, errors = "", {}, {}
        try:
            for block in tally.missing:
                try:
                    calls[submit(block, attempt)] = block
                except RuntimeError as error:  # it is broken, or was shut down
                    why = _last_lines(error)
                    break
            for call in as_completed(calls):
                try:
                    call.result()
                except Exception as error:
                    errors[calls[call]] = _last_lines(error)
                tally.look([calls[call]])
        finally:
            for call in calls:
                call.cancel()
        # That of the last block, whichever worker was the last to end.
        return next((errors[block] for block in tally.missing[::-1] if block in errors), why)

    return each


def _last_lines(error: Exception) -> str:
    """What an error from another process says, behind its cause, which has that one's traceback."""
    cause = str(error.__cause__ or "").splitlines()[-TAIL:]
    return "\n".join([*cause, f"{type(error).__name__}: {error}".strip()])


def _told(missing: Sequence[str], number: int, why: str) -> str:
    names = ", ".join(missing[:NAMES]) + (", ..." if len(missing) > NAMES else "")
    said = f"{len(missing)} of {number} blocks are missing after {TRIES} tries: {names}."
    return f"{said} The last error:\n{why}" if why else f"{said} No worker told an error."
