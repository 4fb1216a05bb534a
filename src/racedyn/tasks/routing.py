"""The routing task: every input domain is to be mapped to every output domain, some routes are
trained ([Saxe22] section 5).
"""

from typing import Any

import jax
import numpy as np

from racedyn._arrays import as_matrix
from racedyn._checks import as_key, check_name, check_positive_int, fail
from racedyn.tasks.routes import Routes
from racedyn.tasks.routing_task import RoutingTask
from racedyn.tasks.task import Task

# [Saxe22] fig. 4c: 4 items, a small hierarchy of 7 features.
ITEMS = np.eye(4)
FEATURES = np.vstack([[6.0, 6, 6, 6], [4, 4, 0, 0], [0, 0, 4, 4], 3 * np.eye(4)])


def routing(
    domains: int,
    trained: int | None = None,
    inputs: Any = None,
    targets: Any = None,
    *,
    pattern: Any = "circulant",
    key: Any = None,
    input_transforms: Any = None,
    output_transforms: Any = None,
) -> Task:
    """M input domains and M output domains; each input is trained with K outputs ([Saxe22] fig. 4).

    Nodes are "x1".."xM" and "y1".."yM"; context i M + j is the route from input i to output j (from
    0). `task.structure` has the `Routes`; `task.structure.untrained()` is the task on those that
    are not trained.

    **Arguments:**

    - `domains` M, `trained` K (at most M; all if left out).
    - `inputs` (n_in, P), `targets` (n_out, P): what one route maps, the same for all. By default
      [Saxe22]'s 4 one-hot items with 7 hierarchical features.
    - `pattern`: "circulant": input i with outputs i, ..., i + K - 1 (modulo M); "regular": K
      offsets and the order of inputs and outputs drawn with `key`; in both each output is trained
      with K inputs too. Or (M, M) of 0 and 1, rows inputs (`trained` is then left out).

    - `input_transforms`, `output_transforms`: orthogonal maps, one per domain, by which the inputs
      of input domain i and the targets of output domain j differ from those of the others: rows of
      `tasks.transforms`, (M, n) of whole numbers or (M, n, n). By default all domains have the same
      coordinates. In linear networks whose first and last matrices are Gaussian or Haar that is no
      loss: W Q has the law of W, and a network that starts from W_i Q_i^T learns on transformed
      inputs as one that starts from W_i does on plain ones.

    One route's examples and the table of routes are all that is kept, however many routes there
    are.

    `task.structure.parts` says in how many parts trained routes join the domains: routes from one
    part to another are never learned, and drawn patterns may have several.

    Contexts without examples are the untrained routes; all pairs of nodes have the modes of one
    route. Raises `ValueError` where K is above M, a pattern has no route, or inputs and targets are
    not correlated.

        >>> task = rd.tasks.routing(domains=3, trained=2)
        >>> task.structure.routes.astype(int).tolist()  # input i with outputs i and i + 1
        [[1, 1, 0], [0, 1, 1], [1, 0, 1]]
        >>> task.num_contexts, task.num_examples
        (9, 24)
    """
    domains = check_positive_int("domains", domains)
    items = ITEMS if inputs is None else as_matrix("inputs", inputs)
    features = FEATURES if targets is None else as_matrix("targets", targets)
    transforms = input_transforms, output_transforms
    if not isinstance(pattern, str):
        if trained is not None:
            fail("trained", "be left out where `pattern` is a table", f"it is {trained}")
        routes = as_matrix("pattern", pattern)
        if (
            routes.shape != (domains, domains)
            or not np.isin(routes, (0, 1)).all()
            or not routes.any()
        ):
            fail(
                "pattern",
                f"hold 0 and 1 in the shape {(domains, domains)}, and some 1",
                f"its shape is {routes.shape} and it holds {np.unique(routes)[:5].tolist()}",
            )
        name = f"routing, {domains} domains, {int(routes.sum())} routes"
        return RoutingTask(Routes(routes == 1, items, features, name, *transforms))
    trained = domains if trained is None else check_positive_int("trained", trained)
    if trained > domains:
        fail("trained", f"be at most the number of domains, {domains}", f"it is {trained}")
    offsets = np.arange(trained)
    order = np.arange(domains), np.arange(domains)
    if check_name("pattern", pattern, ("circulant", "regular")) == "regular":
        given = as_key(key, 'tasks.routing(7, 4, pattern="regular", key=0)')
        drawn, *shuffles = jax.random.split(given, 3)
        offsets = np.asarray(jax.random.permutation(drawn, domains))[:trained]
        order = tuple(np.asarray(jax.random.permutation(shuffle, domains)) for shuffle in shuffles)  # type: ignore[assignment]
    routes = np.isin((order[1][None] - order[0][:, None]) % domains, offsets)
    name = f"routing, {domains} domains, {trained} trained"
    return RoutingTask(Routes(routes, items, features, name, *transforms))
