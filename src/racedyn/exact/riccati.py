"""A two-layer linear network from any lambda-balanced weights, whitened inputs: the whole map in
closed form.

With Q = [W1^T; W2], W2^T W2 - W1 W1^T = lambda I at time 0, and so for ever, and Sigma_x = d I the
gradient flow is a matrix Riccati equation ([Fukumizu98]; [Braun22]; lambda: [Domine25]),

    F = [[-d lambda/2 I, Sigma_yx^T], [Sigma_yx, d lambda/2 I]],
    tau (Q Q^T)' = F Q Q^T + Q Q^T F - d (Q Q^T)^2,
    Q Q^T(t) = e^(Ft) Q0 [I + d Q0^T Phi(t) Q0]^-1 Q0^T e^(Ft),    Phi(t) = int_0^t e^(2Fs) ds.

Phi has eigenvalues (e^(2ft) - 1) / (2f), f those of F, or t where f = 0, so that neither F nor the
weights need full rank, and no two of the three widths need be equal."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import solve_triangular

from racedyn._arrays import as_parameter, as_real, check_finite, check_shape
from racedyn._checks import check_is, check_positive, fail
from racedyn._types import MODE, PATH, Array, ArrayLike, Times
from racedyn.exact.solution import flow_times, solution
from racedyn.exact.two_layer import phi
from racedyn.networks import Network
from racedyn.paths import observe_paths
from racedyn.tasks import Modes
from racedyn.trajectory import Trajectory

MAX_STEPS = 2**20  # from one time to the next, each at most 1 over the largest rate: some seconds
ROUNDING = 1e3  # of eps: entries of Gram matrices are sums over units, and reach a part of it


def riccati(
    first: ArrayLike,
    second: ArrayLike,
    sigma_yx: ArrayLike,
    ts: Times,
    *,
    variance: float = 1.0,
    modes: Modes | None = None,
) -> Trajectory:
    """The map and both Gram matrices of a two-layer linear network from lambda-balanced weights.

    **Arguments:**

    - `first` W1 (n_hidden, n_in), `second` W2 (n_out, n_hidden): weights at time 0, of any width
      and rank, with W2^T W2 - W1 W1^T = lambda I. It is 0 of balanced ones; lambda > 0 needs
      n_hidden <= n_out, and lambda < 0 n_hidden <= n_in (`init.Balanced(imbalance=)`).
    - `sigma_yx`: Sigma_yx (n_out, n_in), of any rank.
    - `ts`: (time,) flow times in units of tau, rising from 0 or later; at most a million
      1/sqrt(S^2 + (d lambda/2)^2) apart.
    - `variance`: d, where Sigma_x = d I. One-hot inputs of P items have 1/P.
    - `modes`: those in which strengths are read; they give the floor of the loss, too.

    Observables: `map` = W2 W1 (time, output, input); `inner` = W1^T W1 (time, input, input), the
    Gram matrix of what one-hot inputs are represented by in the hidden layer; `outer` = W2 W2^T
    (time, output, output); `loss` (time,). With `modes` also `strength` (time, path, mode),
    `off_diagonal` (time, path) and `group_strength` (time, path, group) of the one path, as `train`
    has them.

    Raises `ValueError` for shapes that do not fit, weights with no one lambda, and times that
    fall, are negative or too far apart (unless they are traced: then what lies too far is NaN).
    What the weights hold of a mode below the rounding of their entries (1e-16 of the largest that
    add up to it) can't be told from none: it never grows. Works under `jit`, `vmap` and `jvp`;
    derivatives in `sigma_yx` need singular values that differ, as in an eigenbasis.

        >>> W = 0.1 * np.eye(2)  # both layers
        >>> run = rd.exact.riccati(W, W, np.diag([3.0, 1.0]), ts=[0.0, 1.0, 9.0])
        >>> run["map"][:, 1, 1].round(3).tolist()
        [0.01, 0.069, 1.0]
        >>> W2 = np.sqrt(0.01 + 4.0) * np.eye(2)  # lambda = 4: the second layer has learned hardly
        >>> run = rd.exact.riccati(W, W2, np.diag([3.0, 1.0]), ts=[0.0, 1.0, 9.0])
        >>> run["map"][:, 1, 1].round(3).tolist()
        [0.2, 0.99, 1.0]
    """
    first, second, sigma_yx = (
        jnp.asarray(as_real(name, x))
        for name, x in (("first", first), ("second", second), ("sigma_yx", sigma_yx))
    )
    t = flow_times(ts)
    d = check_positive("variance", variance)
    _check(first, second, sigma_yx, t, d)
    W, inner, outer = _grams(*(jnp.asarray(x, float) for x in (first, second, sigma_yx, t, d)))
    sigma = jnp.asarray(sigma_yx, float)
    floor = 0.0 if modes is None else modes.floor
    loss = d / 2 * jnp.sum((W - sigma / d) ** 2, axis=(1, 2)) + floor
    return solution(
        f"two_layer of {sigma.shape[1]} inputs and {sigma.shape[0]} outputs",
        t,
        {"loss": loss, "map": W, "inner": inner, "outer": outer}
        | ({} if modes is None else _read(W, modes)),
        {
            "map": ("output", "input"),
            "inner": ("input", "input"),
            "outer": ("output", "output"),
            "strength": (PATH, MODE),
            "off_diagonal": (PATH,),
            "group_strength": (PATH, "group"),
        },
        solver="matrix Riccati equation",
        modes=modes,
    )


def riccati_kernel(run: Trajectory, X: ArrayLike) -> Array:
    """The tangent kernel along a run of `riccati`, (time, row, row), on inputs X (n_in, P).

    Theta = X^T X (x) W2 W2^T + X^T W1^T W1 X (x) I, of both Gram matrices alone: its rows are those
    of `representations.tangent_kernel`, example after example, output after output. Raises
    `ValueError` where the run has no Gram matrices, or inputs of another size.

        >>> W = np.diag([1.0, 3.0])  # both layers
        >>> run = rd.exact.riccati(W, W, np.eye(2), ts=[0.0])
        >>> rd.exact.riccati_kernel(run, np.array([[1.0], [2.0]])).round(6).tolist()
        [[[42.0, 0.0], [0.0, 82.0]]]
    """
    check_is("run", run, Trajectory, "be a Trajectory of `exact.riccati`")
    if missing := {"inner", "outer"} - set(run.observables):
        fail("run", "be of `exact.riccati`", f"it has no {' and no '.join(sorted(missing))}")
    inner, outer = (jnp.asarray(run[name], float) for name in ("inner", "outer"))
    X = as_parameter("X", X)
    check_shape("X", X, (inner.shape[-1], None), f"have {inner.shape[-1]} rows, as many as inputs")
    through_first, through_second = X.T @ inner @ X, X.T @ X
    one = jnp.eye(outer.shape[-1])
    rows = len(through_second) * len(one)
    kernel = jnp.einsum("ef,tuv->teufv", through_second, outer) + jnp.einsum(
        "tef,uv->teufv", through_first, one
    )
    return kernel.reshape(len(kernel), rows, rows)


def _read(W: Array, modes: Modes) -> dict[str, Array]:
    """Observables of maps (time, n_out, n_in) as those of one path."""
    check_is("modes", modes, Modes, "be Modes", "task.modes has those of a task.")
    n_out, n_in = W.shape[1:]
    for name, basis, rows in (("U", modes.U, n_out), ("V", modes.V, n_in)):
        check_shape(f"modes.{name}", basis, (rows, None), f"have {rows} rows")
    one = Network({"input": n_in, "output": n_out}, {"w": ("input", "output")})
    pair = {("input", "output"): modes}
    return jax.vmap(lambda map: observe_paths(one, {"w": map}, pair, one.paths()))(W)


@jax.jit
def _grams(
    first: Array, second: Array, sigma_yx: Array, ts: Array, variance: Array
) -> tuple[Array, Array, Array]:
    """W2 W1, W1^T W1 and W2 W2^T at all times."""
    n_out, n_in = sigma_yx.shape
    half = variance * _imbalance(first, second) / 2
    rates, basis = jnp.linalg.eigh(
        jnp.block([[-half * jnp.eye(n_in), sigma_yx.T], [sigma_yx, half * jnp.eye(n_out)]])
    )
    start = _narrowed(_without_rounding(basis, jnp.concatenate([first.T, second])))

    def to_next_time(Q: Array, duration: Array) -> tuple[Array, Array]:
        Q = _advanced(Q, rates, variance, duration)
        return Q, Q

    _, rows = jax.lax.scan(to_next_time, start, jnp.diff(ts, prepend=0.0))
    Q = basis @ rows
    gram = Q @ Q.mT
    return gram[:, n_in:, :n_in], gram[:, :n_in, :n_in], gram[:, n_in:, n_in:]


def _imbalance(first: Array, second: Array) -> Array:
    """lambda, W2^T W2 - W1 W1^T = lambda I, and 0 where that is rounding of both."""
    into, out = jnp.sum(first**2), jnp.sum(second**2)
    noise = ROUNDING * jnp.finfo(into.dtype).eps * (into + out)
    return jnp.where(jnp.abs(out - into) > noise, out - into, 0.0) / len(first)


def _advanced(Q: Array, rates: Array, variance: Array, duration: Array) -> Array:
    """Q, in the eigenbasis of F, after `duration`.

    The formula in one shot loses all digits once e^(2ft) passes 1/eps. Its steps are exact too, and
    none is badly conditioned while f dt <= 1."""
    count = jnp.maximum(jnp.ceil(jnp.max(rates) * duration), 1)
    endless = count > MAX_STEPS
    count = jnp.where(endless, 1, count)
    dt = duration / count
    growth = jnp.exp(rates * dt)[:, None]
    root_phi = jnp.sqrt(variance * dt * phi(-2 * rates * dt))[:, None]

    def step(_: int, Q: Array) -> Array:
        # R^T R = I + d Q^T Phi Q without forming it.
        R = jnp.linalg.qr(jnp.concatenate([root_phi * Q, jnp.eye(Q.shape[1])]), mode="r")
        return growth * solve_triangular(R, Q.T, trans=1).T

    # A duration of 0, as at ts[0] = 0, leaves Q as it is; its square root has no derivative.
    Q = jnp.where(duration > 0, jax.lax.fori_loop(0, count.astype(int), step, Q), Q)
    return jnp.where(endless, jnp.nan, Q)


def _without_rounding(basis: Array, Q: Array) -> Array:
    """basis^T Q, and 0 where that is what rounding leaves of a cancellation: layers of opposite
    signs, W2 = -W1 in a mode, have nothing of the directions that grow, where rounding would grow
    as e^(ft) and be learned."""
    found = basis.T @ Q
    noise = jnp.finfo(Q.dtype).eps * len(Q) * (jnp.abs(basis).T @ jnp.abs(Q))
    return found - jax.lax.stop_gradient(jnp.where(jnp.abs(found) <= noise, found, 0.0))


def _narrowed(Q: Array) -> Array:
    """Q times a rotation of the hidden units, which leaves Q Q^T: as few columns as it has rows, at
    most.

    Columns beyond the rank are 0 and stay 0: rounding in them would grow as e^(ft). The rank
    is that of Q with rows of equal length, as a mode that starts at 1e-20 of another is learned all
    the same."""
    fixed = jax.lax.stop_gradient(Q)
    lengths = jnp.linalg.norm(fixed, axis=1, keepdims=True)
    lengths = jnp.where(lengths > 0, lengths, 1)
    _, sizes, rotation = jnp.linalg.svd(fixed / lengths, full_matrices=False)
    turned = (Q / lengths) @ rotation.T
    noise = jnp.finfo(Q.dtype).eps * max(Q.shape) * sizes[0]
    return lengths * (turned - jax.lax.stop_gradient(jnp.where(sizes <= noise, turned, 0.0)))


def _check(first: Array, second: Array, sigma_yx: Array, ts: Array, variance: float) -> None:
    for name, matrix in (("first", first), ("second", second), ("sigma_yx", sigma_yx)):
        check_shape(name, matrix, (None, None), "be a matrix")
        if not isinstance(matrix, jax.core.Tracer):
            check_finite(name, np.asarray(matrix))
    if second.shape[1] != len(first) or sigma_yx.shape != (len(second), first.shape[1]):
        fail(
            "first, second, sigma_yx",
            "have shapes (n_hidden, n_in), (n_out, n_hidden) and (n_out, n_in)",
            f"they have {first.shape}, {second.shape} and {sigma_yx.shape}",
        )
    if not isinstance(ts, jax.core.Tracer):
        rising = np.diff(np.asarray(ts, float), prepend=0.0) >= 0
        if not rising.all():
            at = int(np.argmin(rising))
            fail(
                "ts",
                "rise from 0 or later",
                f"ts[{at}] = {ts[at]:g} is below {ts[at - 1] if at else 0:g}",
                "Sort them.",
            )
    if any(isinstance(x, jax.core.Tracer) for x in (first, second)):
        return
    # On the host: inside another function that JAX traces, its own operations on known numbers are
    # traced too.
    W1, W2 = np.asarray(first), np.asarray(second)
    into, out = W1 @ W1.T, W2.T @ W2
    size = float(np.linalg.norm(into) + np.linalg.norm(out))
    imbalance = float(np.trace(out - into)) / len(W1)
    off = float(np.linalg.norm(out - into - imbalance * np.eye(len(W1)))) / size if size else 0.0
    if not off <= ROUNDING * float(np.finfo(into.dtype).eps):
        fail(
            "first, second",
            "be balanced, W2^T W2 - W1 W1^T = lambda I",
            f"{imbalance:.3g} I is off by {off:.2e} of their norms",
            'Draw them from init.Balanced, or integrate reduce(..., level="matrix").',
        )
    if any(isinstance(x, jax.core.Tracer) for x in (sigma_yx, ts, variance)) or not ts.size:
        return
    longest = np.diff(np.asarray(ts, float), prepend=0.0).max()
    rate = np.hypot(np.linalg.norm(np.asarray(sigma_yx), 2), variance * imbalance / 2)
    if not longest * rate <= MAX_STEPS:
        fail(
            "ts",
            f"be at most {MAX_STEPS:.0e} / sqrt(S^2 + (d lambda/2)^2) apart, with S the largest "
            "singular value",
            f"this root is {rate:g} and two are {longest:g} apart",
            "Give a time at which all has settled, or some in between.",
        )
