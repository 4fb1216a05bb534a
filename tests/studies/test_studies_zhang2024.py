"""[Zhang24]'s ratio of times: the study at a size of seconds, and what it reads from runs."""

import dataclasses
import re

import numpy as np
import pytest

import racedyn as rd
from racedyn import store
from racedyn.studies.study import run_study
from racedyn.studies.zhang2024 import unimodal

STUDY = unimodal.STUDY
TINY = {
    "correlations": [-0.8, 0.4],
    "width": 10,
    "lr": 0.04,
    "steps": 8_000,
    "depth": 3,
    "deep_lr": 0.02,
    "deep_steps": 1_500,
}


@pytest.mark.slow
def test_one_modality_is_learned_alone(tmp_path):
    """Derived ratios are those of what the start adds to the times, theory's are training's, and
    fusion in between lies in between."""
    tiny = dataclasses.replace(STUDY, quick={**STUDY.quick, **TINY})
    done = run_study(tiny, out=tmp_path, quick=True, progress=False)
    assert done.figure.stat().st_size > 10_000 and STUDY.claim in str(done)
    file = store.load(done.path)
    assert {"late_-0.8_1e-08", "early_0.4_0.0001", "late_0.4_0.0001_matrix", "deep_2_0.1"} < set(
        file
    )
    assert "late_-0.8_0.0001_matrix" not in file
    rows = {line.split()[0]: line.split()[1:] for line in done.finding.lines}
    for rho in TINY["correlations"]:
        derived, added, few, many, _, early, still_earlier, _ = rows[f"{rho:g}"]
        # Growth by descent is slower than that of the flow, by half of lr times its rate.
        assert float(added) == pytest.approx(float(derived), rel=0.04 * (1 + 0.7 * rho))
        assert float(few) == pytest.approx(float(derived), rel=0.15)
        assert abs(float(few) - float(derived)) < abs(float(many) - float(derived))
        assert 1 < float(still_earlier) < float(early) < 1.3
    assert float(rows["0.4"][4]) == pytest.approx(float(rows["0.4"][3]), rel=0.04)
    found = re.findall(r"(\d): ([\d.]+), ([\d.]+)", done.finding.lines[-1])
    trained = [float(ratio) for _, _, ratio in found]
    assert [int(layer) for layer, *_ in found] == [1, 2, 3] and trained == sorted(trained)
    assert trained[-1] == pytest.approx(float(found[-1][1]), rel=0.02)


def test_quick_and_published_settings_have_the_same_names():
    assert set(STUDY.quick) == set(STUDY.published)


def test_what_is_read():
    """Signs of modes are taken out, and times are those of the first crossing."""
    task = rd.tasks.multimodal(1.0, 0.49, -0.8)  # A alone comes to rest at 0.44
    ts = np.linspace(0.0, 4.0, 5)
    strength = np.array([[0.0, 0.0], [0.11, 0.1], [0.33, 0.0], [1.0, -0.25], [1.0, -0.75]])
    run = rd.Trajectory(
        ts, {"strength": strength[:, :, None]}, {"strength": ("path", "mode")}, status=np.array([1])
    )
    np.testing.assert_array_equal(unimodal.maps(run, task)[:, 1], -strength[:, 1])
    late = unimodal.learned(run, task, unimodal.LATE)
    assert late == pytest.approx((1.5, 3.5)) and late.ratio == pytest.approx(3.5 / 1.5)
    first = unimodal.learned(run, task, unimodal.EARLY)[0]
    assert first == pytest.approx(2 + (0.5 - 0.33) / 0.67)
    short = dataclasses.replace(run, ts=ts[:3], observables={"strength": strength[:3, :, None]})
    assert np.isnan(unimodal.learned(short, task, unimodal.LATE).B)
