"""K-means over neurons, from many starts, each ended by moves of single neurons."""

import numpy as np

# Lloyd's steps end in an optimum near where they start. Single moves go on from there to one that
# no neuron leaves alone: on 40 rows of noise each start then finds the least sum of squares in 1 of
# 2 to 1 of 20, before in less than 1 of 50.
ROUNDING = 1e-12  # of the sum of squares of all rows: what is less is no gain
MOST_MOVES = 10_000  # the sum falls at each, so that none comes back; a few are usual


def k_means(
    rows: np.ndarray, weights: np.ndarray, k: int, starts: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Centroids (k, example), those of most rows first (then of the first row), and the number of
    each row's: the least sum of squared distances, by weights (row,), of several starts.

    Raises `ImportError` without scikit-learn.
    """
    try:
        from sklearn.cluster import KMeans
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise ImportError(
            '`gates.find` needs scikit-learn, which is not installed: pip install "racedyn[gates]".'
        ) from error
    found = []
    with threadpool_limits(1):  # a start takes a millisecond, less than threads that wait for cores
        for seed in generator.integers(2**32, size=starts):
            lloyd = KMeans(k, n_init=1, random_state=int(seed)).fit(rows, sample_weight=weights)
            found.append(settled(rows, weights, lloyd.labels_))
    label, _ = min(found, key=lambda pair: pair[1])
    _, first, sizes = np.unique(label, return_index=True, return_counts=True)
    order = np.lexsort((first, -sizes))
    return _centroids(rows, weights, label, k)[1][order], np.argsort(order)[label]


def settled(rows: np.ndarray, weights: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, float]:
    """Labels from which no row can move alone and lower the sum of squared distances, and that sum.

    A row that joins or leaves a cluster moves its centroid: what is gained is known in closed form
    (Hartigan). All rows that gain move at once; if the sum does not fall, half of them, and so on.
    """
    norms, at, k = np.sum(rows**2, axis=1), np.arange(len(rows)), int(label.max()) + 1
    total = float(weights @ norms)
    sizes, centroids = _centroids(rows, weights, label, k)
    squares = total - float(sizes @ np.sum(centroids**2, axis=1))
    for _ in range(MOST_MOVES):
        away = norms[:, None] - 2 * rows @ centroids.T + np.sum(centroids**2, axis=1)
        joined = away / (1 / weights[:, None] + 1 / sizes)
        joined[at, label] = np.inf
        to = joined.argmin(axis=1)
        alone = np.bincount(label)[label] == 1
        others = np.where(alone, np.inf, sizes[label] - weights)
        left = away[at, label] * weights * (1 + weights / others)
        gain = np.where(alone, 0, left - joined[at, to])
        order, moving = np.argsort(-gain), int(np.count_nonzero(gain > ROUNDING * total))
        while moving:
            moved = label.copy()
            moved[order[:moving]] = to[order[:moving]]
            sizes_then, centroids_then = _centroids(rows, weights, moved, k)
            then = total - float(sizes_then @ np.sum(centroids_then**2, axis=1))
            if sizes_then.all() and then < squares - ROUNDING * total:
                break
            moving //= 2
        else:
            break
        label, sizes, centroids, squares = moved, sizes_then, centroids_then, then
    return label, squares


def _centroids(
    rows: np.ndarray, weights: np.ndarray, label: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """The weight of each cluster, (k,), and its rows' mean, (k, example): 0 where it has none."""
    members = np.equal(label, np.arange(k)[:, None]) * weights
    sizes = members.sum(axis=1)
    return sizes, (members @ rows) / np.where(sizes > 0, sizes, 1)[:, None]
