"""A plan cut into parts that know nothing of each other, for clusters of any kind."""

import re
import shlex
from collections.abc import Sequence

from racedyn._checks import as_list, check_int, fail, shown

PARTS = 16  # of the line that is shown
EXAMPLE = "For example '3/16': the third of sixteen."


def shard(blocks: Sequence[str], k: int, n: int) -> list[str]:
    """The blocks of the `k`-th of `n` parts, counted from 1: every n-th, so that work is even.

    `blocks` is the whole plan, and not what is missing of it: so each part is the same whenever it
    begins, and no block is in two. Parts are empty where there are more than blocks.

    Raises `ValueError` for a part that there is not.

        >>> shard(["0", "1", "2", "3", "4"], 2, 3)
        ['1', '4']
    """
    whole = as_list("blocks", blocks, "be a list of names")
    if check_int("k", k, 1) > check_int("n", n, 1):
        fail("k", f"be one of 1 to {n}", f"it is {k}", "Parts are counted from 1.")
    return whole[k - 1 :: n]


def parse_shard(text: str) -> tuple[int, int]:
    """`k` and `n` of a part "k/n" for `shard`. Raises `ValueError` for other texts.

    >>> parse_shard("3/16")
    (3, 16)
    """
    must = "be a part and their number, k/n with k of 1 to n"
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text) if isinstance(text, str) else None
    if found is None:
        fail("shard", must, f"it is {shown(text)}", EXAMPLE)
    k, n = map(int, found.groups())
    if not 1 <= k <= n:
        fail("shard", must, f"it is {text!r}", EXAMPLE)
    return k, n


def submit_line(argv: Sequence[str], n: int = PARTS) -> str:
    """The line that puts a command's `n` parts into a job array of Slurm without submitit; other
    clusters have another word for the number of a task.

        >>> print(submit_line(["racedyn", "sweep", "my sweep.toml"], 16))
        sbatch --array=1-16 --wrap="racedyn sweep 'my sweep.toml' --shard \\$SLURM_ARRAY_TASK_ID/16"
    """
    check_int("n", n, 1)
    words = re.sub(r'([\\"$`])', r"\\\1", shlex.join(argv))
    return f'sbatch --array=1-{n} --wrap="{words} --shard \\$SLURM_ARRAY_TASK_ID/{n}"'
