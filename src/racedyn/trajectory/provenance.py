"""Where a trajectory comes from, and the facts of the moment that are kept of it: versions and the
date.
"""

import dataclasses
import datetime
import functools
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from racedyn._text import brief
from racedyn.tasks import Modes

LIBRARIES = ("racedyn", "jax", "jaxlib", "equinox", "diffrax", "optax", "numpy", "h5py")


@dataclasses.dataclass(frozen=True, eq=False)
class Provenance:
    """Where a trajectory comes from; attached on the host, never traced.

    **Fields:** `kind` ("simulate", "exact", "train", ...), `system` and `solver` (short
    descriptions), `settings` (whatever makes the run repeatable, JSON-like), `modes` (the bases in
    which strengths were read, or None), `validity` (what a reduction measured about itself),
    `versions`, `wall_time` in seconds, `compile_time`, the part of it in which JAX compiled (NaN
    where it was not counted), `created` (ISO time, UTC)."""

    kind: str
    system: str
    solver: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    modes: Modes | None = None
    validity: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    versions: Mapping[str, str] = dataclasses.field(default_factory=dict)
    wall_time: float = float("nan")
    compile_time: float = float("nan")
    created: str = ""

    def __repr__(self) -> str:
        return brief(self)

    @property
    def run_time(self) -> float:
        """Seconds that were not spent compiling: what the same call takes the next time."""
        return self.wall_time - self.compile_time


def versions() -> dict[str, str]:
    """Name -> version of Python and of the libraries a result depends on."""
    return dict(_versions())


@functools.cache
def _versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
