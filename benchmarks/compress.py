"""How well and how fast narrow networks learn as wide ones do, beside the wide ones themselves.

    python benchmarks/compress.py [--quick] [--only NAME ...] [--threads 1]

Names: cases (compression_cases.py: "readme", "wide", ...), "flow" (README's, without steps),
"estimates" (beside the truth), "widths" (networks that are drawn), "signals" (the zero sweep),
"law" (draws beside true matrices, as distributions); and "figure", which draws the case `--drawn`
to `--figure PNG`. float64. An error is the relative L2, over a whole run, of all strengths K_a(t),
or of the loss, against full-width `train` from the same weights.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from compression_cases import CASES, SMALL
from compression_figure import draw
from compression_sides import summary
from harness import Column, Report, Row, Side, options_of, rows_of

TABLES = ("flow", "estimates", "widths", "signals", "law")
USUAL: Row = {
    "only": [*(name for name in CASES if name != "small"), *TABLES],
    "threads": 1,
    "seeds": 3,
    "depths": [4, 7],
    "widths": [10**2, 10**3, 10**5, 10**7, 10**9],
    "starts": 5,
    "members": 200,
    "drawn": "readme",
    "figure": Path("runs/compression.png"),
}
QUICK: Row = {"only": ["small"], "seeds": 1, "members": 5, "drawn": "small"}


def asked(options: Any, request: str, **arguments: Any) -> Any:
    """The answer of a process of its own."""
    with Side("compression_sides", threads=options.threads) as side:
        return side.ask(request, **arguments)


def one(options: Any, request: str, facts: Row, **arguments: Any) -> Iterator[Row]:
    yield from rows_of(facts, lambda: [asked(options, request, **arguments)])


def cases(options: Any) -> Iterator[Row]:
    for name in options.only:
        if name in CASES:
            yield from one(options, "case", {"case": name}, name=name)


def flow(options: Any) -> Iterator[Row]:
    yield from rows_of({}, lambda: asked(options, "flow"))


def estimates(options: Any) -> Iterator[Row]:
    tried: list[Row] = []
    for number, case in enumerate(SMALL):
        facts = {"depth": len(case.network.paths()[0]), "width": case.network.nodes["h1_1"].width}
        for row in one(options, "estimates", facts, number=number, seeds=options.seeds):
            tried += row.get("tried", [])
            yield row
    yield {"depth": "all"} | summary(tried)


def widths(options: Any) -> Iterator[Row]:
    for depth in options.depths:
        for width in options.widths:
            facts = {"depth": depth, "width": width}
            yield from one(options, "widths", facts, **facts, keys=options.starts)


def signals(options: Any) -> Iterator[Row]:
    for depth in (3, 4, 5):
        facts = {"depth": depth}
        yield from one(options, "signals", facts, **facts, seeds=options.starts)


def law(options: Any) -> Iterator[Row]:
    for depth in (3, 4):
        facts = {"depth": depth}
        yield from one(options, "law", facts, **facts, members=options.members)


ERRORS = [
    Column("est. K", "estimate_strength", ".1e", width=9),
    Column("est. L", "estimate_loss", ".1e", width=9),
    Column("error K", "error_strength", ".1e", width=9),
    Column("error L", "error_loss", ".1e", width=9),
]
LEFT = Column("left", "left", ".0e", width=8)
SIZES = [Column("width", "width", width=11), Column("directions", "directions", width=12)]
Table = tuple[Callable[[Any], Iterator[Row]], list[Column], str]
WHAT: dict[str, Table] = {
    "cases": (
        cases,
        [
            Column("case", "case", width=14),
            *SIZES,
            LEFT,
            *ERRORS,
            Column("narrow, s", "narrow_s", ".2f"),
            Column("full, s", "full_s", ".2f"),
            Column("ratio", "ratio", ".1f", width=8),
            Column("pass, s", "compress_s", ".1f", width=9),
            Column("ratio", "ratio_all", ".2f", width=8),
        ],
        "left: of the loss; narrow, full: a run, compiled; pass: with compilation; ratios: full"
        " over narrow, and over pass and narrow.",
    ),
    "flow": (
        flow,
        [
            Column("beside", "beside", width=13),
            *ERRORS[2:],
            Column("reduce, s", "reduce_s", ".1f"),
            Column("solve, s", "solve_s", ".2f"),
            Column("narrow, s", "narrow_s", ".2f"),
        ],
        "README's flow, compressed; narrow: the descent. lr and lr/2: extrapolated from both.",
    ),
    "estimates": (
        estimates,
        [
            Column("depth", "depth", width=6),
            Column("width", "width", width=6),
            Column("std", "std", ".3f", width=7),
            LEFT,
            Column("held", "held", width=9),
            Column("ratio K", "ratio_strength", ".1f", width=9),
            Column("ratio L", "ratio_loss", ".1f", width=9),
            Column("least", "least", ".2f", width=7),
            Column("worst", "worst", ".2f", width=7),
        ],
        "held: twice the estimate is at least the error; ratio: median of estimate over error;"
        " least: of these; worst: error over tolerance.",
    ),
    "widths": (
        widths,
        [
            Column("depth", "depth", width=6),
            *SIZES,
            LEFT,
            *ERRORS[:2],
            Column("draw, ms", "draw_s", ".1f", 1e3),
            Column("first, s", "compress_s", ".1f"),
            Column("second, s", "warm_s", ".1f"),
            Column("narrow, s", "narrow_s", ".2f"),
            Column("winners", "same", width=9),
            Column("q/p error", "qp_error", ".1e"),
            Column("shares", "shares", width=17),
        ],
        "drawn: first, second: whole compressions, the first compiles; winners: the same by q/p,"
        " over `--starts` keys; shares: of winners, least and largest.",
    ),
    "signals": (
        signals,
        [
            Column("depth", "depth", width=6),
            Column("zero sweep", "signals_error", ".1%", width=12),
            Column("from", "signals_least", ".1%", width=8),
            Column("to", "signals_most", ".1%", width=8),
            Column("right", "signals_right", width=8),
            Column("q/p", "pathway_error", ".1%", width=12),
            Column("from", "pathway_least", ".1%", width=8),
            Column("to", "pathway_most", ".1%", width=8),
            Column("right", "pathway_right", width=8),
        ],
        "error of all K_a(t), median over seeds; right: winners where the share is above .6.",
    ),
    "law": (
        law,
        [
            Column("depth", "depth", width=6),
            Column("members", "members", width=9),
            Column("numbers", "numbers", width=9),
            Column("failed", "failed", width=8),
            Column("least p", "least_p", ".1e"),
            Column("median", "median_p", ".2f", width=8),
            Column("control", "control_failed", width=9),
            Column("least p", "control_least_p", ".1e"),
            Column("drawn, s", "drawn_s", ".0f"),
            Column("true, s", "true_s", ".0f"),
        ],
        "width 60; failed: Kolmogorov-Smirnov at .01 / numbers; control: without what new"
        " directions have in known ones.",
    ),
}


def main() -> None:
    options = options_of(__doc__, USUAL, QUICK)
    unknown = {*options.only} - {*CASES, *TABLES, "figure"}
    if unknown:
        raise SystemExit(f"--only: {sorted(unknown)} are none of {[*CASES, *TABLES, 'figure']}")
    report = Report(options)
    for name, (rows, columns, legend) in WHAT.items():
        if name in options.only or (name == "cases" and {*CASES} & {*options.only}):
            report.table(name, columns, rows(options), legend)
    if "figure" in options.only:
        with Side("compression_figure", threads=options.threads) as side:
            found = side.ask("points", name=options.drawn)
        draw(options.figure, found)
        report.tables["figure"] = found
        print("\nfigure:", options.figure)
    report.write()


if __name__ == "__main__":
    main()
