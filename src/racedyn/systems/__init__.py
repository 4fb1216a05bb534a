"""Systems: initial state and d/dt, and what may be observed. They know nothing of solvers."""

from racedyn.systems.base import AbstractSystem, from_function
from racedyn.systems.closures import with_own_arrays as with_own_arrays
from racedyn.systems.gated.condensed import Condensed as Condensed
from racedyn.systems.gated.condensed import condense as condense
from racedyn.systems.gated.condensed import condense_modes as condense_modes
from racedyn.systems.gated.flow import GatedFlow as GatedFlow
from racedyn.systems.gated.flow import places as places
from racedyn.systems.gated.plan import make_plan as make_plan
from racedyn.systems.gated.symmetry import share as share
from racedyn.systems.gated.wiring import wire as wire
from racedyn.systems.pathways import Pathways
from racedyn.systems.piecewise import Piecewise

__all__ = ["AbstractSystem", "Pathways", "Piecewise", "from_function"]
