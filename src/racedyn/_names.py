"""Names that a file can hold: asked where a thing is named, so that no work is refused when it is to be saved."""

from collections.abc import Iterable, Mapping
from typing import Any

from racedyn._checks import fail
from racedyn._types import EDGE, MEMBER, MODE, PATH, TIME

PARTS = ("step", "status", "stats", "ys", "end", "modes")  # what lies beside the observables of a run
# Axes of what is observed of networks. Readers open no file where something else has the name of an axis.
AXES = (TIME, PATH, EDGE, MODE, MEMBER, "mode_out", "mode_in", "group", "probe", "example", "lane")


def check_label(argument: str, label: Any) -> str:
    """`label` if it is text that a file can hold. Raises `ValueError` otherwise."""
    if not isinstance(label, str) or "\0" in label or not _encodes(label):
        fail(argument, "be text to be saved, without NUL or half characters", f"one label is {label!r}",
             "Use str(...).")  # fmt: skip
    return str(label)


def check_file_name(argument: str, name: Any, taken: Iterable[str] = (), why: str = "that of something else") -> str:
    """`name` if an array in a file can have it: text without "/", and not one that is `taken`, for which `why` says by what.

    Raises `ValueError` otherwise.
    """
    if not isinstance(name, str) or name in ("", ".") or "/" in name or "\0" in name or not _encodes(name):
        fail(argument, 'have names that are text without "/" to be saved', f"one is {name!r} ({type(name).__name__})",
             "Rename it.")  # fmt: skip
    if name in taken:
        fail(argument, f"not have the name of {why}", f"{name!r} is one", "Rename it.")
    return str(name)


def check_observed(
    shapes: Mapping[str, tuple[int, ...]], dims: Mapping[str, tuple[str, ...]], labels: Mapping[str, Any]
) -> tuple[dict[str, int], dict[str, str]]:
    """Axis -> its length; and the second name of a square array's axis -> the first.

    `shapes` of the observables, the first axis of which is that of time or of members; `dims` names their axes, `labels` what
    lies along them. Raises `ValueError` where they don't fit each other, names collide, or a file can't hold them.
    """
    sizes: dict[str, int] = {}
    for axis, names in labels.items():
        if axis == TIME:
            fail("labels", "name any axis but time", "it names that one", "The times are `ts`.")
        sizes[axis] = len([check_label(f"labels[{axis!r}]", label) for label in names])
    first: dict[str, str] = {}
    for name, shape in shapes.items():
        named = dims.get(name, ())
        if len(named) != len(shape):
            fail(f"dims[{name!r}]", f"name the {len(shape)} axes of the observable", f"it is {named!r}")
        for axis, own, size in zip(named, distinct(named), shape, strict=True):
            here = sizes.setdefault(own, sizes.get(axis, size))
            if here != size:
                fail(f"observables[{name!r}]", f"have {here} along {axis!r}, as other arrays or labels do",
                     f"it has {size}", "Name another axis.")  # fmt: skip
            if first.setdefault(own, axis) != axis:
                fail("dims", f"leave the name {own!r} to the second axis of a square array", "it is an axis, too",
                     "Rename it.")  # fmt: skip
    for name in shapes:
        check_file_name("observables", name, PARTS, f"a part of the file ({', '.join(PARTS)})")
    for axis in sizes:
        if check_file_name("dims", axis) in (*shapes, *PARTS):
            fail("dims", "not have an axis with the name of an observable or of a part of the file", f"{axis!r} is one",
                 "Rename it.")  # fmt: skip
    return sizes, {own: axis for own, axis in first.items() if own != axis}


def distinct(axes: Iterable[str]) -> tuple[str, ...]:
    """The axes of a square array by two names: ("mode", "mode") as ("mode", "mode_2"). Readers take no name twice."""
    axes = tuple(axes)
    seen = [list(axes[: i + 1]).count(axis) for i, axis in enumerate(axes)]
    return tuple(axis if n == 1 else f"{axis}_{n}" for axis, n in zip(axes, seen, strict=True))


def _encodes(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
