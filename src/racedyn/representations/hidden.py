"""What a hidden layer holds of every example, and how alike examples and groups of them are in
it.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from racedyn._arrays import as_matrix, as_real, check_finite, check_shape
from racedyn._checks import check_int, check_mapping, check_name, check_positive_int, fail
from racedyn._text import brief
from racedyn._types import Array, ArrayLike, Weights
from racedyn.networks import Network, Problem, check_weights, forward, the_three
from racedyn.tasks import Task


def activity(
    network: Network | Problem,
    task: Task | None = None,
    weights: Mapping[str, Any] | None = None,
    *,
    node: str,
) -> Array:
    """What a node holds of every example of a task, gates as the task's contexts set them: (units,
    P).

    Raises `ValueError` for an unknown node, and for a task or weights that do not fit.

        >>> task = rd.tasks.order(items=3)
        >>> network = rd.networks.chain(task, depth=1, width=1)
        >>> weights = {"w1": np.diag([1.0, 2.0, 3.0])}
        >>> rd.representations.activity(network, task, weights, node="output").tolist()
        [[1.0, 0.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 3.0]]
    """
    network, task, weights = the_three(network, task, weights)
    check_name("node", node, network.nodes)
    inputs, context = on_device(task, weights)
    return forward(network, weights, inputs, context)[node]


def responses(
    network: Network,
    weights: Mapping[str, Any],
    inputs: Mapping[str, Any],
    node: str,
    context: int | None = None,
) -> Array:
    """The response of a node to each input node alone, all others silent: (units, columns).

    `inputs`: input node -> (n, items), and columns follow in their order, for a routing task `{x:
    task.items for x in task.inputs}` ([Saxe22] figs. 4g, 6c). Gates are those of `context`, or all
    open (1) where it is None: an item can then be compared with those of domains that no context
    opens together with its own. Raises `ValueError` for unknown nodes, inputs or weights that do
    not fit, and a context that the network has not.

        >>> network = rd.Network({"a": 1, "b": 1, "y": 1}, {"v": ("a", "y"), "w": ("b", "y")})
        >>> weights = {"v": np.array([[2.0]]), "w": np.array([[3.0]])}
        >>> inputs = {"a": np.array([[1.0]]), "b": np.array([[1.0]])}
        >>> rd.representations.responses(network, weights, inputs, node="y").tolist()
        [[2.0, 3.0]]
    """
    weights = check_weights(network, weights)
    check_name("node", node, network.nodes)
    check_mapping("inputs", inputs, "be a dict input node -> (n, items)")
    items = {source: as_matrix(f"inputs[{source!r}]", X) for source, X in inputs.items()}
    if not items:
        fail("inputs", "name at least one input node", "it is empty")
    for source, X in items.items():
        width = network.nodes[check_name("inputs", source, network.inputs)].width
        if len(X) != width:
            fail(f"inputs[{source!r}]", f"have {width} rows", f"it has {len(X)}")
    if context is None:
        network = Network(network.nodes, network.edges, edge_kinds=network.edge_kinds)
    elif not 0 <= check_int("context", context, 0) < network.num_contexts:
        fail(
            "context",
            f"be one of the network's, 0 to {network.num_contexts - 1}",
            f"it is {context}",
        )
    ends = np.cumsum([X.shape[1] for X in items.values()])
    dtype = jnp.result_type(*weights.values())
    alone = {
        source: jnp.zeros((network.nodes[source].width, ends[-1]), dtype)
        for source in network.inputs
    }
    for (source, X), end in zip(items.items(), ends, strict=True):
        alone[source] = alone[source].at[:, end - X.shape[1] : end].set(jnp.asarray(X, dtype))
    return forward(network, weights, alone, jnp.full(ends[-1], context or 0))[node]


def similarity(H: ArrayLike) -> Array:
    """The cosine of every two columns of an activity (units, columns): (columns, columns).

    A column of zeros has no direction: its row and column are NaN.

        >>> rd.representations.similarity(np.array([[1.0, 1.0], [0.0, 1.0]])).round(3).tolist()
        [[1.0, 0.707], [0.707, 1.0]]
    """
    H = jnp.asarray(as_real("H", H))
    H = H if jnp.issubdtype(H.dtype, jnp.floating) else H.astype(float)
    check_shape("H", H, (None, None), "be (units, columns)")
    if not isinstance(H, jax.core.Tracer):
        check_finite("H", np.asarray(H))
    norms = jnp.linalg.norm(H, axis=0)
    directions = jnp.where(norms > 0, H / jnp.where(norms > 0, norms, 1), jnp.nan)
    return directions.T @ directions


class Sharing(NamedTuple):
    """Mean similarities between and within groups of equal items, scalars; see `sharing`.

    `same`: of the same item in two groups; `other`: of different items in two groups; `within`: of
    different items in one."""

    same: Array
    other: Array
    within: Array

    def __repr__(self) -> str:
        return brief(self)

    @property
    def shared(self) -> Array:
        """(same - other) / (1 - within): 1 where groups hold their items alike, 0 where they have
        nothing to do with each other; NaN where no two items of a group differ.

        What sets an item apart from others in another group, over what does in its own, where it
        has cosine 1 with itself: so that items which are all alike do not pass for a shared
        representation."""
        apart = 1 - self.within
        return jnp.where(
            apart > 0, (self.same - self.other) / jnp.where(apart > 0, apart, 1), jnp.nan
        )


def sharing(similarities: ArrayLike, size: int) -> Sharing:
    """How far groups share one representation of their items: [Saxe22] figs. 4g, 6c as one number,
    `.shared`.

    `similarities` (columns, columns) from `similarity`, where each `size` columns in turn are one
    group (a domain), with the same items in the same order. Silent columns (NaN) are left out.
    Raises `ValueError` where there are not two groups of two items at least.

        >>> H = np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]])  # two domains of two items
        >>> found = rd.representations.sharing(rd.representations.similarity(H), size=2)
        >>> f"{found.same:.1f}, {found.other:.1f}, {found.shared:.1f}"
        '1.0, 0.0, 1.0'
    """
    similarities = jnp.atleast_1d(as_real("similarities", similarities))
    if not isinstance(similarities, jax.core.Tracer) and np.isinf(np.asarray(similarities)).any():
        fail("similarities", "be cosines, or NaN where a column is silent", "some are infinite")
    size, columns = check_positive_int("size", size), len(similarities)
    check_shape("similarities", similarities, (columns, columns), "be square")
    if size < 2 or columns < 2 * size or columns % size:
        fail(
            "size",
            f"divide {columns} columns into two groups of two items at least",
            f"it is {size}",
        )
    group, item = np.divmod(np.arange(columns), size)
    alike, together = item[:, None] == item, group[:, None] == group
    return Sharing(
        *(
            jnp.nanmean(similarities[at])
            for at in (alike & ~together, ~alike & ~together, ~alike & together)
        )
    )


def on_device(task: Task, weights: Weights) -> tuple[dict[str, Array], Array]:
    """Inputs in the precision of the weights, and the context."""
    dtype = jnp.result_type(*weights.values())
    return {node: jnp.asarray(X, dtype) for node, X in task.inputs.items()}, jnp.asarray(
        task.context
    )
