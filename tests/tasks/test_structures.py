"""Tasks with a structure, random ones, and tables: their modes against an SVD and against closed
forms.
"""

import csv
import dataclasses
import itertools
from typing import get_args

import hypothesis.strategies as st
import jax
import numpy as np
import pytest
from hypothesis import given

import racedyn as rd
from racedyn import config, tasks
from racedyn.tasks.tables import EXAMPLES as SHIPPED

ANIMALS = SHIPPED / "animals.csv"
TABLE = "item,flies,legs,weight\nwren,yes,2,0.5\nrat,no,4,3e-1\nbee,TRUE,6,-1\n"


def sine(n):
    return np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1)))


EXAMPLES = {
    "hierarchy": lambda: tasks.hierarchy(16),
    "order": lambda: tasks.order(7),
    "order of 1": lambda: tasks.order(1),
    "ring": lambda: tasks.ring(8),
    "odd ring": lambda: tasks.ring(7),
    "large ring": lambda: tasks.ring(60),
    "ring of 1": lambda: tasks.ring(1),
    "ring of 2": lambda: tasks.ring(2),
    "grid": lambda: tasks.grid(3, 4),
    "square": lambda: tasks.grid(6, 6),
    "chain": lambda: tasks.grid(1, 9),
    "clusters": lambda: tasks.clusters([2, 4, 2, 1], properties=3),
    "cross-cutting": lambda: tasks.cross_cutting(4, 2),
    "cross-cutting, three classes": lambda: tasks.cross_cutting(8, 3, properties=5),
    "tree alone": lambda: tasks.cross_cutting(4, 1),
    "classes alone": lambda: tasks.cross_cutting(1, 3),
    "random": lambda: tasks.random([3.0, 1.0, 1.0, 0.1], items=9, features=4, key=0),
}


@pytest.mark.parametrize("make", EXAMPLES.values(), ids=EXAMPLES)
def test_modes_are_an_svd_with_orthonormal_bases(make):
    task = make()
    modes, sigma = task.modes, task.sigma_yx()
    np.testing.assert_array_equal(task.inputs["input"], np.eye(task.num_examples))
    np.testing.assert_allclose(modes.U * modes.S @ modes.V.T, sigma, atol=1e-13)
    for basis in (modes.U, modes.V):
        np.testing.assert_allclose(basis.T @ basis, np.eye(modes.num), atol=1e-12)
    values = np.linalg.svd(sigma, compute_uv=False)
    np.testing.assert_allclose(values[: modes.num], modes.S, rtol=1e-12)
    np.testing.assert_allclose(values[modes.num :], 0, atol=1e-13)  # no mode is left out
    np.testing.assert_allclose(modes.variances, 1 / task.num_examples, rtol=1e-12)
    assert modes.misalignment < 1e-13
    assert modes.groups == tasks.from_arrays(task.X, task.Y).modes.groups


@pytest.mark.parametrize("make", EXAMPLES.values(), ids=EXAMPLES)
def test_names_are_complete_and_different(make):
    task = make()
    assert len(set(task.modes.names)) == task.modes.num
    for names in (task.item_names, task.feature_names):
        assert names is None or len(set(names)) == len(names)
    assert str(task.num_examples) in str(task)


@pytest.mark.parametrize("items", [2, 5, 8, 13])
def test_values_of_an_order(items):
    half = np.arange(1, items + 1) - 0.5
    task = tasks.order(items)
    np.testing.assert_allclose(
        task.modes.S, 1 / (2 * items * np.sin(np.pi * half / (2 * items + 1))), rtol=1e-12
    )
    assert task.modes.degenerate == ()
    np.testing.assert_array_equal(task.Y[:, 1], np.arange(items) <= 1)
    assert task.feature_names[1] == "from 2 on"


@pytest.mark.parametrize("items", [3, 6, 9])
def test_values_of_a_ring(items):
    modes = tasks.ring(items).modes
    closed = {"all": np.sqrt(((items - 1) * (2 * items - 1) + 6) / (6 * items))}
    for k in range(1, items // 2 + 1):
        closed |= dict.fromkeys(
            (f"cos {k}", f"sin {k}"), 1 / (np.sqrt(2 * items) * np.sin(np.pi * k / items))
        )
    if items % 2 == 0:
        del closed[f"sin {items // 2}"]
    assert set(modes.names) == set(closed)
    np.testing.assert_allclose(modes.S, [closed[name] for name in modes.names], rtol=1e-12)


def test_a_ring_turned_by_one_item_is_the_same_ring():
    task = tasks.ring(8)
    assert task.Y.shape == (57, 8)
    rows = {tuple(row) for row in task.Y}
    assert rows == {tuple(np.roll(row, 1)) for row in task.Y} and len(rows) == 57
    assert task.modes.names == (
        "all",
        "cos 1",
        "sin 1",
        "cos 2",
        "sin 2",
        "cos 3",
        "sin 3",
        "cos 4",
    )
    assert task.modes.degenerate == ((1, 2), (3, 4), (5, 6))
    assert "modes 6-7 (degenerate)" in str(task.modes)
    arc = task.feature_names.index("on 8-2")
    np.testing.assert_array_equal(task.Y[arc], [1, 1, 0, 0, 0, 0, 0, 1])


@pytest.mark.parametrize(("rows", "columns"), [(1, 6), (2, 3), (4, 4)])
def test_values_of_a_grid(rows, columns):
    task = tasks.grid(rows, columns)
    values = np.outer(
        np.sqrt(rows + 1) / (2 * rows * sine(rows)),
        np.sqrt(columns + 1) / (2 * columns * sine(columns)),
    )
    closed = {f"{k + 1} x {l + 1}": values[k, l] for k in range(rows) for l in range(columns)}
    assert set(task.modes.names) == set(closed)
    np.testing.assert_allclose(
        task.modes.S, [closed[name] for name in task.modes.names], rtol=1e-12
    )
    assert task.Y.shape == (rows * (rows + 1) * columns * (columns + 1) // 4, rows * columns)


def test_a_grid_has_every_rectangle_and_a_square_its_pairs():
    task = tasks.grid(3, 3)
    row = task.Y[task.feature_names.index("in 1-2,2-3")].reshape(3, 3)
    np.testing.assert_array_equal(row, [[0, 1, 1], [0, 1, 1], [0, 0, 0]])
    assert task.item_names[5] == "item 2,3"
    pairs = [tuple(sorted(task.modes.names[i] for i in group)) for group in task.modes.degenerate]
    assert pairs == [("1 x 2", "2 x 1"), ("1 x 3", "3 x 1"), ("2 x 3", "3 x 2")]
    assert tasks.grid(2, 3).modes.degenerate == ()


def test_clusters_are_their_own_modes():
    task = tasks.clusters([2, 4, 2], properties=2)
    assert task.modes.names == ("cluster 2", "cluster 1", "cluster 3")
    assert task.modes.degenerate == ((1, 2),)
    np.testing.assert_allclose(task.modes.S, np.sqrt([8, 4, 4]) / 8, rtol=1e-12)
    np.testing.assert_allclose(task.modes.V[:, 0], np.array([0, 0, 1, 1, 1, 1, 0, 0]) / 2)
    np.testing.assert_array_equal(task.Y[:2], np.tile([1, 1, 0, 0, 0, 0, 0, 0], (2, 1)))
    assert task.feature_names[:2] == ("of cluster 1 (1)", "of cluster 1 (2)")
    assert task.item_names[2] == "item 2,1"


def test_values_of_a_tree_with_classes_across_it():
    branches, classes, properties = 8, 3, 7
    task = tasks.cross_cutting(branches, classes, properties)
    closed = {"all": np.sqrt(classes * (2 * branches - 1) + properties * branches)}
    closed |= dict.fromkeys(("class 1 | 2", "class 1-2 | 3"), np.sqrt(properties * branches))
    closed |= {"1-4 | 5-8": np.sqrt(classes * 7)}
    closed |= dict.fromkeys(("1-2 | 3-4", "5-6 | 7-8"), np.sqrt(classes * 3))
    closed |= dict.fromkeys(("1 | 2", "3 | 4", "5 | 6", "7 | 8"), np.sqrt(classes))
    assert set(task.modes.names) == set(closed)
    np.testing.assert_allclose(
        task.modes.S, [closed[name] / 24 for name in task.modes.names], rtol=1e-12
    )
    assert task.modes.degenerate == ((1, 2), (4, 5), (6, 7, 8, 9))


def test_classes_cut_across_the_tree():
    task = tasks.cross_cutting(4, 2)
    assert task.modes.names[:3] == ("all", "1-2 | 3-4", "class 1 | 2")
    assert task.item_names[:3] == ("item 1,1", "item 1,2", "item 2,1")
    np.testing.assert_array_equal(
        task.Y[task.feature_names.index("of class 2")], [0, 1, 0, 1, 0, 1, 0, 1]
    )
    np.testing.assert_array_equal(
        task.Y[task.feature_names.index("of 3-4")], [0, 0, 0, 0, 1, 1, 1, 1]
    )
    alone = tasks.cross_cutting(8, 1, properties=1).modes
    np.testing.assert_allclose(alone.V, tasks.hierarchy(8).modes.V, atol=1e-14)


@given(
    st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=5),
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 99),
)
def test_random_tasks_have_the_values_that_were_asked_for(values, more_items, more_features, key):
    task = tasks.random(values, len(values) + more_items, len(values) + more_features, key=key)
    np.testing.assert_allclose(task.modes.S, sorted(values, reverse=True), rtol=1e-9)
    U, V = task.bases["input", "output"]
    falling = np.argsort(-np.round(np.array(values) / max(values), 12), kind="stable")
    np.testing.assert_array_equal(task.modes.U, U[:, falling])
    np.testing.assert_array_equal(task.modes.V, V[:, falling])


def test_a_random_task_depends_on_its_key_alone():
    task = tasks.random([2.0, 1.0], 4, 3, key=3)
    np.testing.assert_array_equal(task.Y, tasks.random([2.0, 1.0], 4, 3, key=jax.random.key(3)).Y)
    assert not np.allclose(task.Y, tasks.random([2.0, 1.0], 4, 3, key=4).Y)
    with jax.enable_x64(False):
        np.testing.assert_array_equal(task.Y, tasks.random([2.0, 1.0], 4, 3, key=3).Y)


def test_random_modes_have_no_direction_of_their_own():
    first = np.array([tasks.random([1.0], 3, 2, key=key).modes.V[:, 0] for key in range(400)])
    np.testing.assert_allclose(first.mean(axis=0), 0, atol=0.1)
    np.testing.assert_allclose(first.T @ first / 400, np.eye(3) / 3, atol=0.06)


@pytest.mark.parametrize(
    "make", [EXAMPLES["square"], EXAMPLES["cross-cutting"]], ids=["square", "cross-cutting"]
)
def test_a_strength_is_learned_when_it_is_p_s(make):
    """As the module says: descent on one-hot items takes every mode to P S."""
    task = make()
    network = rd.networks.chain(task, depth=1, width=1)
    weights = network.init(rd.init.Gaussian(std=0.1), key=0)
    trained = rd.train(network, task, weights, lr=0.9 * task.num_examples, steps=40, progress=False)
    end = trained.observables["strength"][-1, 0]
    np.testing.assert_allclose(end, task.num_examples * task.modes.S, rtol=1e-10)


@pytest.fixture
def table(tmp_path):
    """Write a table, return its path."""

    def write(text, encoding="utf-8"):
        (tmp_path / "mine.csv").write_bytes(text.encode(encoding))
        return tmp_path / "mine.csv"

    return write


def test_a_table(table):
    task = tasks.from_csv(table(TABLE))
    assert (task.name, task.item_names, task.feature_names) == (
        "mine",
        ("wren", "rat", "bee"),
        ("flies", "legs", "weight"),
    )
    np.testing.assert_array_equal(task.inputs["input"], np.eye(3))
    np.testing.assert_array_equal(task.Y, [[1, 0, 1], [2, 4, 6], [0.5, 0.3, -1]])


def test_columns_that_are_inputs(table):
    task = tasks.from_csv(str(table(TABLE)), inputs=["weight", "flies"])
    np.testing.assert_array_equal(task.X, [[0.5, 0.3, -1], [1, 0, 1]])
    np.testing.assert_array_equal(task.Y, [[2, 4, 6]])
    assert task.feature_names == ("legs",)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_whatever_a_spreadsheet_writes(delimiter, encoding, ending, table):
    rows = list(
        csv.reader(TABLE.replace("wren", '"wrén, tiny; | or"').replace("2,", " 2 ,").splitlines())
    )
    quoted = [
        delimiter.join(f' "{cell}"' if set(cell) & set(";|,") else cell for cell in row)
        for row in rows
    ]
    task = tasks.from_csv(table(ending.join(["", *quoted, delimiter * 3, ""]), encoding))
    assert task.item_names == ("wrén, tiny; | or", "rat", "bee")
    np.testing.assert_array_equal(task.Y, [[1, 0, 1], [2, 4, 6], [0.5, 0.3, -1]])


def test_a_delimiter_of_ones_own(table):
    assert tasks.from_csv(table("item:a:b,c\nx:1:0\n"), delimiter=":").feature_names == ("a", "b,c")


def test_the_animals():
    task = tasks.example("animals")
    assert task.Y.shape == (24, 16)
    assert task.modes.num == 16 and task.modes.degenerate == ()
    has = dict(zip(task.feature_names, task.Y, strict=True))
    item = task.item_names.index
    assert has["flies"][item("eagle")] and not has["flies"][item("penguin")]
    assert (
        has["metamorphosis"].sum() == 2
        and has["gives milk"].sum() == 4
        and has["is an animal"].all()
    )


def test_living_things_are_a_tree():
    """Of two properties the items of one are among those of the other, or they share none."""
    task = tasks.example("living_things")
    assert task.modes.num == 8 and task.modes.degenerate == ()
    branches = [frozenset(np.flatnonzero(row)) for row in task.Y]
    for one, other in itertools.combinations(branches, 2):
        assert one & other in (one, other, frozenset())


def test_months_are_a_ring():
    """Each property begins once in a year, and ends once."""
    Y = tasks.example("months").Y
    np.testing.assert_array_equal(np.sum((Y == 1) & (np.roll(Y, 1, axis=1) == 0), axis=1), 1)
    assert set(Y.sum(axis=1)) == {2, 3, 4, 5, 6}


def test_vehicles_are_divided_twice():
    """Where and by what: two partitions into three, each class of one meets each of the other
    once; and what is said of all.
    """
    task = tasks.example("vehicles")
    assert task.modes.num == 1 + 2 + 2
    classes = {tuple(row) for row in task.Y} - {(1.0,) * 9}
    where = {row for row in classes if row[:3] in ((1, 1, 1), (0, 0, 0))}
    assert len(where) == len(classes - where) == 3
    for one, other in itertools.product(where, classes - where):
        assert np.dot(one, other) == 1


def test_the_tables_that_come_with_it():
    kinds = get_args({f.name: f.type for f in dataclasses.fields(config.Example)}["name"])
    assert sorted(kinds) == sorted(file.stem for file in SHIPPED.glob("*.csv"))
    for name in kinds:
        task = tasks.example(name)
        assert task.name == name and set(np.unique(task.Y)) == {0, 1}
        np.testing.assert_array_equal(task.inputs["input"], np.eye(len(task.item_names)))
    with pytest.raises(ValueError, match=r"`name` must be one of 'animals', .*Did you mean"):
        tasks.example("animal")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"in .*mine\.csv it has 0 items and 0 properties. The first row names"),
        ("item,a,b\n", r"it has 0 items and 2 properties"),
        ("item\nx\n", r"it has 1 items and 0 properties.*Is the delimiter right\?"),
        (
            TABLE + "\nant,no,6\n",
            r"line 6 has 3 cells and the header 4\. A cell that holds the delimiter",
        ),
        (TABLE + "ant,no,6,7,8\n", r"line 5 has 5 cells and the header 4"),
        (
            TABLE + "ant,no,six,1\n",
            r"line 5, row 'ant', column 'legs' is 'six', which is no number",
        ),
        (TABLE + "ant,no,,1\n", r"line 5, row 'ant', column 'legs' is empty.*fill what is missing"),
        (
            TABLE + "ant,no,nan,1\n",
            r"line 5, row 'ant', column 'legs' is 'nan', which is no number",
        ),
        (
            TABLE + "ant,no,-inf,1\n",
            r"line 5, row 'ant', column 'legs' is '-inf', which is no number",
        ),
        (
            "item;a;b\nx;0,5;1\n",
            r"line 2, row 'x', column 'a' is '0,5', which is no number.*decimal point",
        ),
        (TABLE + "rat,no,6,1\n", r"item 'rat' is there twice, in line 3 and line 5"),
        (TABLE + ",no,6,1\n", r"the item in line 5 has no name"),
        ("item,a,a\nx,1,2\n", r"property 'a' is there twice, in column 2 and column 3"),
        ("item,a,\nx,1,2\n", r"the property in column 3 has no name"),
        ('item,a,b\n"x\ny",1,2\nz,1\n', r"line 4 has 2 cells"),
    ],
)
def test_what_is_no_table(text, message, table):
    with pytest.raises(
        ValueError, match=r"(?s)`path` must be a table of items and properties, but .*" + message
    ):
        tasks.from_csv(table(text))


def test_a_table_that_cannot_be_read(table, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.csv"):
        tasks.from_csv(tmp_path / "nothing.csv")
    with pytest.raises(ValueError, match=r"it can't be read: .*utf-8.* Save it as CSV in UTF-8"):
        tasks.from_csv(table(TABLE, "utf-16"))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tasks.order(0), r"`items` must be a whole number of at least 1, but it is 0"),
        (
            lambda: tasks.ring(2.0),
            r"`items` must be a whole number of at least 1, but it is 2\.0 \(float\)",
        ),
        (lambda: tasks.grid(0, 2), r"`rows` must be a whole number"),
        (lambda: tasks.grid(2, True), r"`columns` must be a whole number"),
        (lambda: tasks.clusters([]), r"`sizes` must have an entry per cluster, but it is empty"),
        (lambda: tasks.clusters([2, 0]), r"`sizes\[1\]` must be a whole number of at least 1"),
        (lambda: tasks.clusters([2], properties=0), r"`properties` must be a whole number"),
        (
            lambda: tasks.cross_cutting(6),
            r"`branches` must be a power of two, but it is 6. Try 4 or 8",
        ),
        (lambda: tasks.cross_cutting(4, 0), r"`classes` must be a whole number"),
        (lambda: tasks.cross_cutting(4, 2, 0), r"`properties` must be a whole number"),
        (
            lambda: tasks.random([], 2, 2, key=0),
            r"`singular_values` must have 1 to 2 entries.*but it has 0",
        ),
        (
            lambda: tasks.random([1, 2, 3], 5, 2, key=0),
            r"1 to 2 entries, as 5 items and 2 features allow, but it has 3",
        ),
        (
            lambda: tasks.random([1, 0], 5, 2, key=0),
            r"`singular_values\[1\]` must be a positive number, but it is 0",
        ),
        (lambda: tasks.random([1], 5, 0, key=0), r"`features` must be a whole number"),
        (
            lambda: tasks.from_csv(ANIMALS, inputs=["finns"]),
            r"`inputs` must be one of .*mean 'fins'\?",
        ),
        (
            lambda: tasks.from_csv(ANIMALS, inputs="fins"),
            r"`inputs` must be a list of columns.*\['fins'\]",
        ),
        (
            lambda: tasks.from_csv(ANIMALS, inputs=[]),
            r"name some of the 24 columns, each once",
        ),
        (lambda: tasks.from_csv(ANIMALS, inputs=["fur", "fur"]), r"each once"),
        (
            lambda: tasks.from_csv(ANIMALS, delimiter=""),
            r"`delimiter` must be one character",
        ),
        (
            lambda: tasks.from_csv(ANIMALS, delimiter='"'),
            r"`delimiter` must be one character and no quote",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("key", [None, True, 0.5, "0", np.zeros(2)])
def test_a_key_is_needed(key):
    with pytest.raises(TypeError, match=r"`key` must be a whole number or a jax\.random\.key"):
        tasks.random([1.0], 2, 2, key=key)
    with pytest.raises(TypeError, match="key"):
        tasks.random([1.0], 2, 2)


def test_all_columns_as_inputs_leave_no_target(table):
    with pytest.raises(ValueError, match=r"leave others as targets, but it is \['a'\]"):
        tasks.from_csv(table("item,a\nx,1\n"), inputs=["a"])
