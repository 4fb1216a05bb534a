"""Going on with another task: against a plain NumPy loop of all phases, in which modes rows are
read, what is refused.
"""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import optax
import pytest

import racedyn as rd
from racedyn.paths.reading import Turn
from racedyn.trajectory import BY_DEFAULT

RNG = np.random.default_rng(3)
TASK = rd.tasks.hierarchy(4)
DATA = rd.tasks.from_arrays(np.eye(4), RNG.standard_normal((5, 4)), name="data")
OTHER = rd.tasks.from_arrays(np.eye(4), RNG.standard_normal((5, 4)), name="other")
REVERSED = rd.tasks.from_arrays(DATA.X, -DATA.Y, name="reversed")
ONE_MODE = rd.tasks.from_arrays(np.eye(4), np.outer(DATA.Y[:, 0], [1, 1, -1, -1]), name="one mode")
NET = rd.networks.parallel(DATA, depths=(2, 2), width=5)
START = NET.init(rd.init.Gaussian(0.5), key=0)
LR, ROWS, STRENGTHS = 0.1, 40, ("strength", "off_diagonal", "group_strength", "strength_matrix")

EVERYTHING = [*STRENGTHS, "activity:h1_1", "weights", rd.Probe("other", OTHER)]


def train(task, start, network=NET, **options):
    return rd.train(
        network,
        task,
        start,
        **{"lr": LR, "steps": ROWS, "save_every": 1, "progress": False, **options},
    )


def numpy_maps(tasks, steps=ROWS):
    """Gradient descent by hand, task after task: the map of each pathway and the loss at every
    step, (row, ...).

    The row at a switch has the loss of the task before; `entry` those of each task at its first
    weights."""
    w = {edge: np.array(array) for edge, array in START.items()}
    maps, losses, entry = [], [], []
    for number, task in enumerate(tasks):
        for step in range(steps + 1):
            products = [
                np.linalg.multi_dot([w[edge] for edge in reversed(path)]) for path in NET.paths()
            ]
            error = task.Y - sum(products) @ task.X
            loss = 0.5 * np.sum(error**2) / task.num_examples
            if step == 0:
                entry.append(loss)
            if step > 0 or number == 0:
                maps.append(products)
                losses.append(loss)
            if step == steps:
                break
            change = {}
            for path in NET.paths():
                signals = [task.X]
                for edge in path:
                    signals.append(w[edge] @ signals[-1])
                back = error / task.num_examples
                for edge, signal in zip(reversed(path), reversed(signals[:-1]), strict=True):
                    change[edge] = back @ signal.T
                    back = w[edge].T @ back
            w = {edge: array + LR * change[edge] for edge, array in w.items()}
    return np.array(maps), np.array(losses), entry


def read(maps, modes):
    """U^T W_p V of (row, path, n_out, n_in), and its diagonal."""
    whole = modes.U.T @ maps @ modes.V
    return whole, np.diagonal(whole, axis1=2, axis2=3)


@pytest.mark.parametrize(
    ("tasks", "modes"),
    [
        ([DATA, OTHER], DATA),
        ([DATA, REVERSED], DATA),
        ([DATA, OTHER, DATA], DATA),
        pytest.param([DATA, ONE_MODE], DATA, marks=pytest.mark.slow),
        pytest.param([DATA, OTHER], {("input", "output"): DATA.modes}, marks=pytest.mark.slow),
        pytest.param([DATA, OTHER], OTHER, marks=pytest.mark.slow),  # from the first task on
    ],
    ids=["a b", "a -a", "a b a", "a to one mode", "dict", "b from the start"],
)
def test_all_phases_against_a_plain_numpy_loop(tasks, modes):
    run = train(tasks[0], START, modes=modes)
    for task in tasks[1:]:
        run = train(task, run, modes=modes)
    maps, losses, entry = numpy_maps(tasks)
    bases = modes[("input", "output")] if isinstance(modes, dict) else modes.modes
    np.testing.assert_allclose(
        run.observables["strength"], read(maps, bases)[1], rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(run.observables["loss"], losses, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.ts, LR * np.arange(len(losses)), rtol=1e-13)
    assert [(s["task"], s["step"], s["row"]) for s in run.switches] == [
        (task.name, ROWS * i, ROWS * i) for i, task in enumerate(tasks[1:], start=1)
    ]
    np.testing.assert_allclose(
        [s["time"] for s in run.switches], LR * ROWS * np.arange(1, len(tasks)), rtol=1e-13
    )
    np.testing.assert_allclose([s["loss"] for s in run.switches], entry[1:], rtol=1e-10)
    assert run.provenance.modes.same_as(bases), "and the run says in which modes"
    # S/d of each task in these modes, of either sign: where its strengths go.
    for i, task in enumerate(tasks):
        own = run.segment(i).provenance.modes
        np.testing.assert_allclose(
            own.S, np.diagonal(bases.U.T @ task.sigma_yx() @ bases.V), atol=1e-12
        )
        np.testing.assert_allclose(own.variances, 1 / 4, atol=1e-12)


def test_a_switch_back_to_reversed_targets_is_learned_in_the_old_modes():
    first = train(DATA, START, steps=600, save_every=5)
    both = train(REVERSED, first, steps=900, save_every=5, modes=DATA)
    targets = DATA.modes.S / DATA.modes.variances
    total = both.observables["strength"].sum(axis=1)
    np.testing.assert_allclose(total[120], targets, rtol=1e-3)
    np.testing.assert_allclose(total[-1], -targets, rtol=1e-3)
    # Counted from the switch, by hand.
    for m, target in enumerate(-targets):
        after = total[120:, m]
        row = int(np.argmax(after <= target / 2))
        by_hand = np.interp(target / 2, after[[row, row - 1]], (5 * LR * np.array([row, row - 1])))
        assert rd.learning_times(both, within=1).times[m] == pytest.approx(by_hand, rel=1e-9)
    np.testing.assert_array_equal(rd.learning_times(both.segment(0)), rd.learning_times(first))


def test_default_modes_are_those_of_the_new_task():
    """Rows of the old one are read in them from the weights that it saved."""
    maps, _, _ = numpy_maps([DATA, OTHER])
    whole, strength = read(maps, OTHER.modes)
    off = np.linalg.norm(whole - np.eye(4) * whole, axis=(2, 3)) / np.linalg.norm(strength, axis=2)
    kept = train(DATA, START, observe=["strength", "weights"])
    run = train(OTHER, kept)
    np.testing.assert_allclose(run.observables["strength"], strength, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.observables["off_diagonal"], off, rtol=1e-8)
    np.testing.assert_allclose(np.abs(strength), run.observables["group_strength"], atol=1e-10)
    assert np.isfinite(run.ys["w1_1"][:ROWS]).all() and np.isnan(run.ys["w1_1"][ROWS + 1 :]).all()
    own = run.segment(0).provenance.modes
    np.testing.assert_allclose(
        own.S, np.diagonal(OTHER.modes.U.T @ DATA.sigma_yx() @ OTHER.modes.V), atol=1e-12
    )


@pytest.mark.slow
def test_strength_matrices_are_enough_where_their_bases_span_the_new_ones():
    matrices = train(DATA, START, observe=STRENGTHS)
    with pytest.raises(
        ValueError,
        match=r"`modes` must be bases in which the rows .*Pass modes= what its rows are read in",
    ):
        train(OTHER, matrices)  # whose outputs span another space
    mixed = rd.tasks.from_arrays(
        DATA.X, DATA.Y @ np.linalg.qr(RNG.standard_normal((4, 4)))[0], name="mixed"
    )
    run = train(mixed, matrices, observe=STRENGTHS)
    maps, _, _ = numpy_maps([DATA, mixed])
    whole, strength = read(maps, mixed.modes)
    np.testing.assert_allclose(run.observables["strength_matrix"], whole, rtol=0, atol=1e-10)
    np.testing.assert_allclose(run.observables["strength"], strength, rtol=0, atol=1e-10)


def test_reversed_targets_need_no_weights_where_each_mode_is_an_old_one_up_to_its_sign():
    run = train(REVERSED, train(DATA, START))
    maps, _, _ = numpy_maps([DATA, REVERSED])
    strength = read(maps, REVERSED.modes)[1]
    np.testing.assert_allclose(run.observables["strength"], strength, rtol=0, atol=1e-10)
    np.testing.assert_allclose(
        run.observables["group_strength"], np.abs(strength), rtol=0, atol=1e-10
    )
    np.testing.assert_allclose(run.segment(0).provenance.modes.S, -DATA.modes.S)
    assert np.all(run.observables["strength"][ROWS].sum(axis=0)[0] < 0), (
        "learned, the other way round"
    )
    # Three of four modes are enough for their strengths, not for what lies off their diagonal.
    less = dataclasses.replace(
        DATA.modes,
        **{n: getattr(DATA.modes, n)[..., [2, 0]] for n in ("U", "S", "V", "variances")},
        names=("c", "a"),
        groups=((0,), (1,)),
    )
    turned = Turn(DATA.modes, less).rows({"strength": strength, "off_diagonal": strength[..., 0]})
    np.testing.assert_array_equal(turned["strength"], strength[..., [2, 0]])
    assert list(turned) == ["strength"]


def test_no_strength_is_read_in_modes_of_another_task():
    plain = train(DATA, START)
    for task in (OTHER, ONE_MODE):
        with pytest.raises(
            ValueError, match=r"`modes` must be bases in which .* can be read, .*observe=.*weights"
        ):
            train(task, plain)
    run = train(ONE_MODE, train(DATA, START, observe=["strength", "weights"]))
    assert run.observables["strength"].shape == (2 * ROWS + 1, 2, 1), (
        "a task of fewer modes, from saved weights"
    )
    maps, _, _ = numpy_maps([DATA, ONE_MODE])
    np.testing.assert_allclose(
        run.observables["strength"], read(maps, ONE_MODE.modes)[1], rtol=0, atol=1e-10
    )


def test_the_same_task_is_no_switch_and_keeps_the_modes_it_is_read_in():
    again = rd.tasks.from_arrays(DATA.X, DATA.Y * (1 + 1e-14), name="built anew")
    run = train(again, train(DATA, START))
    assert run.switches == () and "went_on_from" not in run.provenance.settings
    assert run.segment(0) is run and run.segment(-1) is run
    run = train(OTHER, train(OTHER, START, modes=DATA))
    assert run.provenance.modes.same_as(DATA.modes) and run.switches == ()


def test_segments():
    run = train(REVERSED, train(OTHER, train(DATA, START), modes=DATA), modes=DATA)
    maps, losses, entry = numpy_maps([DATA, OTHER, REVERSED])
    for i in (1, -2):
        part = run.segment(i)
        np.testing.assert_allclose(part.ts, LR * np.arange(ROWS + 1), atol=1e-12)
        np.testing.assert_array_equal(part.step, np.arange(ROWS + 1))
        np.testing.assert_allclose(
            part.observables["loss"], [entry[1], *losses[ROWS + 1 : 2 * ROWS + 1]], rtol=1e-9
        )
        np.testing.assert_allclose(
            part.observables["strength"], read(maps, DATA.modes)[1][ROWS : 2 * ROWS + 1], atol=1e-10
        )
        assert part.end is None and part.stats == {} and part.switches == ()
    assert run.segment(2).end is not None and "switch       at 8 tau to reversed" in str(run)
    with pytest.raises(IndexError, match="has 3 segments"):
        run.segment(3)


def test_a_segment_is_the_run_of_its_task_alone():
    first = train(DATA, START)
    both, alone = train(OTHER, first, modes=DATA), train(OTHER, first.end["weights"], modes=DATA)
    for name, rows in alone.observables.items():
        np.testing.assert_array_equal(both.segment(1).observables[name], rows)
    assert rd.compare(alone, both.segment(1)).errors["strength"].relative_l2 < 1e-12
    with pytest.raises(
        ValueError,
        match=r"`theory` must go over to another task when `trained` does, but it does at no time",
    ):
        rd.compare(alone, both)
    printed = str(rd.compare(both, both))
    assert "the task switches at 4 tau, last to other" in printed and "relative L2" in printed
    np.testing.assert_array_equal(
        rd.compare(both, both).trained.learning_times, rd.learning_times(alone)
    )


@pytest.mark.slow
def test_a_segment_tends_to_the_flow_of_its_task():
    first = train(DATA, START)
    flow = rd.simulate(
        rd.reduce(NET, OTHER, first.end["weights"], level="full"), LR * np.arange(ROWS + 1)
    )
    apart = []
    for finer in (1, 2, 4):
        fine = train(
            OTHER, first, lr=LR / finer, steps=finer * ROWS, save_every=finer, modes=DATA
        ).segment(1)
        apart.append(np.abs(fine.observables["loss"] - flow.observables["loss"]).max())
    np.testing.assert_allclose(np.array(apart[:-1]) / apart[1:], 2, atol=0.5)


def test_a_run_of_two_tasks_comes_back_from_its_file(tmp_path):
    run = train(OTHER, train(DATA, START), modes=DATA)
    rd.save(tmp_path / "run.h5", trained=run)
    back = rd.load(tmp_path / "run.h5")["trained"]
    np.testing.assert_array_equal(rd.learning_times(back), rd.learning_times(run))
    assert [dict(switch) for switch in back.switches] == [dict(switch) for switch in run.switches]
    # and goes on as the run itself does
    on, there = (train(DATA, start, modes=DATA) for start in (run, back))
    np.testing.assert_array_equal(on.observables["strength"], there.observables["strength"])
    assert len(there.switches) == 2


def test_figures_mark_the_switch():
    run = train(REVERSED, train(DATA, START), modes=DATA)
    targets = DATA.modes.S / DATA.modes.variances
    panels = rd.plot.race(run)
    for mode, ax in enumerate(panels):
        lines = [line.get_xydata() for line in ax.lines]
        assert any(np.allclose(line[:, 0], 4) for line in lines), "a vertical line at the switch"
        ends = [sorted(set(np.round(line[:, 1], 9))) for line in lines if len(line) == 2]
        assert [round(targets[mode], 9)] in ends and [round(-targets[mode], 9)] in ends, (
            "S/d of each task"
        )
        assert (
            ax.get_title()
            == f"mode {mode + 1}\n$S$ = {DATA.modes.S[mode]:.3g}, then {-DATA.modes.S[mode]:.3g}"
        )
    assert [text.get_text() for text in panels[0].texts] == ["reversed"]
    for ax in (rd.plot.loss(run), rd.plot.strengths(run)):
        assert [text.get_text() for text in ax.texts] == ["reversed"]
        assert any(np.allclose(line.get_xdata(), 4) for line in ax.lines)
    rd.plot.learning_times(run)  # S < 0
    rd.plot.learning_times(train(ONE_MODE, train(DATA, START), modes=DATA))  # S = 0
    plt.close("all")


def test_a_task_that_diverges_leaves_the_rows_before_it():
    first = train(DATA, START)
    for scale, dtype in (
        (1e9, None),
        (1e25, "float32"),
    ):  # of which the second has no finite loss at all
        wild = rd.tasks.from_arrays(DATA.X, scale * DATA.Y, name="wild")
        with pytest.warns(RuntimeWarning, match=r"Training stopped at step \d+"):
            run = train(wild, first, modes=DATA, lr=10.0, dtype=dtype)
        assert (
            run.status == rd.Status.NOT_FINITE
            and len(run.ts) > ROWS
            and run.stats["converged"] == 0
        )
        np.testing.assert_array_equal(
            run.observables["loss"][: ROWS + 1], first.observables["loss"]
        )
        assert run.segment(0).status == rd.Status.DONE


# Recording more, or less


def test_recording_more():
    first = train(DATA, START)
    run = train(DATA, first, observe=EVERYTHING)
    maps, _, _ = numpy_maps([DATA, DATA])
    np.testing.assert_array_equal(
        run.observables["strength"][: ROWS + 1], first.observables["strength"]
    )
    for name in ("probe_loss", "activity:h1_1", "strength_matrix"):
        rows = run.observables[name]
        assert np.isnan(rows[:ROWS]).all() and np.isfinite(rows[ROWS:]).all(), (
            "from the row at which it went on"
        )
    np.testing.assert_allclose(
        run.observables["strength_matrix"][ROWS:], read(maps, DATA.modes)[0][ROWS:], atol=1e-10
    )
    assert (
        np.isnan(run.ys["w2_1"][: ROWS + 1]).all() and np.isfinite(run.ys["w2_1"][ROWS + 1 :]).all()
    )
    # All of it can be told where the weights were saved.
    run = train(
        DATA,
        train(DATA, START, observe=["strength", "weights"]),
        observe=[*BY_DEFAULT, "activity:h1_1", rd.Probe("other", OTHER)],
    )
    assert all(np.isfinite(rows).all() for rows in run.observables.values())
    misses = 0.5 * np.sum((OTHER.Y - maps.sum(axis=1) @ OTHER.X) ** 2, axis=(1, 2)) / 4
    np.testing.assert_allclose(run.observables["probe_loss"][:, 0], misses, rtol=1e-9)


@pytest.mark.slow
def test_recording_less(tmp_path):
    first = train(DATA, START, observe=EVERYTHING)
    run = train(DATA, first, paths=NET.paths()[1:])
    for name, rows in first.observables.items():
        np.testing.assert_array_equal(run.observables[name][: ROWS + 1], rows)
    for name in ("probe_loss", "activity:h1_1", "strength_matrix"):
        assert np.isnan(run.observables[name][ROWS + 1 :]).all()
    strength = run.observables["strength"]
    assert run.labels["path"] == ("pathway 1", "pathway 2")
    assert np.isnan(strength[ROWS + 1 :, 0]).all() and np.isfinite(strength[:, 1]).all()
    rd.save(tmp_path / "run.h5", trained=run)


def test_a_probe_keeps_its_column_and_its_task():
    first = train(DATA, START, observe=[rd.Probe("other", OTHER)])
    run = train(DATA, first, observe=[rd.Probe("reversed", REVERSED)])
    assert run.labels["probe"] == ("other", "reversed")
    rows = run.observables["probe_loss"]
    np.testing.assert_array_equal(rows[: ROWS + 1, 0], first.observables["probe_loss"][:, 0])
    assert (
        np.isnan(rows[ROWS + 1 :, 0]).all()
        and np.isnan(rows[:ROWS, 1]).all()
        and np.isfinite(rows[ROWS:, 1]).all()
    )
    a, b = rd.Probe("a", DATA), rd.Probe("b", OTHER)
    swapped = train(DATA, train(DATA, START, observe=[a, b]), observe=[b, a])
    np.testing.assert_allclose(
        swapped.observables["probe_loss"][:, 0], swapped.observables["loss"], rtol=1e-12
    )
    with pytest.raises(
        ValueError,
        match=r"`observe` must have under each name the probe that it was, but 'other' has other",
    ):
        train(DATA, first, observe=[rd.Probe("other", REVERSED)])


@pytest.mark.slow
def test_activity_is_of_the_examples_of_its_task():
    few = rd.tasks.from_arrays(np.eye(4)[:, :3], OTHER.Y[:, :3], name="three items")
    run = train(
        few,
        train(DATA, START, observe=[*BY_DEFAULT, "activity:h1_1", "activity:output"]),
        observe=[*BY_DEFAULT, "activity:h1_1"],
        modes=DATA,
    )
    rows = run.observables["activity:h1_1"]
    assert (
        rows.shape == (2 * ROWS + 1, 5, 3)
        and np.isnan(rows[:ROWS]).all()
        and np.isfinite(rows[ROWS:]).all()
    )
    assert "activity:output" not in run.observables, "responses to examples that are shown no more"
    kept = train(
        REVERSED,
        train(DATA, START, observe=[*BY_DEFAULT, "activity:h1_1"]),
        observe=[*BY_DEFAULT, "activity:h1_1"],
        modes=DATA,
    )
    assert np.isfinite(kept.observables["activity:h1_1"]).all(), "the same inputs, other targets"


@pytest.mark.slow
def test_tasks_without_modes_leave_the_strengths_of_others_as_they_were():
    """XoR: inputs and targets are not correlated, so that there is nothing to read strengths in."""
    xor = rd.Task(
        {"input": np.array([[1, 1, -1, -1.0], [1, -1, 1, -1]])},
        {"output": np.array([[1, -1, -1, 1.0]])},
        name="xor",
    )
    line = rd.Task(dict(xor.inputs), {"output": xor.inputs["input"][:1]}, name="line")
    net = rd.Network(
        {"input": 2, "h": (6, "tanh"), "output": 1}, {"a": ("input", "h"), "b": ("h", "output")}
    )
    weights = net.init(rd.init.Gaussian(0.5), key=0)
    run = train(xor, train(line, weights, net), net)
    assert np.isnan(run.observables["strength"][ROWS + 1 :]).all() and run.provenance.modes.same_as(
        line.modes
    )
    run = train(line, train(xor, weights, net), net)
    assert (
        np.isnan(run.observables["strength"][:ROWS]).all()
        and np.isfinite(run.observables["strength"][ROWS:]).all()
    )


# What is refused before the first step, and what is recorded


def test_another_network_is_refused():
    first = train(DATA, START)
    for options in (
        {"activation": "tanh"},
        {"activation": "relu"},
        {"activation": "tanh", "activate_last": True},
    ):
        with pytest.raises(
            ValueError,
            match=r"`network` must be that of the run to go on from, .*end\[\"weights\"\]",
        ):
            train(DATA, first, rd.networks.parallel(DATA, depths=(2, 2), width=5, **options))
    nodes = {name: node.width for name, node in NET.nodes.items()}
    gated = rd.Network(nodes, NET.edges, node_gates={"h1_1": [0.5]})
    with pytest.raises(ValueError, match=r"it has other gates at 'h1_1'"):
        train(DATA, first, gated)
    kinds = rd.Network(nodes, NET.edges, edge_kinds={"w1_1": "relu"})
    with pytest.raises(ValueError, match=r"edge_kinds\['w1_1'\] is relu and was None"):
        train(DATA, first, kinds)
    other_way = {
        "w1_1": ("input", "h2_1"),
        "w1_2": ("h2_1", "output"),
        "w2_1": ("input", "h1_1"),
        "w2_2": ("h1_1", "output"),
    }
    with pytest.raises(
        ValueError, match=r"edges\['w1_1'\] is \['input', 'h2_1'\] and was \['input', 'h1_1'\]"
    ):
        train(DATA, first, rd.Network(nodes, other_way))
    assert train(DATA, first.end["weights"], gated).step[-1] == ROWS, "the remedy"


def test_a_run_that_says_nothing_of_itself_is_refused():
    first = train(DATA, START)
    with pytest.raises(ValueError, match=r"`weights` must say which task and network"):
        train(DATA, dataclasses.replace(first, provenance=None))


@pytest.mark.parametrize(
    ("before", "after"), [(optax.sgd(0.01, momentum=0.9), None), (None, optax.adam(0.01))]
)
def test_another_optimiser_is_refused(before, after):
    first = train(DATA, START, steps=1, optimiser=before)
    with pytest.raises(
        ValueError,
        match=r"`optimiser` must be the one that the earlier run had.*end\[\"weights\"\]",
    ):
        train(DATA, first, steps=1, optimiser=after)


@pytest.mark.slow
def test_other_settings_are_recorded_each_stretch_once():
    run = train(DATA, START, steps=2)
    run = train(DATA, run, steps=2, weight_decay=0.1)
    run = train(DATA, run, steps=2, weight_decay=0.1)
    run = train(OTHER, run, steps=2, lr=0.02, loss="half_sum", modes=DATA, dtype="float32")
    past = run.provenance.settings["went_on_from"]
    assert [(stretch["step"], stretch["weight_decay"], stretch["task"]) for stretch in past] == [
        (2, 0.0, "data"),
        (6, 0.1, "data"),
    ]
    assert run.provenance.settings["dtype"] == "float32" and past[-1]["dtype"] == "float64"
    np.testing.assert_allclose(np.diff(run.ts), [*[LR] * 6, *[0.08] * 2], rtol=1e-12)
    assert run.segment(0).provenance.settings["weight_decay"] == 0.1
    plain = train(DATA, START, steps=6)
    assert "follow different rules: none and {'in turn'" in str(rd.compare(plain, run.segment(0)))


@pytest.mark.slow
def test_a_run_that_went_on_many_times_is_no_larger_for_it(tmp_path):
    run = train(DATA, START, steps=1, paths=())
    for _ in range(30):
        run = train(DATA, run, steps=1, paths=())
    assert len(str(run.provenance.settings)) < 3000
    assert run.step[-1] == 31


@pytest.mark.parametrize(
    ("modes", "message"),
    [
        ("data", r"`modes` must be a Task, Modes or a dict .* but it is str"),
        (
            {("input", "output"): DATA},
            r"`modes\[\('input', 'output'\)\]` must be Modes, but it is Task",
        ),
        ({"output": DATA.modes}, r"`modes` must have pairs of the network's inputs"),
        (TASK, r"`modes` must have 5 rows at 'output', but they have 7"),
        (
            dataclasses.replace(DATA.modes, U=2 * DATA.modes.U),
            r"`modes` must be orthonormal, but the columns at 'output'",
        ),
    ],
)
def test_modes_that_do_not_fit(modes, message):
    with pytest.raises((ValueError, TypeError), match=message):
        train(DATA, START, modes=modes)
