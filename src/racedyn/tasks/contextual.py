"""The contextual task: items have properties in every context, and others in one context alone
([Jarvis25] sections 4, 5).
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from racedyn._checks import as_list, check_name, check_positive_int, fail, shown
from racedyn.tasks.blocks import crossed_tree, graded_ring
from racedyn.tasks.structures import cross_cutting, hierarchy, order, ring
from racedyn.tasks.task import Task

# Published [Jarvis25]: the first three. The others are ours.
STRUCTURES: Mapping[str, Callable[[int], Task]] = {
    "tree": hierarchy,
    "graded_ring": graded_ring,
    "crossed_tree": crossed_tree,
    "ring": ring,
    "order": order,
    "cross_cutting": lambda items: cross_cutting(items // 2, 2),
}
MOST_CONTEXTS = 8


@dataclasses.dataclass(frozen=True, repr=False)
class Contexts:
    """The structure of a contextual task: `items`, how many there are, and `blocks`, the rows of
    the target that are active in every context (the first) and in each context alone. It is
    `task.structure` of what `tasks.contextual` makes."""

    items: int
    blocks: tuple[slice, ...]

    def __repr__(self) -> str:
        return f"Contexts({self})"

    def __str__(self) -> str:
        return f"{self.items} items in {len(self.blocks) - 1} contexts"


def contexts_of(task: Any) -> Contexts:
    """The structure of a task of `tasks.contextual`. Raises `TypeError` for another."""
    structure = getattr(task, "structure", None)
    if not isinstance(structure, Contexts):
        fail("task", "be one of tasks.contextual", f"it is {shown(task)}", error=TypeError)
    return structure


def contextual(items: int = 8, contexts: int = 3, structures: str | Sequence[str] = "tree") -> Task:
    """Every item in every context: P = C n examples, context by context.

    Inputs: "item" one-hot (n, P), "context" one-hot (C, P); gates depend on the context. Targets
    (rows, P): a block of properties that items have in every context, and one for each context that
    they have in it alone. `structures`: that of all blocks, or of each (C + 1, the common one
    first).

    - Published, 2 n - 1 rows each: "tree" (`hierarchy`); "graded_ring", waves of 0, .33, .66, 1, 1,
      .66, .33, 0 around the items, with one row that all have; "crossed_tree", the tree with pairs
      1 and 3, 2 and 4 of every four items. [Jarvis25] have "tree" everywhere (section 5), or, for
      contexts of different structures (section 4, figs. 4, 8, 9), those of the example. The text
      names them only; rows are as in the published code, for 8 items, and continued for others.
    - Ours: "ring" (`ring`, all arcs), "order" (`order`), "cross_cutting" (`cross_cutting`, two
      classes across a tree of pairs).

    Raises `ValueError` for fewer than 2 or more than 8 contexts, as many structures as do not fit,
    and a number of items that a structure can't have.

        >>> task = rd.tasks.contextual(items=4, contexts=2)
        >>> task.context.tolist()
        [0, 0, 0, 0, 1, 1, 1, 1]
        >>> blocks = task.structure.blocks  # the common one, and that of each context
        >>> [np.count_nonzero(task.Y[rows], axis=0).tolist() for rows in blocks]
        [[3, 3, 3, 3, 3, 3, 3, 3], [3, 3, 3, 3, 0, 0, 0, 0], [0, 0, 0, 0, 3, 3, 3, 3]]
        >>> published = ["tree", "tree", "graded_ring", "crossed_tree"]
        >>> task = rd.tasks.contextual(structures=published)
        >>> task.Y.shape, task.Y[31, 8:16].tolist()  # the first wave, of context 2
        ((60, 24), [0.0, 0.33, 0.66, 1.0, 1.0, 0.66, 0.33, 0.0])
    """
    items, contexts = check_positive_int("items", items), check_positive_int("contexts", contexts)
    if not 2 <= contexts <= MOST_CONTEXTS:
        fail("contexts", f"be from 2 to {MOST_CONTEXTS}", f"it is {contexts}")
    must = f"name one structure, or {contexts + 1}: the common one, then one per context"
    names = (
        [structures] * (contexts + 1)
        if isinstance(structures, str)
        else as_list("structures", structures, must)
    )
    for name in names:
        check_name("structures", name, STRUCTURES)
    if len(names) != contexts + 1:
        fail("structures", must, f"it names {len(names)}")
    if "cross_cutting" in names and items % 2:
        fail("items", "be even, for pairs, in a cross-cutting structure", f"it is {items}")
    made = [STRUCTURES[name](items) for name in names]
    ends = np.cumsum([0, *(len(each.Y) for each in made)])
    blocks = tuple(slice(int(start), int(stop)) for start, stop in pairwise(ends))
    Y = np.zeros((ends[-1], contexts * items))
    Y[blocks[0]] = np.tile(made[0].Y, contexts)
    for c in range(contexts):
        Y[blocks[c + 1], c * items : (c + 1) * items] = made[c + 1].Y
    where = ["in every context", *(f"in context {c + 1}" for c in range(contexts))]
    return Task(
        {
            "item": np.tile(np.eye(items), contexts),
            "context": np.repeat(np.eye(contexts), items, axis=1),
        },
        {"output": Y},
        np.repeat(np.arange(contexts), items),
        name=f"{items} items in {contexts} contexts",
        item_names=tuple(
            f"item {i + 1}, context {c + 1}" for c in range(contexts) for i in range(items)
        ),
        feature_names=tuple(
            f"{name}, {place}"
            for each, place in zip(made, where, strict=True)
            for name in each.feature_names  # type: ignore[union-attr]
        ),
        structure=Contexts(items, blocks),
    )
