"""What lies between two saved rows is not known: times as bounds, errors of one moment, figures
with markers.
"""

import matplotlib.pyplot as plt
import numpy as np
import pytest

import racedyn as rd
from racedyn.comparison import compare
from racedyn.studies.shared_xor import half_loss_time
from racedyn.trajectory import Provenance, Trajectory

S = np.array([3.0, 1.0, 0.5])
HALF = np.array([2.39, 30.0, 61.0])
RATE = np.array([4.0, 0.5, 0.1])
MODES = rd.tasks.random(S, items=4, features=4, key=0).modes
TARGET = MODES.S / MODES.variances


def run(ts, values=None, *, kind="train", t0=0.0, unit="tau", loss=None):
    """Sigmoids, half learned at HALF, in one path; or `values` (time, mode)."""
    ts = np.asarray(ts, dtype=float)
    if values is None:
        values = TARGET / (1 + np.exp(-np.clip(RATE * (ts[:, None] - HALF), -500, 500)))
    observables = {"strength": values[:, None, :]} | ({} if loss is None else {"loss": loss})
    dims = {"strength": ("time", "path", "mode"), "loss": ("time",)}
    settings = {"time_unit": unit, "t0": t0}
    return Trajectory(
        ts=ts,
        observables=observables,
        dims={name: dims[name] for name in observables},
        provenance=Provenance(
            kind=kind, system="by hand", solver="none", modes=MODES, settings=settings
        ),
    )


def test_a_time_between_rows_far_apart_is_a_bound_and_no_number():
    found = rd.learning_times(run(np.arange(0, 101, 12.5)))
    assert str(found) == "< 12.5, 25-37.5, 60.87"
    np.testing.assert_array_equal(np.isnan(found), [True, True, False])
    np.testing.assert_array_equal(found.known, [False, False, True])
    np.testing.assert_array_equal(found.between_rows, [True, True, False])
    np.testing.assert_array_equal(found.bounds[:2], [[0, 12.5], [25, 37.5]])
    assert len(found) == 3 and not found.not_learned.any()


@pytest.mark.parametrize("step", [0.02, 0.1, 0.5, 1.0, 2.0, 3.0, 7.0, 12.5, 40.0])
def test_bounds_hold_what_is_right_and_what_is_a_number_is_within_them(step):
    found = rd.learning_times(run(np.arange(0, 100 + step, step)))
    assert np.all((found.bounds[:, 0] <= HALF) & (found.bounds[:, 1] >= HALF))
    np.testing.assert_allclose(found.times[found.known], HALF[found.known], rtol=0.05)


def test_bounds_close_with_the_square_of_the_step():
    widths = [
        np.ptp(rd.learning_times(run(np.arange(0.013, 100, step))).bounds[2])
        for step in (1.0, 0.5, 0.25)
    ]
    assert widths[0] > 3 * widths[1] > 9 * widths[2] > 0


def test_before_the_first_row_after_the_last_one_and_no_mode_at_all():
    early = rd.learning_times(run([5.0, 20.0, 40.0, 50.0]))
    assert str(early) == "<= 5, 20-40, > 50"
    np.testing.assert_array_equal(early.not_learned, [False, False, True])
    values = np.array(
        [[0, 0, np.nan], [1, np.nan, np.nan], [9, np.nan, np.nan], [9, 9, np.nan]], dtype=float
    )
    broken = rd.learning_times(run([0.0, 1.0, 2.0, 3.0], values))
    assert str(broken) == "1-2, < 3, -"  # rows that are not finite tell nothing
    assert np.isnan(broken.bounds[2]).all()
    assert (
        str(rd.learning_times(run([0.0, 1.0], np.array([[0.0] * 3, [np.inf] * 3]))))
        == "> 0, > 0, > 0"
    )


def test_a_step_that_is_the_same_to_every_interpolation():
    """Linear, monotone cubic and any other symmetric rule say 15; it may be anywhere."""
    step = np.where(np.arange(0, 50, 10)[:, None] > 10, TARGET, 0.0)
    assert str(rd.learning_times(run(np.arange(0, 50, 10), step))) == "10-20, 10-20, 10-20"


def test_times_count_from_the_start_of_the_run_and_rows_at_one_time_pin_them():
    late = rd.learning_times(
        run(
            np.arange(0, 101, 12.5) + 1000,
            run(np.arange(0, 101, 12.5)).observables["strength"][:, 0],
            t0=1000.0,
        )
    )
    assert str(late) == "< 1012, 1025-1038, 1061"
    jump = np.array([0.0, 0.0, 1.0, 1.0])[:, None] * TARGET
    assert str(rd.learning_times(run([0.0, 7.0, 7.0, 20.0], jump))) == "7, 7, 7"


def test_how_close_is_close_enough_is_an_argument():
    sparse = run(np.arange(0, 101, 12.5))
    assert str(rd.learning_times(sparse, within=1)) == "< 12.5, 30.88, 60.87"
    assert rd.learning_times(run(np.arange(0.1, 101, 0.5)), within=1e-9).between_rows.all()
    with pytest.raises(ValueError, match="`within` must be a positive number"):
        rd.learning_times(sparse, within=0)


def test_compare_prints_bounds_and_says_that_the_rise_is_not_compared():
    sparse, dense = run(np.arange(0, 101, 12.5)), run(np.arange(0, 101, 0.1), kind="simulate")
    found = compare(dense, sparse)
    (row,) = [line for line in str(found).splitlines() if line.startswith("  mode 1 ")]
    assert row.split()[4:8] == ["2.39", "<", "12.5", "-"]
    assert "25-37.5" in str(found)
    assert (
        "2 of 3 modes are learned between two rows, where nothing is compared: save more rows"
        in found.notes
    )
    assert not any("between two rows" in note for note in compare(dense, dense).notes)
    widths = {line.index("winner") for line in str(found).splitlines() if "winner, with" in line}
    assert widths and max(map(len, str(found).splitlines())) < 120


def test_runs_with_one_common_time_are_compared_at_that_moment_and_say_so():
    ones = np.ones((3, 3))
    found = compare(run([4.0] * 3, 1.1 * ones, kind="simulate"), run([4.0] * 3, ones))
    np.testing.assert_allclose(found.errors["strength"].relative_l2, 0.1)
    assert (
        "there is no common time but 4: errors are those of that moment, not of a run"
        in found.notes
    )
    touching = compare(run([0.0, 4.0], 1.1 * ones[:2], kind="simulate"), run([4.0, 4.0, 8.0], ones))
    np.testing.assert_allclose(touching.errors["strength"].relative_l2, 0.1)
    assert "there is no common time but 4" in str(touching)
    with pytest.raises(ValueError, match="cover some of the flow times"):
        compare(run([0.0, 3.0], ones[:2]), run([4.0, 5.0], ones[:2]))
    with pytest.raises(ValueError, match=r"unit of time.*'steps' and 'tau'"):
        compare(run([4.0], ones[:1], unit="steps"), run([4.0], ones[:1]))


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_errors_of_very_small_and_large_values_are_not_lost(size):
    ts, ones = np.arange(3.0), np.ones((3, 3))
    found = compare(run(ts, 1.5 * size * ones, kind="simulate"), run(ts, size * ones))
    np.testing.assert_allclose(found.errors["strength"].relative_l2, 0.5)
    # A span of time that is small beside the largest numbers, too.
    short = compare(run(ts * 1e-310, 1.5 * ones, kind="simulate"), run(ts * 1e-310, ones))
    np.testing.assert_allclose(short.errors["strength"].relative_l2, 0.5)


def test_figures_mark_few_rows():
    few, many = (run(np.linspace(0, 100, n), loss=np.linspace(2, 1, n)) for n in (9, 400))
    for rows, marker in ((few, "o"), (many, "None")):
        assert {line.get_marker() for line in rd.plot.race(rows)[0].lines[1:]} == {marker}
        assert {line.get_marker() for line in rd.plot.strengths(rows).lines} == {marker}
        assert {line.get_marker() for line in rd.plot.loss(rows).lines} == {marker}
        plt.close("all")


def test_learning_times_are_drawn_as_bars_where_they_are_bounds():
    ax = rd.plot.learning_times(run(np.arange(0, 101, 12.5)))
    bars = [line for line in ax.lines if line.get_marker() == "_"]
    assert [list(line.get_ydata()) for line in bars] == [[ax.get_ylim()[0], 12.5], [25, 37.5]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "trained (2 of 3 between rows)"
    ]
    short = rd.plot.learning_times(run(np.arange(0, 50, 12.5)))
    assert (
        short.get_legend().get_texts()[0].get_text()
        == "trained (1 of 3 modes not learned, 2 of 3 between rows)"
    )


@pytest.mark.parametrize(("every", "text"), [(0.05, "3.119"), (2.0, "2-4"), (12.5, "< 12.5")])
def test_when_a_loss_is_half_between_rows(every, text):
    """L = 1/2 (1 - K)^2 of a sigmoid K is down to 1/4 at K = 1 - 1/sqrt(2)."""
    ts = np.arange(0, 26, every)
    loss = 0.5 * (1 - 1 / (1 + np.exp(4 - ts))) ** 2
    half = 4 + np.log((1 - 0.5**0.5) / 0.5**0.5)
    found = half_loss_time(ts, loss)
    assert found.text(0) == text
    assert found.known[0] == (every < 1)
    assert found.bounds[0, 0] <= half <= found.bounds[0, 1]


def test_a_loss_that_is_never_or_always_below_a_level():
    ts = np.arange(5.0)
    assert half_loss_time(ts, np.full(5, 0.3)).text(0) == "> 4"
    assert half_loss_time(ts, np.full(5, 0.1)).text(0) == "<= 0"
    assert np.isnan(half_loss_time(ts, np.full(5, np.nan)).times[0])
