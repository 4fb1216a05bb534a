"""Trajectories built by hand, whose errors, learning times and winners are known beforehand."""

import dataclasses

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.comparison import Comparison, compare, learning_times
from racedyn.comparison.pair import GROUPS, SUM
from racedyn.tasks import hierarchy
from racedyn.trajectory import Provenance, Status, Trajectory

MODES = hierarchy(4).modes  # S: one, one, two equal
TARGETS = MODES.S / MODES.variances
SHARES = np.array([[0.75, 0.25, 0.6, 0.9], [0.25, 0.75, 0.4, 0.1]])
HALF = np.array([2.0, 3.0, 5.0, 6.0])  # half-rise times
TS = np.linspace(0, 10, 401)


def sigmoids(ts, half=HALF, shares=SHARES):
    """K_a(t) = w_a S/d / (1 + exp(-4 (t - half))): half learned at `half`, shared as `shares` says
    at all times.
    """
    return (TARGETS / (1 + np.exp(-4 * (ts[:, None] - half))))[:, None, :] * shares


def run(
    strength,
    ts=TS,
    *,
    modes=MODES,
    kind="train",
    unit="tau",
    paths=("deep", "shallow"),
    status=0,
    **more,
):
    dims = {
        "strength": ("time", "path", "mode"),
        "group_strength": ("time", "path", "group"),
        "loss": ("time",),
    }
    dims["off_diagonal"] = ("time", "path")
    observables = {"strength": strength, **more}
    return Trajectory(
        ts=ts,
        observables=observables,
        dims={name: dims[name] for name in observables},
        labels={} if paths is None else {"path": paths},
        status=status,
        provenance=Provenance(
            kind=kind, system="by hand", solver="none", modes=modes, settings={"time_unit": unit}
        ),
    )


def test_equal_runs_have_no_error():
    found = compare(run(sigmoids(TS), kind="simulate"), run(sigmoids(TS)))
    assert set(found.errors) == {"strength", SUM}
    assert all(
        error.relative_l2 == 0 and error.largest == 0 and not error.failed
        for error in found.errors.values()
    )
    assert found.agree.all()
    assert found.notes == ()


def test_relative_l2_is_an_integral_over_flow_time():
    # b = 1 and a = 1 + t on uneven times: sqrt(int t^2) / sqrt(int 1) = L / sqrt(3), not a mean
    # over samples.
    ts = 2.0 * np.linspace(0, 1, 2001) ** 2
    ones = np.ones((len(ts), 1, 4))
    found = compare(run(ones + ts[:, None, None], ts, paths=None), run(ones, ts, paths=None))
    np.testing.assert_allclose(found.errors["strength"].relative_l2, 2 / np.sqrt(3), rtol=1e-5)
    np.testing.assert_allclose(found.errors["strength"].largest, 2.0)


def test_constant_offset_and_scale():
    b = sigmoids(TS)
    scaled = compare(run(1.02 * b), run(b))
    for error in (*scaled.errors.values(), *scaled.mode_errors):
        np.testing.assert_allclose(error.relative_l2, 0.02)
    # An offset that cancels in the sum is seen in the parts only.
    moved = compare(run(b + np.array([[0.1], [-0.1]])), run(b))
    assert moved.errors[SUM].relative_l2 < 1e-15
    np.testing.assert_allclose(moved.errors["strength"].largest, 0.1)
    step = np.diff(TS)
    weights = (np.append(step, 0) + np.insert(step, 0, 0)) / 2
    np.testing.assert_allclose(
        moved.errors["strength"].relative_l2,
        np.sqrt(8 * 0.01 * 10 / np.sum(weights[:, None, None] * b**2)),
    )


def test_theory_is_interpolated_within_the_overlap():
    line = np.linspace(1, 2, 11)[:, None, None] * np.ones((1, 2, 4))
    theory = run(line, np.linspace(0, 10, 11), kind="simulate")
    ts = np.array([2.5, 6.25, 9.75, 11.0])
    found = compare(theory, run((1 + ts / 10)[:, None, None] * np.ones((1, 2, 4)), ts))
    np.testing.assert_array_equal(found.ts, ts[:3])
    assert found.errors["strength"].largest < 1e-14
    assert found.notes == ("save times differ: theory interpolated linearly onto 3 trained times",)


def test_last_row_survives_rounded_times():
    short = TS.astype(np.float32)
    assert len(
        compare(run(sigmoids(TS), TS), run(sigmoids(TS), short * np.float32(1 + 1e-7))).ts
    ) == len(TS)


def test_one_common_time_is_enough():
    found = compare(run(2 * np.ones((1, 2, 4)), np.ones(1)), run(np.ones((1, 2, 4)), np.ones(1)))
    assert found.errors["strength"].relative_l2 == 1


def test_nothing_learned_has_no_relative_error_but_an_answer():
    zero = np.zeros_like(sigmoids(TS))
    assert compare(run(zero), run(zero)).errors["strength"].relative_l2 == 0
    found = compare(run(sigmoids(TS)), run(zero))
    assert found.errors["strength"].relative_l2 == np.inf
    assert np.all(found.trained.winner == -1)
    assert np.isnan(found.trained.participation).all()
    assert not found.agree.any()
    assert "the same pathway wins in 0 of 4 modes" in str(found)


def test_padding_is_skipped_and_failures_are_listed():
    padded, scaled = sigmoids(TS), 1.02 * sigmoids(TS)
    padded[:, 1, 3] = scaled[:, 1, 3] = np.nan
    found = compare(run(scaled), run(padded))
    np.testing.assert_allclose(found.errors["strength"].relative_l2, 0.02)
    np.testing.assert_allclose(found.errors[SUM].relative_l2, 0.02)
    assert not any(error.failed for error in found.errors.values())
    np.testing.assert_allclose(found.theory.share[3], 1.0)

    for bad in (np.nan, np.inf):
        broken = scaled.copy()
        broken[200:, 0, 1] = bad
        found = compare(run(broken), run(padded))
        np.testing.assert_allclose(found.errors["strength"].relative_l2, 0.02)
        assert found.errors["strength"].failed == ("deep, 1-2 | 3-4",)
        assert found.errors[SUM].failed == ("1-2 | 3-4",)
        assert found.theory.winner[1] == -1
        assert not found.agree[1]
        assert str(found).count("not finite, left out: deep, 1-2 | 3-4\n") == 1
    # A loss has no other entry to fall back on.
    a, b = (run(padded, loss=np.ones(len(TS))) for _ in range(2))
    found = compare(eqx.tree_at(lambda t: t.observables["loss"], a, np.full(len(TS), np.nan)), b)
    assert np.isnan(found.errors["loss"].relative_l2)
    assert found.errors["loss"].failed == ("the whole run",)


def test_permuting_pathways_in_both_changes_no_error():
    a, b = sigmoids(TS, HALF + 0.1, SHARES[:, ::-1]), sigmoids(TS)
    there, back = compare(run(a), run(b)), compare(run(a[:, ::-1]), run(b[:, ::-1]))
    for name, error in there.errors.items():
        np.testing.assert_allclose(
            dataclasses.astuple(back.errors[name])[:2], dataclasses.astuple(error)[:2]
        )
    np.testing.assert_array_equal(back.agree, there.agree)
    np.testing.assert_allclose(back.trained.participation, there.trained.participation)


def test_learning_times_of_sigmoids():
    np.testing.assert_allclose(learning_times(run(sigmoids(TS))), HALF, atol=1e-4)
    quarter = HALF - np.log(3) / 4
    np.testing.assert_allclose(learning_times(run(sigmoids(TS)), fraction=0.25), quarter, atol=1e-3)
    late = run(sigmoids(TS, np.array([2.0, 3.0, 5.0, 11.0])))
    np.testing.assert_array_equal(np.isnan(learning_times(late)), [False, False, False, True])
    begun = run(sigmoids(TS, np.array([-1.0, 3.0, 5.0, 6.0])))
    np.testing.assert_array_equal(np.isnan(learning_times(begun)), [True, False, False, False])


def test_learning_times_are_linear_between_saves_and_skip_padding():
    ramp = np.array([0.0, 1.0, 2.0])[:, None, None] * np.array([[1.0, -1.0], [np.nan, -1.0]])
    found = learning_times(
        run(ramp, np.array([0.0, 4.0, 5.0]), modes=None), fraction=0.25, within=2
    )
    np.testing.assert_allclose(
        found, [2.0, 2.0]
    )  # without modes: of the last value, whichever its sign


def test_learning_times_need_strengths():
    bare = Trajectory(ts=TS, observables={"loss": TS}, dims={"loss": ("time",)})
    with pytest.raises(ValueError, match="must have an observable 'strength'"):
        learning_times(bare)
    with pytest.raises(
        ValueError, match="one strength per mode of its provenance, but it has 3 and 4"
    ):
        learning_times(run(sigmoids(TS)[..., :3]))
    with pytest.raises(ValueError, match="`fraction` must be a positive number"):
        learning_times(run(sigmoids(TS)), fraction=0.0)


def test_outcomes_of_both_sides():
    theory = run(sigmoids(TS, HALF * 1.1, SHARES[:, [0, 0, 2, 3]]), kind="simulate")
    found = compare(theory, run(sigmoids(TS)))
    np.testing.assert_allclose(
        found.theory.learning_times.times / found.trained.learning_times.times, 1.1, rtol=1e-3
    )
    np.testing.assert_allclose(found.trained.share, [0.75, 0.75, 0.6, 0.9])
    np.testing.assert_array_equal(found.trained.winner, [0, 1, 0, 0])
    np.testing.assert_array_equal(found.agree, [True, False, True, True])
    np.testing.assert_allclose(found.trained.participation, 1 / np.sum(SHARES**2, axis=0))
    assert "differ" in str(found)


def test_negative_strengths_count_by_size():
    shares = np.array([[1.5], [-0.5]]) * np.ones(4)
    found = compare(run(sigmoids(TS, shares=shares)), run(sigmoids(TS, shares=shares)))
    np.testing.assert_allclose(found.trained.share, 0.75)


def test_without_modes_both_sides_share_one_target():
    plateau = run(0.4 * sigmoids(TS), modes=None)
    found = compare(plateau, run(sigmoids(TS), modes=None))
    assert np.isnan(found.theory.learning_times).all()
    np.testing.assert_allclose(found.trained.learning_times, HALF, atol=1e-4)
    assert found.modes == ("mode 1", "mode 2", "mode 3", "mode 4")
    assert np.isnan(found.S).all()


def test_group_norms_do_not_see_a_rotation_inside_the_group():
    angle = 0.3
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    theory, other = (
        sigmoids(TS, np.array([2.0, 3.0, 5.0, 5.0])),
        sigmoids(TS, np.array([2.0, 3.0, 5.0, 5.0])),
    )
    other[..., 2:] = other[..., 2:] @ rotation
    norms = np.stack(
        [np.linalg.norm(other[..., list(group)], axis=-1) for group in MODES.groups], axis=-1
    )
    found = compare(run(theory, kind="simulate"), run(other, group_strength=norms))
    assert found.errors["strength"].relative_l2 > 0.05
    assert found.errors[GROUPS].relative_l2 < 1e-15
    ((name, error),) = found.group_errors.items()
    assert name == "modes 3-4 (S = 0.25)"
    assert error.relative_l2 < 1e-15
    assert "degenerate: modes 3-4 (S = 0.25)" in str(found)


def test_off_diagonal_is_located():
    off = np.full((len(TS), 2), 0.1)
    off[40, 1], off[0, 0] = 0.7, np.nan
    found = compare(run(sigmoids(TS)), run(sigmoids(TS), off_diagonal=off)).off_diagonal
    assert dataclasses.astuple(found) == (0.1, 0.7, TS[40], "shallow")


@pytest.mark.parametrize(
    ("theory", "message"),
    [
        (run(sigmoids(TS), unit="steps"), "unit of time.*'steps' and 'tau'"),
        (run(sigmoids(TS), TS + 20), "cover some of the flow times.*ts=trained.ts"),
        (run(sigmoids(TS), TS[::-1]), "one run at rising, finite flow times"),
        (
            run(sigmoids(TS)[:, :1], paths=None),
            "have the paths of `trained`, but they have 1 and 2",
        ),
        (
            run(sigmoids(TS)[..., :3], modes=None),
            "have the modes of `trained`, but they have 3 and 4",
        ),
        (run(sigmoids(TS), paths=("shallow", "deep")), "paths of `trained`, in the same order"),
        (
            Trajectory(ts=TS, observables={"q": TS}, dims={"q": ("time",)}),
            "share an observable with `trained`, axes included",
        ),
        (
            Trajectory(ts=TS, observables={"strength": TS}, dims={"strength": ("time",)}),
            "an observable 'strength' with axes",
        ),
    ],
)
def test_refusals(theory, message):
    with pytest.raises(ValueError, match=message):
        compare(theory, run(sigmoids(TS)))


@pytest.mark.parametrize("flip", ["rotation", "sign"])
def test_another_basis_is_refused(flip):
    U, V = MODES.U.copy(), MODES.V.copy()
    for basis in (U, V):
        basis[:, 2:] = (
            (basis[:, 2:] @ np.array([[0.6, -0.8], [0.8, 0.6]]))
            if flip == "rotation"
            else -basis[:, 2:]
        )
    rotated = dataclasses.replace(MODES, U=U, V=V)
    with pytest.raises(
        ValueError, match="strengths depend on the basis: inside a degenerate group"
    ):
        compare(run(sigmoids(TS), modes=rotated), run(sigmoids(TS)))


def test_print_says_what_could_not_be_checked_and_what_failed():
    theory = run(
        sigmoids(TS),
        modes=None,
        kind="simulate",
        status=np.array([0, 0, int(Status.STEPS_EXHAUSTED), 0]),
    )
    text = str(compare(theory, run(sigmoids(TS))))
    assert "bases NOT checked (theory without modes)" in text
    assert "theory: 1 of 4 steps_exhausted" in text


def test_print_is_one_screen():
    modes = hierarchy(32).modes
    strength = np.ones((3, 2, 32)) * np.array([0.0, 1.0, 2.0])[:, None, None]
    text = str(
        compare(
            run(strength, np.arange(3.0), modes=modes), run(strength, np.arange(3.0), modes=modes)
        )
    )
    lines = text.splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) < 120
    assert "  ... and 16 more modes" in lines
    assert "strength                       0.00e+00       0.00e+00" in text
    assert lines == [line.rstrip() for line in lines]


def test_jax_arrays_and_runs_without_strengths():
    found = compare(run(jnp.asarray(sigmoids(TS)), jnp.asarray(TS)), run(sigmoids(TS)))
    assert found.errors["strength"].largest == 0
    curve = Trajectory(ts=TS, observables={"loss": TS}, dims={"loss": ("time",)})
    found = compare(curve, curve)
    assert isinstance(found, Comparison)
    assert found.theory is None
    assert found.agree.size == 0
    assert "loss" in str(found)


def test_equal_shares_are_a_tie_and_no_winner():
    level = np.array([[0.501, 0.7, 0.7, 0.7], [0.499, 0.3, 0.3, 0.3]])
    found = compare(run(sigmoids(TS, shares=level), kind="simulate"), run(sigmoids(TS)))
    assert found.theory.tied.tolist() == [True, False, False, False] and not found.agree[0]
    assert "tie 0.50" in str(found) and "the same pathway wins in 2 of 4 modes; 1 tied" in str(
        found
    )


def test_correlated_inputs_are_named():
    correlated = dataclasses.replace(MODES, misalignment=0.37)
    found = compare(
        run(sigmoids(TS), kind="simulate", modes=correlated), run(sigmoids(TS), modes=correlated)
    )
    assert "not diagonal in these modes (off-diagonal 0.37 of its norm)" in str(found)


def test_swapped_or_foreign_arguments_are_refused():
    theory, trained = run(sigmoids(TS), kind="simulate"), run(sigmoids(TS))
    with pytest.raises(ValueError, match=r"`theory` must be the theory, but it is the trained run"):
        compare(trained, theory)
    with pytest.raises(
        TypeError,
        match=r"`trained` must be a Trajectory, but it is NoneType. racedyn.train returns one",
    ):
        compare(theory, None)


@pytest.mark.slow
def test_pairs_of_input_and_output_are_not_pooled_and_other_rules_are_named():
    """Mode 1 of one output has nothing to do with mode 1 of another."""
    rng = np.random.default_rng(0)
    task = rd.Task(
        {"x": np.eye(3)}, {"y": rng.standard_normal((4, 3)), "z": rng.standard_normal((3, 3))}
    )
    edges = {"in": ("x", "h"), "to y": ("h", "y"), "to z": ("h", "z")}
    network = rd.Network({"x": 3, "h": 5, "y": 4, "z": 3}, edges)
    weights = network.init(rd.init.Gaussian(0.3), key=0)
    trained = rd.train(network, task, weights, lr=0.01, steps=100, save_every=50, progress=False)
    theory = rd.simulate(
        rd.reduce(network, task, weights, level="matrix", weight_decay=0.1), trained.ts
    )
    found = rd.compare(theory, trained)
    assert (
        found.theory is None
        and "strength" in found.errors
        and "strength, sum over paths" not in found.errors
    )
    text = str(found)
    assert "the paths join 2 pairs of input and output" in text and "winner, with" not in text
    assert "follow different rules: {'weight_decay': 0.1} and none" in text


def test_task_and_network_in_the_wrong_order():
    task = rd.tasks.hierarchy(4)
    network = rd.networks.chain(task, 2, 5)
    with pytest.raises(
        TypeError, match=r"be a Network and a Task, in this order, but they are Task and Network"
    ):
        rd.train(task, network, {}, lr=0.1, steps=1)


@pytest.mark.slow
def test_several_theories_are_one_table():
    task = rd.tasks.hierarchy(items=4)
    network = rd.networks.parallel(task, depths=(2, 2), width=8)
    weights = network.init(rd.init.Gaussian(std=0.1), key=0)
    trained = rd.train(network, task, weights, lr=0.04, steps=1000, save_every=25)
    theories = {
        level: rd.simulate(rd.reduce(network, task, weights, level=level), ts=trained.ts)
        for level in ("full", "pathway")
    }
    several = rd.compare(theories, trained)
    assert list(several) == ["full", "pathway"] and len(several) == 2
    alone = rd.compare(theories["pathway"], trained)
    assert several["pathway"].errors["strength"] == alone.errors["strength"]
    printed = str(several)
    for name in theories:
        assert f"{name}: the same pathway wins in" in printed
        assert f"{several[name].errors['strength'].relative_l2:.2e}" in printed
    assert printed.count("half learned at (tau)") == 1
    for panel in rd.plot.race(theories, trained):
        looks = [line.get_linestyle() for line in panel.lines if line.get_color() != "0.55"]
        assert sorted(looks) == sorted(["-", "-", "--", "--", ":", ":"])
    with pytest.raises(ValueError, match="hold at least one theory"):
        rd.compare({}, trained)
    with pytest.raises(ValueError, match="be one to 4 theories"):
        rd.plot.race(dict.fromkeys("abcde", theories["full"]), trained)


@pytest.mark.parametrize("gates", [([1.0, 0.0], [0.0, 1.0]), ([1.0, 1.0], [1.0, 1.0])])
def test_paths_that_are_not_open_together_are_said(gates):
    task = rd.Task({"x": np.eye(4)}, {"y": np.diag([4.0, 3, 2, 1])}, np.array([0, 1, 0, 1]), 2)
    network = rd.Network(
        {"x": 4, "a": 5, "b": 5, "y": 4},
        {"xa": ("x", "a"), "xb": ("x", "b"), "ay": ("a", "y"), "by": ("b", "y")},
        node_gates=dict(zip("ab", gates, strict=True)),
        num_contexts=2,
    )
    weights = network.init(rd.init.Gaussian(std=0.1), key=0)
    run = rd.train(network, task, weights, lr=0.1, steps=30, progress=False)
    apart = gates[0] != gates[1]
    assert run.provenance.settings["gates_differ"] is apart
    assert ("paths have different gates" in str(rd.compare(run, run))) is apart
