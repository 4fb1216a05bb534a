"""Lanes: ranked, put into batches, tried once more, judged; by lanes that are made up, so that
nothing is compiled.
"""

import diffrax as dfx
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.simulation.lane import Solved
from racedyn.simulation.lanes import Batch, failures, solve_lanes, worst
from racedyn.simulation.method import takes_exact
from racedyn.simulation.solve import settings_for
from racedyn.trajectory import Status

DONE, EXHAUSTED, SETTLED = int(Status.DONE), int(Status.STEPS_EXHAUSTED), int(Status.SETTLED)
DECAY = rd.from_function(lambda t, y, args: -y, [1.0])


class MadeUp:
    """Lane n ends as `first[n]` and, by the implicit solver, as `second[n]` say: (status, t_end,
    last state).
    """

    def __init__(self, first, second, rates=None, size=1, by_steps=False):
        self.by_steps = by_steps
        self.first, self.second, self.size = first, second, size
        self.rates = None if rates is None else np.array(rates)
        self.calls: list[list[int]] = []

    def batches(self, numbers, settings):
        for k in range(0, len(numbers), 2):
            some = numbers[k : k + 2]
            yield Batch(some, lambda some=some: self.solve(some, settings), slice(1, 1 + len(some)))

    def solve(self, some, settings):
        """A row in front that is no lane's."""
        self.calls.append(some.tolist())
        ends = self.second if isinstance(settings.solver, dfx.Kvaerno5) else self.first
        status, t_end, state = zip((DONE, 9.0, 9.0), *(ends[n] for n in some), strict=True)
        states = np.outer(state, np.ones(self.size))
        return Solved(
            states,
            states,
            np.array(status),
            {"t_end": np.array(t_end), "num_steps": np.full(len(status), 5)},
        )


def solved(lanes, numbers, retry=None, **options):
    settings = settings_for(DECAY, **options)
    return solve_lanes(lanes, [(np.array(numbers), settings)], retry or dfx.Kvaerno5())


GOOD, TIRED = (DONE, 1.0, 0.5), (EXHAUSTED, 0.3, 0.1)


def test_lanes_of_like_speed_step_together_and_come_back_in_order():
    lanes = MadeUp([(DONE, 1.0, float(n)) for n in range(6)], None, rates=[1, 5, 3, 5, 2, 4])
    outcome = solved(lanes, [5, 1, 0, 3, 4])
    assert lanes.calls == [[1, 3], [5, 4], [0]]
    np.testing.assert_array_equal(outcome.numbers, [0, 1, 3, 4, 5])
    np.testing.assert_array_equal(outcome.solved.saved[:, 0], [0, 1, 3, 4, 5])


def test_each_lane_has_the_settings_that_stand_beside_it():
    lanes = MadeUp([(DONE, 1.0, 1.0)] * 3, [(DONE, 1.0, 2.0)] * 3)
    short, long = settings_for(DECAY), settings_for(DECAY, solver=dfx.Kvaerno5())
    outcome = solve_lanes(lanes, [(np.array([0, 2]), short), (np.array([1]), long)], dfx.Kvaerno3())
    np.testing.assert_array_equal(outcome.solved.saved[:, 0], [1, 2, 1])


def test_what_used_up_its_steps_is_tried_once_more_and_kept_if_it_goes_further():
    first = [GOOD, TIRED, TIRED, TIRED, (EXHAUSTED, 0.3, np.inf), (int(Status.FAILED), 0.3, 0.1)]
    second = [None, (DONE, 1.0, 0.2), (EXHAUSTED, 0.2, 0.3), (SETTLED, 0.2, 0.4), None, None]
    lanes = MadeUp(first, second)
    outcome = solved(lanes, range(6))
    assert lanes.calls == [[0, 1], [2, 3], [4, 5], [1, 2], [3]], "and never a third time"
    np.testing.assert_array_equal(outcome.retried, [False, True, False, True, False, False])
    np.testing.assert_array_equal(outcome.solved.saved[:4, 0], [0.5, 0.2, 0.1, 0.4])
    np.testing.assert_array_equal(outcome.solved.status[:4], [DONE, DONE, EXHAUSTED, SETTLED])
    np.testing.assert_array_equal(outcome.steps, [5, 10, 10, 10, 5, 5])


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"retry": dfx.Tsit5()}, 1),
        ({"stepsize_controller": dfx.ConstantStepSize(), "dt0": 0.1}, 1),
        ({}, 1001),
    ],
)
def test_no_second_try_where_it_would_do_no_more(options, size):
    """The same solver, steps of the caller's own, or a state too large for an implicit one."""
    lanes = MadeUp([TIRED], [GOOD], size=size)
    assert not solved(lanes, [0], **options).retried.any() and lanes.calls == [[0]]
    assert solved(MadeUp([TIRED], [GOOD], size=1000), [0]).retried.all()
    assert not solved(MadeUp([TIRED], [GOOD], by_steps=True), [0]).retried.any()


def test_members_are_as_bad_as_their_worst_lane():
    status = np.array(
        [[DONE, SETTLED], [DONE, EXHAUSTED], [int(Status.FAILED), int(Status.UNLEARNED)]]
    )
    np.testing.assert_array_equal(worst(status), [SETTLED, EXHAUSTED, Status.UNLEARNED])
    assert failures(np.array([DONE, SETTLED]), "lanes") == ""
    said = failures(np.array([DONE] + [EXHAUSTED] * 12), "members")
    assert said.startswith(
        "12 of 13 members failed (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ...): 12 used up its steps"
    )


@pytest.mark.parametrize(
    ("method", "has_exact", "told", "rtol", "taken"),
    [
        ("auto", True, {}, 1e-8, True),
        ("auto", True, {"args": None, "max_steps": 2**16, "solver": None}, 1e-6, True),
        ("auto", False, {}, 1e-8, False),
        ("auto", True, {}, 9e-9, False),
        ("auto", True, {}, None, True),
        ("auto", True, {"jumps": jnp.ones(2)}, 1e-8, False),
        ("auto", True, {"max_steps": 100}, 1e-8, False),
        ("ode", True, {}, 1e-8, False),
        ("exact", True, {}, 1e-12, True),
        ("exact", True, {"max_steps": 100, "retry": dfx.Kvaerno3()}, 1e-8, True),
    ],
)
def test_one_decides_for_one_and_for_many(method, has_exact, told, rtol, taken):
    assert takes_exact(has_exact, method, told, rtol) is taken
