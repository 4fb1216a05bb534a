"""The benchmarks run, and what can't be measured is a row; what they measure is not tested."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import jax
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
TINY = {
    "compress": ["--only", "small"],
    "cores": ["--members", "65", "--large", "2", "--cases", "descents"],
    "exact": ["--members", "3", "--turns", "1"],
    "first": ["--against", str(BENCHMARKS.parent / "src")],
    "gated_field": ["--domains", "4", "--turns", "1", "--seconds", "0", "--fewest", "3"],
    "gated_levels": ["--domains", "4", "--turns", "1"],
    "gated_scaling": ["--routes", "2", "--turns", "1", "--seconds", "0", "--fewest", "3"],
    "gpu": ["--members", "3", "--of-cpu", "2", "--widths", "20", "--seconds", "200"],
    "guard": [],
    "levels": ["--no-train"],
    "routes": ["--turns", "1"],
    "trainings": ["--trainings", "3", "--steps", "5"],
    "training": ["--widths", "20", "--seconds", "0.01"],
}
PACKAGES = {"heyoka", "numba", "torch"}
MISSING = {name for name in PACKAGES if importlib.util.find_spec(name) is None}
SIDES = """
import os
def answers(job):
    return {"double": lambda x: 2 * x, "fail": lambda: 1 / 0, "die": lambda: os._exit(3)}
"""


def made(script: str, folder: Path) -> tuple[dict, str]:
    out = folder / "rows.json"
    command = [sys.executable, str(BENCHMARKS / f"{script}.py"), "--quick", "--json", str(out)]
    done = subprocess.run([*command, *TINY[script]], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text()), done.stdout


@pytest.fixture
def harness(tmp_path, monkeypatch):
    (tmp_path / "sides_of_a_test.py").write_text(SIDES)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    spec = importlib.util.spec_from_file_location("harness", BENCHMARKS / "harness.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_scripts_are_all_run_here_and_explained():
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if "def main(" in path.read_text()}
    assert scripts == set(TINY)
    text = (BENCHMARKS / "README.md").read_text()
    assert all(f"python benchmarks/{script}.py" in text for script in scripts)


def test_what_is_not_measured_says_why(harness):
    with harness.Side("sides_of_a_test", threads=1) as side:
        assert side.ask("double", x=4) == 8
        with pytest.raises(harness.NotMeasured, match="ZeroDivisionError: division by zero"):
            side.ask("fail")
        assert side.ask("double", x=5) == 10
        rows = harness.rows_of({"what": "death"}, lambda: [{"double": side.ask("die")}])
        assert list(rows) == [{"what": "death", "not_measured": "its process ended with status 3"}]
    missing = pytest.raises(harness.NotMeasured, match="No module named 'no_such_module'")
    with harness.Side("no_such_module", threads=1) as side, missing:
        side.ask("double", x=4)


def test_sides_take_turns_and_a_ratio_is_within_a_turn(harness):
    order = []
    clock = iter([1.0, 2.0, 30.0, 10.0, 4.0, 8.0])

    def called(name):
        order.append(name)
        return next(clock)

    sides = {"a": lambda: called("a"), "b": lambda: called("b")}
    turns = harness.in_turns(sides, 3)
    assert order == ["b", "a", "a", "b", "b", "a"]
    assert [turn["a"] / turn["b"] for turn in turns] == [2, 3, 2]
    assert harness.ratio(turns, "a", "b") == 2


@pytest.mark.parametrize(
    "script",
    [
        pytest.param("gated_field", marks=pytest.mark.long),
        pytest.param("gated_levels", marks=pytest.mark.long),
        pytest.param("gated_scaling", marks=pytest.mark.slow),
    ],
)
def test_gated(script, tmp_path):
    found, _ = made(script, tmp_path)
    (rows,) = (found[name] for name in found if name not in ("machine", "options"))
    assert rows and not [row for row in rows if "not_measured" in row]
    assert {"cpu", "cores", "versions"} <= set(found["machine"])
    if script == "gated_field":
        assert {row["side"] for row in rows} == {"ours", "grouped", "planned"}
        assert max(row["difference"] for row in rows) < 1e-12
    if script == "gated_levels":
        assert {row["level"] for row in rows} == {"full", "matrix", "modes"}
        assert max(row["difference"] for row in rows) < 1e-6 * rows[0]["loss_start"]
    if script == "gated_scaling":
        assert rows[-1]["paths"] == 4 and min(row["peak_mib"] for row in rows) > 50


@pytest.mark.long
def test_levels(tmp_path):
    found, printed = made("levels", tmp_path)
    rows = {(row["start"], row["level"]): row for row in found["levels"]}
    assert len(rows) == 3 * 7 and not [row for row in rows.values() if "not_measured" in row]
    assert {key for key, row in rows.items() if "refused" in row} == {
        ("gaussian", "modes"),
        ("gaussian", "maps"),
        ("balanced", "modes"),
    }
    assert printed.count("refused") == 3
    assert max(row["off"] for (_, level), row in rows.items() if level == "matrix") < 1e-8
    assert rows["gaussian", "pathway"]["off"] > 1e-4
    assert rows["gaussian", "full"]["numbers"] == 400


@pytest.mark.long
def test_exact(tmp_path):
    found, printed = made("exact", tmp_path)
    for question in ("ends", "points"):
        rows = {row["side"]: row for row in found[question]}
        absent = {name for name, row in rows.items() if "not_measured" in row}
        assert absent == MISSING & {"heyoka", "numba"}
        assert all(f"No module named '{name}'" in printed for name in absent)
        measured = [row for name, row in rows.items() if name not in absent]
        assert {"exact", "diffrax, plain", "diffrax, best"} <= {row["side"] for row in measured}
        assert all(row["error"] < 1e-5 and row["ratio"] > 0 for row in measured)


@pytest.mark.slow
def test_training(tmp_path):
    found, printed = made("training", tmp_path)
    rows = {row["side"]: row for row in found["steps"]}
    assert set(rows) == {"racedyn", "torch", "numpy"}
    if "torch" in MISSING:
        assert "No module named 'torch'" in rows.pop("torch")["not_measured"]
        assert "not measured: No module named 'torch'" in printed
    for row in rows.values():
        assert (row["width"], row["depth"], row["threads"], len(row["all_s"])) == (20, 3, 1, 3)
        assert row["step_s"] > 0 and row["ratio"] > 0 and row["bound_s"] > 0
        assert row["difference"] < 1e-4 * row["loss_start"]
    assert rows["racedyn"]["peak_mib"] > rows["racedyn"]["imported_mib"] > 50
    (run,) = found["whole_run"]
    assert run["how"] == "extrapolated" and run["solve_first_s"] > run["solve_s"]
    assert run["ratio"] == pytest.approx(run["train_s"] / run["solve_s"])


@pytest.mark.long
def test_first(tmp_path):
    found, _ = made("first", tmp_path)
    assert [(row["case"], row["kept"]) for row in found["first"]] == [
        ("import", "no"),
        ("own", "no"),
        ("own", "yes"),
    ]
    for row in found["first"]:
        assert row["this_s"] > 0 and row["against_s"] > 0 and "not_measured" not in row
        assert row["ratio"] == pytest.approx(row["this_s"] / row["against_s"])


@pytest.mark.long
def test_compression(tmp_path):
    found, _ = made("compress", tmp_path)
    (row,) = found["cases"]
    assert row["case"] == "small" and row["left"] < 1e-6
    for name in ("strength", "loss"):
        assert 0 < row[f"error_{name}"] < row["tolerance"]
        assert row[f"error_{name}"] < 2 * row[f"estimate_{name}"]
    assert row["ratio_all"] < row["ratio"]


@pytest.mark.long
def test_cores(tmp_path):
    found, _ = made("cores", tmp_path)
    rows = {row["side"]: row for row in found["cores"]}
    assert set(rows) == {"one", "all", "devices"}
    assert rows["all"]["differ"] == 0 and rows["one"]["cores"] == 1
    assert all(row["ratio"] > 0 for row in rows.values())


@pytest.mark.slow
def test_trainings(tmp_path):
    found, _ = made("trainings", tmp_path)
    rows = {row["side"]: row for row in found["trainings"]}
    assert set(rows) == {"members", "one by one"}
    assert rows["one by one"]["distance"] < 1e-12 and rows["one by one"]["ratio"] > 0


@pytest.mark.long
def test_gpu(tmp_path):
    found, printed = made("gpu", tmp_path)
    rows = {(row["what"], row["dtype"]): row for row in found["device"]}
    kinds = {"ends", "points", "solver", "step", "compress"}
    assert set(rows) == {(kind, dtype) for kind in kinds for dtype in ("float64", "float32")}
    for (kind, dtype), row in rows.items():
        assert row["differs"] < (1e-12 if dtype == "float64" else 1e-4), (kind, dtype)
        assert row["device_s"] > 0 and row["cpu_s"] > 0
    if jax.default_backend() == "cpu":
        assert "no GPU here: both columns are the CPU" in printed
    assert {row["side"] for row in found["beside"]} == {"racedyn", "torch", "numpy"}


@pytest.mark.slow
def test_rows_that_would_not_fit_are_left_out_and_said(tmp_path, monkeypatch):
    monkeypatch.setitem(TINY, "gpu", ["--seconds", "0"])
    found, printed = made("gpu", tmp_path)
    assert len(found["device"]) == 10
    assert all("left out" in row["not_measured"] for row in found["device"] + found["beside"])
    assert "not measured: left out" in printed


@pytest.fixture
def guard(monkeypatch):
    """`guard.py`, whose only question has the answer that a test gives, over "peer"."""
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec = importlib.util.spec_from_file_location("guard", BENCHMARKS / "guard.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    question = module.Question("none", "", "", lambda found: found)
    monkeypatch.setattr(module, "QUESTIONS", (question,))
    return module


def test_a_guard_fails_where_a_ratio_is_worse_by_the_factor(guard, tmp_path, monkeypatch, capsys):
    def run(ratio, *options):
        monkeypatch.setattr(guard, "answer", lambda question, quick: {"us / them": ratio})
        files = ["--kept", str(tmp_path / "kept.json"), "--json", str(tmp_path / "rows.json")]
        monkeypatch.setattr(sys, "argv", ["guard.py", *files, *options])
        guard.main()

    run(0.5)  # nothing was kept: nothing is worse
    run(0.5, "--keep")
    for fine in (0.1, 0.5, 0.5 * 1.9):
        run(fine, "--factor", "2")
    with pytest.raises(SystemExit, match="slower than it was: us / them"):
        run(0.5 * 2.1, "--factor", "2")
    assert "WORSE" in capsys.readouterr().out
    run(0.5 * 2.1, "--keep")
    run(0.5 * 2.1, "--factor", "2")
    assert {"cpu", "cores", "versions"} <= set(
        json.loads((tmp_path / "kept.json").read_text())["machine"]
    )


@pytest.mark.long
def test_all_that_is_guarded_is_kept(tmp_path, monkeypatch):
    kept = BENCHMARKS / "kept.json"
    monkeypatch.setitem(TINY, "guard", ["--kept", str(tmp_path / "none.json")])
    found, _ = made("guard", tmp_path)
    assert {row["what"] for row in found["guard"]} == set(json.loads(kept.read_text())["ratios"])
