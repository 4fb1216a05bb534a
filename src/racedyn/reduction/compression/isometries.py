"""A Haar matrix that is drawn as far as it is asked for.

Known directions at its two ends reach others: their images. Between all of these the matrix is an
isometry that is known whole, the *core*; between what is orthogonal to them it is Haar, whatever
the core is. So there is nothing to solve for: what becomes known turns the core, or makes it
larger, and loses no digit where an image almost lies among what is known."""

import numpy as np

from racedyn.reduction.compression.store import BACKWARD, FORWARD, Side

_RANK = 1e-12  # of a unit: a shorter part of an image is rounding


class Isometry:
    """**Fields:** `core` (rows, columns): rows are the known directions at the target, then those
    that images reach beyond them; columns likewise at the source. `known`, `width`: side -> how
    many directions at its end are known, and how many there are.

    At first all directions of an end are known, or none; those of both is not for it."""

    def __init__(self, width: dict[Side, int], known: dict[Side, int]):
        self.width, self.known = width, dict(known)
        # What all units of one end reach at the other may be called its first directions.
        self.core = np.eye(sum(known.values()))

    def images(self, side: Side, C: np.ndarray) -> np.ndarray:
        """Images of C's columns, in known directions at a side's beginning, on the fewest
        directions at its end, not known, that hold what of them is not: (new, columns of C). These
        are the first that `next_rows` makes known.
        """
        seen, known, begun = self._seen(side), self.known[side], self.known[_other(side)]
        reached = seen[known:, :begun] @ C
        left, values, _ = np.linalg.svd(reached)
        seen[known:] = left.T @ seen[known:]
        return np.asarray(left.T @ reached)[: np.count_nonzero(values > _RANK)]

    def next_rows(self, side: Side, new: int) -> np.ndarray:
        """The next directions at a side's end become known: what they have in those known at its
        beginning, (new, known).
        """
        start = self.known[side]
        self.known[side] += new
        return np.asarray(self._seen(side)[start : self.known[side], : self.known[_other(side)]])

    def draw(self, side: Side, new: int, draw: np.random.Generator) -> None:
        """Turn the core such that the next directions at a side's end are random ones: those that
        others have led to.
        """
        for number in range(new):
            known = self.known[side] + number
            room = self.width[side] - len(self._seen(side))
            if room:
                self._grow(side)
            reached = len(self._seen(side)) - known
            # Of a random direction, the part in what images reach, and the length of the rest.
            inside = draw.standard_normal(reached - bool(room))
            rest = [np.sqrt(draw.chisquare(room))] if room else []
            direction = np.concatenate([inside, rest])
            self._seen(side)[known:] = reflected(direction, self._seen(side)[known:])

    def _seen(self, side: Side) -> np.ndarray:
        """The core as a side sees it, (at its end, at its beginning); a view."""
        return self.core if side == FORWARD else self.core.T

    def _grow(self, side: Side) -> None:
        """A random direction at a side's end, outside the core, with its image backwards: another
        such, unless the core has all that the beginning has.
        """
        rows, columns = self._seen(side).shape
        more = columns < self.width[_other(side)]
        seen = np.zeros((rows + 1, columns + more))
        seen[:rows, :columns] = self._seen(side)
        seen[rows, columns:] = 1.0
        self.core = seen if side == FORWARD else seen.T


def reflected(direction: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows in a frame of which the first is along `direction`."""
    normal = direction / np.linalg.norm(direction)
    # The reflection that exchanges the first and the direction, up to a sign that loses no digit.
    sign = 1.0 if normal[0] < 0 else -1.0
    normal[0] -= sign
    normal /= np.linalg.norm(normal)
    return np.asarray(sign * (rows - 2 * np.outer(normal, normal @ rows)))


def _other(side: Side) -> Side:
    return BACKWARD if side == FORWARD else FORWARD
