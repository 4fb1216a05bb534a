"""Figures of [Saxe22] and [Jarvis25] at a size of seconds: they run, and say what the paper claims
beside the number.
"""

import dataclasses
import re

import pytest

from racedyn import store, studies
from racedyn.studies.study import run_study


def tiny(name, **settings):
    study = studies.STUDIES[name]
    return dataclasses.replace(study, published={**study.published, **settings})


ROUTING = {"domains": 3, "trained": 2, "width": 16, "steps": 60, "rows": 20, "seeds": [0]}


IMAGES = {
    "domains": [3],
    "trained": [0.34, 1.0],
    "many": {"domains": 4, "trained": [0.5], "gain": 0.5, "steps": 20},
    "gains": [0.1, 1.0],
    "gain_trained": [0.67],
    "steps": 40,
    "late": 80,
    "seeds": [0],
}


SMALL = {
    "items": 4,
    "contexts": [2],
    "width": 40,
    "pathway_width": 20,
    "stds": [1e-3],
    "context_stds": [2e-3],
    "lr": 0.01,
    "epochs": 200,
    "rows": 40,
    "weight_rows": 20,
    "seeds": [0],
}
CLUSTERS = {
    "structures": ["tree", "graded_ring", "crossed_tree"],
    "rows": 4,
    "at": [100, 200],
    "k": [2, 3, 4],
}


@pytest.mark.parametrize(
    ("study", "runs", "says"),
    [
        pytest.param(
            tiny("saxe2022.fig3", width=16, lr=0.05, seeds=[0]),
            1,
            r"ReLU over gated network, half-loss time: 1\.0\d",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            tiny("saxe2022.fig4", **ROUTING, finer=3),
            4,
            r"modes level against the quadrature: loss \d\.\de-(0[7-9]|1)",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            tiny("saxe2022.fig6", **ROUTING, scales=[0.3, 2.0]),
            2,
            r"2\.00 .*->",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            tiny(
                "saxe2022.fig5",
                **ROUTING | {"domains": 2, "trained": [1, 2]},
                groups=[1, 2],
                time=20.0,
                end=40.0,
            ),
            4,
            r"0\.50 .*; ",
            marks=pytest.mark.long,
        ),
        pytest.param(
            tiny("saxe2022.fig7", **IMAGES),
            7,
            r"M = 3, K/M = 0\.67, gain 0\.1: (\d\.\d+, ){3}\d",
            marks=pytest.mark.long,
        ),
        pytest.param(
            tiny("jarvis2025.fig2", lr=0.05, margins=[0.0, 0.8], shown=[0.8], seeds=[0]),
            3,
            r"  0\.8 .* 0\.9\d\d \+-",
            marks=pytest.mark.long,
        ),
        pytest.param(
            tiny(
                "jarvis2025.fig4", **SMALL, structures=["tree", "ring", "tree"], hand_overs=[0, 60]
            ),
            11,
            r"by example, epoch 0: 0\.000 ",
            marks=pytest.mark.long,
        ),
        pytest.param(
            tiny("jarvis2025.fig5", **SMALL | {"contexts": [3]}, finer=[1, 2]),
            12,
            r"ratios (1\.9|2\.0)",
            marks=pytest.mark.long,
        ),
        pytest.param(
            tiny("jarvis2025.fig8", **SMALL | CLUSTERS),
            5,
            r"200: \d, .*\n  the paper's pathways with 3 clusters: ",
            marks=pytest.mark.slow,
        ),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_every_figure_runs(study, runs, says, tmp_path):
    done = run_study(study, out=tmp_path, progress=False)
    assert len(store.load(done.path)) == runs
    assert study.claim in str(done) and re.search(says, str(done)), str(done)
    assert done.figure.stat().st_size > 10_000
