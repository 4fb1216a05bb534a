"""What equal pathways do to several modes at once: laws of wide networks.

*Tilting.* While a second mode is on its plateau, pathways that share the first turn towards it,
each its own way, at a rate K_a^(1-2/D) S_2, from angles of the size N^(-1/2). They have turned when
the second mode would be learned by itself, if half of ln N is below

    Lambda = (K_1 / M)^(1-2/D) I_D q0^(2-D) (1 - S_2/S_1)

Then each pathway is a projector on a mixture of both modes, though each mode is shared equally.

*Frames.* M pathways take M modes so, as the rows of an orthogonal matrix.

Both are derived in `docs/concentration.md`; symbols are those of `concentration`."""

from typing import Any

import numpy as np

from racedyn._checks import check_positive_int, fail
from racedyn.exact.concentration import alike, deep, pole, positive, several, wide_q0


def tilt_exponent(
    depth: int, variance: Any, first: Any, second: Any, target: Any = None, pathways: int = 2
) -> Any:
    """Lambda: by e^Lambda pathways that share the mode of singular value `first` turn towards that
    of `second`, S_2 < S_1, before it is learned by itself.

    `target`: K_1 = S_1 / d, by default S_1. Where it is above ln(N) / 2 each pathway becomes a
    projector on a mixture of the two, whatever N says of single modes. Numbers or arrays that
    broadcast; `variance` sigma^2 = N std^2. Raises `ValueError` for depths below 3, numbers that
    are not positive, and a `second` above `first`.

        >>> round(float(rd.exact.tilt_exponent(4, variance=0.02, first=1.0, second=0.5)), 2)
        11.14
    """
    D, M = deep(depth), several(pathways)
    S1, S2 = _falling(first, second)
    K = positive("target", S1 if target is None else target)
    alike({"variance": np.asarray(variance), "first": S1, "second": S2, "target": K})
    plateau = pole(D) * wide_q0(D, variance) ** (2 - D)
    return (K / M) ** (1 - 2 / D) * plateau * (1 - S2 / S1)


def tilt_gain(
    depth: int,
    variance: Any,
    first: Any,
    second: Any,
    targets: tuple[Any, Any] | None = None,
    pathways: int = 2,
) -> Any:
    """ln of the factor by which angles have grown when the second mode would be learned by itself,
    from when the first was at q0^D and angles were of the size c / sqrt(N).

    Lambda, less two parts that don't grow with the plateau: modes are learned before their poles,
    by m^-(1-2/D) / (D-2) of drive, m = K / M; and while the first mode grows angles shrink, as
    m^-((1 - S_2/S_1) / D). So mixtures fade at ln(N) / 2 = tilt_gain + ln c, with c of depth alone
    where q0 is small. It is not derived. `targets`: (K_1, K_2), by default (S_1, S_2). Other
    arguments, and what is raised, as of `tilt_exponent`.

        >>> given = {"variance": 0.02, "first": 1.0, "second": 0.5}
        >>> [round(float(f(4, **given)), 2) for f in (rd.exact.tilt_exponent, rd.exact.tilt_gain)]
        [11.14, 9.9]
    """
    D, M = deep(depth), several(pathways)
    S1, S2 = _falling(first, second)
    K1, K2 = (S1, S2) if targets is None else (positive("targets", K) for K in targets)
    q0 = wide_q0(D, variance)
    alike({"variance": q0, "first": S1, "second": S2, "targets[0]": K1, "targets[1]": K2})
    shared = K1 / M
    learned_1, learned_2 = (
        (pole(D) * q0 ** (2 - D) - (K / M) ** -(1 - 2 / D) / (D - 2)) / S
        for K, S in ((K1, S1), (K2, S2))
    )
    turned = shared ** (1 - 2 / D) * S2 * (learned_2 - learned_1)
    return turned - (1 - S2 / S1) * np.log(shared ** (1 / D) / q0)


def frame_participation(pathways: int, modes: int) -> float:
    """Participation without a basis, R / sum_a tr(P_a^2), of M pathways that have taken R modes of
    equal strength M at a time.

    The first of M modes comes by itself and is shared; M - 1 turn out of it, each so that what the
    pathways turn by adds up to zero. With all M learned P_a = w_a w_a^T, w_a the rows of an
    orthogonal matrix: projectors on directions that are orthogonal to each other. Where only g < M
    are left the matrix has g columns, the first 1 / sqrt(M) and the others in random directions;
    then the mean of sum_a tr(P_a^2) is that of |w_a|^4, (2 g - 1 + (M - 1)(g^2 - 1) / (M + 1)) / M
    in all. That is to first order where 1 < g < M: pathways that turn further also gain of the
    shared mode, and participation is lower, by how much depends on the start.

    Raises `ValueError` for numbers below 1.

        >>> [round(rd.exact.frame_participation(3, R), 3) for R in (1, 2, 3, 4)]
        [3.0, 1.333, 1.0, 1.2]
    """
    M, R = check_positive_int("pathways", pathways), check_positive_int("modes", modes)
    full, g = divmod(R, M)
    left = (2 * g - 1 + (M - 1) * (g**2 - 1) / (M + 1)) / M if g else 0.0
    return R / (full * M + left)


def _falling(first: Any, second: Any) -> tuple[np.ndarray, np.ndarray]:
    """Two singular values, the second at most the first."""
    S1, S2 = positive("first", first), positive("second", second)
    alike({"first": S1, "second": S2})
    if not np.all(S2 <= S1):
        fail("second", "be at most `first`", f"they are {second} and {first}")
    return S1, S2
