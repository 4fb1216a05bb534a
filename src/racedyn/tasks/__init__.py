"""Tasks: inputs, targets, contexts, and the modes in which strengths are read.

- `task`: `Task`: inputs, targets and contexts.
- `modes`: `Modes`: the basis and the signs in which strengths are read.
- `builders`: tasks from arrays, and random ones with given singular values.
- `tables`: a task from a CSV table of items and their properties; four that come with it.
- `images`: small images and their classes, and parts to train and to test on.
- `structures`: items in a tree, an order, a ring, a grid or clusters.
- `xor`: XoR with a margin.
- `routes`: which routes a task has, and what each of them maps.
- `routing_task`: tasks of many routes, kept as one route's examples and a table.
- `transforms`: orthogonal maps of a domain's coordinates.
- `routing`: input domains to be mapped to output domains, some routes trained.
- `blocks`: blocks of properties of the published contextual task.
- `contextual`: items with properties in every context and others in one alone.
- `multimodal`: two modalities, and a target that is linear in both.
"""

from racedyn.tasks.builders import from_arrays, random
from racedyn.tasks.contextual import Contexts, contextual
from racedyn.tasks.contextual import contexts_of as contexts_of
from racedyn.tasks.images import images
from racedyn.tasks.modes import Modes
from racedyn.tasks.modes import canonical_svd as canonical_svd
from racedyn.tasks.modes import read_in as read_in
from racedyn.tasks.multimodal import multimodal
from racedyn.tasks.routes import Routes
from racedyn.tasks.routes import routes_of as routes_of
from racedyn.tasks.routing import routing
from racedyn.tasks.routing_task import RoutingTask as RoutingTask
from racedyn.tasks.structures import clusters, cross_cutting, grid, hierarchy, order, ring
from racedyn.tasks.tables import example, from_csv
from racedyn.tasks.task import Task
from racedyn.tasks.transforms import check_transforms as check_transforms
from racedyn.tasks.transforms import transformed as transformed
from racedyn.tasks.transforms import transforms
from racedyn.tasks.xor import xor

__all__ = [
    "Contexts",
    "Modes",
    "Routes",
    "Task",
    "clusters",
    "contextual",
    "cross_cutting",
    "example",
    "from_arrays",
    "from_csv",
    "grid",
    "hierarchy",
    "images",
    "multimodal",
    "order",
    "random",
    "ring",
    "routing",
    "transforms",
    "xor",
]
