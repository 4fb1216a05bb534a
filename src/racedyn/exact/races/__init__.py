"""A race of pathways without an ODE: all pathways of a mode share one drive, the end is a root and
time a quadrature.

- `converged`: where each pathway ends.
- `unfolded`: how it gets there: whole trajectories.
- `arrivals`: when it is where: time as a quadrature over the drive, and its inverse.
- `panels`: time on one panel, and back.
- `given`: the arguments of both, checked and broadcast, and modes taken some at a time.
- `race`: all pathways of a mode at a given drive: where they start, their poles, where they are.
- `drive`: one pathway as a function of the drive that all share, to its pole and back.
- `depths`: what `drive` needs of depths, as numbers, so that one program serves many.
- `tables`: the polynomials that `drive` evaluates, fitted once for each depth.
"""

from racedyn.exact.races.converged import Converged, converged
from racedyn.exact.races.unfolded import race_states, trajectory

__all__ = ["Converged", "converged", "race_states", "trajectory"]
