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
# Most of a test's time is compilation, of programs that then run for milliseconds: they are
# compiled without most optimisations, and by XLA's older emitter, but for tests that are marked
# `optimised`, and long ones. With flags of yours all are compiled as users do: `XLA_FLAGS= make
# test`. An XLA that doesn't know a flag aborts, so this is for the one that knows it.
BRIEFLY = "XLA_FLAGS" not in os.environ
if BRIEFLY and jaxlib.__version__.startswith("0.10."):
    os.environ["XLA_FLAGS"] = "--xla_cpu_use_fusion_emitters=false"
jax.config.update("jax_disable_most_optimizations", BRIEFLY)
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


@pytest.fixture(autouse=True)
def optimisations(request):
    """Programs of other tests are forgotten, as JAX keeps them whatever they were compiled with."""
    wanted = any(request.node.get_closest_marker(name) for name in ("optimised", "long"))
    if BRIEFLY and wanted:
        jax.clear_caches()
        jax.config.update("jax_disable_most_optimizations", False)
        yield
        jax.config.update("jax_disable_most_optimizations", True)
        jax.clear_caches()
    else:
        yield


@pytest.fixture(autouse=True, scope="module")
def few_programs():
    """Each compiled solve maps some 320 pieces of memory, and XLA crashes where Linux gives no
    more, at 65,530.
    """
    yield
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > 15_000:
        jax.clear_caches()
