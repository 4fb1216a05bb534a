"""Random modes that pathways race for, and where these go by DOP853 over the drive: independent of
the roots of `exact`.
"""

import numpy as np
from scipy.integrate import solve_ivp


def random_modes(rng, num_modes):
    """Depths 1 to 20, equal or not, 1 to 8 pathways, c from -1 to 2, p of either sign, q away from
    0, S of either sign.
    """
    paths = int(rng.integers(1, 9))
    depths = (
        rng.integers(1, 21, paths) if rng.random() < 0.5 else np.full(paths, rng.integers(1, 21))
    )
    c, p = rng.uniform(-1, 2, (paths, num_modes)), rng.standard_normal((paths, num_modes))
    p *= 10 ** rng.uniform(-2, 0, p.shape)
    p = np.where(c + p**2 < 0.01, np.sign(p) * np.sqrt(np.abs(c) + 0.01 + p**2), p)
    S = 10 ** rng.uniform(-1, 1, num_modes) * np.where(rng.random(num_modes) < 0.85, 1, -1)
    return S, tuple(int(depth) for depth in depths), np.sqrt(c + p**2), p


def special_modes(rng, depths, num_modes):
    """Starts from small to large, some of them with all p = 0, or a first pathway with q = p or q =
    0; S of either sign.
    """
    size = 10 ** rng.uniform(-2, 0.3, num_modes)
    q, p = size * rng.standard_normal((2, len(depths), num_modes))
    kind = rng.integers(0, 8, num_modes)
    p[:, kind == 0] = 0
    q[0, kind == 1] = p[0, kind == 1]
    q[0, kind == 2] = 0
    return rng.choice([1.0, 0.5, -1.0], num_modes), q, p


def scale(S, depths, q, p):
    """The larger of |S| and the largest |K| at the start."""
    return max(abs(S), np.abs(p * q ** (np.array(depths) - 1.0)).max())


def end_by_ode(target, depths, q, p):
    """K (path,) at sum K = target."""
    return _solved(target, depths, q, p, 0.0)[1][-1]


def course_by_ode(target, depths, q, p):
    """Times (step,), K (step, path) and the largest |dK/dt| (step,), until a thousandth of what is
    missing is left.
    """
    D, paths = np.array(depths), len(depths)
    t, K, y = _solved(target, depths, q, p, 1e-3)
    q, p = y[:, :paths], y[:, paths:-1]
    slopes = np.where(
        D == 1, 1, q ** (2 * D - 2.0) + (D - 1) * q ** np.maximum(2 * D - 4.0, 0) * p**2
    )
    return t, K, np.abs((target - K.sum(axis=1))[:, None] * slopes).max(axis=1)


def _solved(target, depths, q, p, left):
    """By a clock that the fastest pathway sets, so that no pole is in the way; the time is not
    meant to reach the end.
    """
    D, paths = np.array(depths), len(depths)

    def strengths(y):
        return y[paths:-1] * np.where(D == 1, 1, y[:paths] ** (D - 1.0))

    def field(_, y):
        q, p = y[:paths], y[paths:-1]
        dq = np.where(D == 1, 0, q ** np.maximum(D - 2.0, 0) * p)
        dp = np.where(D == 1, 1, q ** (D - 1.0))
        pace = np.max(np.abs(dq) + np.abs(dp)) / (1 + np.max(np.abs(y[:-1])))
        missing = abs(target - strengths(y).sum()) if left else 1.0
        return np.concatenate([sense * dq, sense * dp, [1 / missing]]) / max(pace, 1e-300)

    def arrived(_, y):
        return target - left * begun - strengths(y).sum()

    arrived.terminal = True
    start = np.concatenate([q, p, [0.0]])
    begun = target - strengths(start).sum()
    sense = np.sign(begun)
    atol = np.append(np.full(2 * paths, 1e-15), 1e-30)
    solved = solve_ivp(
        field, (0, 80), start, method="DOP853", rtol=1e-13, atol=atol, events=arrived
    )
    y = np.column_stack([solved.y[:, :-1], solved.y_events[0][0]]).T
    return y[:, -1], np.array([strengths(row) for row in y]), y
