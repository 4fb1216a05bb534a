"""The levels of compression: the flow of a narrow network that stands for the wide one.

"signals": the zero sweep, forward images of the inputs and backward images of what they ask for,
2R directions at a node for R modes: the readable theory between q/p and the exact one. It holds the
coupling of modes inside a pathway, which q/p leave out. "compressed": the directions that the
signals use until the network has learned."""

import numpy as np

from racedyn._checks import fail
from racedyn.reduction.assignment import Assignment
from racedyn.reduction.bases import images_outside
from racedyn.reduction.compression.columns import columns_of
from racedyn.reduction.compression.compress import compress
from racedyn.reduction.compression.matrices import Matrices
from racedyn.reduction.levels import narrow_flow
from racedyn.reduction.validity import Validity
from racedyn.systems import COMPRESSED, SIGNALS, GatedFlow


def signals_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """The network projected on the zero sweep. Never refused, `inexact` or not."""
    network, matrices = assigned.network, assigned.matrices
    store = Matrices(network, matrices)
    store.sweep(columns_of(network, assigned.task))
    validity = Validity(level=SIGNALS.name, exact=store.closed)
    if not store.closed:
        validity["reason"] = "matrices map the signals of the start out of their span"
    validity["outside_the_bases"] = images_outside(network, matrices, store.bases)
    return narrow_flow(assigned, SIGNALS, store.bases, validity)


def compressed_flow(assigned: Assignment, inexact: bool) -> GatedFlow:
    """The flow of the narrow network of `compress`."""
    if assigned.weight_decay and assigned.ts is None:
        fail(
            "ts",
            "be given at level 'compressed' with weight decay, which goes on when all is learned",
            "it is None",
            "For example ts=np.linspace(0, 240, 481).",
        )
    found = compress(
        assigned.network,
        assigned.task,
        assigned.weights,
        ts=assigned.ts,
        tolerance=assigned.error,
        weight_decay=assigned.weight_decay,
        stages=assigned.stages or None,
    )
    assert found.bases is not None  # as weights are given
    validity = Validity(level=COMPRESSED.name, exact=found.exact)
    if not found.exact:
        validity["reason"] = "directions that signals use little are left out"
        validity["known_to"] = max(found.tolerance, *(2 * e for e in found.estimate.values()))
        sizes = found.dimensions.values()
        widest = max(assigned.network.nodes[node].width for node in found.dimensions)
        validity["directions"] = f"{min(sizes)} to {max(sizes)} directions of {widest}"
        validity["estimate"] = dict(found.estimate)
        validity["until"] = float(np.asarray(found.run.ts)[-1])
    return narrow_flow(assigned, COMPRESSED, found.bases, validity)
