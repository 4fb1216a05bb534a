"""The words of the package: array aliases, axis names, symbols.

=============  ===================================================  =====================
symbol         meaning                                              shape
=============  ===================================================  =====================
X              inputs, one example per column                       (n_in, P)
Y              targets, one example per column                      (n_out, P)
Sigma_x        X X^T / P                                            (n_in, n_in)
Sigma_yx       Y X^T / P                                            (n_out, n_in)
L              1/2 < |y - yhat|^2 >: mean over examples, summed     ()
               over outputs
U, S, V        the task's modes: Sigma_yx = U S V^T, compact        (n_out, R) (R,) (n_in, R)
d              diagonal of V^T Sigma_x V, never a sorted spectrum   (R,)
K_a            strength of a mode in path a: u^T W_a v, signed      (path, mode)
q, p           strength of one of the D - 1 equal matrices of a     (path, mode)
               pathway, and of the remaining one: K = p q^(D-1)
D              depth: the number of weight matrices
t              flow time, in units of tau; tau = 1 in the code
=============  ===================================================  =====================

Every array keeps its axes in the order (member..., time, path, mode).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import numpy as np

Array: TypeAlias = jax.Array
AnyArray: TypeAlias = (
    jax.Array | np.ndarray
)  # JAX's inside jit and of a solve, NumPy's of training and files
ArrayLike: TypeAlias = AnyArray | float | int
Times: TypeAlias = AnyArray | Sequence[float]  # (time,), as the user gives them
PyTree: TypeAlias = Any
Weights: TypeAlias = dict[str, jax.Array]  # edge -> (n_target, n_source)
Path: TypeAlias = tuple[str, ...]  # edge names from an input node to an output node

TIME, PATH, EDGE, MODE, MEMBER = "time", "path", "edge", "mode", "member"


class FrozenDict(dict[str, Any]):
    """A dict that can be static data of a jitted function: hashable by content."""

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (
            dict(self),
        )  # copying and pickling would otherwise set items one by one

    def _refuse(self, *args: Any, **kwargs: Any) -> None:
        raise TypeError("this mapping is fixed; build a new one with dict(...)")

    __setitem__ = __delitem__ = update = pop = clear = setdefault = popitem = _refuse  # type: ignore[assignment]


class Rebuilt:
    """A dataclass whose copies, pickled ones too, are made anew from its fields: checked again, and
    with arrays that can't be written into.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        fields = dataclasses.fields(self)  # type: ignore[arg-type]
        return _rebuilt, (type(self), {f.name: getattr(self, f.name) for f in fields if f.init})


def _rebuilt(cls: type, fields: dict[str, Any]) -> Any:
    return cls(**fields)


class HostOnly:
    """Notes that travel with a system but never decide what is compiled: all are equal to JAX.

    Only read on the host, and never returned from a jitted function, which would return the first
    call's notes."""

    def __init__(self, value: Any):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, HostOnly)

    def __hash__(self) -> int:
        return 0
