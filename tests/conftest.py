"""The climate of all tests: float64, strict promotion, no display."""

import atexit
import importlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import hypothesis
import jax
import jaxlib
import pytest

os.environ.setdefault("MPLBACKEND", "Agg")
# A test finds nothing that an earlier run left, and leaves nothing in its user's home.
os.environ.setdefault("RACEDYN_CACHE", "off")
# Most of a test's time is compilation, of programs that then run for milliseconds: XLA's older
# emitter compiles in half the time, and at level 1 in less still. Flags of yours stand:
# `XLA_FLAGS= make test` compiles as users do. An XLA that doesn't know a flag aborts, so this is
# for the one that knows it.
if jaxlib.__version__.startswith("0.10."):
    brief = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"
    os.environ.setdefault("XLA_FLAGS", brief)
# What one test has compiled, the next ones find, in a folder that the tests of one call share; or
# several calls, which name it. Programs with host callbacks can't be kept, and Equinox's checks of
# values are some unless they make NaN instead. Processes that tests begin compile as users' do.
if "RACEDYN_TEST_PROGRAMS" not in os.environ:  # workers find it set
    os.environ["RACEDYN_TEST_PROGRAMS"] = tempfile.mkdtemp(prefix="racedyn-")
    atexit.register(shutil.rmtree, os.environ["RACEDYN_TEST_PROGRAMS"], ignore_errors=True)
os.environ["EQX_ON_ERROR"] = "nan"
importlib.import_module("equinox")
del os.environ["EQX_ON_ERROR"]
jax.config.update("jax_compilation_cache_dir", os.environ["RACEDYN_TEST_PROGRAMS"])
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_dtype_promotion", "strict")

# The first example compiles, which no deadline survives.
hypothesis.settings.register_profile("racedyn", deadline=None, max_examples=30)
hypothesis.settings.load_profile("racedyn")


@pytest.fixture(autouse=True)
def close_figures():
    """pyplot keeps every figure, and warns of too many."""
    yield
    if pyplot := sys.modules.get("matplotlib.pyplot"):
        pyplot.close("all")


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    """Each compiled solve maps some 320 pieces of memory, and XLA crashes where Linux gives no
    more, at 65,530.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 15_000:
        jax.clear_caches()
