"""In which modes strengths are read: those asked for, and rows that were read in others."""

from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from racedyn._checks import fail
from racedyn._text import listed
from racedyn._types import Array
from racedyn.networks import Network
from racedyn.paths.concentration import SHARES, observe_shares
from racedyn.paths.projectors import observe_projectors
from racedyn.tasks import Modes, Task, read_in

Pair = tuple[str, str]
_ROUNDING = 1e-9  # as `Modes.same_as`


class Bases(eqx.Module):
    """The modes of one pair of nodes as JAX's arrays, in which members of an ensemble may differ;
    see `racedyn.tasks.Modes`.
    """

    U: Array
    S: Array
    V: Array
    variances: Array
    groups: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    @classmethod
    def of(cls, modes: Modes) -> "Bases":
        U, S, V, d = map(jnp.asarray, (modes.U, modes.S, modes.V, modes.variances))
        return cls(U, S, V, d, modes.groups)

    @property
    def num(self) -> int:
        return self.S.shape[0]


def modes_asked_for(network: Network, task: Task, modes: Any) -> dict[Pair, Modes]:
    """(input node, output node) -> modes to read in: the task's own; those of another task; or as
    given.

    Bases that are not the task's own keep their names and groups; S and d are the trained task's in
    them, S = u^T Sigma_yx v of either sign and d = v^T Sigma_x v, so that S/d is still where a mode
    ends.

    Raises `TypeError` for something else, `ValueError` where bases don't fit the network or are not
    orthonormal."""
    if modes is None or modes is task:
        return task.all_modes()
    if isinstance(modes, Task):
        given: Mapping[Any, Any] = modes.all_modes()
    elif isinstance(modes, Modes):
        if len(network.inputs) != 1 or len(network.outputs) != 1:
            fail(
                "modes",
                "be a dict (input node, output node) -> Modes for this network",
                "it is one Modes, and there are "
                f"{len(network.inputs)} inputs and {len(network.outputs)} outputs",
            )
        given = {(network.inputs[0], network.outputs[0]): modes}
    elif isinstance(modes, Mapping):
        given = modes
    else:
        fail(
            "modes",
            "be a Task, Modes or a dict (input node, output node) -> Modes",
            f"it is {type(modes).__name__}",
            "For example the task that was trained first, or task.modes.",
            TypeError,
        )
    return {pair: _of_task(network, task, pair, own) for pair, own in given.items()}


def _of_task(network: Network, task: Task, pair: Any, modes: Any) -> Modes:
    if not isinstance(modes, Modes):
        fail(
            f"modes[{pair!r}]",
            "be Modes",
            f"it is {type(modes).__name__}",
            "task.modes has those of a task.",
            TypeError,
        )
    if (
        not isinstance(pair, tuple)
        or len(pair) != 2
        or pair[0] not in network.inputs
        or pair[1] not in network.outputs
    ):
        fail(
            "modes",
            f"have pairs of the network's inputs {listed(network.inputs)} and outputs "
            f"{listed(network.outputs)}",
            f"it has {pair!r}",
        )
    for basis, node in ((modes.V, pair[0]), (modes.U, pair[1])):
        if (width := network.nodes[node].width) != basis.shape[0]:
            fail(
                "modes",
                f"have {width} rows at {node!r}",
                f"they have {basis.shape[0]}",
                "Pass those of a task of the same inputs and outputs.",
            )
        if not np.allclose(basis.T @ basis, np.eye(basis.shape[1]), rtol=0, atol=_ROUNDING):
            fail("modes", "be orthonormal", f"the columns at {node!r} are not")
    power = float(np.sum(task.targets[pair[1]] ** 2) / task.num_examples)
    return read_in(modes, task.sigma_yx(*pair), task.sigma_x(pair[0]), power)


class Turn:
    """From rows read in the modes `old` to the same rows read in `new`, as far as they tell.

    With Q = U_new^T U_old and R = V_old^T V_new the new strengths are the diagonal of Q M R, M =
    U_old^T W V_old. It needs M where the new bases mix old ones; where each new mode is an old one,
    up to its sign, the old strengths are enough."""

    def __init__(self, old: Modes, new: Modes):
        self.old, self.new = old, new
        self.Q, self.R = new.U.T @ old.U, old.V.T @ new.V
        self.spanned = all(
            np.allclose(basis @ (basis.T @ wanted), wanted, rtol=0, atol=_ROUNDING)
            for basis, wanted in ((old.U, new.U), (old.V, new.V))
        )
        self.source = np.argmax(np.abs(self.R), axis=0)  # the old mode that each new one is
        picked = np.arange(new.num)
        left, right = self.Q[picked, self.source], self.R[self.source, picked]
        self.one_to_one = bool(np.allclose(np.abs([left, right]), 1, rtol=0, atol=_ROUNDING))
        self.sign, self.sign_out = np.sign(left * right), np.sign(left)

    def values(self, values: np.ndarray, *, signed: bool) -> np.ndarray:
        """S or d of another task, (mode,), in the new modes; NaN where the old ones don't tell."""
        if not self.one_to_one:
            return np.full(self.new.num, np.nan)
        return np.asarray(values)[self.source] * (self.sign if signed else 1.0)

    def rows(self, observed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
        """`strength` and what is made of it, (time, path, ...), in the new modes; None where the
        rows don't tell.
        """
        if "strength_matrix" in observed and self.spanned:
            known = observed["strength_matrix"]
            return _of_matrices(
                np.einsum("ab,tpbc,cd->tpad", self.Q, known, self.R).astype(known.dtype), self.new
            )
        if not self.one_to_one:
            return None
        found = {}
        if (strength := observed.get("strength")) is not None:
            found["strength"] = strength[..., self.source] * self.sign.astype(strength.dtype)
        # A mode's shares are its own, whatever its sign.
        found |= {name: observed[name][..., self.source] for name in SHARES if name in observed}
        if self.new.num == self.old.num:
            # The same modes in another order: what is off the diagonal stays off it.
            same = ("off_diagonal", "projector_eigenvalues", "basis_free_participation")
            found |= {name: observed[name] for name in same if name in observed}
            if (P := observed.get("projectors")) is not None:
                signs = np.outer(self.sign_out, self.sign_out).astype(P.dtype)
                found["projectors"] = signs * P[..., self.source[:, None], self.source]
            groups = {frozenset(group): g for g, group in enumerate(self.old.groups)}
            places = [
                groups.get(frozenset(self.source[list(group)].tolist()), -1)
                for group in self.new.groups
            ]
            if "group_strength" in observed and -1 not in places:
                found["group_strength"] = observed["group_strength"][..., np.asarray(places)]
        return found


def _of_matrices(matrices: np.ndarray, modes: Modes) -> dict[str, np.ndarray]:
    """The observables of U^T W_p V, (time, path, mode_out, mode_in), as `strengths.observe_paths`
    makes them.
    """
    strength = np.diagonal(matrices, axis1=2, axis2=3)
    rest = np.where(np.eye(modes.num, dtype=bool), 0, matrices)
    with np.errstate(divide="ignore", invalid="ignore"):
        off_diagonal = np.sqrt(np.sum(rest**2, axis=(2, 3))) / np.sqrt(np.sum(strength**2, axis=2))
    norms = [
        np.sqrt(np.sum(matrices[:, :, group][..., group] ** 2, axis=(2, 3)))
        for group in map(list, modes.groups)
    ]
    return {
        "strength": strength,
        "off_diagonal": off_diagonal,
        "group_strength": np.stack(norms, axis=2),
        "strength_matrix": matrices,
        **observe_shares(strength),
        **{name: np.asarray(rows) for name, rows in observe_projectors(matrices).items()},
    }
