"""The table of observables against what runs give, what is refused by name, and what is observed of
weights.
"""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import racedyn as rd
from racedyn.trajectory import BY_DEFAULT, OBSERVABLES, row_of, table

TASK = rd.tasks.hierarchy(4)
OTHER = rd.tasks.from_arrays(TASK.X, TASK.Y[::-1], name="other")
CLASSES = rd.tasks.from_arrays(TASK.X, np.eye(len(TASK.Y))[:, :4], name="classes")
NET = rd.networks.parallel(TASK, depths=(2, 2), width=5)
START = NET.init(rd.init.Gaussian(0.3), key=0)
TS = np.linspace(0.0, 1.0, 3)
NAMES = [  # all that a training has by its name alone, whatever its targets
    row.name
    for row in OBSERVABLES.values()
    if row.training == row.name and row.name not in ("loss", "weights", "accuracy")
]
LENGTHS = {
    "path": 2,
    "mode": 4,
    "mode_out": 4,
    "mode_in": 4,
    "group": len(TASK.modes.groups),
    "probe": 1,
    "direction": 4,
}
LENGTHS |= {"unit_h1_1": 5, "example": 4, "row": 4 * len(TASK.Y), "edge": 4}


def norms(network, task, weights):
    """The largest target times the norm of every edge: reads all three arguments."""
    return jnp.stack([jnp.max(task.Y) * jnp.linalg.norm(weights[edge]) for edge in network.edges])


NORMS = rd.Observable(
    "norms", axes=("edge",), function=norms, meaning="sizes of edges", unit="weight"
)
OBSERVED = [*NAMES, "activity:h1_1", "similarity:h1_1", "weights", rd.Probe("other", OTHER), NORMS]


def train(observe=None, start=START, task=TASK, **options):
    given = {"lr": 0.1, "steps": 4, "save_every": 2, "progress": False, **options}
    return rd.train(NET, task, start, observe=observe, **given)


@pytest.fixture(scope="module")
def run():
    return train(OBSERVED)


def weights_at(run, row):
    return {edge: jnp.asarray(matrices[row]) for edge, matrices in run["weights"].items()}


# The table


def test_a_training_gives_every_row_that_the_table_says_it_has(run):
    of_classes = train(["accuracy", rd.Probe("classes", CLASSES)], task=CLASSES)
    names = [*run.observables, *of_classes.observables]
    asked = {name.partition(":")[0] for name in names} | {"weights"}
    assert asked == {row.name for row in OBSERVABLES.values() if row.training} | {"norms"}
    for name in names:
        axes = NORMS.axes if name == "norms" else row_of(name).axes
        found = run if name in run.observables else of_classes
        assert found.dims[name] == ("time", *axes), name
        assert np.shape(found[name]) == (3, *(LENGTHS[axis] for axis in axes)), name
        assert np.isfinite(found[name]).all(), name
    assert all(matrices.shape == (3, *NET.shape(edge)) for edge, matrices in run["weights"].items())


def systems():
    pathways = rd.systems.Pathways([3.0, 1.0], depths=(3, 2), q=1.0, p=[[0.02, 0.01], [0.01, 0.03]])
    aligned = NET.init(rd.init.Aligned(0.3), task=TASK, key=0)
    levels = {level: rd.reduce(NET, TASK, START, level=level) for level in ("full", "matrix")}
    levels["modes"] = rd.reduce(NET, TASK, aligned, level="modes")
    levels["maps"] = rd.reduce(NET, TASK, aligned, level="maps")
    levels["Maps"] = rd.systems.Maps(TASK.modes.S, (2, 2), np.ones((2, 4, 4)), modes=TASK.modes)
    return {**levels, "Pathways": pathways, "pathway": rd.reduce(NET, TASK, START, level="pathway")}


def test_theories_give_every_row_that_the_table_says_they_have():
    for kind, system in systems().items():
        at_start = jnp.asarray(0.0), system.y0()
        observed = jax.eval_shape(system.observe, *at_start)
        on_request = jax.eval_shape(system.observe_on_request, *at_start)
        own = {"pathway": "Pathways", "maps": "Maps"}.get(kind, kind)
        listed = {
            row.name
            for row in OBSERVABLES.values()
            if own in row.theory or row.theory.startswith("all ")
        }
        assert {*observed, *on_request} == listed, kind
        assert {*on_request} == {name for name in listed if OBSERVABLES[name].on_request}, kind
        for name, value in {**observed, **on_request}.items():
            assert system.dims().get(name, ()) == OBSERVABLES[name].axes and value.ndim == len(
                OBSERVABLES[name].axes
            )


class Decay(rd.AbstractSystem):
    """Of three observables, which compile quickly."""

    rate: jax.Array

    def y0(self):
        return jnp.ones(2)

    def vector_field(self, t, y, args):
        return -self.rate * y

    def observe(self, t, y):
        return {"y": y, "size": jnp.sum(y), "left": 1 - y}


@pytest.mark.long
def test_a_simulation_and_an_ensemble_keep_what_is_asked_for():
    system = Decay(jnp.asarray(0.3))
    whole = rd.simulate(system, TS, progress=False)
    for kept in (
        rd.simulate(system, TS, observe=["size", "left"], progress=False),
        rd.solve(system, TS, observe=("size", "left")),
    ):
        assert set(kept.observables) == set(kept.dims) == {"size", "left"}
        np.testing.assert_allclose(kept["left"], whole["left"], rtol=1e-12)
    assert list(rd.solve(system, TS, observe="y").observables) == ["y"]
    many = rd.ensemble(lambda i: Decay(0.3 + 0 * i), 2, TS, observe=["size"])
    assert list(many.observables) == ["size"]
    np.testing.assert_allclose(many["size"][1], whole["size"], rtol=1e-6)


def test_figures_files_and_print_say_what_the_table_says(run, tmp_path):
    assert rd.plot.loss(run).get_ylabel() == OBSERVABLES["loss"].label == "loss $L$"
    assert rd.plot.strengths(run).get_ylabel() == OBSERVABLES["strength"].label == "strength $K_a$"
    rd.save(tmp_path / "run.h5", run=run)
    back = rd.load(tmp_path / "run.h5")["run"]
    dataset = rd.to_xarray(back)
    assert set(dataset.data_vars) == set(run.observables) and back.dims == run.dims
    assert dataset["strength"].attrs == {
        "long_name": OBSERVABLES["strength"].meaning,
        "units": "y/x",
    }
    assert dataset["norms"].attrs == {"long_name": "sizes of edges", "units": "weight"}
    lines = str(back).splitlines()
    assert any(
        line.split() == ["activity:h1_1", "(time", "3,", "unit_h1_1", "5,", "example", "4)", "h"]
        for line in lines
    )
    assert any(line.split() == ["norms", "(time", "3,", "edge", "4)", "weight"] for line in lines)
    for edge, matrices in run["weights"].items():
        np.testing.assert_array_equal(back["weights"][edge], matrices)


def test_a_row_that_nothing_computes_is_told(monkeypatch):
    ghost = OBSERVABLES["sharpness"]._replace(name="ghost", training="ghost")
    monkeypatch.setitem(OBSERVABLES, "ghost", ghost)
    with pytest.raises(NotImplementedError, match="ghost"):
        train(["ghost"])


def test_theories_say_where_probes_and_functions_of_weights_belong():
    flow = rd.reduce(NET, TASK, START, level="full")
    for asked in ([rd.Probe("other", OTHER)], [NORMS], NORMS):
        with pytest.raises(ValueError, match=r"`observe` must be a list of names in theory.*train"):
            rd.simulate(flow, TS, observe=asked, progress=False)


def test_the_table_in_markdown_has_a_row_for_each():
    head, rule, *rows = table().splitlines()
    columns = [row.replace(r"\|", "").count("|") for row in (head, rule, *rows)]
    assert len(rows) == len(OBSERVABLES) and set(columns) == {6}
    page = (Path(__file__).parents[2] / "docs" / "observables.md").read_text()
    assert page.endswith(f"\n\n{table()}\n"), (
        "python -c 'from racedyn.trajectory.observables import table; print(table())'"
    )


# What is asked for


def test_the_default_and_nothing():
    assert tuple(sorted(train().observables)) == tuple(sorted(BY_DEFAULT))
    nothing = train(())
    assert (
        list(nothing.observables) == ["loss"]
        and nothing.ys is None
        and "path" not in nothing.labels
    )
    assert sorted(train("off_diagonal").observables) == ["loss", "off_diagonal"]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("strenght", r"hold what a training has .*'strenght'\. Did you mean 'strength'\?"),
        (
            "edge_strength",
            r"'edge_strength' is had from simulate, solve and ensemble, of what `reduce` returns",
        ),
        ("q", r"'q' is had from simulate, solve and ensemble, of Pathways"),
        (
            "probe_loss",
            r"'probe_loss' is had from train and observe \(observe=\[rd\.Probe\(NAME, TASK\)\]\)",
        ),
        (
            "activity",
            r"say of which node the activity is, but it is 'activity'\. For example "
            r"'activity:output'",
        ),
        ("loss:h1_1", r"hold what a training has .* but it is 'loss:h1_1'"),
        (3, r"hold names of observables, .* but it holds 3 \(int\)"),
        (rd.Probe("other", "task"), r"`Probe\('other'\)\.task` must be a Task"),
        (
            rd.Observable("loss", (), norms),
            r"`Observable\.name` must be a name of its own, but 'loss' is that of a row",
        ),
        (rd.Observable("a/b", (), norms), r"`Observable\.name` must have names that are text"),
        (
            rd.Observable("own", ("time",), norms),
            r"`Observable\('own'\)\.axes` must name its own axes",
        ),
        (rd.Observable("own", "edge", norms), r"`Observable\('own'\)\.axes` must be a list"),
        (
            rd.Observable("own", (), lambda w: 0.0),
            r"`Observable\('own'\)\.function` must be a function \(network, task",
        ),
        (
            rd.Observable("own", (), norms),
            r"return an axis for each name in `axes`, but it returns 1",
        ),
        (
            rd.Observable("own", (), lambda n, t, w: {}),
            r"must return one array, but it returns dict",
        ),
        (
            rd.Observable("own", (), lambda n, t, w: 1j),
            r"hold float32, float64, whole numbers or bool",
        ),
        (
            rd.Observable("own", (), lambda n, t, w: float(w["w1_1"][0, 0])),
            r"must be computed by JAX, .* no float\(\)",
        ),
        (
            rd.Observable("own", ("w1_1",), lambda n, t, w: jnp.ones(2)),
            r"not have the name of an axis, but 'w1_1' is one",
        ),
    ],
)
def test_what_a_training_cannot_observe_is_refused_by_name(asked, message):
    with pytest.raises((ValueError, TypeError), match=message):
        train([asked])


def test_two_of_one_name_are_refused():
    with pytest.raises(ValueError, match="have one probe of a name, but there are two 'other'"):
        train([rd.Probe("other", OTHER), rd.Probe("other", TASK)])
    with pytest.raises(
        ValueError, match="be a name of its own, but 'norms' is that of another one"
    ):
        train([NORMS, dataclasses.replace(NORMS)])


def test_strengths_of_no_path_or_of_several_pairs_are_refused():
    with pytest.raises(ValueError, match="ask for 'strength' of some path, but `paths` is empty"):
        train(["strength"], paths=())
    assert list(train(paths=()).observables) == ["loss"]
    xor = rd.tasks.from_arrays([[1, 1, -1, -1], [1, -1, 1, -1]], [[1, -1, -1, 1]])
    relu = rd.networks.chain(xor, depth=2, width=3, activation="relu")
    start = relu.init(rd.init.Gaussian(0.1), key=0)
    with pytest.raises(
        ValueError,
        match="of some path, but the inputs and targets that they join are not correlated",
    ):
        rd.train(relu, xor, start, lr=0.1, steps=1, observe=["strength"], progress=False)
    routes = rd.tasks.routing(2, 1)
    net = rd.networks.routing(routes, 4)
    w = net.init(rd.init.Aligned(0.1), task=routes, key=0)
    with pytest.raises(
        ValueError, match="'group_strength' of paths that join one pair, but these join 4"
    ):
        rd.train(net, routes, w, lr=0.1, steps=1, observe=["group_strength"], progress=False)
    assert "group_strength" not in rd.train(net, routes, w, lr=0.1, steps=1, progress=False)


def test_a_theory_says_what_it_observes_and_where_else_a_name_is_had():
    system = systems()["Pathways"]
    told = r"hold what the system observes \(loss, p, q, strength, basis_free.*, winner\)"
    for name, remedy in (
        ("strenght", r"Did you mean 'strength'\?$"),
        ("sharpnes", r"Did you mean 'sharpness'\? It is had from train and observe"),
        ("weights", r"'weights' is had from train and observe \(observe=\['weights'\]\)"),
    ):
        for door in (
            rd.simulate,
            rd.solve,
            lambda *a, **k: rd.ensemble(lambda i: a[0], 2, a[1], **k),
        ):
            with pytest.raises(ValueError, match=f"{told}, but it is '{name}'. {remedy}"):
                door(system, TS, observe=[name])


def test_what_a_run_has_not_is_said_by_name(run, tmp_path):
    with pytest.raises(
        KeyError,
        match=r"observable of this run \(.*\), but it is 'strenght'\. Did you mean 'strength'",
    ):
        run["strenght"]
    with pytest.raises(
        KeyError, match=r"it is 'weights'\. 'weights' is had from train and observe"
    ):
        train()["weights"]
    assert "loss" in run and "strenght" not in run
    with pytest.raises(TypeError, match="not iterable"):
        list(run)
    file = rd.load(rd.save(tmp_path / "two.h5", theory=run))
    with pytest.raises(
        KeyError, match=r"a trajectory of this file \(theory\), but it is 'thoery'\. Did you mean"
    ):
        file["thoery"]
    assert file.get("thoery") is None and "thoery" not in file


# What is observed


def test_rows_are_what_the_functions_say_of_the_weights(run):
    reps = rd.representations
    for row in range(3):
        w = weights_at(run, row)
        np.testing.assert_allclose(
            run["tangent_kernel"][row], reps.tangent_kernel(NET, TASK, w), atol=1e-13
        )
        np.testing.assert_allclose(
            run["sharpness"][row], reps.sharpness(NET, TASK, w).value, rtol=1e-9
        )
        held = reps.activity(NET, TASK, w, node="h1_1")
        np.testing.assert_allclose(run["activity:h1_1"][row], held, atol=1e-14)
        np.testing.assert_allclose(run["similarity:h1_1"][row], reps.similarity(held), atol=1e-13)
        np.testing.assert_allclose(run["norms"][row], norms(NET, TASK, w), rtol=1e-14)


def test_the_tangent_kernel_is_that_of_jacobians(run):
    """Of outputs of all examples in the weights, formed whole, in the order node, example, unit."""
    w = weights_at(run, 2)

    def outputs(w):
        return rd.networks.forward(NET, w, {"input": jnp.asarray(TASK.X)})["output"].T.ravel()

    J = np.concatenate(
        [np.asarray(j).reshape(j.shape[0], -1) for j in jax.jacobian(outputs)(w).values()], axis=1
    )
    np.testing.assert_allclose(run["tangent_kernel"][2], J @ J.T, atol=1e-13)


@pytest.mark.slow
def test_checkpoints_give_the_rows_of_a_training(run):
    states = {int(step): weights_at(run, row) for row, step in enumerate(run.step)}
    seen = rd.observe(NET, TASK, states, lr=0.1, observe=OBSERVED, progress=False)
    assert seen.dims == run.dims and seen.labels == run.labels
    for name in run.observables:
        np.testing.assert_allclose(seen[name], run[name], rtol=1e-10, atol=1e-13, err_msg=name)


@pytest.mark.slow
def test_a_function_that_reads_another_value_is_computed_anew():
    scale = [1.0]
    own = rd.Observable("own", (), lambda network, task, weights: scale[0] * weights["w1_1"][0, 0])
    once = train([own])["own"]
    scale[0] = 2.0
    np.testing.assert_array_equal(train([own])["own"], 2 * once)


def test_whole_numbers_of_a_function_are_saved_as_reals():
    own = rd.Observable("own", (), lambda network, task, weights: jnp.sum(weights["w1_1"] > 0))
    assert train([own])["own"].dtype == np.float64


# Going on


@pytest.mark.slow
def test_what_a_run_lacks_is_computed_from_its_weights_where_the_task_is_the_same(run):
    first = train(["weights"])
    both = train(["sharpness", "off_diagonal", NORMS], start=first)
    for name in ("sharpness", "off_diagonal", "norms", "loss"):
        np.testing.assert_allclose(both[name][:3], run[name], rtol=1e-9, atol=1e-13, err_msg=name)


@pytest.mark.slow
def test_what_depends_on_targets_is_not_told_of_another_task():
    """A row says of the task it was trained on, as the loss does: those of the first task stay
    NaN.
    """
    asked = ["sharpness", "tangent_kernel", "activity:h1_1", "similarity:h1_1", NORMS]
    both = train(asked, start=train(["weights"]), task=OTHER)
    for name in ("sharpness", "norms"):
        assert np.isnan(both[name][:3]).all() and np.isfinite(both[name][3:]).all(), name
    for name in ("tangent_kernel", "similarity:h1_1", "activity:h1_1"):  # of the same inputs
        assert np.isfinite(both[name]).all(), name
    kept = train([NORMS], start=train([NORMS]), task=OTHER)
    assert np.isfinite(kept["norms"]).all(), "that the first run observed itself"


@pytest.mark.slow
def test_strengths_that_are_saved_in_part_are_read_in_other_modes_as_far_as_they_tell():
    """A run that saved matrices alone has its strengths read off them; one that saved a part keeps
    that.
    """
    first = train(["strength_matrix", "off_diagonal"])
    mixed = rd.tasks.from_arrays(
        TASK.X, TASK.Y @ np.random.default_rng(0).standard_normal((4, 4)), name="mixed"
    )
    both = train(["strength"], start=first, task=mixed)
    maps = first["strength_matrix"]
    U, V = TASK.modes.U, TASK.modes.V
    read = np.einsum("am,tpmn,nb->tpab", mixed.modes.U.T @ U, maps, V.T @ mixed.modes.V)
    np.testing.assert_allclose(
        both["strength"][:3], np.diagonal(read, axis1=2, axis2=3), atol=1e-13
    )
    with pytest.raises(
        ValueError, match=r"be bases in which .*observe=\[\"strength\", \"weights\"\]"
    ):
        train(["strength"], start=train(["strength"]), task=mixed)
    for_loss = train([], start=first, task=mixed)
    np.testing.assert_array_equal(for_loss["off_diagonal"][:3], first["off_diagonal"])


def test_a_name_keeps_its_axes():
    first = train([NORMS])
    with pytest.raises(ValueError, match=r"have of 'norms' the axes that it had, \('edge',\)"):
        train([rd.Observable("norms", ("matrix",), norms)], start=first)
