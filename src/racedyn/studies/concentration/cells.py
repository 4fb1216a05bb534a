"""What is computed at one depth, width and scale: ends of races, of drawn networks, and of trained
ones.

Weights have entries N(0, variance / width). Drawn and trained networks descend with a step of a
twentieth of 2 / sharpness at the end, if no other is asked for, until the weakest mode, by itself,
would long be learned."""

from collections.abc import Sequence

import jax
import numpy as np

from racedyn.exact import converged, pole, wide_q0
from racedyn.networks import init, parallel
from racedyn.paths import participation, shares
from racedyn.reduction import Compressed, compress, match, of_one_shape
from racedyn.simulation import ensemble
from racedyn.studies.study import mean_and_error
from racedyn.tasks import Task
from racedyn.training import Training
from racedyn.trajectory import Labelled

STEP = 0.05  # of 2 / sharpness
LATE = 1.3  # times the plateau of the weakest mode: how long is descended, and
RELAXED = 15.0  # times its time of relaxation more
LEFT = 0.1  # of the loss that can be removed: so much, in slow directions, is not waited for
DIAGONAL = 1e-9  # of Sigma_x V beside V d: rounding
TOLERANCE = 1e-2  # of compression, in all K_a(t): shares at the end are known better


def race(pathways: int, depth: int, width: int, variance: float, draws: int) -> dict[str, float]:
    """Mean participation by mode where races of the q/p equations end, its standard error, and how
    many of them can be learned; S/d = 1. The starts are those that matching gives wide networks of
    these weights, up to 1 / width."""
    q, p = matched_starts(pathways, depth, width, variance, draws)
    end = converged(np.ones(draws), (depth,) * pathways, q, p)
    found = participation(np.asarray(end.strength))
    mean, error = mean_and_error(found)
    learned = float(np.mean(np.isfinite(found)))
    return {"participation": float(mean), "standard_error": float(error), "learned": learned}


def unequal(
    depths: Sequence[int], width: int, variances: Sequence[float], draws: int
) -> dict[str, float]:
    """How often the first of two unlike pathways wins races of the q/p equations, S/d = 1, and its
    mean share."""
    starts = [
        matched_starts(1, depth, width, variance, draws, key=key)
        for key, (depth, variance) in enumerate(zip(depths, variances, strict=True))
    ]
    q, p = (np.concatenate([start[i] for start in starts]) for i in range(2))
    end = converged(np.ones(draws), depths, q, p)
    w = shares(np.asarray(end.strength))[0]
    w = w[np.isfinite(w)]
    return {"wins": float(np.mean(w > 0.5)), "share": float(w.mean())}


def matched_starts(
    pathways: int, depth: int, width: int, variance: float, draws: int, *, key: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """q0 and p0 (pathway, draw). Each matrix changes the square of a signal's length by variance
    times chi^2_N / N, forwards and backwards; what is left of both at the last matrix is K.
    """
    shape = (depth - 1, pathways, draws)
    keys = jax.random.split(jax.random.key(key), 3)
    forward, backward = (
        np.cumprod(
            np.concatenate(
                [
                    np.ones((1, *shape[1:])),
                    variance * np.asarray(jax.random.chisquare(key, float(width), shape)) / width,
                ]
            ),
            axis=0,
        )
        for key in keys[:2]
    )
    growth = np.sum(forward * backward[::-1], axis=0)
    sizes = np.sqrt(forward[-1] * variance / width)
    K = np.asarray(jax.random.normal(keys[2], shape[1:])) * sizes
    q, p = match(K.ravel(), growth.ravel(), depth)
    return q.reshape(shape[1:]), p.reshape(shape[1:])


def drawn(
    task: Task | Sequence[Task],
    pathways: int,
    depth: int,
    width: int,
    variance: float,
    draws: int,
    *,
    step: float = STEP,
) -> Labelled:
    """`maps` (draw, path, mode_out, mode_in), U^T W_a V where descent of drawn networks of any
    width ends, and `loss_left` (draw,), what is left of the loss. `task`: one, or one for each
    draw."""
    tasks = [task] * draws if isinstance(task, Task) else task
    maps, loss = [], []
    for key in range(draws):
        run = compressed(tasks[key], pathways, depth, width, variance, key, step).run
        maps.append(run["strength_matrix"][-1])
        loss.append(run["loss"][-1] / run["loss"][0])
    return _ends(np.array(maps), np.array(loss))


def drawn_whole(
    task: Task, pathways: int, depth: int, width: int, variance: float, draws: int, *, step: float
) -> Labelled:
    """The same with whole maps W_a (draw, path, output, input), also of what modes don't reach: by
    training the narrow networks, whose inputs and outputs are complete."""
    problems = of_one_shape(
        [compressed(task, pathways, depth, width, variance, key, step) for key in range(draws)]
    )
    lr, steps = descent(task, depth, variance, step)

    def member(i: int) -> Training:
        return Training(problems[i], lr=lr, steps=steps, save_every=steps, observe=["weights"])

    runs = ensemble(member, draws, progress=False)
    network = problems[0].network
    maps = []
    for path in network.paths():
        whole = np.eye(task.X.shape[0])
        for edge in path:
            whole = runs[f"weights:{edge}"][:, -1] @ whole
        maps.append(whole)
    axes = ("draw", "path", "output", "input")
    loss = runs["loss"][:, -1] / runs["loss"][:, 0]
    return Labelled(
        {"maps": np.stack(maps, axis=1), "loss_left": loss}, {"maps": axes, "loss_left": axes[:1]}
    )


def compressed(
    task: Task, pathways: int, depth: int, width: int, variance: float, key: int, step: float = STEP
) -> Compressed:
    """A drawn network that has learned."""
    lr, steps = descent(task, depth, variance, step)
    return compress(
        parallel(task, [depth] * pathways, width),
        task,
        init.Gaussian(std=float(np.sqrt(variance / width))),
        key=key,
        lr=lr,
        steps=steps,
        tolerance=TOLERANCE,
        max_share=1.0,
        observe=["strength_matrix"],
    )


def trained(
    task: Task,
    pathways: int,
    depth: int,
    width: int,
    variance: float,
    draws: int,
    *,
    activation: str = "linear",
    activate_last: bool = False,
) -> Labelled:
    """The same of trained networks, with all their matrices.

    Of ReLU, which lets half of a signal's square pass, weights have twice the variance, and
    nonlinear networks have twice the time."""
    network = parallel(
        task, [depth] * pathways, width, activation=activation, activate_last=activate_last
    )
    own = 2 * variance if activation == "relu" else variance
    law = init.Gaussian(std=float(np.sqrt(own / width)))
    lr, steps = descent(task, depth, variance)
    steps *= 1 if activation == "linear" else 2

    def member(seed: int) -> Training:
        weights = network.init(law, key=seed)
        observe = ["strength_matrix"]
        return Training(
            network, task, weights, lr=lr, steps=steps, save_every=steps, observe=observe
        )

    runs = ensemble(member, draws, progress=False)
    return _ends(runs["strength_matrix"][:, -1], runs["loss"][:, -1] / runs["loss"][:, 0])


def _ends(maps: np.ndarray, loss: np.ndarray) -> Labelled:
    axes = ("draw", "path", "mode_out", "mode_in")
    return Labelled({"maps": maps, "loss_left": loss}, {"maps": axes, "loss_left": axes[:1]})


def descent(task: Task, depth: int, variance: float, step: float = STEP) -> tuple[float, int]:
    """Step size and steps. `step`: of 2 / sharpness."""
    sharpness, slowest = curvatures(task, depth)
    lr = step * 2 / sharpness
    q0, modes = float(wide_q0(depth, variance)), task.modes
    late = np.log(4 * (modes.S / modes.variances).max() / q0**2) / 2  # the drive at depth 2
    drive = pole(depth) * q0 ** (2 - depth) if depth > 2 else late
    return lr, int(np.ceil((LATE * drive / modes.S.min() + RELAXED / slowest) / lr))


def is_diagonal(task: Task) -> bool:
    """Whether the inputs are not correlated in the modes: Sigma_x V = V d."""
    V, d = task.modes.V, task.modes.variances
    sigma_x = task.sigma_x()
    return bool(np.linalg.norm(sigma_x @ V - V * d) < DIAGONAL * np.linalg.norm(sigma_x))


def curvatures(task: Task, depth: int) -> tuple[float, float]:
    """Largest curvature of the loss where one balanced pathway has all, and the one that modes
    relax with last.

    Maps move as E' = -sum_l (W W^T)^((D-l)/D) E Sigma_x (W^T W)^((l-1)/D): for each left direction
    of W a symmetric matrix in E Sigma_x^(1/2). With diagonal inputs that of mode k is
    D d_k (S_k / d_k)^(2-2/D). Of others directions of the inputs that vary least are left out,
    as long as they carry no more than `LEFT` of the loss that can be removed."""
    modes = task.modes
    S, d = np.asarray(modes.S), np.asarray(modes.variances)
    if is_diagonal(task):
        along = d * depth * (S / d) ** (2 - 2 / depth)
        return float(along.max()), float(along.min())
    values, directions = np.linalg.eigh(task.sigma_x())
    order = np.argsort(-values)[: np.linalg.matrix_rank(task.sigma_x(), hermitian=True)]
    values, directions = values[order], directions[:, order]
    answer = task.sigma_yx() @ directions
    carried = np.cumsum(np.sum(answer**2, axis=0) / values)
    kept = int(np.searchsorted(carried, (1 - LEFT) * carried[-1])) + 1
    root = np.sqrt(values[:kept])
    _, sizes, Vt = np.linalg.svd(answer[:, :kept] / values[:kept], full_matrices=False)
    sizes, V = sizes[: modes.num], Vt[: modes.num].T * root[:, None]
    found = []
    for size in sizes:
        # The first matrix is beside every direction of the inputs, those behind it beside modes.
        matrix = size ** (2 - 2 / depth) * np.diag(values[:kept])
        for l in range(2, depth + 1):
            matrix += (V * size ** (2 * (depth - l) / depth) * sizes ** (2 * (l - 1) / depth)) @ V.T
        found.append(np.linalg.eigvalsh(matrix))
    return float(np.max(found)), float(np.min(found))
