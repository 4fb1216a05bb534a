"""`sweep`: many configurations, or calls of a function, over axes, wherever they are computed."""

import os
import warnings
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Required, TypeAlias, TypedDict, Unpack, overload

import jax.numpy as jnp
import numpy as np

from racedyn._checks import check_flags, fail, shown
from racedyn._progress import Progress
from racedyn.config import Arrays, Config, Csv, as_dict, read
from racedyn.jobs.executors import Work, execute
from racedyn.jobs.shards import shard as part_of_all
from racedyn.jobs.sweeps import functions
from racedyn.jobs.sweeps.axes import check_axes
from racedyn.jobs.sweeps.block import RUN, here
from racedyn.jobs.sweeps.folder import Folder
from racedyn.jobs.sweeps.measures import check_observe
from racedyn.jobs.sweeps.merged import merged
from racedyn.jobs.sweeps.plan import Plan, swept_keys
from racedyn.trajectory import Labelled


class _Options(TypedDict, total=False):
    """What both forms of `sweep` take."""

    out: Required[str | os.PathLike[str]]
    observe: Sequence[str] | str | None
    executor: str | Executor | None
    jobs: int | None
    options: Mapping[str, Any] | None
    overwrite: bool
    progress: bool


_What: TypeAlias = Config | str | os.PathLike[str] | Callable[..., Any]


@overload
def sweep(
    what: _What, over: Mapping[str, Any], *, shard: None = None, **options: Unpack[_Options]
) -> Labelled: ...


@overload
def sweep(
    what: _What, over: Mapping[str, Any], *, shard: tuple[int, int], **options: Unpack[_Options]
) -> None: ...


def sweep(
    what: _What,
    over: Mapping[str, Any],
    *,
    out: str | os.PathLike[str],
    observe: Sequence[str] | str | None = None,
    executor: str | Executor | None = None,
    jobs: int | None = None,
    options: Mapping[str, Any] | None = None,
    shard: tuple[int, int] | None = None,
    overwrite: bool = False,
    progress: bool = True,
) -> Labelled | None:
    """Run `what` at every point of the product of axes `over`, and merge what is kept of each into
    one file, whose dimensions are the axes.

    **Arguments:**

    - `what`: a configuration as `racedyn run` takes it, or the path of one; or a function of the
      axes' names, which returns a number, a dict name -> array, or Labelled.
    - `over`: dotted key -> values, as {"network.depths": [(2, 2), (3, 3)], "seed": range(20)}; of a
      function the names of its arguments.
    - `out`: the folder of the sweep: `plan.json`, part files, and at the end `sweep.h5`.
    - `observe`: what is kept of each configuration: measures (`final_loss`, `participation`,
      `learning_times`, `theory_error`, ...: a wrong name lists them), or observables of a training,
      at all saved rows.
    - `executor`: None (this process), "local" (processes of this machine, `jobs` of them), "slurm",
      or a `concurrent.futures.Executor`; `options` of Slurm. See `racedyn.jobs.execute`.
    - `shard`: (k, n), the k-th of n parts of the plan alone; nothing is merged.
    - `overwrite`: replace the plan and the merged file of another sweep in that folder.

    Configurations that differ in numbers alone (seed, scale of the initial weights, step size,
    weight decay) are trained as one program; theories of one kind are solved as one. One that fails
    fails alone: its `status` and `error` say so, and its values are NaN; `error` also says where a
    training had not converged, or its rows are too far apart for a learning time. A warning counts
    them.

    What is there of the same configurations is not computed again, whoever computed it and however
    it ended: the same call goes on from whatever a killed one has left, and one with longer axes
    computes what is new. No value depends on the executor or on the order.

    Returns the merged arrays, as `rd.load(out / "sweep.h5")` does; None with `shard`. Raises
    `ValueError` for an unknown key (the nearest is named), axes without values, and values that no
    configuration has; `StoreError` where the folder is another sweep's, or parts are missing at the
    end; `KeyboardInterrupt` on Ctrl-C: finished parts stay.

        >>> def area(width, height):
        ...     return {"area": width * height}
        >>> found = rd.sweep(area, {"width": [1, 2, 3], "height": [10, 20]}, out="areas")
        >>> found["area"].tolist()
        [[10.0, 20.0], [20.0, 40.0], [30.0, 60.0]]
        >>> rd.load("areas/sweep.h5").dims["area"]
        ('width', 'height')
    """
    check_flags(overwrite=overwrite, progress=progress)
    if shard is not None:
        _check_shard(shard)
    plan, function = _planned(what, over, observe)
    blocks = plan.blocks()  # refuses what no configuration has, before anything is written
    folder = Folder(out)
    folder.begin(plan, overwrite=overwrite)
    for why in folder.check(blocks):
        warnings.warn(why, RuntimeWarning, stacklevel=2)
    names = [block.name for block in blocks]
    if shard is not None:
        names = part_of_all(names, *shard)
    if function is not None and executor is not None:
        functions.kept(function, folder.function)
    with here(function):
        _execute(folder, names, executor, jobs, options, progress)
    if shard is not None:
        return None
    return folder.keep(merged(folder, plan), plan)


def _check_shard(shard: Any) -> None:
    if not isinstance(shard, tuple) or len(shard) != 2:
        must = "be (k, n), the k-th of n parts"
        fail("shard", must, f"it is {shown(shard)}", "For example (3, 16).", TypeError)
    part_of_all([], *shard)


def _execute(
    folder: Folder,
    names: Sequence[str],
    executor: Any,
    jobs: int | None,
    options: Mapping[str, Any] | None,
    progress: bool,
) -> None:
    """All blocks of these names, with a bar that counts part files."""
    work = Work(str(folder.path), RUN, folder.is_done)
    with Progress(len(names), "sweep", "blocks", show=progress) as bar:
        execute(work, names, executor, jobs=jobs, options=options, report=bar.update)


def _planned(what: Any, over: Any, observe: Any) -> tuple[Plan, Callable[..., Any] | None]:
    """The plan, and the function if it is of one."""
    if isinstance(what, str | os.PathLike):
        what = read(Path(what))
    if isinstance(what, Config):
        axes = check_axes(over, swept_keys(what))
        data = {}
        if isinstance(what.task, Arrays | Csv):
            paths = axes.get("task.path", (what.task.path,))
            data = {str(path): f"{zlib.crc32(Path(path).read_bytes()):08x}" for path in paths}
        if jnp.result_type(float) != np.float64:
            raise ValueError(
                'The theory needs float64: add jax.config.update("jax_enable_x64", True) at the '
                "start."
            )
        return Plan(as_dict(what), axes, check_observe(observe), data), None
    if not callable(what):
        fail(
            "what",
            "be a configuration, its path, or a function",
            f"it is {shown(what)}",
            "For example rd.sweep('run.toml', {'seed': range(20)}, out='seeds').",
            TypeError,
        )
    if observe is not None:
        fail(
            "observe",
            "be left out beside a function, which returns what is kept",
            f"it is {observe}",
        )
    axes = check_axes(over)
    return Plan(functions.named(what, list(axes)), axes, ()), what
