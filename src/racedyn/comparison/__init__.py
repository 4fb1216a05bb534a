"""Theory against simulation: `compare` two runs; what it finds prints itself.

- `compare`: the two functions for users, `compare` and `learning_times`.
- `pair`: one theory beside one trained run.
- `members`: ensembles side by side, member by member.
- `comparable`: what two runs say of themselves, and whether they can be compared.
- `measures`: how far two runs are apart, and how pathways share each mode at the end.
- `table`: what was found, as arrays with named axes.
- `times`: when a mode is learned, and how well the saved rows tell.
- `notes`: what a reader of a comparison must know beside its numbers.
- `result`: what `compare` returns, and how it prints.
- `several`: the same for several theories beside one run.
"""

from racedyn.comparison.comparable import check_axes as check_axes
from racedyn.comparison.comparable import check_comparable as check_comparable
from racedyn.comparison.comparable import kind_of_loss as kind_of_loss
from racedyn.comparison.comparable import members_of as members_of
from racedyn.comparison.compare import compare, learning_times
from racedyn.comparison.members import MemberComparison
from racedyn.comparison.result import Comparison, Error, OffDiagonal, Outcome
from racedyn.comparison.several import Comparisons
from racedyn.comparison.times import LearningTimes
from racedyn.comparison.times import first_fallen as first_fallen
from racedyn.comparison.times import first_reached as first_reached

__all__ = [
    "Comparison",
    "Comparisons",
    "Error",
    "LearningTimes",
    "MemberComparison",
    "OffDiagonal",
    "Outcome",
    "compare",
    "learning_times",
]
