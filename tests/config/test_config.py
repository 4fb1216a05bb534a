import dataclasses
import inspect
import json
import tomllib
from pathlib import Path
from typing import get_args

import pytest

from racedyn import config
from racedyn.config import ConfigError


def given(**changes):
    """A usable configuration as nested dicts, with sections replaced."""
    usable = {
        "name": "small",
        "task": {"kind": "hierarchy", "items": 4},
        "network": {"kind": "parallel", "depths": [2, 3], "width": 8},
        "init": {"kind": "gaussian", "std": 0.1},
        "train": {"lr": 1, "steps": 10},
    }
    return usable | changes


def test_the_shipped_run():
    read = config.read("hierarchy")
    assert (read.name, read.seed, read.task.items, read.network.depths) == (
        "hierarchy",
        0,
        8,
        (4, 4),
    )
    assert (read.network.width, read.init.std, read.train.lr, read.train.steps) == (
        200,
        0.02,
        0.04,
        6000,
    )
    assert read.theory == config.Theory(level="best", rtol=None)


def test_the_shipped_table():
    read = config.read("animals")
    assert (read.task.kind, read.network.depths) == ("example", (3, 3))


CHAIN = {"kind": "chain", "depth": 2, "width": 3, "activation": "relu"}


CSV = {"kind": "csv", "path": "a.csv", "inputs": ["x"], "delimiter": ";"}
RANDOM = {"kind": "random", "singular_values": [3, 1.5], "items": 4, "features": 3, "key": 7}
ROUTING = {"kind": "routing", "domains": 4, "trained": 2, "pattern": "regular", "key": 1}
RACE = {"kind": "routing", "width": 8, "sharing": ["shared", 2]}
ALONG_PATHS = {"kind": "aligned", "scale": 0.1, "bases": "paths"}


@pytest.mark.parametrize(
    "data",
    [
        given(),
        given(network=CHAIN, init={"kind": "balanced", "scale": 0.5}, seed=7),
        given(task=CSV),
        given(task=RANDOM),
        given(task={"kind": "clusters", "sizes": [3, 1]}),
        given(task=ROUTING, network=RACE),
        given(
            task={"kind": "multimodal", "sigma_A": [1, 0.5], "sigma_AB": [[0.1], [0]]},
            network={"kind": "fusion", "depth": 3, "fuse_at": 2, "width": 4},
        ),
        given(
            task={"kind": "xor", "margin": 1},
            network={"kind": "xor", "gating": "both"},
            init=ALONG_PATHS,
        ),
    ],
)
def test_resolved_configurations_read_back(data):
    resolved = config.parse(data)
    assert config.parse(tomllib.loads(config.as_toml(resolved))) == resolved
    assert config.parse(json.loads(config.as_json(resolved))) == resolved
    assert config.parse(config.as_dict(resolved)) == resolved


def test_defaults_are_resolved_and_what_is_not_set_is_left_out():
    train = tomllib.loads(config.as_toml(config.parse(given())))["train"]
    assert train == {
        "lr": 1.0,
        "steps": 10,
        "dtype": "float64",
        "loss": "mean",
        "weight_decay": 0.0,
    }


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError, match="seed"):
        config.parse(given()).seed = 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            {"network": {"kind": "chain", "depth": 2, "widht": 8}},
            r"`network.widht` is not known.*`network.width`",
        ),
        ({"network": {"kind": "chain", "depth": 2, "widht": 8}}, "`network.width` is missing"),
        (
            {"network": {"kind": "chain", "depths": 2, "width": 8}},
            r"`network.depths` is not known.*`network.depth`",
        ),
        ({"lr": 1}, r"`lr` is not known. Did you mean `train.lr`\?"),
        (
            {"zzz": 1},
            r"`zzz` is not known. Known here: `name`, `seed`, `task`, `network`, `init`, `train`, "
            r"`theory`\.",
        ),
        (
            {"train": {"lr": 1, "steps": "10"}},
            r"`train.steps` must be a whole number, but it is '10' \(text\)\.",
        ),
        (
            {"train": {"lr": 1, "steps": True}},
            r"`train.steps` must be a whole number, but it is True \(a boolean\)\.",
        ),
        (
            {"train": {"lr": 1, "steps": 1.5}},
            r"`train.steps` must be a whole number, but it is 1.5 \(a number\)\.",
        ),
        (
            {"train": {"lr": "1", "steps": 1}},
            r"`train.lr` must be a number, but it is '1' \(text\)\.",
        ),
        (
            {"train": {"lr": 0, "steps": 1}},
            r"`train.lr` must be greater than 0, but it is 0 \(a whole number\)\.",
        ),
        (
            {"train": {"lr": float("inf"), "steps": 1}},
            r"`train.lr` must be finite, but it is inf \(a number\)\.",
        ),
        (
            {"train": {"lr": 1, "steps": 1, "loss": "summ"}},
            r"`train.loss` must be 'mean', 'half_sum', 'sum', 'mse', 'routes' or 'cross_entropy'",
        ),
        (
            {"network": {"kind": "parallel", "depths": [2, 0], "width": 1}},
            r"`network.depths\[1\]` must be at least 1",
        ),
        (
            {"network": {"kind": "parallel", "depths": 2, "width": 1}},
            r"`network.depths` must be a list, but it is 2",
        ),
        (
            {"network": {"kind": "parallel", "depths": [], "width": 1}},
            r"`network.depths` must have at least 1 entry",
        ),
        (
            {"network": {"kind": "ring"}},
            r"`network.kind` must be one of 'parallel', 'chain', .*, but it is 'ring'\.",
        ),
        (
            {"network": RACE | {"sharing": "all"}},
            r"^In [^`]*: `network.sharing` must be a whole number or 'shared' or "
            r"'dedicated' or a list, but it is 'all' \(text\)\.$",
        ),
        (
            {"network": RACE | {"sharing": 0}},
            r"`network.sharing` must be at least 1 or 'shared' or",
        ),
        (
            {"network": RACE | {"sharing": ["shared", 1.5]}},
            r"^In [^`]*: `network.sharing\[1\]` must be a whole number or "
            r"'shared' or 'dedicated', but it is 1.5 \(a number\)\.$",
        ),
        (
            {"task": ROUTING | {"pattern": "ring"}},
            r"`task.pattern` must be 'circulant' or 'regular', but it is 'ring'",
        ),
        (
            {"task": {"kind": "xor", "margin": -1}},
            r"`task.margin` must be at least 0.*, but it is -1",
        ),
        (
            {"init": ALONG_PATHS | {"bases": "path"}},
            r"`init.bases` must be 'nodes' or 'paths', but it is 'path'",
        ),
        (
            {"init": {"std": 1}},
            r"`init.kind` must be one of 'gaussian', 'orthogonal', .*, but it is missing\.",
        ),
        (
            {"task": {"kind": "rign"}},
            r"`task.kind` must be one of 'hierarchy', 'order', 'ring', .*, but it is 'rign'\.",
        ),
        ({"task": {"kind": "hierachy"}}, r"but it is 'hierachy'\. Did you mean 'hierarchy'\?$"),
        (
            {"init": {"kind": "balance", "scale": 1}},
            r"`init.kind` must .*, but it is 'balance'\. Did you mean 'balanced'\?$",
        ),
        (
            {"task": {"kind": "ring", "itms": 2}},
            r"`task.itms` is not known\. Did you mean `task.items`\?",
        ),
        ({"task": {"kind": "grid", "rows": 2}}, r"`task.columns` is missing"),
        (
            {"task": {"kind": "clusters", "sizes": [2, 0]}},
            r"`task.sizes\[1\]` must be at least 1, but it is 0",
        ),
        ({"task": {"kind": "clusters", "sizes": []}}, r"`task.sizes` must have at least 1 entry"),
        (
            {"task": RANDOM | {"singular_values": [1, -1]}},
            r"`task.singular_values\[1\]` must be greater than 0",
        ),
        (
            {"task": {"kind": "multimodal", "correlation": "x"}},
            r"`task.correlation` must be a number or a list, but it is 'x' \(text\)\.$",
        ),
        (
            {"task": {"kind": "multimodal", "map_A": [[1], ["x"]]}},
            r"`task\.map_A\[1\]\[0\]` must be a number, but it is 'x'",
        ),
        ({"task": CSV | {"inputs": "x"}}, r"`task.inputs` must be a list, but it is 'x' \(text\)"),
        ({"task": 3}, r"`task` must be a table, but it is 3 \(a whole number\)\."),
        ({"theory": 3}, r"`theory` must be a table, but it is 3 \(a whole number\)\."),
        (
            {"name": "../x"},
            r"`name` must be letters, digits, .*, as a file name has them, but it is '\.\./x'",
        ),
        ({"seed": -1}, r"`seed` must be at least 0, but it is -1"),
        ({"seed": 2**63}, r"`seed` must be at most 9\.22337e\+18, but it is 9223372036854775808"),
        ({"seed": 10**400}, r"`seed` must be at most .*, but it is 1000.* \.\.\. 0"),
        ({"task": RANDOM | {"key": 2**63}}, r"`task.key` must be at most"),
        (
            {"network": {"kind": "parallel", "depths": [10**26, 2], "width": 1}},
            r"`network.depths\[0\]` must be at most 1000",
        ),
        (
            {"network": {"kind": "chain", "depth": 1001, "width": 1}},
            r"`network.depth` must be at most 1000",
        ),
        (
            {"network": RACE | {"hidden_layers": 10**11}},
            r"`network.hidden_layers` must be at most 1000",
        ),
        ({"train": {"lr": 1, "steps": 10**18}}, r"`train.steps` must be at most 9.0072e\+15"),
        (
            {"train": {"lr": 1, "steps": 1, "weight_decay": -1}},
            r"`train.weight_decay` must be at least 0",
        ),
        ({"init": {"kind": "gaussian", "std": 0}}, r"`init.std` must be greater than 0"),
        (
            {"theory": {"rtol": 0.1}},
            r"`theory.rtol` must be smaller than 0\.1, but it is 0\.1 \(a number\)",
        ),
        (
            {"theory": {"rtol": float("inf")}},
            r"`theory.rtol` must be smaller than 0\.1, but it is inf",
        ),
        ({"theory": {"rtol": float("nan")}}, r"`theory.rtol` must be .*, but it is nan"),
        (
            {"theory": {"rtol": 1e-30}},
            r"`theory.rtol` must be at least 2\.22045e-15, but it is 1e-30",
        ),
        ({"name": "x" * 201}, r"`name` must have at most 200 letters, but it is 'xxx.* \.\.\. x"),
        ({"\x1b[31mfoo": 1}, r"`\\x1b\[31mfoo` is not known"),
        (
            {"task": {"kind": "csv", "path": "a\0b"}},
            r"`task.path` must be text without zero bytes, and not empty",
        ),
    ],
)
def test_refused(changes, problem):
    with pytest.raises(ConfigError, match=problem):
        config.parse(given(**changes))


def test_all_problems_at_once():
    with pytest.raises(ConfigError, match=r"(?s)^3 problems in x.toml:.*`seed`.*`train.lr`.*`foo`"):
        config.parse(given(seed="0", train={"steps": 1}, foo=1), source="x.toml")


def test_sections_made_in_python_are_checked_alike():
    assert config.Train(lr=1, steps=2).lr == 1.0
    with pytest.raises(ConfigError, match=r"`stepz` is not known. Did you mean `steps`\?"):
        config.Train(lr=1.0, steps=2, stepz=3)


def test_not_toml(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("a = = 1")
    with pytest.raises(ConfigError, match=r"x.toml is not a TOML file: .*line 1"):
        config.read(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"x.toml is not a TOML file"):
        config.read(path)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    text = config.as_toml(config.parse(given()))
    (tmp_path / "x.toml").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert config.read(tmp_path / "x.toml") == config.parse(given())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a = " + b"[" * 5000 + b"]" * 5000, r"x.toml is nested too deeply"),
        (b"a = " + b"[" * 60 + b"]" * 60, r"In .*x.toml: `a` is nested too deeply"),
        (b".".join([b"a"] * 500) + b" = 1", r"In .*x.toml: `a` is nested too deeply"),
        (b"seed = " + b"9" * 5000, r"x.toml has a whole number of thousands of digits"),
        (b"name = '\xe9'", r"x.toml is not a TOML file: byte 9 is not UTF-8\. Save it as UTF-8"),
        (b"#" * 2**21, r"x.toml is not a TOML file of a run: it is larger than 1 MiB"),
    ],
)
def test_files_that_no_one_writes_by_hand(content, message, tmp_path):
    (tmp_path / "x.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        config.read(tmp_path / "x.toml")


def test_values_on_a_line_are_those_of_the_file():
    read = config.parse(given())
    changed = config.override(
        read,
        {
            "network.depths": ["3"],
            "train.lr": ["1e-2"],
            "train.save_every": ["None"],
            "name": ["007"],
        },
    )
    assert (changed.network.depths, changed.train.lr, changed.train.save_every) == (
        (3,),
        0.01,
        None,
    )
    assert changed.name == "007"
    routing = config.parse(given(task=ROUTING, network=RACE))
    as_in_the_file = config.override(read, {"network.depths": ["[2, 3]"]})
    assert as_in_the_file.network.depths == (2, 3)
    with pytest.raises(ConfigError, match=r"whole number, but it is '\[2;3\]'"):
        config.override(read, {"network.depths": ["[2;3]"]})
    assert config.override(routing, {"network.sharing": ["2"]}).network.sharing == 2
    assert config.override(routing, {"network.sharing": ["shared", "2"]}).network.sharing == (
        "shared",
        2,
    )


def test_paths_are_relative_to_the_file_and_the_name_is_its_own(tmp_path, monkeypatch):
    (tmp_path / "mine.toml").write_text(
        config.as_toml(config.parse(given())).replace('name = "small"\n', "")
    )
    assert config.read(tmp_path / "mine.toml").name == "mine"
    monkeypatch.chdir(tmp_path.parent)
    for kind in ("arrays", "csv"):
        (tmp_path / "data.toml").write_text(
            config.as_toml(config.parse(given(task={"kind": kind, "path": "a/b"})))
        )
        read = config.read(f"{tmp_path.name}/data.toml")
        assert read.name == "small"
        assert Path(read.task.path) == tmp_path / "a" / "b"


def test_words_are_those_of_the_code():
    """The lists of names here, written out so that help needs no JAX, are the lists of the modules
    they belong to.
    """
    from racedyn.networks import ACTIVATIONS
    from racedyn.reduction import LEVELS
    from racedyn.rules.losses import LOSSES
    from racedyn.simulation.step_sizes import COARSEST_TOLERANCE, finest_tolerance

    assert get_args(config.Activation) == tuple(ACTIVATIONS)
    types = {
        field.name: field.type
        for cls in (config.Train, config.Theory)
        for field in dataclasses.fields(cls)
    }
    assert get_args(types["loss"]) == tuple(LOSSES)
    assert get_args(types["level"]) == tuple(LEVELS)
    assert (finest_tolerance(float), COARSEST_TOLERANCE) == (
        config.FINEST_RTOL,
        config.LOOSEST_RTOL,
    )


def check_arguments(cls, builder, left_out=()):
    """A kind's fields are its builder's arguments, defaults included, so that they can be passed on
    as they are.
    """
    parameters = {
        name: p for name, p in inspect.signature(builder).parameters.items() if name not in left_out
    }
    own = {field.name: field for field in dataclasses.fields(cls) if field.name != "kind"}
    assert list(own) == list(parameters)
    for name, field in own.items():
        required = parameters[name].default is inspect.Parameter.empty
        assert field.default == (dataclasses.MISSING if required else parameters[name].default)


def test_kinds_of_tasks_are_the_builders():
    from racedyn import tasks

    kinds = {cls.kind: cls for cls in get_args(config.TaskSection)}
    names = {"arrays": None, "csv": "from_csv"}
    data = {
        "routing": ("inputs", "targets", "input_transforms", "output_transforms")
    }  # arrays, which a table of configuration does not hold
    for kind, cls in kinds.items():
        if builder := names.get(kind, kind):
            check_arguments(cls, getattr(tasks, builder), data.get(kind, ()))
    assert set(kinds) - set(names) == set(tasks.__all__) - {
        "Contexts",
        "Modes",
        "Routes",
        "Task",
        "from_arrays",
        "from_csv",
        "transforms",
    }


def test_kinds_of_networks_and_laws_are_the_builders():
    from racedyn import networks

    for cls in get_args(config.NetworkSection):
        check_arguments(cls, getattr(networks, cls.kind), ("task",))
    for cls in get_args(config.InitSection):
        check_arguments(cls, getattr(networks.init, cls.kind.capitalize()))


def test_keys_follow_the_kinds():
    read = config.parse(given())
    assert config.kinds_of(read) == {"task": "hierarchy", "network": "parallel", "init": "gaussian"}
    keys = config.keys(config.kinds_of(read))
    assert "network.depths" in keys and "network.depth" not in keys
    assert {"network.depths", "network.depth", "task.path", "theory.rtol"} <= set(config.keys({}))
