"""From a network, a task and weights to the (reduced) equations of their learning dynamics.

- `reduce`: the function for users: the equations at the level that is asked for.
- `assignment`: what `reduce` was given, checked once for all levels.
- `levels`: the levels of the gated flow: full, matrix and modes.
- `best`: the smallest of these that holds its tolerance.
- `pathway`: the level of the q/p equations, one pathway against the others.
- `maps`: the level of the race of maps, one matrix per balanced pathway.
- `bases`: the bases, one per node, in which a level is smaller than the network.
- `own_bases`: the same where each path has bases of its own.
- `matching`: from actual weights to the start of the q/p equations.
- `projection`: `project`: the network itself in these bases, with fewer dimensions.
- `compression`: `compress`: a narrow network that learns as the wide one does.
- `validity`: how exact a reduction is, as it measured itself.
"""

from racedyn.reduction.compression import Compressed, compress, of_one_shape
from racedyn.reduction.matching import match as match
from racedyn.reduction.projection import project
from racedyn.reduction.reduce import LEVELS, reduce
from racedyn.reduction.validity import Validity

__all__ = ["LEVELS", "Compressed", "Validity", "compress", "of_one_shape", "project", "reduce"]
