"""Tasks: inputs, targets, contexts, and the modes in which strengths are read."""

from racedyn.tasks.builders import from_arrays, random
from racedyn.tasks.contextual import Contexts, contextual
from racedyn.tasks.contextual import contexts_of as contexts_of
from racedyn.tasks.modes import Modes
from racedyn.tasks.modes import canonical_svd as canonical_svd
from racedyn.tasks.modes import read_in as read_in
from racedyn.tasks.routing import Routes, routing
from racedyn.tasks.routing import routes_of as routes_of
from racedyn.tasks.structures import clusters, cross_cutting, grid, hierarchy, order, ring
from racedyn.tasks.tables import from_csv
from racedyn.tasks.task import Task
from racedyn.tasks.xor import xor

__all__ = [
    "Contexts",
    "Modes",
    "Routes",
    "Task",
    "clusters",
    "contextual",
    "cross_cutting",
    "from_arrays",
    "from_csv",
    "grid",
    "hierarchy",
    "order",
    "random",
    "ring",
    "routing",
    "xor",
]
