"""What a file can't hold is refused before the work, and what a run may be made of comes back from
its file.
"""

from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn import store


class Layers(NamedTuple):
    first: np.ndarray
    second: np.ndarray


class State(eqx.Module):
    first: np.ndarray
    second: np.ndarray


def decay(y0):
    return rd.from_function(
        lambda t, y, args: (
            type(y)(*(-part for part in y))
            if isinstance(y, tuple)
            else {name: -part for name, part in y.items()}
        ),
        y0,
    )


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_trainings_that_no_file_holds(dtype, tmp_path):
    task = rd.tasks.hierarchy(4)
    network = rd.networks.chain(task, 2, 4)
    weights = network.init(rd.init.Gaussian(0.1), key=0)
    with pytest.raises(ValueError, match=f"`dtype` must be float32 or float64, but it is {dtype}"):
        rd.train(network, task, weights, lr=0.1, steps=3, dtype=dtype, progress=False)
    short = {name: jnp.asarray(w, dtype) for name, w in weights.items()}
    run = rd.train(network, task, short, lr=0.1, steps=3, progress=False)
    assert run.observables["loss"].dtype == np.float32
    rd.save(tmp_path / "run.h5", run=run)


@pytest.mark.parametrize(
    ("y0", "said"),
    [
        ({"a/b": np.ones(2)}, "must have names that are text without .* one is 'a/b'"),
        ({"a": {"": np.ones(2)}}, r"`y0\(\)/a` must have names that are text without \"/\""),
        ({"time": np.ones(2)}, r"`y0\(\)/time` must not have the name of an axis"),
    ],
)
def test_states_with_names_that_no_file_holds(y0, said):
    with pytest.raises(ValueError, match=said):
        rd.simulate(rd.from_function(lambda t, y, args: y, y0), [0.0, 1.0])


def test_states_and_observables_of_dtypes_that_no_file_holds():
    class Short(rd.AbstractSystem):
        dtype: str = "float64"

        def y0(self):
            return jnp.ones(2, self.dtype)

        def vector_field(self, t, y, args):
            return -y

        def observe(self, t, y):
            return {"z": y if self.dtype == "float16" else jax.lax.complex(y, y)}

    with pytest.raises(
        TypeError, match=r"`observe\(\)\['z'\]` must hold float32, .*its dtype is complex128"
    ):
        rd.simulate(Short(), [0.0, 1.0])
    with pytest.raises(TypeError, match=r"must hold float32, .*its dtype is float16"):
        rd.simulate(Short("float16"), [0.0, 1.0])


@pytest.mark.parametrize("kind", [Layers, State])
def test_states_of_named_parts_come_back_as_dicts(kind, tmp_path):
    parts = {"first": np.ones((3, 2)), "second": np.zeros(3)}
    run = rd.Trajectory(
        ts=np.zeros(3),
        observables={},
        dims={},
        status=np.array(0),
        ys=(kind(**parts),),
        end=[kind(**parts)],
    )
    found = store.load(store.save(tmp_path / "run.h5", run=run)).run
    for tree in (found.ys[0], found.end[0]):
        assert list(tree) == ["first", "second"]
        np.testing.assert_array_equal(tree["first"], parts["first"])


def test_a_flow_of_named_parts_is_saved(tmp_path):
    run = rd.simulate(decay(Layers(np.ones(2), np.ones(3))), [0.0, 1.0], observe=["states"])
    found = store.load(store.save(tmp_path / "run.h5", run=run)).run
    np.testing.assert_array_equal(found.ys["second"], run.ys.second)
