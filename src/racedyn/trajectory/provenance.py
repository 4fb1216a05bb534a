"""Facts of the moment that provenance keeps: versions and the date."""

import datetime
import functools
import platform
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("racedyn", "jax", "jaxlib", "equinox", "diffrax", "optax", "numpy", "h5py")


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
