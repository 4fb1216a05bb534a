"""What clustering finds: gates per step and number of clusters, and which number the elbow says."""

from typing import NamedTuple

import numpy as np

from racedyn._checks import check_int, fail
from racedyn._text import brief


class Clusters(NamedTuple):
    """The live neurons of a layer in clusters, the largest first.

    `gates` (cluster, context): whether the pathway that a cluster stands for is open. `centroids`
    (cluster, example): mean activity of its neurons, or of their rows of unit norm. `majority`
    (cluster, context): whether more than half of its neurons are on, each in more than half of a
    context's examples as in `patterns`. `sizes` (cluster,): how many neurons it has. Where gates
    are found by example, examples stand in place of contexts."""

    gates: np.ndarray
    centroids: np.ndarray
    majority: np.ndarray
    sizes: np.ndarray

    def __repr__(self) -> str:
        return brief(self)

    def counts(self) -> dict[tuple[bool, ...], int]:
        """Gating pattern -> number of neurons in clusters that have it, the commonest first."""
        found: dict[tuple[bool, ...], int] = {}
        for gates, size in zip(self.gates, self.sizes, strict=True):
            pattern = tuple(map(bool, gates))
            found[pattern] = found.get(pattern, 0) + int(size)
        return dict(sorted(found.items(), key=lambda item: -item[1]))


class Found(NamedTuple):
    """Gates found in ReLU networks, at several steps and for several numbers of clusters.

    `epochs` (group, epoch): steps of descent whose neurons were clustered together, one step a
    group, or all in one group where pooled. `k` (k,): numbers of clusters. `errors` (group, k):
    mean squared difference between the outputs of the ReLU networks and of the gated linear ones.
    `chosen` (group,): the k at the elbow of these. `margin` (group,): the part of the elbow's depth
    below the line by which the second best k lies behind, from 0 for two as good to 1 where the
    others lie on the line, NaN where there is no elbow. `agreement` (group,): in how many of
    `rounds` repetitions, with neurons weighed at random, the same k and the same gates come out.
    `clusters`: `Clusters` per group and k."""

    epochs: np.ndarray
    k: np.ndarray
    errors: np.ndarray
    chosen: np.ndarray
    margin: np.ndarray
    agreement: np.ndarray
    rounds: int
    clusters: tuple[tuple[Clusters, ...], ...]

    def __repr__(self) -> str:
        lines = [brief(self)]
        if not self.stable.all():
            lines.append(
                f"  unstable at epoch {', '.join(map(str, self.epochs[~self.stable, -1]))}"
            )
        return "\n".join(lines)

    def __str__(self) -> str:
        lines = ["gates found by clustering; epoch: k at the elbow, gates and number of neurons"]
        for epochs, k, margin, agreement, stable in zip(
            self.epochs, self.chosen, self.margin, self.agreement, self.stable, strict=True
        ):
            counts = _shown(self.at(int(epochs[-1])).counts())
            lines.append(f"  {', '.join(map(str, epochs))}: {k}, {counts}")
            ahead = f"next k {100 * margin:.0f} % less deep" if margin >= 0 else "no elbow"
            again = f"the same in {agreement} of {self.rounds} repetitions"
            lines.append(f"    {'' if stable else 'unstable: '}{again}, {ahead}")
        return "\n".join(lines)

    @property
    def stable(self) -> np.ndarray:
        """Whether all repetitions find the same k and the same gates, (group,)."""
        return self.agreement == self.rounds

    def at(self, epoch: int | None = None, k: int | None = None) -> Clusters:
        """The clusters of a step (the last if left out), as many as the elbow says, or `k`.

        Raises `ValueError` for a step or a number of clusters that was not asked for."""
        group = len(self.epochs) - 1
        if epoch is not None:
            groups = np.flatnonzero((self.epochs == check_int("epoch", epoch)).any(axis=1))
            if not len(groups):
                known = np.unique(self.epochs).tolist()
                fail("epoch", f"be one of those clustered, {known}", f"it is {epoch}")
            group = int(groups[0])
        k = int(self.chosen[group]) if k is None else check_int("k", k)
        if k not in self.k:
            fail("k", f"be one of those clustered, {self.k.tolist()}", f"it is {k}")
        return self.clusters[group][int(np.flatnonzero(self.k == k)[0])]


def _shown(counts: dict[tuple[bool, ...], int]) -> str:
    """Patterns as digits, with how many neurons have each: "111 200, 110 90"."""
    return ", ".join(
        f"{''.join(str(int(on)) for on in pattern)} {count}" for pattern, count in counts.items()
    )
