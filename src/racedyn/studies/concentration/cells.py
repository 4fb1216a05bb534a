"""What is computed at one depth, width and scale: ends of races, of drawn networks, and of trained
ones.

Weights have entries N(0, variance / width). Drawn and trained networks descend with a step of a
twentieth of 2 / sharpness at the end, until the weakest mode, by itself, would long be learned."""

from collections.abc import Sequence

import jax
import numpy as np

from racedyn.exact import converged, pole, wide_q0
from racedyn.networks import init, parallel
from racedyn.paths import participation, shares
from racedyn.reduction import compress, match
from racedyn.simulation import ensemble
from racedyn.tasks import Task
from racedyn.training import Training
from racedyn.trajectory import Labelled, Trajectory

STEP = 0.05  # of 2 / sharpness
LATE = 1.3  # times the plateau of the weakest mode: how long is descended, and
RELAXED = 15.0  # times its time of relaxation more
TOLERANCE = 1e-2  # of compression, in all K_a(t): shares at the end are known better


def race(pathways: int, depth: int, width: int, variance: float, draws: int) -> dict[str, float]:
    """Mean participation by mode where races of the q/p equations end, its standard error, and how
    many of them can be learned; S/d = 1. The starts are those that matching gives wide networks of
    these weights, up to 1 / width."""
    q, p = matched_starts(pathways, depth, width, variance, draws)
    end = converged(np.ones(draws), (depth,) * pathways, q, p)
    found = participation(np.asarray(end.strength))
    found = found[np.isfinite(found)]
    return {
        "participation": float(found.mean()) if len(found) else np.nan,
        "standard_error": float(found.std() / np.sqrt(max(len(found), 1))),
        "learned": len(found) / draws,
    }


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
    task: Task, pathways: int, depth: int, width: int, variance: float, draws: int
) -> Labelled:
    """`maps` (draw, path, mode_out, mode_in), U^T W_a V where descent of drawn networks of any
    width ends, and `loss_left` (draw,), what is left of the loss."""
    maps, loss = [], []
    for key in range(draws):
        run = descent_of_drawn(task, pathways, depth, width, variance, key)
        maps.append(run["strength_matrix"][-1])
        loss.append(run["loss"][-1] / run["loss"][0])
    return _ends(np.array(maps), np.array(loss))


def descent_of_drawn(
    task: Task, pathways: int, depth: int, width: int, variance: float, key: int
) -> Trajectory:
    """The whole descent of one of them."""
    lr, steps = descent(task, depth, variance)
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
    ).run


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


def descent(task: Task, depth: int, variance: float) -> tuple[float, int]:
    """Step size and steps."""
    modes = task.modes
    S, d = np.asarray(modes.S), np.asarray(modes.variances)
    sharpness = float(np.max(d * depth * (S / d) ** (2 - 2 / depth)))
    lr = STEP * 2 / sharpness
    q0 = float(wide_q0(depth, variance))
    drive = pole(depth) * q0 ** (2 - depth) if depth > 2 else np.log(4 * (S / d).max() / q0**2) / 2
    plateau = drive / S.min()
    relaxation = 1 / float(np.min(d * depth * (S / d) ** (2 - 2 / depth)))
    return lr, int(np.ceil((LATE * plateau + RELAXED * relaxation) / lr))
