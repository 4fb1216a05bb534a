"""The climate of all tests: float64, strict promotion, no display."""

import os
import sys
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
