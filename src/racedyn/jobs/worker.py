"""A process that computes blocks: `python -m racedyn.jobs.worker FOLDER RUN [BLOCK ...]`.

With names of blocks it computes these, the others too where one fails, and ends with 1 if one did.
Without, it is told one block a line on stdin, as JSON, and answers with one line on stdout when it
has done it; an exception ends it. Whatever blocks print goes to stderr."""

import json
import os
import pkgutil
import queue
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Sequence

from racedyn._cache import use_cache


def main(folder: str, run: str, *blocks: str) -> int:
    """Compute these blocks, or those that are named on stdin. The exit code."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        use_cache()
    except ValueError as error:  # a home that can't be written to
        warnings.warn(str(error), stacklevel=1)
    function = pkgutil.resolve_name(run)
    if blocks:
        return _compute(function, folder, blocks)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the caller decides
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    while True:
        block = json.loads(lines.get())
        function(folder, block)
        print(json.dumps(block), file=answers, flush=True)


def _compute(function: Callable[[str, str], None], folder: str, blocks: Sequence[str]) -> int:
    failed = 0
    for block in blocks:
        try:
            function(folder, block)
        except Exception:  # it costs its block
            print(f"block {block}:", traceback.format_exc(), file=sys.stderr, flush=True)
            failed = 1
    return failed


def _read(lines: "queue.SimpleQueue[str]") -> None:
    """Pass on what is told. The caller's end, however it came, closes stdin: then this process ends
    too, at once, also while it computes.
    """
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
