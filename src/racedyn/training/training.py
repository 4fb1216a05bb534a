"""A training yet to be done, as one value: checked, and ready for the device."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_parameter
from racedyn._checks import (
    as_key,
    check_name,
    check_not_negative,
    check_positive,
    check_positive_int,
    fail,
    shown,
)
from racedyn._outside import read_again
from racedyn._text import clipped
from racedyn._types import Array, HostOnly, Path, Weights
from racedyn.networks import (
    Network,
    Problem,
    check_task,
    network_said,
    task_said,
    the_three,
    traceable_weights,
)
from racedyn.paths import modes_asked_for
from racedyn.rules import Groups, Loss, as_loss, check_schedule, check_stages, with_copies
from racedyn.tasks import Modes, Task
from racedyn.training.asked import (
    Asked,
    axes_of,
    check_data_strength,
    check_functions,
    check_observe,
    check_targets,
    said_of,
    with_paths,
)
from racedyn.training.convergence import BOUND, Least, converged_below, least_loss
from racedyn.training.descent import Descent
from racedyn.training.observation import Observer, as_dtype
from racedyn.trajectory import Observable, Probe


class Training(eqx.Module):
    """A training yet to be done: what `racedyn.train` takes, as one value, of which
    `racedyn.ensemble` runs many as one program.

    Arguments are those of `train`, from `network` to `modes`; weights, `lr`, `weight_decay`,
    `until` and `key` may be traced by JAX, so that a function of a member that draws weights and
    returns a Training is compiled once for all members. What they have in common is everything but
    arrays: the network, `steps`, `save_every`, what is observed.

    Raises what `train` raises.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(2, 2), width=8)
        >>> def member(seed):
        ...     weights = network.init(rd.init.Gaussian(std=0.1), key=seed)
        ...     return rd.Training(network, task, weights, lr=0.04, steps=1000, save_every=25)
        >>> runs = rd.ensemble(member, 20)
        >>> runs["strength"].shape  # (member, time, path, mode)
        (20, 41, 2, 4)
        >>> runs["strength"][:, -1].sum(axis=1).mean(axis=0).round(3).tolist()  # S/d
        [2.646, 1.732, 1.0, 1.0]
    """

    weights: Weights
    descent: Descent
    least: Least
    steps: int = eqx.field(static=True)
    save_every: int = eqx.field(static=True)
    in_flow_time: bool = eqx.field(static=True)
    made_of: HostOnly = eqx.field(static=True)

    def __init__(
        self,
        network: Network | Problem,
        task: Task | None = None,
        weights: Mapping[str, Any] | None = None,
        *,
        lr: Any,
        steps: int,
        until: Any = None,
        save_every: int | None = None,
        loss: str | Loss = "mean",
        optimiser: Any = None,
        weight_decay: Any = 0.0,
        batch_size: int | None = None,
        key: Any = None,
        stages: Groups | None = None,
        schedule: Mapping[Any, int] | None = None,
        dtype: Any = None,
        observe: Sequence[str | Probe | Observable] | None = None,
        paths: Sequence[Path] | None = None,
        modes: Task | Modes | Mapping[tuple[str, str], Modes] | None = None,
    ):
        network, task, weights = _the_three(network, task, weights)
        starts = check_schedule(stages, schedule)
        stages = check_stages(network, stages, may_share=True)
        asked = check_observe(network, observe)
        _check_optimiser(optimiser)
        self.steps = check_positive_int("steps", steps)
        self.save_every = (
            max(1, self.steps // 500)
            if save_every is None
            else check_positive_int("save_every", save_every)
        )
        if lr is None and optimiser is None:
            fail("lr", "be given for plain descent", "it is None")
        self.in_flow_time = lr is not None
        convention = as_loss(loss)
        dtype = as_dtype(dtype, weights)
        decay = (
            weight_decay
            if _traced(weight_decay)
            else check_not_negative("weight_decay", weight_decay)
        )
        decays = _traced(decay) or decay != 0
        # Outputs without bounds have no cross-entropy of 0, and come as near as they like.
        least = least_loss(network, task) if convention.kind == "squared" else BOUND
        # Of a loss that is not what is descended it is only a bound.
        self.least = least._replace(exact=False) if decays or stages else least
        batch_size, key = _check_batch(task, batch_size, key)
        self.weights = {edge: array.astype(dtype) for edge, array in weights.items()}
        asked = with_paths(asked, network, task, paths, modes_asked_for(network, task, modes))
        check_data_strength(network, task, asked)
        check_targets(asked, task, convention.kind, dtype)
        check_functions(asked, network, task, self.weights)
        self.descent = Descent(
            observer=Observer.of(asked, network, task, dtype, convention.kind),
            factor=jnp.asarray(convention.factor(task), dtype),
            lr=jnp.asarray(0.0 if lr is None else _positive("lr", lr), dtype),
            weight_decay=jnp.asarray(decay, dtype) if decays else None,
            optimiser=optimiser,
            until=_loss_at_the_end(until, self.least, dtype),
            key=key,
            batch_size=batch_size,
            stages=stages,
            apart=with_copies(network, stages),
            starts=starts,
            save_weights=asked.weights,
        )
        own = modes is None or modes is task
        lr, until, decay = (None if _traced(x) else x for x in (lr, until, decay))
        self.made_of = HostOnly(MadeOf(network, task, asked, convention, lr, until, decay, own))

    @property
    def time_per_step(self) -> Array:
        """Flow time of a step, in units of tau; NaN where it is not known."""
        descent = self.descent
        known = descent.factor * descent.lr
        return known if self.in_flow_time else jnp.full_like(known, jnp.nan)

    def describe(self) -> str:
        """Of what, in a few words."""
        return f"{self.made_of.value.network}, on {self.made_of.value.task.name}"

    def __repr__(self) -> str:
        return clipped(f"Training({self.describe()}; {self.steps} steps)")

    @property
    def solver(self) -> str:
        """By what, in a few words."""
        plain = self.descent.optimiser is None
        if self.descent.batch_size is not None:
            return f"{'gradient descent' if plain else 'optax optimiser'} on batches"
        return "gradient descent" if plain else "optax optimiser"


@dataclasses.dataclass(frozen=True, eq=False)
class MadeOf:
    """What a training was made of, on the host; numbers that JAX traced are None."""

    network: Network
    task: Task
    asked: Asked
    loss: Loss
    lr: Any
    until: Any
    weight_decay: Any
    own_modes: bool

    def axes(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        """Axis names of every observable, and names along axes."""
        return axes_of(self.asked, self.task)

    @property
    def modes(self) -> Modes | None:
        """Those in which strengths are read, where their paths join one pair of nodes."""
        modes = self.asked.modes
        return next(iter(modes.values())) if len(modes) == 1 else None


def settings_of(training: Training) -> dict[str, Any]:
    """What makes a training repeatable, as far as it is not weights."""
    made, descent = training.made_of.value, training.descent
    until = made.until
    return {
        "task": task_said(made.task),
        "network": network_said(made.network),
        "lr": made.lr,
        "loss": made.loss.name,
        "loss_kind": made.loss.kind,
        "loss_factor": made.loss.factor(made.task),
        "save_every": training.save_every,
        "until": until if until is None or isinstance(until, str) else float(until),
        **said_of(made.asked, made.network),
        "modes": "own" if made.own_modes else "given",
        "weight_decay": made.weight_decay,
        "batch_size": descent.batch_size,
        "key": None if descent.key is None else descent.key.tolist(),
        "stages": [list(stage) for stage in descent.stages],
        "schedule": list(descent.starts),
        "dtype": str(descent.lr.dtype),
        "time_unit": "tau" if training.in_flow_time else "steps",
        "edges": {edge: list(ends) for edge, ends in made.network.edges.items()},
    }


def _the_three(network: Any, task: Any, weights: Any) -> tuple[Network, Task, Weights]:
    """Network, task and weights that fit each other; values of weights that JAX traces are not
    looked at.
    """
    traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(weights))
    if not (traced and isinstance(network, Network) and isinstance(task, Task)):
        return the_three(network, task, weights)
    check_task(network, task)
    return network, task, traceable_weights(network, weights)


def _traced(value: Any) -> bool:
    return isinstance(value, jax.core.Tracer)


def _positive(argument: str, value: Any) -> Any:
    return as_parameter(argument, value) if _traced(value) else check_positive(argument, value)


def _check_batch(task: Task, batch_size: Any, key: Any) -> tuple[int | None, Array | None]:
    """Refuse a batch without a key, a key without a batch, and more examples than there are."""
    if batch_size is None:
        if key is not None:
            fail("key", "be left out without `batch_size`, as none is drawn", f"it is {shown(key)}")
        return None, None
    batch_size, num = check_positive_int("batch_size", batch_size), task.num_examples
    if batch_size > num:
        fail("batch_size", f"be at most the number of examples, {num}", f"it is {batch_size}")
    return batch_size, jax.random.key_data(as_key(key, "train(..., batch_size=32, key=0)"))


def _loss_at_the_end(until: Any, least: Least, dtype: Any) -> Array | None:
    """The loss at which a training ends; None: at none."""
    if until is None:
        return None
    if not isinstance(until, str):
        return jnp.asarray(_positive("until", until), dtype)
    check_name("until", until, ("converged",))
    loss = converged_below(least, np.dtype(dtype))
    if loss is None:
        fail(
            "until",
            "be a loss here",
            "it is 'converged', and the least loss is not known of a network that is nonlinear, "
            "too narrow for what its paths can learn, or trained by cross-entropy, with weight "
            "decay or in stages",
            "For example until=1e-3.",
        )
    return jnp.asarray(loss, dtype)


def _check_optimiser(optimiser: Any) -> None:
    """Refuse an optimiser that is none."""
    if optimiser is not None and not all(
        callable(getattr(optimiser, part, None)) for part in ("init", "update")
    ):
        fail(
            "optimiser",
            "be an optax transformation, with `init` and `update`",
            f"it is {shown(optimiser)}",
            "For example optax.adam(1e-3).",
            TypeError,
        )
    read_again(optimiser)
