"""What the members of an ensemble differ in, by names."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._checks import fail
from racedyn._names import DTYPES, check_label, distinct
from racedyn._types import MEMBER, TIME, PyTree
from racedyn.trajectory.observables import row_of


def parameters_of(members: PyTree) -> dict[str, np.ndarray]:
    """The arrays that were given for members, (member, ...), as a trajectory keeps them.

    Names are those of the pytree, joined by dots; an array alone is "parameter". Keys of JAX's
    random numbers are their data. The numbers 0, 1, 2, ... alone tell nothing that the axis
    doesn't, and are left out. Half precision becomes float32, which files hold. Raises `ValueError`
    for names that are no text a file can hold.

    >>> from racedyn.trajectory import parameters_of
    >>> parameters_of({"start": {"q": np.ones(3)}, "rates": [np.zeros(3), np.ones(3)]}).keys()
    dict_keys(['rates.0', 'rates.1', 'start.q'])
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(members)
    named = [jax.tree_util.keystr(path, simple=True, separator=".") for path, _ in leaves]
    values = [_as_held(leaf) for _, leaf in leaves]
    if named == [""]:
        named = ["parameter"]
        if values[0].dtype.kind in "iu" and np.array_equal(values[0], np.arange(len(values[0]))):
            return {}
    for name in named:
        check_label("members", name)
    return dict(zip(distinct(named), values, strict=True))


def parameter_axes(trajectory: Any) -> dict[str, tuple[str, ...]]:
    """Names of the axes of each parameter: those of the observable of its name where the run's are
    as long, as of the `p` that a race begins with; else its own name with a number.
    """
    sizes = {
        axis: size
        for name, axes in trajectory.dims.items()
        for axis, size in zip(axes, np.shape(trajectory.observables[name]), strict=True)
    }
    front = (MEMBER,) if MEMBER in sizes else ()
    found = {}
    for name, value in trajectory.parameters.items():
        shape = np.shape(value)[len(front) :]
        row = row_of(name)
        axes = trajectory.dims.get(name, () if row is None else row.axes)
        axes = tuple(axis for axis in axes if axis not in (MEMBER, TIME))
        if tuple(sizes.get(axis) for axis in axes) != shape:
            axes = tuple(f"{name}_{i}" for i in range(len(shape)))
        found[name] = (*front, *axes)
    return found


def _as_held(leaf: Any) -> np.ndarray:
    """An array of a dtype that files hold."""
    if isinstance(leaf, jax.Array) and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    array = np.asarray(leaf)
    if f"{array.dtype.kind}{array.dtype.itemsize}" in DTYPES:
        return array
    if not jnp.issubdtype(array.dtype, np.number):
        fail("members", "be arrays of numbers", f"one is of {array.dtype}", error=TypeError)
    return array.astype(np.float32 if array.dtype.itemsize < 4 else np.float64)
