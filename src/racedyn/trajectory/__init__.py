"""The only currency: what a simulation, a training run, a closed form and a reduced system all
return.
"""

from racedyn.trajectory.observables import BY_DEFAULT as BY_DEFAULT
from racedyn.trajectory.observables import OBSERVABLES, Observable
from racedyn.trajectory.observables import remedy_for as remedy_for
from racedyn.trajectory.observables import row_of as row_of
from racedyn.trajectory.observables import table as table
from racedyn.trajectory.provenance import Provenance, now, versions
from racedyn.trajectory.status import Status
from racedyn.trajectory.trajectory import Trajectory

__all__ = ["OBSERVABLES", "Observable", "Provenance", "Status", "Trajectory", "now", "versions"]
