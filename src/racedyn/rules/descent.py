"""A task on the device, its loss and accuracy, and one plain step down: pure, and shared by
training and by networks of fewer dimensions that stand for it.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp

from racedyn._types import Array, Weights
from racedyn.networks import Network, constant_inputs, forward
from racedyn.rules.losses import Kind, has_class, one_hot
from racedyn.rules.route_sums import routed_accuracy, routed_loss
from racedyn.rules.routes import Routed, goes_by_sums
from racedyn.rules.stages import Stages, begun, copies, moving, stage_masks, staged
from racedyn.tasks import Task


class Data(eqx.Module):
    """A task on the device: inputs and targets (n, P) per node, context (P,), and inputs (n,) that
    are always the same.
    """

    inputs: dict[str, Array]
    targets: dict[str, Array]
    context: Array
    constants: dict[str, Array]

    @classmethod
    def of(cls, task: Task, dtype: Any) -> "Data":
        inputs, targets, constants = (
            {node: jnp.asarray(array, dtype) for node, array in arrays.items()}
            for arrays in (task.inputs, task.targets, constant_inputs(task))
        )
        return cls(inputs, targets, jnp.asarray(task.context), constants)

    @property
    def num_examples(self) -> int:
        return len(self.context)


def batch_of(data: Data | Routed, examples: Array) -> Data:
    """These examples alone, counted as the task has them."""
    if isinstance(data, Routed):
        inputs, targets, context = data.examples(examples)
    else:
        inputs, targets = jax.tree.map(
            lambda array: array[:, examples], (data.inputs, data.targets)
        )
        context = data.context[examples]
    return Data(inputs, targets, context, data.constants)


def data_of(network: Network, task: Task, dtype: Any) -> Data | Routed:
    """A task on the device: its examples, or what all of its routes map where the losses of
    `network` are sums over domains.
    """
    if goes_by_sums(task, network):
        return Routed.of(task, dtype)
    return Data.of(task, dtype)


def loss_of(
    network: Network, weights: Weights, data: Data | Routed, kind: Kind = "squared"
) -> Array:
    """L = 1/2 < |y - yhat|^2 >: mean over examples, summed over outputs. Of the kind
    "cross_entropy" -< log softmax(yhat)_c > of each example's class c, summed over the output nodes
    that have one.
    """
    if isinstance(data, Routed):
        return routed_loss(network, weights, data, kind)
    activity = forward(network, weights, data.inputs, data.context)
    if kind == "squared":
        misses = [0.5 * jnp.sum((Y - activity[node]) ** 2) for node, Y in data.targets.items()]
    else:
        misses = [
            -jnp.sum(one_hot(Y) * jax.nn.log_softmax(activity[node], axis=0))
            for node, Y in data.targets.items()
        ]
    return sum(misses[1:], start=misses[0]) / data.context.shape[0]


def accuracy_of(network: Network, weights: Weights, data: Data | Routed) -> Array:
    """The part of examples whose largest output is that of their class, over all output nodes where
    they have one.
    """
    if isinstance(data, Routed):
        return routed_accuracy(network, weights, data)
    activity = forward(network, weights, data.inputs, data.context)
    right = [jnp.argmax(activity[node], 0) == jnp.argmax(Y, 0) for node, Y in data.targets.items()]
    known = [has_class(Y) for Y in data.targets.values()]
    dtype = next(iter(data.targets.values())).dtype
    return jnp.mean(jnp.stack(right).astype(dtype), where=jnp.stack(known))


def loss_and_gradient(
    network: Network,
    weights: Weights,
    data: Data | Routed,
    stages: Stages,
    weight_decay: Array | None,
    *,
    apart: Network | None = None,
    starts: tuple[int, ...] = (),
    step: Array | None = None,
    kind: Kind = "squared",
) -> tuple[Array, Weights]:
    """The loss of a kind, and what is descended: its gradient, or stage by stage that of what the
    stages before leave. `apart`: the network `with_copies` where stages share layers; `starts`: the
    steps that stages begin at, if not 0, of which `step` is the number.
    """

    def loss(weights: Weights) -> Array:
        return loss_of(network, weights, data, kind)

    if not stages:
        value, gradient = jax.value_and_grad(loss)(weights)
    elif apart is None:
        value = loss(weights)
        masks = begun(stage_masks(stages, weights), starts, step)
        gradient = staged(jax.grad(loss), weights, masks)
    else:
        value = loss(weights)
        own, copy_of = copies(stages)
        each = {name: weights[edge] for name, edge in copy_of.items()}
        masks = begun(stage_masks(own, each), starts, step)
        parts = staged(jax.grad(lambda w: loss_of(apart, w, data, kind)), each, masks)
        # A shared edge moves by the sum over its copies.
        gradient = jax.tree.map(jnp.zeros_like, weights)
        for name, edge in copy_of.items():
            gradient[edge] += parts[name]
    if weight_decay is not None:
        moved = moving(weights, stages, starts, step)
        gradient = {
            edge: gradient[edge] + weight_decay * moved[edge] * w for edge, w in weights.items()
        }
    return value, gradient


def scaled(network: Network, gradient: Weights, factor: Array) -> Weights:
    """`factor` times the gradient, all of it known before a weight is moved.

    The weights of the first layers come last in the backward pass. Where every update waits for
    them, XLA updates in place; else it copies each matrix in each step, as one might be updated
    before it is read (1.3 times the time)."""
    first = [gradient[edge] for node in network.inputs for edge in network.edges_from(node)]
    factor = factor + 0 * sum(g[0, 0] for g in first)
    return jax.tree.map(lambda g: factor * g, gradient)


def stepped(weights: Weights, gradient: Weights, lr: Array) -> Weights:
    """Weights after one plain step, all updated at once from the old values."""
    return jax.tree.map(lambda w, g: w - lr * g, weights, gradient)
