"""How long a network of two modalities has learned one alone ([Zhang24]).

A is the modality that is learned first. Until then, B's residual correlation is Sigma_yB, and from
then on R = Sigma_yB - Sigma_yA Sigma_A^+ Sigma_AB. In late fusion what a pathway has grown to
depends on its drive alone, the integral of its residual correlation, and from small weights both
need the same s*: t_A = s* / |Sigma_yA|, and s* cancels in

    t_B / t_A = 1 + (|Sigma_yA| - c) / |R|

c t_A is what B has got by t_A: c = |Sigma_yB|, and c = -|Sigma_yB| where R is opposite to Sigma_yB
and B has to unlearn that first. The depth does not matter, but beyond two layers directions do:
where R turns, the first layer has to.

Between early and late, F = `fuse_at` below L = `depth`, balanced weights u0 of each modality's own
layers have shared ones of u^2 = u_A^2 + u_B^2, and u_A' = |Sigma_yA| u_A^(F-1) u^(L-F). With
z = u0 / u_A, r = |Sigma_yB| / |Sigma_yA| and g = u_B / u_A, z^(1-r) at F = 2 and
z (1 - r (1 - z^(F-2)))^(-1/(F-2)) beyond,

    t_A = u0^(2-L) I / |Sigma_yA|,    I = integral from 0 to 1 of z^(L-3) (1 + g^2)^(-(L-F)/2)

Then the shared layers stay at a = |Sigma_yA Sigma_A^+|^(1/L), and B grows by itself:

    t_B - t_A = u0^(2-F) (1 - r) G / (a^(L-F) |R|),    G = ln(a / u0) at F = 2, 1 / (F-2) beyond

so that t_B / t_A tends to 1 as u0^(L-F). Left out are the times in which A and B settle, which do
not depend on u0, and what B's own growth adds to the shared layers, (a^2 + u_B^2)^((L-F)/2).
Against t_B - t_A the first are of order 1 / ln(1/u0) at F = 2 and u0^(F-2) beyond, the second of
order u0^2 ln(1/u0) at F = 4 and u0^2 beyond: the larger one there. In early fusion the first matrix
reads both at once."""

from typing import NamedTuple

import numpy as np

from racedyn._checks import DEPTH, check_int, check_is, check_positive, fail
from racedyn.tasks import Task

_ROUNDING = 1e4 * np.finfo(float).eps  # of correlations of an exact task, against what they are of
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(100)  # at F = 2 z^(2-2r) is not smooth: to 1e-5


class UnimodalTime(NamedTuple):
    """Which modality is learned `first`, which `second`, and the `ratio` of their times, at least
    1: infinite where the second is never learned."""

    first: str
    second: str
    ratio: float


def unimodal_time(
    task: Task, depth: int = 2, fuse_at: int | None = None, scale: float | None = None
) -> UnimodalTime:
    """The ratio t_B / t_A of the times at which a network of `networks.fusion` learns two
    modalities, to leading order in small weights.

    A modality is learned when its map W_m, of the prediction W_A x_A + W_B x_B, is at half of where
    it comes to rest: the first at Sigma_yA Sigma_A^+ (least squares), the second at the end.

    **Arguments:**

    - `task`: two inputs and one target; A is the input with the larger correlation |Sigma_yA|.
    - `depth`, `fuse_at`: as in `networks.fusion`; late fusion (`depth`) if left out.
    - `scale`: u0, for 1 < `fuse_at` < `depth` alone: strength of each of a modality's own layers in
      balanced weights, `init.Balanced(u0)` where both have one component.

    In between the ratio less 1 is right to a factor 1 + e, where e falls only as 1 / ln(1/u0) at
    `fuse_at` 2, as u0 at 3, as u0^2 ln(1/u0) at 4 and as u0^2 beyond. For variances 1 and .49 and
    correlation -.4 it is .14, .07, .05 at u0 = .1, .01, .001 for 4 layers that fuse at 2, and .15,
    .015, .0014 where they fuse at 3.

    Late fusion: 1 + (|Sigma_yA| - |Sigma_yB|) / |R| with R = Sigma_yB - Sigma_yA Sigma_A^+ Sigma_AB
    at every depth; corrections fall as 1 / ln(1 / u0) at depth 2, as u0^(depth-2) beyond. Where R
    is opposite to Sigma_yB, |Sigma_yA| + |Sigma_yB|: from random weights, as exactly balanced ones
    never learn B then. Early fusion: 1. Raises `ValueError` for tasks with other than two inputs
    and one target or without correlations, a `scale` that is missing, not needed or not small, and
    where branches of more than two layers would have to turn.

    **Source:** [Zhang24] for the ratio of two layers, and for fusion in between; derived anew in
    docs/theory.md, opposite directions included.

        >>> task = rd.tasks.multimodal(sigma_A=1.0, sigma_B=0.49, correlation=0.4)
        >>> first, second, ratio = rd.exact.unimodal_time(task)
        >>> f"{first}, then {second} at {ratio:.3f} times its time"
        'A, then B at 2.239 times its time'
        >>> f"{rd.exact.unimodal_time(task, depth=4, fuse_at=2, scale=0.1).ratio:.3f}"
        '1.087'
    """
    L = check_int("depth", depth, 2, DEPTH)
    F = L if fuse_at is None else check_int("fuse_at", fuse_at, 1)
    if F > L:
        fail("fuse_at", f"be at most the depth, {L}", f"it is {F}")
    between = 1 < F < L
    if between == (scale is None):
        fail(
            "scale",
            "be given where fusion is neither early nor late, and there alone",
            f"fuse_at is {F} of {L}, and scale is {scale}",
            "Elsewhere ratios of small weights do not depend on it.",
        )
    first, second = _in_order(task)
    S_yA, S_yB = _correlation(task, first), _correlation(task, second)
    alone = S_yA @ np.linalg.pinv(task.sigma_x(first), hermitian=True)
    explained = alone @ (task.inputs[first] @ task.inputs[second].T) / task.num_examples
    R = S_yB - explained
    of_A, of_B, rest = (float(np.linalg.norm(v)) for v in (S_yA, S_yB, R))
    if F == 1 or of_A - of_B <= _ROUNDING * of_A:
        return UnimodalTime(first, second, 1.0)
    if rest <= _ROUNDING * (of_B + np.linalg.norm(explained)):
        return UnimodalTime(first, second, np.inf)
    towards = float(R @ S_yB) / rest  # |Sigma_yB| cos of the angle to R
    opposite = of_B > 0 and towards <= -of_B * (1 - _ROUNDING)
    if F > 2 and not (opposite or towards >= of_B * (1 - _ROUNDING)):
        fail(
            "fuse_at",
            "be at most 2 where the residual correlation of the second modality turns",
            f"it is {F}, and the cosine of the angle {towards / of_B:.3g}",
            "Solve the flow: rd.reduce(network, task, weights, level='full').",
        )
    if not between:
        return UnimodalTime(first, second, 1 + (of_A + (of_B if opposite else -of_B)) / rest)
    if opposite:
        fail(
            "task",
            "have no residual correlation opposite to that with the target where layers are shared",
            f"that of {second!r} is",
            "Balanced weights never learn it; from others solve the flow.",
        )
    u0, a = check_positive("scale", scale), float(np.linalg.norm(alone)) ** (1 / L)
    if u0 >= a:
        fail("scale", f"be small against {a:.3g}, what layers of {first!r} grow to", f"it is {u0}")
    r = of_B / of_A
    z = (_NODES + 1) / 2
    g = z ** (1 - r) if F == 2 else z * (1 - r * (1 - z ** (F - 2))) ** (-1 / (F - 2))
    I = _WEIGHTS / 2 @ (z ** (L - 3) * (1 + g**2) ** (-(L - F) / 2))
    G = np.log(a / u0) if F == 2 else 1 / (F - 2)
    return UnimodalTime(
        first, second, float(1 + (u0 / a) ** (L - F) * (of_A - of_B) / rest * G / I)
    )


def _in_order(task: Task) -> tuple[str, str]:
    """The modality of the larger correlation, and the other."""
    check_is("task", task, Task, "be a Task", "tasks.multimodal(correlation=0.4).")
    rows = sum(map(len, task.targets.values()))
    if len(task.inputs) != 2 or rows != 1:
        fail(
            "task",
            "have two inputs and one target",
            f"it has {len(task.inputs)} and {rows}",
            "tasks.multimodal(correlation=0.4).",
        )
    names = sorted(task.inputs, key=lambda node: -np.linalg.norm(_correlation(task, node)))
    if not _correlation(task, names[0]).any():
        fail("task", "have a target that is correlated with an input", "it has none")
    return names[0], names[1]


def _correlation(task: Task, node: str) -> np.ndarray:
    """Sigma_ym, (n_m,)."""
    (target,) = task.targets
    return task.sigma_yx(node, target)[0]
