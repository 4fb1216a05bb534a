"""How long one modality is learned alone: the ratio of times against flows from starts of many
decades, by a solver of another library."""

from functools import reduce

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import racedyn as rd
from racedyn.exact import unimodal_time

multimodal = rd.tasks.multimodal


def times(task, depth, fuse_at, weights):
    """When each modality's map is half of where it comes to rest, A and B: the flow of two chains
    whose layers from `fuse_at` on are the same, from a dict (modality or "", layer) -> matrix."""
    X, Y, P = task.inputs, task.Y, task.num_examples
    chains = [[(m if l <= fuse_at else "", l) for l in range(1, depth + 1)] for m in task.inputs]
    slots = list(dict.fromkeys(chains[0] + chains[1]))
    shapes = [weights[slot].shape for slot in slots]
    cuts = np.cumsum([np.prod(shape) for shape in shapes])[:-1]

    def parts(state):
        arrays = [a.reshape(s) for a, s in zip(np.split(state, cuts), shapes, strict=True)]
        return dict(zip(slots, arrays, strict=True))

    def product(layers):  # the first layer stands first
        return reduce(lambda below, w: w @ below, layers)

    def maps(state):
        w = parts(state)
        return [product([w[slot] for slot in chain]) for chain in chains]

    def flow(t, state):
        w, W = parts(state), maps(state)
        rest = Y - W[0] @ X["A"] - W[1] @ X["B"]
        slopes = {slot: np.zeros_like(w[slot]) for slot in slots}
        for chain, x in zip(chains, X.values(), strict=True):
            for l, slot in enumerate(chain):
                below = product([x, *(w[s] for s in chain[:l])])
                ahead = product([np.eye(len(w[slot])), *(w[s] for s in chain[l + 1 :])])
                slopes[slot] = slopes[slot] + ahead.T @ rest @ below.T / P
        return np.concatenate([slopes[slot].ravel() for slot in slots])

    # A comes to rest without B first, and both at the least squares of all inputs.
    alone = Y @ np.linalg.pinv(X["A"])
    end = (Y @ np.linalg.pinv(np.vstack([X["A"], X["B"]])))[:, len(X["A"]) :]

    def half(which, goal):
        return lambda t, state: float(np.sum(maps(state)[which] * goal) / np.sum(goal**2)) - 0.5

    events = [half(0, alone), half(1, end)]
    for event in events:
        event.direction = 1
    events[1].terminal = True
    start = np.concatenate([weights[slot].ravel() for slot in slots])
    run = solve_ivp(flow, (0, 1e15), start, method="LSODA", rtol=1e-9, atol=1e-80, events=events)
    assert run.success
    return np.array([run.t_events[0][0], run.t_events[1][0]])


def two_layers(task, width, seed):
    """A random direction of the weights of late fusion, for any scale."""
    rng = np.random.default_rng(seed)
    return {
        (m, l): rng.normal(size=(width, len(X)) if l == 1 else (1, width))
        for m, X in task.inputs.items()
        for l in (1, 2)
    }


def of_scales(task, start, scales):
    return np.array([times(task, 2, 2, {k: u * w for k, w in start.items()}) for u in scales])


SCALAR = {rho: multimodal(1.0, 0.49, rho) for rho in (-0.8, -0.4, 0.0, 0.4)}


@pytest.mark.parametrize("rho", SCALAR)
def test_two_layers_late(rho):
    """Times go as ln(1 / u0), with a part that does not depend on u0: what is added to both times
    from scale to scale has the ratio, also where B has to unlearn (-0.8)."""
    task = SCALAR[rho]
    found = of_scales(task, two_layers(task, 4, 0), (1e-3, 1e-6, 1e-12))
    ratio = unimodal_time(task).ratio
    added = np.diff(found, axis=0)
    assert added[1, 1] / added[1, 0] == pytest.approx(ratio, rel=1e-4)
    off = np.abs(found[:, 1] / found[:, 0] - ratio)
    assert off[2] < 0.6 * off[1] < 0.6 * 0.6 * off[0]
    # y = x_A + x_B of variances 1 and v: 1 + (1 - v) / (v (1 - rho^2)), for any sign of rho.
    assert ratio == pytest.approx(1 + 0.51 / (0.49 * (1 - rho**2)), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_two_layers_of_several_components(seed):
    """Directions turn, and Sigma_A is not white. What B has grown to by t_A stands out against its
    other components by u0^-r, r = |Sigma_yB| / |Sigma_yA|, which is small only for very small u0.
    """
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(4, 4))
    sigma, W = root @ root.T / 4 + 0.3 * np.eye(4), rng.normal(size=4) * [2, 2, 1, 1]
    task = multimodal(
        sigma[:2, :2], sigma[2:, 2:], sigma_AB=sigma[:2, 2:], map_A=W[:2], map_B=W[2:]
    )
    first, _, ratio = unimodal_time(task)
    if first == "B":
        task = multimodal(
            sigma[2:, 2:], sigma[:2, :2], sigma_AB=sigma[2:, :2], map_A=W[2:], map_B=W[:2]
        )
    found = of_scales(task, two_layers(task, 4, seed), (1e-12, 1e-24, 1e-48))
    added = np.diff(found, axis=0)
    assert added[1, 1] / added[1, 0] == pytest.approx(ratio, rel=5e-3)


def balanced(task, depth, fuse_at, u0):
    """One unit a layer: u0 in each modality's own, sqrt(2) u0 in those that both share."""
    own = {(m, l): np.full((1, 1), u0) for m in task.inputs for l in range(1, fuse_at + 1)}
    return own | {("", l): np.full((1, 1), 2**0.5 * u0) for l in range(fuse_at + 1, depth + 1)}


@pytest.mark.parametrize(("depth", "scale"), [(3, 1e-3), (4, 1e-2), (6, 5e-2)])
def test_deep_late_fusion_has_the_same_ratio(depth, scale):
    for rho in (-0.4, 0.0):
        found = times(SCALAR[rho], depth, depth, balanced(SCALAR[rho], depth, depth, scale))
        assert found[1] / found[0] == pytest.approx(
            unimodal_time(SCALAR[rho], depth).ratio, rel=1e-3
        )


def test_what_was_begun_is_unlearned_in_deep_networks_too():
    """A product that starts at 0 is odd in its drive: the ratio of late fusion at depth 2 is that
    of depth 3."""
    task = SCALAR[-0.8]
    start = {(m, l): np.full((1, 1), 1e-3 * (l < 3)) for m in "AB" for l in (1, 2, 3)}
    found = times(task, 3, 3, start)
    assert found[1] / found[0] == pytest.approx(unimodal_time(task, 3).ratio, rel=5e-3)


DEEPER = [pytest.param(5, fuse_at, marks=pytest.mark.slow) for fuse_at in (3, 4)]


@pytest.mark.parametrize(("depth", "fuse_at"), [(3, 2), (4, 2), (4, 3), *DEEPER])
@pytest.mark.parametrize("rho", [-0.4, 0.0])
def test_fusion_in_between(depth, fuse_at, rho):
    """How much longer B waits where u0 is a tenth: t_B - t_A is the ratio less 1, in units of t_A,
    but for a part that does not depend on u0."""
    task, waits, expected = SCALAR[rho], [], []
    for u0 in (1e-2, 1e-3):
        t_A, t_B = times(task, depth, fuse_at, balanced(task, depth, fuse_at, u0))
        waits.append(t_B - t_A)
        expected.append((unimodal_time(task, depth, fuse_at, u0).ratio - 1) * t_A)
    assert waits == pytest.approx(expected, rel=0.15)
    grown = np.diff(waits)[0] / np.diff(expected)[0]
    # t_A itself has a part that does not depend on u0, which is 1 / u0 smaller at depth 3.
    assert grown == pytest.approx(1, abs=0.03 if depth == 3 else 1e-3)


ORDERS = {
    (4, 2): lambda u0: 1 / np.log(1 / u0),
    (4, 3): lambda u0: u0,
    (5, 4): lambda u0: u0**2 * np.log(1 / u0),
}


@pytest.mark.parametrize(
    "layers", [*list(ORDERS)[:2], pytest.param((5, 4), marks=pytest.mark.slow)]
)
def test_order_of_what_is_left_out(layers):
    """By what factor t_B / t_A - 1 is off, in units of its order: the same at all scales."""
    task, scales, off = SCALAR[-0.4], np.array([1e-1, 3e-2, 1e-2, 1e-3]), []
    for u0 in scales:
        t_A, t_B = times(task, *layers, balanced(task, *layers, u0))
        off.append((unimodal_time(task, *layers, u0).ratio - 1) / (t_B / t_A - 1) - 1)
    print(layers, dict(zip(scales.tolist(), np.round(off, 7).tolist(), strict=True)))
    assert (np.diff(off) < 0).all()
    assert off / ORDERS[layers](scales) == pytest.approx(off[-1] / ORDERS[layers](1e-3), rel=0.1)


def test_equal_modalities_of_the_package_start_balanced():
    """`scale` is that of `init.Balanced`, and names of modalities are the task's."""
    task = SCALAR[-0.4]
    network = rd.networks.fusion(task, 4, 2, 3)
    weights = network.init(rd.init.Balanced(0.1), task=task, key=0)
    norms = {edge: float(np.linalg.norm(w)) for edge, w in weights.items()}
    assert norms == pytest.approx(
        dict.fromkeys(("w1_A", "w2_A", "w1_B", "w2_B"), 0.1)
        | dict.fromkeys(("w3", "w4"), 2**0.5 * 0.1)
    )


def test_order_scales_and_names():
    """A and B exchanged, renamed, and in other units: the same ratio."""
    task = multimodal(0.49, 1.0, 0.4)
    assert unimodal_time(task)[:2] == ("B", "A")
    assert unimodal_time(task).ratio == pytest.approx(unimodal_time(SCALAR[0.4]).ratio, rel=1e-12)
    named = rd.Task({"sound": task.inputs["A"], "sight": task.inputs["B"]}, {"y": task.Y})
    assert unimodal_time(named)[:2] == ("sight", "sound")
    loud = rd.Task(task.inputs, {"y": 7 * task.Y})
    for depth, fuse_at in ((2, None), (4, 3)):
        one, other = (
            unimodal_time(t, depth, fuse_at, None if fuse_at is None else 0.01 * k ** (1 / depth))
            for t, k in ((task, 1), (loud, 7))
        )
        assert other.ratio == pytest.approx(one.ratio, rel=1e-12)
    # A component turned by a rotation, and one that is always 0, change nothing.
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    padded = np.vstack([task.inputs["B"], np.zeros((2, 2))])
    wide = rd.Task({"A": task.inputs["A"], "B": turn @ padded}, {"y": task.Y})
    assert unimodal_time(wide, 3).ratio == pytest.approx(unimodal_time(task).ratio, rel=1e-10)


def test_edges():
    assert unimodal_time(multimodal(1.0, 0.49, 1.0)).ratio == np.inf  # A explains B
    of_A, of_B = np.random.default_rng(0).normal(size=(2, 3, 3))
    explained = multimodal(
        of_A @ of_A.T, of_B @ of_B.T / 9, sigma_AB=of_A @ of_B.T / 3
    )  # but for rounding
    assert unimodal_time(explained)[1:] == ("B", np.inf)
    assert unimodal_time(multimodal(1.0, 1.0, 1.0)).ratio == 1.0
    assert unimodal_time(multimodal(1.0, 1.0, 0.3)).ratio == 1.0
    assert unimodal_time(SCALAR[0.4], 5, 1).ratio == 1.0
    # B tells nothing of the target until A is learned.
    assert unimodal_time(multimodal(1.0, 0.49, -0.7)).ratio == pytest.approx(
        1 + 0.51 / (0.49 * 0.51)
    )
    near = unimodal_time(SCALAR[0.0], 3, 2, 1e-12).ratio
    assert 1 < near < 1 + 1e-9


def test_bad_input():
    task = SCALAR[0.4]
    with pytest.raises(ValueError, match=r"`task` must have two inputs and one target.* 1 and 7"):
        unimodal_time(rd.tasks.hierarchy(4))
    with pytest.raises(ValueError, match=r"`task` must have two inputs and one target.* 2 and 2"):
        unimodal_time(multimodal(map_A=np.ones((2, 1)), map_B=np.ones((2, 1))))
    with pytest.raises(ValueError, match=r"target that is correlated"):
        unimodal_time(multimodal(map_A=0.0, map_B=0.0))
    with pytest.raises(TypeError, match=r"`task` must be a Task"):
        unimodal_time("A")
    with pytest.raises(ValueError, match=r"`depth` must be a whole number of at least 2"):
        unimodal_time(task, 1)
    with pytest.raises(ValueError, match=r"`fuse_at` must be at most the depth, 2"):
        unimodal_time(task, 2, 3)
    for depth, fuse_at, scale in ((3, 2, None), (3, 3, 0.1), (3, 1, 0.1)):
        with pytest.raises(ValueError, match=r"`scale` must be given where fusion is neither"):
            unimodal_time(task, depth, fuse_at, scale)
    with pytest.raises(ValueError, match=r"`scale` must be a positive number"):
        unimodal_time(task, 3, 2, -0.1)
    with pytest.raises(ValueError, match=r"`scale` must be small against 1\.09"):
        unimodal_time(task, 3, 2, 2.0)
    with pytest.raises(ValueError, match=r"no residual correlation opposite.*'B'"):
        unimodal_time(SCALAR[-0.8], 3, 2, 0.1)
    turning = multimodal(1.0, [0.5, 0.3], [[0.6, 0.1]])
    assert unimodal_time(turning).ratio > 1
    with pytest.raises(ValueError, match=r"`fuse_at` must be at most 2 where .* turns"):
        unimodal_time(turning, 3)


@pytest.mark.slow
def test_the_packages_own_flow():
    """Level "matrix" of a wide network from random weights: late fusion has the ratio, early fusion
    learns both at once."""
    task = SCALAR[0.4]
    for fuse_at, ratio in ((2, unimodal_time(task).ratio), (1, 1.0)):
        network = rd.networks.fusion(task, 2, fuse_at, 30)
        found = []
        for std in (1e-4, 1e-8):
            weights = network.init(rd.init.Gaussian(std), key=0)
            system = rd.reduce(network, task, weights, level="matrix")
            ts = np.linspace(0, 45, 4501)
            strength = np.asarray(rd.simulate(system, ts)["strength"])[:, :, 0]
            # Early fusion comes to rest once.
            alone = 1.28 if fuse_at == 2 else 1.0
            found.append(
                [
                    np.interp(0.5 * goal, np.maximum.accumulate(one), ts)
                    for one, goal in zip(strength.T, (alone, 1.0), strict=True)
                ]
            )
        added = np.subtract(found[1], found[0])
        assert added[1] / added[0] == pytest.approx(ratio, rel=2e-3)


def test_is_no_function_to_trace():
    with pytest.raises(TypeError, match=r"`scale` must be a positive number, but JAX is tracing"):
        jax.jit(lambda u: unimodal_time(SCALAR[0.4], 3, 2, u).ratio)(0.1)
