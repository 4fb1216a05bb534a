"""The only currency: what a simulation, a training run, a closed form and a reduced system all
return.
"""

from racedyn.trajectory.provenance import now, versions
from racedyn.trajectory.trajectory import Provenance, Status, Trajectory

__all__ = ["Provenance", "Status", "Trajectory", "now", "versions"]
