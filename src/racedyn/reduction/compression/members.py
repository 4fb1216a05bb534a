"""Narrow networks of one shape, so that they run as members of an ensemble."""

from collections.abc import Sequence

from racedyn._checks import as_list, check_is, fail
from racedyn.networks import Node, Problem
from racedyn.reduction.bases import gated_alike
from racedyn.reduction.compression.compressed import Compressed
from racedyn.reduction.compression.marching import widened


def of_one_shape(narrow: Sequence[Compressed]) -> list[Problem]:
    """The problems of several narrow networks, drawn from one law say, with rows and columns of
    zeros up to the largest at each node: these stay zero, and change nothing.

    Raises `ValueError` where the networks they come from differ in more than weights.

        >>> task = rd.tasks.hierarchy(items=4)
        >>> network = rd.networks.parallel(task, depths=(3, 3), width=10**6)
        >>> law = rd.init.Gaussian(std=3e-4)
        >>> drawn = [rd.compress(network, task, law, key=k, lr=0.1, steps=500) for k in range(3)]
        >>> problems = rd.reduction.of_one_shape(drawn)
        >>> build = lambda i: rd.reduce(problems[i], level="full")
        >>> rd.ensemble(build, 3, ts=[0.0, 50.0], rtol=1e-4)["strength"].shape
        (3, 2, 2, 4)
    """
    narrow = as_list("narrow", narrow, "be a list of what `compress` returned")
    for one in narrow:
        check_is("narrow", one, Compressed, "hold what `compress` returned")
    if not narrow:
        fail("narrow", "hold at least one network", "it is empty")
    first = narrow[0]
    for one in narrow[1:]:
        if one.wide.edges != first.wide.edges or one.task is not first.task:
            fail("narrow", "come from one network and one task", "they do not")
    sizes = {
        node: max(one.network.nodes[node].width for one in narrow) for node in first.network.nodes
    }
    network = gated_alike(
        first.network, {node: Node(size) for node, size in sizes.items()}, first.network.edges
    )

    return [Problem(network, first.task, widened(network, one.weights)) for one in narrow]
