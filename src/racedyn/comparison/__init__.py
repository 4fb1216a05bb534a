"""Theory against simulation: `compare` two runs; what it finds prints itself."""

from racedyn.comparison.comparable import check_comparable
from racedyn.comparison.result import Comparison, Error, OffDiagonal, Outcome
from racedyn.comparison.runs import compare, learning_times

__all__ = ["Comparison", "Error", "OffDiagonal", "Outcome", "check_comparable", "compare", "learning_times"]
