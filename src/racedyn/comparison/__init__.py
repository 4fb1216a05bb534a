"""Theory against simulation: `compare` two runs; what it finds prints itself."""

from racedyn.comparison.comparable import check_axes, check_comparable
from racedyn.comparison.compare import compare, learning_times
from racedyn.comparison.result import Comparison, Error, OffDiagonal, Outcome
from racedyn.comparison.times import LearningTimes, first_fallen, first_reached

__all__ = [
    "Comparison",
    "Error",
    "LearningTimes",
    "OffDiagonal",
    "Outcome",
    "check_axes",
    "check_comparable",
    "compare",
    "first_fallen",
    "first_reached",
    "learning_times",
]
