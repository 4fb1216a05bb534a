"""The one vector field of gated linear networks: forward and backward, layer by layer ([Saxe22] eq.
5).

    dW_e/dt = -dL/dW_e = sum over products of W_e of (error that departs to it) (row it starts
    from)^T

This is the sum over paths in theirs, with equal signals taken once and no path listed. Weights come
bundle by bundle, (edge, n_target, n_source); `plan` and `wiring` have the words. Everything here is
pure and of one mode."""

from collections.abc import Sequence

import jax.numpy as jnp

from racedyn._types import Array
from racedyn.systems.gated.plan import Bundle, Fixed, Plan, Sums

Bundles = tuple[Array, ...]
PerLayer = Sequence[Array | None]


def descent(plan: Plan, weights: Bundles, inputs: PerLayer, targets: PerLayer) -> Bundles:
    """-dL/dW of every bundle: the right-hand side of the flow."""
    return backward(plan, weights, forward(plan, weights, inputs), targets)


def missing(plan: Plan, weights: Bundles, inputs: PerLayer, targets: PerLayer) -> Array:
    """The loss above its floor, 1/2 < |y - h|^2 > over what paths can reach."""
    signals = forward(plan, weights, inputs)
    total = jnp.zeros((), signals[0].dtype)
    for layer, h, y in zip(plan.layers, signals, targets, strict=True):
        if y is not None and layer.weights is not None and layer.counts is not None:
            weight = jnp.asarray(layer.weights.array * layer.counts.array, h.dtype)
            total += 0.5 * jnp.sum(weight[:, None] * (y - _of_targets(h, layer.target_rows)) ** 2)
    return total


def forward(plan: Plan, weights: Bundles, inputs: PerLayer) -> tuple[Array, ...]:
    """The rows of every layer, (row, n)."""
    signals: list[Array] = []
    for layer, given in zip(plan.layers, inputs, strict=True):
        if layer.arrive is None:
            assert given is not None
            signals.append(given)
            continue
        products = []
        for i in layer.arriving:
            # e: edges of the bundle, p: products of each, s and t: units of source and target.
            carried = _carried(signals[plan.bundles[i].source], plan.bundles[i])
            product = jnp.einsum("eps,ets->ept", carried, weights[i])
            products.append(product.reshape(product.shape[0] * product.shape[1], layer.width))
        signals.append(_summed(layer.arrive, products))
    return tuple(signals)


def backward(plan: Plan, weights: Bundles, signals: Sequence[Array], targets: PerLayer) -> Bundles:
    """-dL/dW of every bundle, from the rows of `forward`."""
    field: dict[int, Array] = {}
    sent: dict[int, Array] = {}  # bundle -> what its products send back, (edge x product, n_source)
    for layer, h, y in reversed(list(zip(plan.layers, signals, targets, strict=True))):
        if layer.arrive is None or layer.depart is None:
            continue
        error = (
            None if layer.back is None else _summed(layer.back, [sent[i] for i in layer.leaving])
        )
        if y is not None and layer.weights is not None:
            weight = jnp.asarray(layer.weights.array, h.dtype)[:, None]
            missed = weight * (y - _of_targets(h, layer.target_rows))
            if layer.target_rows is not None:
                error = jnp.zeros_like(h) if error is None else error
                error = error.at[layer.target_rows.array].add(missed)
            else:
                error = missed if error is None else error + missed
        departing = _summed(layer.depart, [jnp.zeros_like(h) if error is None else error])
        place = 0
        for i in layer.arriving:
            bundle = plan.bundles[i]
            edges, products = bundle.shape
            own = departing[place : place + edges * products].reshape(edges, products, layer.width)
            place += edges * products
            if plan.layers[bundle.source].arrive is not None:
                sent[i] = jnp.einsum("ept,ets->eps", own, weights[i]).reshape(
                    edges * products, plan.layers[bundle.source].width
                )
            # What is sent back is that of one product; the gradient has all equal ones.
            if bundle.count is not None:
                own = own * jnp.asarray(bundle.count.array, h.dtype)[:, :, None]
            field[i] = jnp.einsum("ept,eps->ets", own, _carried(signals[bundle.source], bundle))
    return tuple(field[i] for i in range(len(plan.bundles)))


def _carried(signals: Array, bundle: Bundle) -> Array:
    """The rows that each edge of a bundle carries, (edge, product, n)."""
    if bundle.shape[1] == 0:  # gated off wherever there are examples
        return jnp.zeros((*bundle.shape, signals.shape[-1]), signals.dtype)
    if bundle.rows is None:
        return signals.reshape(*bundle.shape, signals.shape[-1])
    return signals[bundle.rows.array]


def _of_targets(signals: Array, rows: Fixed | None) -> Array:
    return signals if rows is None else signals[rows.array]


def _summed(sums: Sums, parts: Sequence[Array]) -> Array:
    source = parts[0] if len(parts) == 1 else jnp.concatenate(parts)
    if sums.index is None:
        return source
    if len(source) == 0:
        return jnp.zeros((len(sums.index.array), source.shape[-1]), source.dtype)
    factor = None if sums.coefficient is None else jnp.asarray(sums.coefficient.array, source.dtype)
    taken = source[sums.index.array]  # (row, term, n)
    if taken.shape[1] == 1:
        return taken[:, 0] if factor is None else taken[:, 0] * factor
    return jnp.sum(taken, axis=1) if factor is None else jnp.einsum("rj,rjn->rn", factor, taken)
