"""Layers that differ by lambda: the study at a size of seconds."""

import dataclasses

import numpy as np
import pytest

from racedyn import store, studies
from racedyn.studies.domine2025.imbalance import slowest_rate
from racedyn.studies.study import run_study


@pytest.mark.slow
def test_the_larger_layer_decides_what_is_lazy(tmp_path):
    study = studies.STUDIES["domine2025.imbalance"]
    few = {"imbalances": [-20.0, 20.0], "seeds": [0], "trained": [2.0], "until": 3.0, "step": 0.02}
    tiny = dataclasses.replace(study, published={**study.published, **few})
    done = run_study(tiny, out=tmp_path, progress=False)
    found = store.load(done.path)
    assert found["beside_trained"] == pytest.approx(found["beside_exact"], abs=0.02)
    shapes, turn = list(found["moved_shape"]), found["moved_turn"][..., 0]
    late = np.zeros(turn.shape, bool)
    late[shapes.index("more inputs"), 0] = late[shapes.index("more outputs"), 1] = True
    assert (turn[late] > 0.3).all() and (turn[~late] < 0.01).all()
    # Late by the difference of two eigenvalues: some of its time constants, whatever lambda.
    constants = found["moved_learned"][..., 0][late] * 2 * slowest_rate(1.0, 1.0, 20.0)
    assert ((constants > 1) & (constants < 4)).all()
    assert study.claim in str(done) and done.figure.stat().st_size > 10_000
