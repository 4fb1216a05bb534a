"""What this installation can do: devices, precision, versions. For a person, and for a report of a
fault.
"""

import platform
import re
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

import jax
import jax.numpy as jnp

from racedyn._cache import VARIABLE, kept

Row = tuple[str, str]


def report() -> list[Row]:
    """(what, how it is) for the machine, JAX's devices and precision, and the version of each
    library.
    """
    return [
        ("Python", f"{platform.python_version()} at {sys.executable}"),
        ("machine", platform.platform()),
        *_devices(),
        *_precision(),
        ("compiled programs", _programs()),
        *_versions(),
    ]


def _devices() -> Iterator[Row]:
    try:
        devices = jax.devices()
    except RuntimeError as error:  # a plugin that is installed but finds no driver, say
        yield "devices", f"NONE: {error}"
        return
    for device in devices:
        memory = (device.memory_stats() or {}).get("bytes_limit")
        limit = f", {memory / 2**30:.3g} GiB for JAX" if memory else ""
        yield f"device {device.id}", f"{device.device_kind} ({device.platform}){limit}"


def _precision() -> Iterator[Row]:
    """Measured, not asked for: a flag set too late, or a device without float64, would show
    here.
    """
    one = jnp.asarray(1.0, float)
    kept = bool(jax.jit(lambda x: (x + 2.0**-40) - x)(one) != 0)
    verdict = "on" if kept else 'OFF: add jax.config.update("jax_enable_x64", True) at the start'
    yield "float64", verdict
    precision = getattr(jax.config, "jax_default_matmul_precision", None)
    yield "matrix products", str(precision or "the device's default precision")


def _programs() -> str:
    held = kept()
    return f"none kept: {VARIABLE} is off" if held is None else f"{held} in {held.folder}"


def _versions() -> Iterator[Row]:
    """Of racedyn and of everything that it asks for, extras included."""
    names = [re.split(r"[^\w.-]", requirement)[0] for requirement in requires("racedyn") or []]
    for name in dict.fromkeys(["racedyn", "jaxlib", *names]):
        try:
            yield name, version(name)
        except PackageNotFoundError:
            yield name, "not installed"
