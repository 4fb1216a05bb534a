"""The guides name all that they promise to name: every status, every kind of error."""

import ast
import re
from pathlib import Path

import racedyn
from racedyn.trajectory import Status

ROOT = Path(__file__).parents[2]
SOURCE = Path(racedyn.__file__).parent
TROUBLE = (ROOT / "docs" / "guides" / "troubleshooting.md").read_text(encoding="utf-8")
# Caught before a user sees them, or a mistake of ours: no remedy of theirs.
INSIDE = {"Diverged", "BrokenPipeError", "AssertionError", "ArgumentTypeError"}


def raised(text):
    """Names of the exceptions that a source raises by `raise` or through `fail`."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Raise) and node.exc is not None:
            found.add(node.exc.func if isinstance(node.exc, ast.Call) else node.exc)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "fail":
            found |= {word.value for word in node.keywords if word.arg == "error"}
            found |= set(node.args[4:])
    names = {ast.unparse(one).rpartition(".")[2] for one in found}
    return {name for name in names if re.fullmatch(r"[A-Z]\w*", name)}


def test_every_status_has_a_row_with_its_number():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (yes|no) \|", TROUBLE, flags=re.MULTILINE)
    assert [(int(n), name, ok == "yes") for n, name, ok in rows] == [
        (int(status), status.name, status.ok) for status in Status
    ]


def test_every_kind_of_error_is_named_with_its_remedy():
    kinds = {name for path in SOURCE.rglob("*.py") for name in raised(path.read_text("utf-8"))}
    assert {"ValueError", "StoreError", "UnknownName", "SolveError", "FileNotFoundError"} <= kinds
    rows = dict(re.findall(r"^\| `(\w+)` \| .+ \| (.+) \|$", TROUBLE, flags=re.MULTILINE))
    named = set(rows) | set(re.findall(r"\(`(\w+)` of", TROUBLE))
    assert not kinds - INSIDE - named
    assert all(rows.values())


def test_errors_through_fail_are_seen():
    text = (
        'raise a.Lost("x") from None\nfail("n", "m", "b", "r", Odd)\nfail("n", "m", "b", error=Two)'
    )
    assert raised(text) == {"Lost", "Odd", "Two"}
