"""One block in another process, with the numbers that the caller's JAX would give."""

import os
import pkgutil
import sys
from collections.abc import Mapping
from typing import Any

import jax

from racedyn._cache import for_others
from racedyn._checks import check_callable, fail

# What changes numbers. In a process of ours JAX finds them in its environment, by their names in
# capitals; elsewhere they are set with each block.
_OF_NUMBERS = (
    "jax_enable_x64",
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_numpy_dtype_promotion",
    "jax_threefry_partitionable",
)


def check_run(run: str) -> None:
    """Refuse what names no function of a folder and a block, before a worker looks for it."""
    must = "name a function of a folder and a block, as 'package.module:function'"
    try:
        function = pkgutil.resolve_name(run)
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        fail("run", must, f"it is {run!r}: {error}")
    check_callable("run", function, must, "folder", "block")


def settings() -> dict[str, Any]:
    """The settings of JAX that change numbers, as they are here."""
    return {name: getattr(jax.config, name) for name in _OF_NUMBERS}


def environment() -> dict[str, str]:
    """What a process of ours must find in its environment beside what it inherits: the caller's
    settings, where its modules lie, and that figures go into files.
    """
    values = settings() | {"jax_platforms": getattr(jax.config, "jax_platforms", None)}
    found = {name.upper(): str(value) for name, value in values.items() if value is not None}
    found |= {"JAX_TRACEBACK_FILTERING": "off", "MPLBACKEND": "Agg"}
    found["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    return found | for_others()


def command(folder: str, run: str, *blocks: str) -> list[str]:
    """The command of a worker process; -P: a file of the current folder is no module of ours."""
    return [sys.executable, "-P", "-m", "racedyn.jobs.worker", folder, run, *blocks]


def compute(run: str, folder: str, block: str, set_to: Mapping[str, Any], attempt: int) -> None:
    """Compute one block in a process of another's.

    `attempt` makes a second one another call: Dask takes equal calls for one and the same.
    """
    del attempt
    for name, value in set_to.items():
        if getattr(jax.config, name) != value:
            jax.config.update(name, value)
    pkgutil.resolve_name(run)(folder, block)
