"""racedyn: learning dynamics of gated deep linear networks, in theory and in training.

Names are loaded when first used (PEP 562), so that `import racedyn` runs nothing and sets no JAX
flag."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from racedyn import exact as exact
    from racedyn import gates as gates
    from racedyn import networks as networks
    from racedyn import paths as paths
    from racedyn import plot as plot
    from racedyn import reduction as reduction
    from racedyn import representations as representations
    from racedyn import studies as studies
    from racedyn import systems as systems
    from racedyn import tasks as tasks
    from racedyn._cache import use_cache as use_cache
    from racedyn.comparison import compare as compare
    from racedyn.comparison import learning_times as learning_times
    from racedyn.jobs.sweeps.sweep import sweep as sweep
    from racedyn.networks import Network as Network
    from racedyn.networks import Problem as Problem
    from racedyn.networks import init as init
    from racedyn.paths import statistics as statistics
    from racedyn.reduction import compress as compress
    from racedyn.reduction import project as project
    from racedyn.reduction.reduce import reduce as reduce
    from racedyn.simulation.ensemble import ensemble as ensemble
    from racedyn.simulation.simulate import simulate as simulate
    from racedyn.simulation.solve import solve as solve
    from racedyn.store import load as load
    from racedyn.store import save as save
    from racedyn.store import to_pandas as to_pandas
    from racedyn.store import to_xarray as to_xarray
    from racedyn.systems import AbstractSystem as AbstractSystem
    from racedyn.systems import from_function as from_function
    from racedyn.tasks import Task as Task
    from racedyn.training import observe as observe
    from racedyn.training.train import train as train
    from racedyn.training.training import Training as Training
    from racedyn.trajectory import Labelled as Labelled
    from racedyn.trajectory import Observable as Observable
    from racedyn.trajectory import Probe as Probe
    from racedyn.trajectory import Status as Status
    from racedyn.trajectory import Trajectory as Trajectory

    __version__: str

else:  # for tools a misspelt name is an error, not one more that this function may know

    def __getattr__(name: str) -> Any:
        if name == "__version__":
            from importlib.metadata import (
                version,
            )  # 40 ms, which `racedyn --help` need not wait for

            value: Any = version("racedyn")
        elif name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        elif name in _MODULES:
            value = import_module(f"racedyn.{name}")
        else:
            raise AttributeError(f"module 'racedyn' has no attribute {name!r}")
        globals()[name] = value
        return value


# Public name -> module that has it.
_HOMES = {
    "AbstractSystem": "racedyn.systems",
    "Labelled": "racedyn.trajectory",
    "Network": "racedyn.networks",
    "Observable": "racedyn.trajectory",
    "Probe": "racedyn.trajectory",
    "Problem": "racedyn.networks",
    "Status": "racedyn.trajectory",
    "Task": "racedyn.tasks",
    "Training": "racedyn.training",
    "Trajectory": "racedyn.trajectory",
    "compare": "racedyn.comparison",
    "compress": "racedyn.reduction",
    "ensemble": "racedyn.simulation",
    "from_function": "racedyn.systems",
    "init": "racedyn.networks",
    "learning_times": "racedyn.comparison",
    "load": "racedyn.store",
    "observe": "racedyn.training",
    "project": "racedyn.reduction",
    "reduce": "racedyn.reduction",
    "save": "racedyn.store",
    "simulate": "racedyn.simulation",
    "solve": "racedyn.simulation",
    "statistics": "racedyn.paths",
    "sweep": "racedyn.jobs",
    "to_pandas": "racedyn.store",
    "to_xarray": "racedyn.store",
    "train": "racedyn.training",
    "use_cache": "racedyn._cache",
}
_MODULES = (
    "exact",
    "gates",
    "networks",
    "paths",
    "plot",
    "reduction",
    "representations",
    "studies",
    "systems",
    "tasks",
)

__all__ = [*sorted([*_HOMES, *_MODULES]), "__version__"]


def __dir__() -> list[str]:
    return sorted(__all__)
