"""The only currency: what a simulation, a training run, a closed form and a reduced system all
return.

- `trajectory`: `Trajectory` itself.
- `labelled`: `Labelled`, arrays with named axes: what is found of many runs together.
- `parameters`: what the members of an ensemble differ in.
- `observables`: the table of all that can be observed of a run.
- `status`: how a run, or a part of it, ended.
- `provenance`: where a trajectory comes from: settings, versions and date.
- `of_trainings`: one member of an ensemble of trainings, as `train` returns it.
- `segments`: a run that went over to other tasks, cut into one part per task.
- `printed`: what `print(run)` says.
"""

from racedyn.trajectory.labelled import Labelled
from racedyn.trajectory.observables import BY_DEFAULT as BY_DEFAULT
from racedyn.trajectory.observables import OBSERVABLES, Observable, Probe
from racedyn.trajectory.observables import remedy_for as remedy_for
from racedyn.trajectory.observables import row_of as row_of
from racedyn.trajectory.observables import table as table
from racedyn.trajectory.of_trainings import weights_name as weights_name
from racedyn.trajectory.parameters import parameter_axes as parameter_axes
from racedyn.trajectory.parameters import parameters_of as parameters_of
from racedyn.trajectory.provenance import Provenance, now, versions
from racedyn.trajectory.status import Status
from racedyn.trajectory.trajectory import Trajectory

__all__ = [
    "OBSERVABLES",
    "Labelled",
    "Observable",
    "Probe",
    "Provenance",
    "Status",
    "Trajectory",
    "now",
    "versions",
]
