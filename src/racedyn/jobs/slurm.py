"""Blocks in a job array of Slurm, through submitit."""

import subprocess
import time
from collections.abc import Mapping, Sequence
from getpass import getuser
from pathlib import Path
from typing import Any

from racedyn._checks import fail
from racedyn.jobs.calls import command, environment
from racedyn.jobs.tally import Tally
from racedyn.jobs.workers import TAIL

MINUTES = 60  # of a job, unless the options say so; submitit's own 5 are soon over
FIRST, LONGEST, GROWTH = 1.0, 30.0, 1.5  # seconds between two looks at the parts and at the queue
UNHEARD = 120  # looks in a row, an hour, after which a queue that doesn't answer is given up


class Slurm:
    """Rounds of one job array each. Raises `ImportError` without submitit, `ValueError` for options
    that it doesn't know, `RuntimeError` where Slurm's commands are not there.
    """

    def __init__(self, folder: str, run: str, tasks: int, options: Mapping[str, Any]):
        try:
            import submitit
        except ImportError as error:
            raise ImportError(
                'Jobs of Slurm need submitit: pip install "racedyn[slurm]".'
            ) from error
        self._call, self._folder, self._run = submitit.helpers.CommandFunction, folder, run
        self._refused = submitit.core.utils.FailedJobError
        self._tasks = tasks
        self._jobs = submitit.SlurmExecutor(Path(folder).resolve() / "slurm")
        named = {name.removeprefix("slurm_"): value for name, value in options.items()}
        try:
            self._jobs.update_parameters(**{"time": MINUTES, "job_name": "racedyn"} | named)
        except ValueError as error:
            fail("options", "be options of submitit.SlurmExecutor", str(error))

    def round(self, tally: Tally) -> str:
        """Submit what is missing, wait until no job is left, and say what the last error was."""
        calls = [self._worker(blocks) for blocks in bundles(tally.missing, self._tasks)]
        try:
            with self._jobs.batch():
                submitted = [self._jobs.submit(call) for call in calls]
        except self._refused as error:
            why = " ".join(str(error).split()) or "it says nothing"
            raise RuntimeError(
                f"Slurm took no job: {why}. Is this machine part of a cluster, and are the options "
                "such as it takes? --shard K/N needs neither."
            ) from error
        arrays = {job.job_id.partition("_")[0] for job in submitted}
        try:
            self._wait(tally, arrays)
        except BaseException:
            subprocess.run(["scancel", *sorted(arrays)], check=False)
            raise
        errors = [job.paths.stderr for job in submitted]
        return _last_lines(errors) if tally.missing else ""

    def _worker(self, blocks: Sequence[str]) -> Any:
        # env: a node's own variables stay, and a cluster that exports none gets these.
        given = [f"{name}={value}" for name, value in environment().items()]
        folder = str(Path(self._folder).resolve())
        return self._call(["env", *given, *command(folder, self._run, *blocks)])

    def _wait(self, tally: Tally, arrays: set[str]) -> None:
        pause, unheard = FIRST, 0
        while unheard < UNHEARD:  # each job has a limit of time
            queued = still_queued(arrays)
            tally.look()  # after it: a part may have appeared meanwhile
            if not tally.missing or queued is False:
                return
            unheard = unheard + 1 if queued is None else 0
            time.sleep(pause)
            pause = min(pause * GROWTH, LONGEST)


def bundles(blocks: Sequence[str], tasks: int) -> list[list[str]]:
    """The blocks of each task of an array: every n-th, so that work is even."""
    number = min(tasks, len(blocks))
    return [list(blocks[n::number]) for n in range(number)]


def still_queued(arrays: set[str]) -> bool | None:
    """Whether some of these jobs wait or run; None where Slurm can't be asked now.

    Its queue is asked, not its accounting, which many clusters lack. The jobs of a user are listed,
    as Slurm refuses to list one that it has forgotten."""
    line = ["squeue", "--noheader", "--format=%F", f"--user={getuser()}"]
    asked = subprocess.run(line, capture_output=True, text=True)
    return None if asked.returncode else not arrays.isdisjoint(asked.stdout.split())


def _last_lines(errors: Sequence[Path]) -> str:
    """Of what a job wrote last, of those that wrote something."""
    written = [path for path in errors if path.exists() and path.stat().st_size]
    if not written:
        return ""
    last = max(written, key=lambda path: path.stat().st_mtime)
    lines = last.read_text(errors="replace").splitlines()
    return "\n".join([f"{last}:", *lines[-TAIL:]])
