"""Flow in time: systems integrated on the host (`simulate`), inside JAX (`solve`), many at once
(`ensemble`).
"""

from racedyn.simulation.ensemble import ensemble
from racedyn.simulation.simulate import SolveError, simulate
from racedyn.simulation.solve import solve

__all__ = ["SolveError", "ensemble", "simulate", "solve"]
