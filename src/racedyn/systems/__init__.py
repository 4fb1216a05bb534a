"""Systems: initial state and d/dt, and what may be observed. They know nothing of solvers."""

from racedyn.systems.base import AbstractSystem, from_function
from racedyn.systems.pathways import Pathways
from racedyn.systems.piecewise import Piecewise

__all__ = ["AbstractSystem", "Pathways", "Piecewise", "from_function"]
