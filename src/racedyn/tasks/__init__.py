"""Tasks: inputs, targets, contexts, and the modes in which strengths are read."""

from racedyn.tasks.builders import from_arrays, hierarchy
from racedyn.tasks.modes import Modes
from racedyn.tasks.task import Task

__all__ = ["Modes", "Task", "from_arrays", "hierarchy"]
