"""Gated networks and tasks that several tests use."""

import itertools

import numpy as np

import racedyn as rd


def random_problem(seed, *, contexts=4, examples=15):
    """A random graph of layers of 2 to 4 units: skips, several inputs and outputs, real gates,
    correlated inputs.
    """
    rng = np.random.default_rng(seed)
    inputs, outputs = (
        [f"x{i}" for i in range(rng.integers(1, 3))],
        [f"y{i}" for i in range(rng.integers(1, 3))],
    )
    inner = [f"h{i}" for i in range(rng.integers(1, 4))]
    order = [*inputs, *inner, *outputs]
    pairs = [
        (a, b)
        for a, b in itertools.combinations(order, 2)
        if a not in outputs
        and b not in inputs
        and (rng.random() < 0.6 or (a in inner) != (b in inner))
    ]
    # Every inner node has a way in and a way out, every input and output an edge, some pairs two.
    pairs += [(inputs[0], h) for h in inner if not any(b == h for _, b in pairs)]
    pairs += [(h, outputs[0]) for h in inner if not any(a == h for a, _ in pairs)]
    pairs += [(x, outputs[0]) for x in inputs if not any(a == x for a, _ in pairs)]
    pairs += [(inputs[0], y) for y in outputs if not any(b == y for _, b in pairs)]
    pairs.append(pairs[0])
    widths = {node: int(rng.integers(2, 5)) for node in order}
    edges = {f"e{i}": pair for i, pair in enumerate(pairs)}
    values = np.array([0.0, 1.0, 0.5, -1.3])
    network = rd.Network(
        widths,
        edges,
        node_gates={node: rng.choice(values, contexts) for node in order if rng.random() < 0.5},
        edge_gates={edge: rng.choice(values, contexts) for edge in edges if rng.random() < 0.3},
        num_contexts=contexts,
    )
    task = rd.Task(
        {x: rng.standard_normal((widths[x], examples)) for x in inputs},
        {y: rng.standard_normal((widths[y], examples)) for y in outputs},
        context=rng.integers(0, contexts, examples),
        num_contexts=contexts,
    )
    return network, task, network.init(rd.init.Gaussian(0.6), key=seed)


ROUTE_TARGETS = np.array(
    [
        [6, 6, 6, 6],
        [4, 4, 0, 0],
        [0, 0, 4, 4],
        [3, 0, 0, 0],
        [0, 3, 0, 0],
        [0, 0, 3, 0],
        [0, 0, 0, 3],
    ],
    float,
)


def routing(domains, trained, *, width=8):
    """[Saxe22] fig. 4: every input domain through one chain of two layers to every output domain,
    gates by route.
    """
    routes = [(i, (i + k) % domains) for i in range(domains) for k in range(trained)]
    examples = 4 * len(routes)
    inputs = {f"x{i}": np.zeros((4, examples)) for i in range(domains)}
    targets = {f"y{i}": np.zeros((7, examples)) for i in range(domains)}
    context = np.zeros(examples, int)
    for number, (i, j) in enumerate(routes):
        at = slice(4 * number, 4 * number + 4)
        inputs[f"x{i}"][:, at], targets[f"y{j}"][:, at], context[at] = (
            np.eye(4),
            ROUTE_TARGETS,
            i * domains + j,
        )
    U, _, Vt = np.linalg.svd(ROUTE_TARGETS, full_matrices=False)
    pairs = [(f"x{i}", f"y{j}") for i in range(domains) for j in range(domains)]
    task = rd.Task(
        inputs,
        targets,
        context,
        domains**2,
        name="routing",
        bases={pair: (U, Vt.T) for pair in pairs},
    )
    contexts = np.arange(domains**2)
    gates = {f"x{i}": (contexts // domains == i).astype(float) for i in range(domains)}
    gates |= {f"y{j}": (contexts % domains == j).astype(float) for j in range(domains)}
    network = rd.Network(
        {**dict.fromkeys(inputs, 4), "h1": width, "h2": width, **dict.fromkeys(targets, 7)},
        {
            **{f"in{i}": (f"x{i}", "h1") for i in range(domains)},
            "hidden": ("h1", "h2"),
            **{f"out{j}": ("h2", f"y{j}") for j in range(domains)},
        },
        node_gates=gates,
        num_contexts=domains**2,
    )
    return network, task


def correlated_task(seed, *, features=4, outputs=3, examples=9):
    """Inputs whose correlation shares no basis with that of inputs and outputs."""
    rng = np.random.default_rng(seed)
    return rd.tasks.from_arrays(
        rng.standard_normal((features, examples)), rng.standard_normal((outputs, examples))
    )
