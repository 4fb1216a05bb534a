"""Compiled programs on disk: JAX's persistent cache in a folder of ours, where it is asked for."""

import hashlib
import os
import platform
import sys
import warnings
from pathlib import Path
from typing import NamedTuple

import jax
from jax.experimental.compilation_cache import compilation_cache
from jaxlib import version

from racedyn._checks import as_path

VARIABLE = "RACEDYN_CACHE"
_OFF = "off"
_PROCESSOR = "vendor_id", "model name", "flags", "Features"  # lines of /proc/cpuinfo
# Equinox's checks inside compiled code, of which diffrax has two in each solve, call Python, and
# what calls Python is not kept. With this they make NaN, which a solve's status tells; what diffrax
# checks there is checked here on the host.
_EQUINOX, _NO_CALLS = "EQX_ON_ERROR", ("nan", "off")


class Kept(NamedTuple):
    """The folder of compiled programs, how many it holds, their bytes, and why nothing can be kept
    there, where nothing can."""

    folder: Path
    programs: int
    size: int
    problem: str = ""

    def __str__(self) -> str:
        said = f"{self.programs} programs, {self.size / 1e6:.1f} MB"
        return f"{said}; nothing can be kept there: {self.problem}" if self.problem else said


def use_cache(path: str | os.PathLike[str] | None = None) -> Path | None:
    """Keep compiled programs on disk, so that the next process need not compile them again, and
    return the folder: call it before anything is computed.

    By default that is `JAX_COMPILATION_CACHE_DIR`, where it is set, then `RACEDYN_CACHE`, then
    `racedyn` in the user's folder of caches, and in the last two one folder for each version of
    jaxlib and kind of processor. `RACEDYN_CACHE=off`: nothing is asked for, and None is returned;
    what JAX keeps by a variable of its own, it keeps. The
    command line calls it; importing the package does not. An entry that can't be read is compiled
    again, with a warning by JAX. `racedyn doctor` shows the folder, `racedyn cache clear` empties
    it.

    Solves are kept only if equinox has not been imported yet (`import racedyn` alone does not), or
    was with `EQX_ON_ERROR=nan`, which is set here: a failed `equinox.error_if` inside compiled code
    is then NaN instead of an exception. Warns where it is too late.

    Raises `ValueError` for a path that is no folder and can't become one.

        >>> rd.use_cache("~/programs").parts[-2]  # doctest: +SKIP
        'programs'
    """
    chosen = folder() if path is None else _own(as_path("path", path).expanduser())
    if chosen is None:
        return None
    if problem := _made(chosen):
        raise ValueError(
            f"Compiled programs can't be kept in {chosen}: {problem}. Another `path`, or "
            f"{VARIABLE}, names another folder; {VARIABLE}={_OFF} keeps none."
        )
    jax.config.update("jax_compilation_cache_dir", str(chosen))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    compilation_cache.reset_cache()  # JAX looks at the folder's name once, with the first program
    if "equinox" not in sys.modules:
        os.environ.setdefault(_EQUINOX, _NO_CALLS[0])
    elif os.environ.get(_EQUINOX) not in _NO_CALLS:
        warnings.warn(
            "Solves by diffrax are compiled anew in each process: equinox was imported before "
            f"use_cache. Call it first, or set {_EQUINOX}={_NO_CALLS[0]}.",
            RuntimeWarning,
            stacklevel=2,
        )
    return chosen


def folder() -> Path | None:
    """Where `use_cache` keeps programs if it is told nothing; None where it is off."""
    asked = os.environ.get(VARIABLE, "")
    if asked.lower() == _OFF:
        return None
    if of_jax := getattr(jax.config, "jax_compilation_cache_dir", None):
        return Path(of_jax)
    return _own(Path(asked).expanduser() if asked else _users())


def for_others() -> dict[str, str]:
    """What must stand in the environment of a process that imports equinox before it calls
    `use_cache`.
    """
    asked = folder() is not None and _EQUINOX not in os.environ
    return {_EQUINOX: _NO_CALLS[0]} if asked else {}


def kept() -> Kept | None:
    """What there is in that folder, which is made where it was not there."""
    if (where := folder()) is None:
        return None
    problem = _made(where)
    # One that can be read alone is no error for `use_cache`: what is in it is used.
    if not problem and not os.access(where, os.W_OK | os.X_OK):
        problem = "it can't be written to"
    files = [file for file in where.glob("*-cache") if file.is_file()]
    return Kept(where, len(files), sum(file.stat().st_size for file in files), problem)


def clear() -> Kept | None:
    """Empty that folder of compiled programs, and nothing else; return what it held."""
    if (held := kept()) is not None:
        for ending in ("*-cache", "*-atime"):
            for file in held.folder.glob(ending):
                file.unlink(missing_ok=True)
    return held


def _made(where: Path) -> str:
    """Make the folder, if it is not there; why it can't be, where it can't."""
    try:
        where.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _users() -> Path:
    """The user's folder of caches, ours in it."""
    if os.name == "nt":
        root = os.environ.get("LOCALAPPDATA") or "~/AppData/Local"
    elif sys.platform == "darwin":
        root = "~/Library/Caches"
    else:
        root = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(root).expanduser() / "racedyn"


def _own(root: Path) -> Path:
    """The part of `root` for this jaxlib and this kind of processor: code for another one may have
    instructions that this one lacks.
    """
    return root / f"jaxlib-{version.__version__}-{_processor()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
        known = [line for line in lines if line.startswith(_PROCESSOR)]
    except OSError:  # not Linux
        known = [platform.machine(), platform.processor()]
    return hashlib.sha256("\n".join(known).encode()).hexdigest()[:12]
