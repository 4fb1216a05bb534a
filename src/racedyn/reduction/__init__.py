"""From a network, a task and weights to the (reduced) equations of their learning dynamics."""

from racedyn.reduction.projection import project
from racedyn.reduction.reduce import LEVELS, reduce
from racedyn.reduction.validity import Validity

__all__ = ["LEVELS", "Validity", "project", "reduce"]
