"""Paths of a network: what they see (statistics), what they carry (strengths), how they share it
(concentration).

- `classes`: paths with equal ends and equal gates, which have equal statistics.
- `statistics`: everything in a task that the learning of the paths depends on.
- `strengths`: what each path carries in each mode.
- `beginnings`: the same for many paths at once: a beginning that paths share is computed once.
- `reading`: which modes strengths are read in, and how they turn from one set of modes to another.
- `concentration`: how unevenly paths share a mode.
- `projectors`: how unevenly they share all modes together, whatever the basis.
"""

from racedyn.paths.beginnings import Pair as Pair
from racedyn.paths.classes import PathClass as PathClass
from racedyn.paths.classes import classes_of_paths as classes_of_paths
from racedyn.paths.classes import path_classes as path_classes
from racedyn.paths.concentration import SHARES as SHARES
from racedyn.paths.concentration import entropy, largest_share, participation, shares, winner
from racedyn.paths.concentration import observe_shares as observe_shares
from racedyn.paths.projectors import PROJECTORS as PROJECTORS
from racedyn.paths.projectors import (
    basis_free_participation,
    projector_eigenvalues,
    projectors,
)
from racedyn.paths.projectors import observe_projectors as observe_projectors
from racedyn.paths.reading import Bases as Bases
from racedyn.paths.reading import Turn as Turn
from racedyn.paths.reading import modes_asked_for as modes_asked_for
from racedyn.paths.statistics import Statistics, statistics
from racedyn.paths.statistics import off_diagonal as off_diagonal
from racedyn.paths.strengths import MAX_UNNAMED_PATHS as MAX_UNNAMED_PATHS
from racedyn.paths.strengths import data_maps, observe_paths, path_maps
from racedyn.paths.strengths import not_separable as not_separable
from racedyn.paths.strengths import observe_maps as observe_maps
from racedyn.paths.strengths import observed_paths as observed_paths

__all__ = [
    "Statistics",
    "basis_free_participation",
    "data_maps",
    "entropy",
    "largest_share",
    "observe_paths",
    "participation",
    "path_maps",
    "projector_eigenvalues",
    "projectors",
    "shares",
    "statistics",
    "winner",
]
