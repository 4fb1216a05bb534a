"""What a first call compiles: each small program beside the large ones costs as long as to run it a
thousand times.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
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
    assert set(programs) <= {"jit(_normal_row)", "jit(<lambda>)"}  # a trial of options
    assert programs.count("jit(_normal_row)") == 1


S, DRAWN = np.array([2.0, 1.0]), np.array([[0.02, 0.01], [0.01, 0.03]])
TS = np.linspace(0, 20, 5)


def race():
    return rd.systems.Pathways(S, (3, 3), DRAWN, DRAWN)


# What is called first, and how many programs it compiles: those of its equations, and small ones
# that JAX, diffrax and checks of arguments make of single lines.
FIRST = {
    "exact.trajectory": (lambda: rd.exact.trajectory(S, (3, 3), DRAWN, DRAWN, TS), 7),
    "simulate, exactly": (lambda: rd.simulate(race(), TS), 7),
    "simulate, by steps": (lambda: rd.simulate(race(), TS, method="ode"), 12),
    "simulate, a system of one's own": (
        lambda: rd.simulate(rd.from_function(lambda t, y, args: -y, y0=S), TS),
        4,
    ),
    "ensemble": (lambda: rd.ensemble(race_of, 3, jnp.linspace(0, 20, 5)), 9),
}


def race_of(member):
    return rd.systems.Pathways(S, (3, 3), DRAWN + 0.01 * member, DRAWN)


@pytest.mark.slow
@pytest.mark.parametrize("first", FIRST)
def test_a_first_call_compiles_few_programs(first, programs):
    call, most = FIRST[first]
    call()
    assert 0 < len(programs) <= most, programs


@pytest.mark.long
def test_depths_of_a_kind_are_one_program(programs):
    def calls(depths):
        def member(seed):
            return rd.systems.Pathways(S, depths, DRAWN + 0.01 * seed, DRAWN)

        rd.exact.converged(S, depths, DRAWN, DRAWN)
        rd.exact.trajectory(S, depths, DRAWN, DRAWN, TS)
        rd.ensemble(member, 3, TS)

    calls((4, 6))
    programs.clear()
    for depths in (5, 5), (9, 4), (16, 13):
        calls(depths)
    # What an ensemble reads out of states costs little.
    assert set(programs) <= {"jit(begins)", "jit(observe_members)"}
    rd.exact.converged(S, (2, 5), DRAWN, DRAWN)  # the equations of depth 2 are others
    assert "jit(_ends)" in programs
