"""What is known of initial weights: B_e = H_t^T W_e H_s whatever is explored, and draws that have
the law of true matrices.
"""

from functools import cache

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import ks_2samp, norm

import racedyn as rd
from racedyn.reduction.compression.columns import columns_of
from racedyn.reduction.compression.isometries import Isometry
from racedyn.reduction.compression.laws import Gaussian, Orthogonal, isometry, triangle
from racedyn.reduction.compression.marching import Room, cut
from racedyn.reduction.compression.matrices import Matrices
from racedyn.reduction.compression.signals import look
from racedyn.reduction.compression.store import BACKWARD, FORWARD
from racedyn.rules import loss_and_gradient

TASK = rd.tasks.hierarchy(items=4)
EDGES = {"xa": ("x", "a"), "ab": ("a", "b"), "xb": ("x", "b"), "by": ("b", "y"), "ay": ("a", "y")}


GRADIENT = eqx.filter_jit(loss_and_gradient)


def skipping(a=30, b=25):
    network = rd.Network({"x": 4, "a": a, "b": b, "y": 7}, EDGES)
    task = rd.Task(inputs={"x": TASK.X}, targets={"y": TASK.Y})
    return network, task


def arrays(network, law, key):
    return {e: np.asarray(w) for e, w in network.init(law, key=key).items()}


def further(store, columns, *, size, eps, rounds=2):
    """Look at the network after a step as long as would learn it: what is explored then depends on
    what was seen before.
    """
    weights = store.B
    for _ in range(rounds):
        narrow, wide = Room(store.network).filled(weights)
        _, gradient = GRADIENT(narrow, wide, columns.data, (), None)
        moved = cut({e: wide[e] - size * gradient[e] for e in wide}, weights)
        seen = look(store, columns, moved, shrunk=1.0, eps=eps, stages=())
        weights = seen.weights
    return store


@pytest.mark.parametrize("law", [rd.init.Gaussian(std=0.1), rd.init.Gaussian(std=1e-9)])
def test_what_is_known_of_matrices_is_exact_after_any_exploration(law):
    network, _ = skipping()
    W = arrays(network, law, 1)
    store = Matrices(network, W)
    draw = np.random.default_rng(0)
    for _ in range(12):
        edge = str(draw.choice(list(EDGES)))
        side = str(draw.choice([FORWARD, BACKWARD]))
        begin = store.size[store.ends(edge, side)[0]]
        store.explore(edge, side, draw.normal(size=(begin, 3)) * 10.0 ** draw.integers(-9, 9))
    for node, basis in store.bases.items():
        np.testing.assert_allclose(basis.T @ basis, np.eye(store.size[node]), atol=1e-13)
    for edge, (s, t) in EDGES.items():
        right = store.bases[t].T @ W[edge] @ store.bases[s]
        np.testing.assert_allclose(store.B[edge], right, atol=1e-13 * np.abs(W[edge]).max() * 30)
    for (edge, side), known in store.explored.items():
        begin, end = store.ends(edge, side)
        seen = W[edge] if side == FORWARD else W[edge].T
        images = seen @ store.bases[begin] @ known
        outside = images - store.bases[end] @ (store.bases[end].T @ images)
        assert np.abs(outside).max(initial=0) < 1e-12 * np.abs(W[edge]).max() * 30


def test_the_zero_sweep_holds_strengths_and_growth_of_the_start():
    network = rd.networks.parallel(TASK, depths=(4, 3), width=40)
    W = arrays(network, rd.init.Gaussian(std=0.1), 0)
    store = Matrices(network, W)
    store.sweep(columns_of(network, TASK))
    assert {store.size[n] for n in store.bases if n not in store.complete} == {8}
    found = rd.project(network, TASK, W, bases=store.bases)
    q, p = (
        {name: np.asarray(getattr(rd.reduce(*three, level="pathway"), name)) for name in "qp"}
        for three in ((network, TASK, W), tuple(found))
    )
    for name in "qp":
        np.testing.assert_allclose(q[name], p[name], rtol=1e-11)


@pytest.mark.parametrize("rows", [3, 7, 60])
def test_the_triangle_has_the_law_of_a_qr(rows):
    """Squares of the diagonal are chi^2 of one degree of freedom less each, their sum that of all
    entries.
    """
    draw = np.random.default_rng(1)
    drawn = np.asarray([triangle(draw, rows, 5) for _ in range(800)])
    true = np.asarray([np.linalg.qr(draw.standard_normal((rows, 5)))[1] for _ in range(800)])
    assert drawn.shape == true.shape
    for i in range(drawn.shape[1]):
        assert ks_2samp(np.abs(drawn[:, i, i]), np.abs(true[:, i, i])).pvalue > 1e-3
        assert norm.sf(np.sqrt(800) * abs(np.mean(drawn[:, i, 4]) if i < 4 else 0)) > 1e-4


def drawn_block(width, draw):
    """Of a Haar matrix, between: at the target a random direction, where the first at the source
    leads, and another random one; at the source three random ones.
    """
    found = Isometry({FORWARD: width, BACKWARD: width}, {FORWARD: 0, BACKWARD: 0})

    def further(side, new):
        found.draw(side, new, draw)
        found.next_rows(side, new)

    further(FORWARD, 1)
    further(BACKWARD, 1)
    found.next_rows(FORWARD, len(found.images(FORWARD, np.ones((1, 1)))))
    further(FORWARD, 1)
    further(BACKWARD, 2)
    np.testing.assert_allclose(found.core.T @ found.core, np.eye(len(found.core)), atol=1e-14)
    return found.core[: found.known[FORWARD], : found.known[BACKWARD]]


def true_block(width, draw):
    """The same, of a matrix."""
    Q = isometry(draw, width, width)
    H = np.linalg.qr(np.column_stack([np.eye(width)[0], Q[:, 0], draw.normal(size=width)]))[0]
    return H.T @ Q[:, :3]


@pytest.mark.parametrize("width", [4, 7, 40])
def test_what_is_drawn_of_a_haar_matrix_has_its_law(width):
    draw = np.random.default_rng(2)

    def numbers(block):
        values = np.linalg.svd(block(width, draw), compute_uv=False)
        return values[values < 1 - 1e-9]  # with little room some are 1

    drawn = [numbers(drawn_block) for _ in range(800)]
    true = [numbers(true_block) for _ in range(800)]
    for mine, others in zip(np.transpose(drawn), np.transpose(true), strict=True):
        assert ks_2samp(mine, others).pvalue > 1e-3


def test_images_of_a_haar_matrix_of_any_width_are_whole():
    block = drawn_block(10**15, np.random.default_rng(0))
    assert np.linalg.norm(block[:, 0]) == pytest.approx(1.0, abs=1e-14)
    assert np.abs(block[:, 1:]).max() < 1e-6


def summary(store, most):
    """Numbers that depend on the law of a store, and on no choice of coordinates."""
    found = []
    for B in store.B.values():
        values = np.linalg.svd(B, compute_uv=False)
        found += [np.linalg.norm(B), values[0], values[min(len(values) - 1, 5)]]
    paths = store.network.paths()
    for path in paths:
        product = np.eye(store.B[path[0]].shape[1])
        for edge in path:
            product = store.B[edge] @ product
        # As it is, a size and a sign: what differs between pathways.
        found += [product[0, 0], np.linalg.norm(product)]
    sizes = [store.size[n] for n in store.size if n not in store.complete]
    # A chain of orthogonal matrices closes at the images of all inputs and outputs; what goes
    # beyond is rounding, which given matrices have, magnified where images lie almost in a basis.
    if isinstance(store, Orthogonal):
        assert max(sizes) <= CLOSED
    return np.round(
        [*found, *np.minimum(sizes, most)], 5
    )  # where all are equal, rounding is no law


def failures(one, other):
    """How many of the numbers differ in law, at a hundredth over all of them."""
    one, other = np.asarray(one, float), np.asarray(other, float)
    p = [
        ks_2samp(a, b, method="asymp").pvalue
        for a, b in zip(one.T, other.T, strict=True)
        if np.std(np.concatenate([a, b])) > 0
    ]
    return int(np.sum(np.asarray(p) < 0.01 / len(p))), len(p)


class TooFree(Gaussian):
    """A control: degrees of freedom are not reduced by what is known."""

    def _room(self, node):
        return int(self.network.nodes[node].width)


class LeftOut(Gaussian):
    """A control: entries between what is new and what was known are left out."""

    def _rows(self, edge, side, new, own):
        rows = super()._rows(edge, side, new, own)
        return rows if own is not None else np.zeros_like(rows)


CLOSED = 4 + 7  # directions that all inputs and outputs reach at a node
LAWS = {
    "gaussian": (Gaussian, rd.init.Gaussian(std=0.12)),
    "orthogonal": (Orthogonal, rd.init.Orthogonal(scale=0.9)),
}


def stores(depths, kind, law, seeds, *, width=34):
    network = rd.networks.parallel(TASK, depths=depths, width=width)
    columns = columns_of(network, TASK)
    most = CLOSED if isinstance(law, rd.init.Orthogonal) else width
    found = []
    for seed in seeds:
        store = (
            Matrices(network, arrays(network, law, seed))
            if kind is None
            else kind(network, law, seed)
        )
        store.sweep(columns)
        found.append(summary(further(store, columns, size=3.0, eps=0.02), most))
    return found


@cache
def true_stores(name, depths):
    return stores(depths, None, LAWS[name][1], range(400))


@pytest.mark.parametrize(
    ("name", "depths"),
    [
        pytest.param("gaussian", (4, 3), marks=pytest.mark.long),
        pytest.param("orthogonal", (4, 3), marks=pytest.mark.long),
        pytest.param("gaussian", (5, 5), marks=pytest.mark.long),
        pytest.param("orthogonal", (5, 5), marks=pytest.mark.long),
    ],
)
def test_a_draw_has_the_law_of_true_matrices(name, depths):
    kind, law = LAWS[name]
    wrong, tests = failures(true_stores(name, depths), stores(depths, kind, law, range(1000, 1400)))
    assert wrong == 0, f"{wrong} of {tests}"


@pytest.mark.parametrize(
    "control",
    [pytest.param(control, marks=pytest.mark.long) for control in (TooFree, LeftOut)],
)
def test_a_wrong_law_is_told_from_it(control):
    law = LAWS["gaussian"][1]
    wrong, tests = failures(
        true_stores("gaussian", (4, 3)), stores((4, 3), control, law, range(1000, 1400))
    )
    assert wrong > tests / 2, f"{wrong} of {tests}"


@pytest.mark.parametrize("name", LAWS)
def test_a_key_gives_the_same_network_bit_for_bit(name):
    kind, law = LAWS[name]
    law = rd.init.Gaussian(std=1e-5) if kind is Gaussian else law
    network = rd.networks.parallel(TASK, depths=(3, 4), width=10**9)
    columns = columns_of(network, TASK)
    one, again, other = (kind(network, law, key) for key in (3, 3, 4))
    for store in (one, again, other):
        store.sweep(columns)
        further(store, columns, size=1.0, eps=1e-3)
    for edge in network.edges:
        np.testing.assert_array_equal(one.B[edge], again.B[edge])
    assert any(not np.array_equal(one.B[edge], other.B[edge]) for edge in network.edges)


def test_orthogonal_matrices_are_isometries_on_what_is_known():
    """Explored whole at a side, a block keeps lengths, at any width."""
    kind, law = LAWS["orthogonal"]
    network = rd.networks.chain(TASK, depth=4, width=10**7)
    store = kind(network, law, 0)
    store.sweep(columns_of(network, TASK))
    for (edge, side), known in store.explored.items():
        if known.shape[1]:
            images = store.matrix(edge, side) @ known / law.scale
            np.testing.assert_allclose(images.T @ images, np.eye(known.shape[1]), atol=1e-10)


def test_a_law_that_is_not_known_here_is_refused():
    network = rd.networks.chain(TASK, depth=3, width=20)
    with pytest.raises(ValueError, match=r"be init\.Gaussian or init\.Orthogonal"):
        rd.compress(network, TASK, rd.init.Balanced(scale=0.1), key=0, lr=0.1, steps=10)
    narrow = rd.Network(
        {"x": 4, "a": 20, "b": 30, "y": 7}, {"u": ("x", "a"), "v": ("a", "b"), "w": ("b", "y")}
    )
    task = rd.Task(inputs={"x": TASK.X}, targets={"y": TASK.Y})
    with pytest.raises(ValueError, match="square matrices between hidden nodes"):
        rd.compress(narrow, task, rd.init.Orthogonal(), key=0, lr=0.1, steps=10)


def test_padding_changes_nothing():
    network, task = skipping()
    columns = columns_of(network, task)
    store = Matrices(network, arrays(network, rd.init.Gaussian(std=0.1), 1))
    store.sweep(columns)
    for growing in (False, True):
        narrow, weights = Room(network, growing=growing).filled(store.B)
        loss, gradient = loss_and_gradient(narrow, weights, columns.data, (), None)
        whole = jnp.sqrt(sum(jnp.sum(g**2) for g in gradient.values()))
        if not growing:
            first = loss, whole, narrow.nodes["a"].width
    assert narrow.nodes["a"].width > first[2] > store.size["a"]
    np.testing.assert_allclose([loss, whole], first[:2], rtol=1e-13)
