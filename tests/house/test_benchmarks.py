"""The benchmarks run; what they measure is not tested."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "training.py"


@pytest.mark.slow
def test_training_against_pytorch(tmp_path):
    """Without PyTorch too: then its place in the table says so."""
    out = tmp_path / "training.json"
    command = [sys.executable, str(SCRIPT), "--quick", "--widths", "20", "--seconds", "0.01", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    (row,) = found["steps"]
    assert (row["width"], row["depth"], row["threads"]) == (20, 3, 1)
    assert len(row["racedyn"]["all_s"]) == 3 and row["racedyn"]["step_s"] > 0 and row["bound_s"] > 0
    assert row["racedyn"]["peak_mib"] > row["racedyn"]["imported_mib"] > 50
    if importlib.util.find_spec("torch") is None:
        assert row["torch"] == {"missing": "No module named 'torch'"} and "ratio" not in row
        assert "missing" in done.stdout and "PyTorch is not measured: No module named 'torch'" in done.stdout
    else:
        assert row["ratio"] > 0 and row["loss_difference"] < 1e-4 * row["loss_start"]
    run = found["whole_run"]
    assert run["extrapolated"] and "EXTRAPOLATED" in done.stdout
    assert run["ratio"] == pytest.approx(run["train_s"] / run["solve_s"]) and run["solve_first_s"] > run["solve_s"]
    assert {"cpu", "cores", "versions"} <= set(found["machine"]) and "jax" in found["machine"]["versions"]
