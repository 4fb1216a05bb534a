"""Ensembles built by hand: what is found of them is what is found of each member, bit for bit."""

import dataclasses

import numpy as np
import pytest

from racedyn.comparison import Comparison, MemberComparison, compare, learning_times
from racedyn.comparison.pair import SUM
from racedyn.tasks import hierarchy
from racedyn.trajectory import Provenance, Status, Trajectory

MODES = hierarchy(4).modes
TARGETS = MODES.S / MODES.variances
TS = np.linspace(0, 10, 401)
COUNT = 6
RNG = np.random.default_rng(0)
HALVES = RNG.uniform(2, 8, (COUNT, 4))
SHARE = RNG.uniform(0.1, 0.9, (COUNT, 4))  # of the first path


def strengths(halves=HALVES, share=SHARE, ts=TS):
    """K_a(t) = w_a S/d / (1 + exp(-4 (t - half))), (member, time, path, mode)."""
    shares = np.stack([share, 1 - share], axis=1)
    total = TARGETS / (1 + np.exp(-4 * (ts[:, None] - halves[:, None])))
    return total[:, :, None] * shares[:, None]


def ensemble(strength, ts=TS, status=None, kind="ensemble", **more):
    return Trajectory(
        ts=ts,
        observables={"strength": strength, "loss": strength.sum(axis=(2, 3))},
        dims={"strength": ("member", "time", "path", "mode"), "loss": ("member", "time")},
        labels={"path": ("deep", "shallow")},
        status=np.zeros(len(strength), int) if status is None else status,
        provenance=Provenance(kind=kind, system="by hand", solver="none", modes=MODES),
        **more,
    )


THEORY = ensemble(strengths())
TRAINED = ensemble(strengths(HALVES + 0.1, np.clip(SHARE + 0.2, 0, 1)))


def assert_same(found, expected):
    """Two comparisons, number by number."""
    assert isinstance(found, Comparison)
    assert found.errors == expected.errors and found.notes == expected.notes
    assert found.mode_errors == expected.mode_errors
    np.testing.assert_array_equal(found.agree, expected.agree)
    assert str(found) == str(expected)


@pytest.mark.parametrize("one_for_all", [False, True])
def test_members_are_compared_as_if_alone(one_for_all):
    theory = THEORY.member(0) if one_for_all else THEORY
    found = compare(theory, TRAINED)
    assert isinstance(found, MemberComparison) and len(found) == COUNT
    assert set(found.errors) == {"strength", "loss", SUM}
    for i, each in enumerate(found):
        alone = compare(theory if one_for_all else theory.member(i), TRAINED.member(i))
        assert_same(found.member(i), alone)
        assert each is found.member(i)
        for name, errors in found.errors.items():
            assert errors[i] == alone.errors[name].relative_l2
        for side in ("theory", "trained"):
            many, one = getattr(found, side), getattr(alone, side)
            np.testing.assert_array_equal(many.learning_times.times[i], one.learning_times.times)
            np.testing.assert_array_equal(many.learning_times.bounds[i], one.learning_times.bounds)
            for field in ("winner", "share", "participation", "tied"):
                np.testing.assert_array_equal(getattr(many, field)[i], getattr(one, field))
        np.testing.assert_array_equal(found.agree[i], alone.agree)


def test_winners_and_times_are_those_known_beforehand():
    found = compare(THEORY, TRAINED)
    np.testing.assert_array_equal(found.theory.winner, np.where(SHARE > 0.5, 0, 1))
    w = np.clip(SHARE + 0.2, 0, 1)
    np.testing.assert_allclose(found.trained.participation, 1 / (w**2 + (1 - w) ** 2), rtol=1e-12)
    np.testing.assert_allclose(found.theory.learning_times.times, HALVES, atol=2e-3)
    np.testing.assert_allclose(found.trained.learning_times.times, HALVES + 0.1, atol=2e-3)


def test_members_that_failed_are_nan_and_counted():
    status = np.array([0, Status.NOT_FINITE, 0, 0, 0, 0])
    broken = TRAINED["strength"].copy()
    broken[1, 200:] = np.nan
    theory = dataclasses.replace(THEORY, status=np.array([0, 0, Status.STEPS_EXHAUSTED, 0, 0, 0]))
    trained = ensemble(broken, status=status)
    found = compare(theory, trained)
    np.testing.assert_array_equal(found.failed, [False, True, True, False, False, False])
    for values in (*found.errors.values(), found.theory.share, found.trained.participation):
        np.testing.assert_array_equal(np.isnan(values.reshape(COUNT, -1)).all(axis=1), found.failed)
    assert (found.theory.winner[found.failed] == -1).all() and not found.agree[found.failed].any()
    assert "6 members, of which 2 failed" in str(found)
    assert f"of {4 * 4} (member, mode)" in str(found)
    assert any("trained: 1 of 6 not_finite" in note for note in found.notes)
    assert any("theory: 1 of 6 steps_exhausted" in note for note in found.notes)
    table = found.labelled()
    np.testing.assert_array_equal(table["failed"], found.failed)
    assert np.isnan(table["trained_winner"][found.failed]).all()
    whole = compare(dataclasses.replace(THEORY.member(0), status=np.array(4)), TRAINED)
    assert whole.failed.all() and np.isnan(whole.errors["loss"]).all() and "-" in str(whole)


def test_a_note_counts_trainings_that_had_not_converged():
    stats = {"converged": np.array([1, 0, 0, np.nan, 1, 1]), "loss_left": np.full(6, 0.2)}
    found = compare(THEORY, dataclasses.replace(TRAINED, stats=stats))
    assert any("had converged in 2 of 6 members" in note for note in found.notes)
    assert any("had converged: 0.2 of the loss" in note for note in found.member(1).notes)
    assert not any("converged" in note for note in found.member(0).notes)


def test_a_note_counts_members_whose_rows_are_too_sparse():
    rows = slice(None, None, 130)  # 3.25 apart
    coarse = [ensemble(run["strength"][:, rows], ts=TS[rows]) for run in (THEORY, TRAINED)]
    found = compare(*coarse)
    hidden = found.theory.learning_times.between_rows | found.trained.learning_times.between_rows
    count = int(hidden.any(axis=1).sum())
    assert count > 0 and any(f"modes of {count} of 6 members" in note for note in found.notes)
    # Where the theory has all trained times among its own there is nothing to interpolate.
    finer = compare(THEORY, coarse[1])
    assert not any("theory interpolated" in note for note in finer.notes)
    other = compare(ensemble(THEORY["strength"][:, ::7], ts=TS[::7]), coarse[1])
    assert any("theory interpolated" in note for note in other.notes)


def test_medians_are_those_of_the_same_members():
    """Of a mode that theory or training has not learned in some members."""
    late = np.arange(6) >= 3
    strength = np.where(late[:, None, None, None], 1e-9, TRAINED["strength"])
    found = compare(THEORY, ensemble(strength, ts=TS))
    line = next(line for line in str(found).splitlines() if "1-2 | 3-4" in line)
    both = np.median(found.theory.learning_times.times[:3, 1])
    assert f"{both:.4g} (" in line and line.count("3 of 6") == 2


def test_it_prints_a_short_table():
    text = str(compare(THEORY, TRAINED)).splitlines()
    assert text[1].strip() == "6 members, of which 0 failed"
    errors = compare(THEORY, TRAINED).errors["loss"]
    row = next(line.split() for line in text if line.strip().startswith("loss"))
    expected = [np.median(errors), errors.min(), errors.max()]
    assert row[1:] == [f"{value:.2e}" for value in expected]
    assert len(text) < 25 and all(len(line) <= 100 for line in text)
    assert "6 members" in repr(compare(THEORY, TRAINED))


@pytest.mark.parametrize(
    ("theory", "trained", "message"),
    [
        (THEORY, TRAINED.member(0), r"`trained` must be an ensemble, as `theory` is"),
        (ensemble(strengths()[:3]), TRAINED, r"as many members as `trained`, 6, .* it has 3"),
        ({"a": THEORY.member(0)}, TRAINED, r"one theory .* 'trained' is an ensemble"),
        ({"a": THEORY}, TRAINED.member(0), r"one theory .* 'a' is an ensemble"),
    ],
)
def test_what_does_not_fit_is_refused(theory, trained, message):
    with pytest.raises(ValueError, match=message):
        compare(theory, trained)


def test_a_member_beyond_the_last_is_refused():
    with pytest.raises(IndexError, match="one of 6 members, but it is 6"):
        compare(THEORY, TRAINED).member(6)


# Learning times


def test_learning_times_of_members_are_theirs():
    found = learning_times(THEORY, 0.3)
    assert found.times.shape == (COUNT, 4) and found.bounds.shape == (COUNT, 4, 2)
    for i in range(COUNT):
        alone = learning_times(THEORY.member(i), 0.3)
        np.testing.assert_array_equal(found.times[i], alone.times)
        np.testing.assert_array_equal(found.bounds[i], alone.bounds)
        assert str(found.member(i)) == str(alone)
    assert found.modes == MODES.names and len(found) == COUNT
    np.testing.assert_array_equal(np.asarray(found), found.times)


def test_learning_times_of_members_print_median_and_range():
    late = HALVES.copy()
    late[0, 0] = 20.0  # not learned within the rows
    found = learning_times(ensemble(strengths(late)))
    assert found.not_learned.sum() == 1 and found.not_learned[0, 0]
    known = found.times[1:, 0]
    assert found.text(0) == (
        f"{np.median(known):.4g} ({known.min():.4g} to {known.max():.4g}; 5 of 6)"
    )
    assert str(found).count(" to ") == 4 and repr(found).startswith("LearningTimes(6 members: ")


# With named axes


def test_what_is_found_has_named_axes():
    found = compare(THEORY, dataclasses.replace(TRAINED, parameters={"lr": np.arange(6.0)}))
    table = found.labelled()
    assert table.dims["relative_l2"] == ("member", "observable")
    assert table.dims["theory_share"] == ("member", "mode") and table.dims["S"] == ("mode",)
    assert tuple(table["mode"]) == MODES.names and list(table["path"]) == ["deep", "shallow"]
    place = list(table["observable"]).index("loss")
    np.testing.assert_array_equal(table["relative_l2"][:, place], found.errors["loss"])
    np.testing.assert_array_equal(table["theory_winner"], found.theory.winner)
    np.testing.assert_array_equal(table["lr"], np.arange(6.0))
    one = found.member(2).labelled()
    assert one.dims["trained_learning_time"] == ("mode",)
    for name in one:
        np.testing.assert_array_equal(one[name], table[name] if name == "S" else table[name][2])


def test_a_mode_that_nobody_has_has_no_winner():
    nothing = np.where(np.arange(4) == 1, 0.0, strengths()[0])
    found = compare(ensemble(nothing[None]).member(0), TRAINED.member(0))
    assert found.theory.winner[1] == -1
    assert np.isnan(found.labelled()["theory_winner"][1])


def test_theories_have_an_axis_of_their_names():
    theories = {"first": THEORY.member(0), "second": THEORY.member(1)}
    several = compare(theories, TRAINED.member(0))
    table = several.labelled()
    assert list(table["theory"]) == ["first", "second"]
    assert table.dims["agree"] == ("theory", "mode")
    for i, each in enumerate(several.each.values()):
        np.testing.assert_array_equal(table["mode_error"][i], each.labelled()["mode_error"])


def test_an_error_that_one_theory_has_not_is_nan():
    without = THEORY.member(0)
    without = dataclasses.replace(
        without,
        observables={"loss": without["loss"]},
        dims={"loss": ("time",)},
    )
    table = compare({"all": THEORY.member(0), "loss": without}, TRAINED.member(0)).labelled()
    place = list(table["observable"]).index("strength")
    assert np.isnan(table["relative_l2"][1, place]) and "mode_error" not in table


def test_learning_times_have_named_axes():
    many, one = learning_times(THEORY), learning_times(THEORY.member(0))
    assert many.labelled().dims["earliest"] == ("member", "mode")
    assert one.labelled().dims["latest"] == ("mode",)
    np.testing.assert_array_equal(one.labelled()["learning_time"], one.times)
    assert tuple(one.labelled()["mode"]) == MODES.names
