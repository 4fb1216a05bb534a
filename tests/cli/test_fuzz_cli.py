"""Two hundred bad configurations, lines and files, drawn from a seed: each is one line that names
what is wrong.
"""

import collections
import dataclasses
import importlib
import random
import re
from typing import Annotated, Literal, get_args, get_origin

import numpy as np
import pytest

from racedyn import config
from racedyn.cli import main
from racedyn.config.problems import tables

job = importlib.import_module("racedyn.jobs.run")  # the name is the function's

# What other libraries say, which a person should not have to read bare.
FOREIGN = re.compile(
    r"Traceback|Input should|validation error|pydantic|Invalid JSON|tyro|Parsing "
    r"error|╭|\[Errno|h5py|jaxlib|"
    r"XlaRuntime|RESOURCE_EXHAUSTED|did not expect|allow_pickle|codec "
    r"can't|[\x00-\x09\x0b-\x1f\x7f]"
)
HUGE = "9" * 5000


def kinds():
    """(section, kind's class) of every section, with or without kinds."""
    for field in dataclasses.fields(config.Config):
        yield from ((field.name, cls) for _, cls in tables(field.type))


def leaves(annotation):
    """int, float, bool, str, tuple or Literal, as they occur in a type."""
    if get_origin(annotation) is Annotated:
        return leaves(get_args(annotation)[0])
    if get_origin(annotation) in (tuple, Literal) or not get_args(annotation):
        return {get_origin(annotation) or annotation}
    return set().union(*map(leaves, get_args(annotation)))


def bad_value(draw, annotation):
    """TOML of a value that no field of this type may have."""
    found = leaves(annotation)
    anything = [
        "{a = 1}",
        "[[1]]",
        "[{}]",
        "2020-01-01T00:00:00",
        '"\\u001b[31m\\u0007"' if str not in found else "{b = 2}",
    ]
    if tuple not in found:
        anything += ["[]", "[nan, 1]"]
    if str not in found:
        anything += ['"fast"', '""', '"ünïcode"']
    if str in found and tuple not in found:
        anything = [*anything[:3], "1", "true", "nan", '"a\\u0000b"']
    if float in found:
        anything += ["nan", "inf", "-inf", "1e400", "-1", "-1e300", "true"]
    elif int in found:
        anything += [
            "1.5",
            "-1.0",
            "nan",
            "inf",
            "false",
            "1e3",
            str(10**30),
            str(-(10**30)),
            str(2**63),
        ]
    elif bool in found or Literal in found:
        anything += ["1", "0", "1.0", "nan"]
    anything = [value for value in anything if not (value.startswith("2020") and str in found)]
    return draw.choice(anything)


def a_configuration(draw, section, cls, value_of, folder):
    """TOML of a run whose `section` is of class `cls`, with the values of `value_of` in place of
    good ones.
    """
    good = {
        "task": 'kind = "hierarchy"\nitems = 4',
        "network": 'kind = "parallel"\ndepths = [2]\nwidth = 4',
        "init": 'kind = "gaussian"\nstd = 0.1',
        "train": "lr = 0.1\nsteps = 10",
    }
    if cls is not None:
        lines = [f'kind = "{cls.kind}"'] if hasattr(cls, "kind") else []
        required = {
            "lr": "0.1",
            "steps": "10",
            "std": "0.1",
            "scale": "0.1",
            "width": "4",
            "depth": "2",
            "fuse_at": "1",
            "depths": "[2]",
            "rows": "2",
            "columns": "2",
            "sizes": "[2]",
            "singular_values": "[1.0]",
            "items": "4",
            "features": "4",
            "key": "1",
            "domains": "2",
            "path": f'"{folder}/data.npz"',
        }
        for field in dataclasses.fields(cls):
            if field.name in value_of:
                lines.append(f"{field.name} = {value_of[field.name]}")
            elif field.default is dataclasses.MISSING and field.name in required:
                lines.append(f"{field.name} = {required[field.name]}")
        good[section] = "\n".join(lines)
    return "\n".join(f"[{name}]\n{text}" for name, text in good.items())


def cases(draw, folder):
    """(class, arguments, the words that the line must have) for ever."""
    fields = [
        (section, cls, field)
        for section, cls in kinds()
        for field in dataclasses.fields(cls)
        if field.name != "kind"
    ]
    number = 0
    while True:
        number += 1
        file = folder / f"run{number}.toml"
        run = ["run", str(file), "--out", str(folder / "out"), "--quiet"]
        section, cls, field = draw.choice(fields)
        key = f"{section}.{field.name}"

        value = bad_value(draw, field.type)
        file.write_text(a_configuration(draw, section, cls, {field.name: value}, folder))
        yield "a value in a file", run, key

        file = folder / f"line{number}.toml"
        run = ["run", str(file), *run[2:]]
        file.write_text(a_configuration(draw, section, cls, {}, folder))
        words = draw.choice(["x y", "nan z", "\x1b[31m q", "-inf -", "", "{a=1} ]"]).split()
        if leaves(field.type) & {tuple, str}:
            words = []
        yield "a value on the line", [*run, f"--{key}", *words], key

        yield (
            "an unknown field on the line",
            [*run, f"--{key}{draw.choice('xyz')}", "1"],
            f"--{key}",
        )
        flags = {
            "--theory.rtol": ["0.1", "1", "1e-30", "inf", "0", "nan"],
            "--seed": ["-1", str(2**63), "1e3", "0x10"],
            "--train.steps": ["0", str(10**18), HUGE],
            "--train.lr": ["1e-320", "1e308", "0", "-0.0"],
            "--train.weight_decay": ["-1", "1e309"],
            "--name": ["../x", "a/b", "", "x" * 300, "a\tb"],
            "--train.dtype": ["float16", "int8"],
            "--theory.level": ["all", ""],
        }
        flag = draw.choice(list(flags))
        file.write_text(a_configuration(draw, "", None, {}, folder))
        yield "a number that means nothing", [*run, flag, draw.choice(flags[flag])], flag[2:]

        sizes = {
            "task.items": 2 ** draw.randint(22, 50),
            "network.width": 10 ** draw.randint(11, 15),
            "network.depths": 10 ** draw.randint(4, 40),
        }
        key = draw.choice(list(sizes))
        yield "a size that fits nowhere", [*run, f"--{key}", str(sizes[key])], key

        text = file.read_bytes()
        cut = draw.randrange(1, len(text))
        broken = {
            "cut": text[: text.index(b"[init]") + draw.randint(0, 5)],
            "utf-16": text.decode().encode("utf-16"),
            "control": text[:cut] + b"\x1b\x00\x07" + text[cut:],
            "latin-1": b'name = "\xe9"\n' + text,
            "empty": b"",
            "bytes": draw.randbytes(200),
            "nested": b"a = " + b"[" * 3000 + b"]" * 3000,
            "tables": b"a = " + b"{a=" * 1500 + b"1" + b"}" * 1500,
            "deep": b"a = " + b"[" * 60 + b"]" * 60 + b"\n" + text,
            "digits": b"seed = " + HUGE.encode() + b"\n" + text,
            "twice": text + b"\n[train]\nlr = 1\n",
            "large": b"#" * 2**21,
            "section": text + b"\n[\x22\\u001b[31mtrain\x22]\nlr = 1\n",
        }
        file = folder / f"{draw.choice(list(broken))}.toml"
        file.write_bytes(broken[file.stem])
        yield f"a broken file: {file.stem}", ["run", str(file), *run[2:]], ""

        other = draw.choice(
            [
                "nothing.h5",
                "bytes.h5",
                "",
                ".",
                "cut.h5",
                "\x1b[31mx",
                "x" * 5000,
                "folder",
                "run.toml",
            ]
        )
        at = str(folder / other) if other not in ("", ".", "\x1b[31mx") else other
        command = draw.choice(["info", "plot", "cite", "run"])
        yield (
            f"{command} of what is no such file",
            [command, at, *(run[2:] if command == "run" else [])],
            "",
        )

        options = [["--bogus"], ["--out"], ["nothing.fig1"], ["--quick=maybe"], ["\x1b[31mfig"], []]
        yield "reproduce", ["reproduce", *draw.choice(options)], ""


def outcome(arguments, capsys):
    """(exit code, stderr)."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert out == "", (arguments, out)
    return code, err


@pytest.mark.slow
def test_two_hundred_bad_command_lines(tmp_path, capsys, monkeypatch):
    def never(*_, **__):
        raise AssertionError("bad input came as far as the training")

    monkeypatch.setattr(job, "train", never)
    np.savez(tmp_path / "data.npz", X=np.eye(3), Y=np.eye(3))
    (tmp_path / "folder").mkdir()
    (tmp_path / "run.toml").write_text("a = 1")
    draw = random.Random(18)
    (tmp_path / "bytes.h5").write_bytes(draw.randbytes(3000))
    (tmp_path / "cut.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    counts, wrong = collections.Counter(), []
    for _, (name, arguments, words) in zip(range(200), cases(draw, tmp_path), strict=False):
        counts[name] += 1
        try:
            code, err = outcome(arguments, capsys)
        except BaseException as error:
            wrong.append((name, [argument[:80] for argument in arguments], repr(error)[:300]))
            capsys.readouterr()
            continue
        lines = err.splitlines()
        several = " problems in " in lines[0] if lines else False
        if (
            code != 2
            or not lines
            or (len(lines) > 1 and not several)
            or FOREIGN.search(err)
            or words not in err
        ):
            wrong.append((name, [argument[:80] for argument in arguments], words, code, err[:400]))
    with capsys.disabled():
        print()
        for name, count in sorted(counts.items()):
            print(f"  {count:4d} {name}")
        print(f"  {len(wrong):4d} of {counts.total()} accepted, or not told in one line of our own")
    assert not wrong, "\n".join(map(str, wrong))
    assert not list((tmp_path / "out").glob("*")) if (tmp_path / "out").exists() else True
