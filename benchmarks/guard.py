"""Whether something has become slower: a small selection of the other scripts, held against the
table that was kept last.

    make bench                      # python benchmarks/guard.py [--quick] [--keep] [--factor 2]

What is compared is never a time but our time over that of a peer in the same run, so that the table
of one machine says something on another: exact ends, exact trajectories and an ensemble by the
solver, over diffrax at its best; a step of training over a NumPy loop; the gated field over
`jax.grad`. A ratio that is worse than the kept one by more than the factor is printed, and the exit
status is 1. Between two runs on busy cores ratios differed by up to 1.7: hence 2. --keep makes this
run's table the kept one, benchmarks/kept.json, to be committed by whoever knows why it changed.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness import Column, Report, Row, options_of

HERE = Path(__file__).parent
USUAL: Row = {"factor": 2.0, "keep": False, "kept": str(HERE / "kept.json")}
QUICK: Row = {}


class Question(NamedTuple):
    """A script, its options (quick: at the smallest sizes), and the ratios in its tables."""

    script: str
    usual: str
    quick: str
    ratios: Callable[[Row], dict[str, float]]


def of_exact(found: Row) -> dict[str, float]:
    """Its ratios are to the exact one."""
    over = {
        question: {row["side"]: row["ratio"] for row in found[question] if "ratio" in row}
        for question in ("ends", "points")
    }
    peer, ensemble = "diffrax, best", "our ensemble, ODE, default"
    return {
        "exact ends / diffrax": 1 / over["ends"][peer],
        "exact points / diffrax": 1 / over["points"][peer],
        "ensemble by ODE / diffrax": over["points"][ensemble] / over["points"][peer],
    }


def of_training(found: Row) -> dict[str, float]:
    rows = {row["side"]: row for row in found["steps"]}
    return {"training step / NumPy": rows["numpy"]["ratio"]}


def of_field(found: Row) -> dict[str, float]:
    return {
        f"gated field, {row['network']}, {row['start']}, {row['level']} / jax.grad": row["ratio"]
        for row in found["field"]
        if row["side"] == "grouped"
    }


SMALL_FIELD = "--quick --domains 4 --turns 1 --seconds 0"
PEER = "--peers diffrax"
QUESTIONS = (
    Question(
        "exact",
        f"--members 256 --turns 5 --cases c1-3 {PEER}",
        f"--members 3 --turns 1 {PEER}",
        of_exact,
    ),
    Question("training", "--quick --turns 9", "--quick --widths 20 --seconds 0.01", of_training),
    Question("gated_field", "--quick --turns 9", SMALL_FIELD, of_field),
)


def rows(options: Any, kept: dict[str, float]) -> Iterator[Row]:
    for question in QUESTIONS:
        began = time.perf_counter()
        ratios = question.ratios(answer(question, options.quick))
        seconds = time.perf_counter() - began
        for name, now in ratios.items():
            before = kept.get(name)
            change = None if before is None else now / before
            worse = change is not None and change > options.factor
            yield {
                **{"what": name, "ratio": now, "kept": before, "change": change},
                **{"worse": worse, "verdict": "WORSE" if worse else "", "seconds": seconds},
            }
            seconds = 0.0


def answer(question: Question, quick: bool) -> Row:
    """All that the script wrote. Raises where it failed: a guard that measures nothing is none."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "rows.json")
        told = question.quick if quick else question.usual
        command = [sys.executable, str(HERE / f"{question.script}.py"), *told.split()]
        subprocess.run([*command, "--json", str(out)], check=True, stdout=subprocess.DEVNULL)
        found: Row = json.loads(out.read_text(encoding="utf-8"))
    return found


COLUMNS = [
    Column("what", "what", width=50),
    Column("ratio", "ratio", ".3g"),
    Column("kept", "kept", ".3g"),
    Column("change", "change", ".2f"),
    Column("", "verdict", width=7),
    Column("took, s", "seconds", ".0f"),
]


def main() -> None:
    options = options_of(__doc__, USUAL, QUICK)
    path, kept = Path(options.kept), {}
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))["ratios"]
    report = Report(options)
    legend = f"our time over theirs, now and in {path.name}; worse: by more than {options.factor:g}"
    found = report.table("guard", COLUMNS, rows(options, kept), legend)
    report.write()
    if options.keep:
        table = {"machine": report.machine, "ratios": {row["what"]: row["ratio"] for row in found}}
        path.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        print("kept:", path)
    elif worse := [row["what"] for row in found if row["worse"]]:
        sys.exit(f"slower than it was: {', '.join(worse)}")


if __name__ == "__main__":
    main()
