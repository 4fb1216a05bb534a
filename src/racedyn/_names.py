"""What a file can hold, names above all: asked where a thing begins, so that no work is refused
when it is to be saved.
"""

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np

from racedyn._checks import fail
from racedyn._types import EDGE, MEMBER, MODE, PATH, TIME

DTYPES = (
    "b1",
    "i1",
    "i2",
    "i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f4",
    "f8",
)  # of arrays: kind and bytes
MAX_DEPTH = 64  # groups in groups
PARTS = (
    "step",
    "status",
    "stats",
    "ys",
    "end",
    "modes",
)  # what lies beside the observables of a run
# Axes of what is observed of networks. Readers open no file where something else has the name of an
# axis.
AXES = (TIME, PATH, EDGE, MODE, MEMBER, "mode_out", "mode_in", "group", "probe", "example", "lane")


def check_label(argument: str, label: Any) -> str:
    """`label` if it is text that a file can hold. Raises `ValueError` otherwise."""
    if not isinstance(label, str) or "\0" in label or not _encodes(label):
        fail(
            argument,
            "be text to be saved, without NUL or half characters",
            f"one label is {label!r}",
            "Use str(...).",
        )
    return str(label)


def check_file_name(
    argument: str, name: Any, taken: Iterable[str] = (), why: str = "that of something else"
) -> str:
    """`name` if an array in a file can have it: text without "/", and not one that is `taken`, for
    which `why` says by what.

    Raises `ValueError` otherwise.
    """
    if (
        not isinstance(name, str)
        or name in ("", ".")
        or "/" in name
        or "\0" in name
        or not _encodes(name)
    ):
        fail(
            argument,
            'have names that are text without "/" to be saved',
            f"one is {name!r} ({type(name).__name__})",
            "Rename it.",
        )
    if name in taken:
        fail(argument, f"not have the name of {why}", f"{name!r} is one", "Rename it.")
    return str(name)


def check_held(argument: str, dtype: Any) -> None:
    """Refuse a dtype of arrays that a file can't hold, with `TypeError`."""
    if f"{getattr(dtype, 'kind', '')}{getattr(dtype, 'itemsize', '')}" not in DTYPES:
        fail(
            argument,
            "hold float32, float64, whole numbers or bool to be saved",
            f"its dtype is {dtype}",
            "Cast it, or leave it out: dataclasses.replace(trajectory, ...).",
            TypeError,
        )


def children(tree: Any) -> dict[Any, Any] | None:
    """By name what a container holds: dicts, tuples, lists, named tuples and dataclasses. None for
    anything else, an array.
    """
    if tree is None:
        return {}
    if isinstance(tree, Mapping):
        return dict(tree)
    if isinstance(tree, tuple | list):
        return dict(zip(getattr(tree, "_fields", map(str, range(len(tree)))), tree, strict=True))
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {field.name: getattr(tree, field.name) for field in dataclasses.fields(tree)}
    return None


def check_tree(argument: str, tree: Any, axes: Collection[str], depth: int = 2) -> None:
    """Refuse a tree of arrays, or of their shapes, that a file can't hold: by its names, its dtypes
    or its depth.

    `axes`: names that nothing in it may have; xarray does not open a file where something else than
    the axis has."""
    inside = children(tree)
    if inside is None:
        check_held(argument, tree.dtype if hasattr(tree, "dtype") else np.asarray(tree).dtype)
        return
    if depth > MAX_DEPTH:
        fail(
            argument,
            f"be less than {MAX_DEPTH} containers deep",
            "it is deeper",
            "Flatten it, or leave it out.",
        )
    for name, child in inside.items():
        if check_file_name(argument, name) in axes:
            fail(
                f"{argument}/{name}",
                "not have the name of an axis",
                f"{name!r} is one",
                "Rename it.",
            )
        check_tree(f"{argument}/{name}", child, axes, depth + 1)


def check_observed(
    shapes: Mapping[str, tuple[int, ...]],
    dims: Mapping[str, tuple[str, ...]],
    labels: Mapping[str, Any],
) -> tuple[dict[str, int], dict[str, str]]:
    """Axis -> its length; and the second name of a square array's axis -> the first.

    `shapes` of the observables, the first axis of which is that of time or of members; `dims` names
    their axes, `labels` what lies along them. Raises `ValueError` where they don't fit each other,
    names collide, or a file can't hold them."""
    sizes: dict[str, int] = {}
    for axis, names in labels.items():
        if axis == TIME:
            fail("labels", "name any axis but time", "it names that one", "The times are `ts`.")
        sizes[axis] = len([check_label(f"labels[{axis!r}]", label) for label in names])
    first: dict[str, str] = {}
    for name, shape in shapes.items():
        named = dims.get(name, ())
        if len(named) != len(shape):
            fail(
                f"dims[{name!r}]",
                f"name the {len(shape)} axes of the observable",
                f"it is {named!r}",
            )
        for axis, own, size in zip(named, distinct(named), shape, strict=True):
            here = sizes.setdefault(own, sizes.get(axis, size))
            if here != size:
                fail(
                    f"observables[{name!r}]",
                    f"have {here} along {axis!r}, as other arrays or labels do",
                    f"it has {size}",
                    "Name another axis.",
                )
            if first.setdefault(own, axis) != axis:
                fail(
                    "dims",
                    f"leave the name {own!r} to the second axis of a square array",
                    "it is an axis, too",
                    "Rename it.",
                )
    for name in shapes:
        check_file_name("observables", name, PARTS, f"a part of the file ({', '.join(PARTS)})")
    for axis in sizes:
        if check_file_name("dims", axis) in (*shapes, *PARTS):
            fail(
                "dims",
                "not have an axis with the name of an observable or of a part of the file",
                f"{axis!r} is one",
                "Rename it.",
            )
    return sizes, {own: axis for own, axis in first.items() if own != axis}


def distinct(axes: Iterable[str]) -> tuple[str, ...]:
    """The axes of a square array by two names: ("mode", "mode") as ("mode", "mode_2"). Readers take
    no name twice.
    """
    axes = tuple(axes)
    seen = [list(axes[: i + 1]).count(axis) for i, axis in enumerate(axes)]
    return tuple(axis if n == 1 else f"{axis}_{n}" for axis, n in zip(axes, seen, strict=True))


def _encodes(text: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in text)
