"""Products are as precise as their numbers on every device: asked of JAX at every door, as a CPU
does it anyway.
"""

import jax
import jax.numpy as jnp
import pytest

import racedyn as rd
from racedyn._jit import chosen_precision, full_precision
from racedyn.training import run as training

SEEN = []


def seen(t, y, args):
    SEEN.append(chosen_precision())
    return -y


TASK = rd.tasks.hierarchy(items=2)
NET = rd.networks.chain(TASK, depth=2, width=2)
WEIGHTS = NET.init(rd.init.Gaussian(0.1), key=0)
DOORS = {
    "simulate": lambda: rd.simulate(rd.from_function(seen, [1.0]), [1.0]),
    "solve": lambda: rd.solve(rd.from_function(seen, [1.0]), [1.0]),
    "ensemble": lambda: rd.ensemble(
        rd.from_function(seen, [1.0]), {"initial": jnp.ones((2, 1))}, [1.0]
    ),
    "train": lambda: rd.train(
        NET,
        TASK,
        WEIGHTS,
        lr=0.1,
        steps=2,
        checkpoint=lambda run: SEEN.append(chosen_precision()),
        progress=False,
    ),
}


@pytest.mark.parametrize(
    "door",
    [pytest.param(door, marks=pytest.mark.slow) if door == "ensemble" else door for door in DOORS],
)
def test_every_door_asks_for_it(door, monkeypatch):
    """GPUs round float32 to ten bits in products unless they are told: a loss was off by 5e-4
    there.
    """
    monkeypatch.setattr(training, "CHECKPOINT_SECONDS", 0.0)
    jax.clear_caches()
    SEEN.clear()
    DOORS[door]()
    assert set(SEEN) == {"highest"} and chosen_precision() is None


def test_what_the_caller_chose_stands():
    with jax.default_matmul_precision("tensorfloat32"):
        assert full_precision(chosen_precision)() == "tensorfloat32"
    assert full_precision(chosen_precision)() == "highest" and chosen_precision() is None


def test_reduce_and_observe_ask_for_it():
    assert all(hasattr(door, "__wrapped__") for door in (rd.reduce, rd.observe))
