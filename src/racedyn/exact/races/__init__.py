"""A race of pathways without an ODE: all pathways of a mode share one drive, the end is a root and
time a quadrature.
"""

from racedyn.exact.races.converged import Converged, converged
from racedyn.exact.races.unfolded import race_states, trajectory

__all__ = ["Converged", "converged", "race_states", "trajectory"]
