"""What a first call compiles: each small program beside the large ones costs as long as to run it a
thousand times.
"""

import itertools

import jax
import pytest

import racedyn as rd


@pytest.fixture
def programs():
    """Names of the programs that JAX compiles, as it does; none is left of other tests'."""
    names = []

    def heard(event, duration, fun_name="", **_):
        if event.endswith("backend_compile_duration"):
            names.append(fun_name)

    jax.clear_caches()
    jax.monitoring.register_event_duration_secs_listener(heard)
    yield names
    jax.monitoring.unregister_event_duration_listener(heard)


def test_all_matrices_of_a_draw_are_one_program(programs):
    widths = {"x": 3, "a": 19, "b": 23, "c": 29, "y": 2}
    net = rd.Network(nodes=widths, edges={s + t: (s, t) for s, t in itertools.pairwise(widths)})
    key = jax.random.key(0)
    programs.clear()
    net.init(rd.init.Gaussian(0.1), key=key)
    assert set(programs) <= {"jit(normal_row)", "jit(<lambda>)"}  # a trial of options
    assert programs.count("jit(normal_row)") == 1
