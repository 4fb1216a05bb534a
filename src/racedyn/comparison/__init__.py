"""Theory against simulation: `compare` two runs; what it finds prints itself."""

from racedyn.comparison.comparable import check_axes as check_axes
from racedyn.comparison.comparable import check_comparable as check_comparable
from racedyn.comparison.compare import compare, learning_times
from racedyn.comparison.result import Comparison, Error, OffDiagonal, Outcome
from racedyn.comparison.times import LearningTimes
from racedyn.comparison.times import first_fallen as first_fallen
from racedyn.comparison.times import first_reached as first_reached

__all__ = [
    "Comparison",
    "Error",
    "LearningTimes",
    "OffDiagonal",
    "Outcome",
    "compare",
    "learning_times",
]
