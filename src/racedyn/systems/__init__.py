"""Systems: initial state and d/dt, and what may be observed. They know nothing of solvers.

- `base`: `AbstractSystem`, which `simulate` integrates.
- `functions`: systems made from a function.
- `pathways`: the q/p equations of parallel pathways.
- `maps`: the race of maps, balanced pathways as one matrix each.
- `piecewise`: one system after another from the same state.
- `gated`: gradient flow of gated linear networks, a room of its own.
- `descent`: gradient descent of any step size: a flow's field, step by step.
- `closures`: arrays that a user's function closes over, made visible to JAX.
"""

from racedyn.systems.base import AbstractSystem
from racedyn.systems.base import observable_shapes as observable_shapes
from racedyn.systems.base import observe_named as observe_named
from racedyn.systems.closures import with_own_arrays as with_own_arrays
from racedyn.systems.descent import Descent
from racedyn.systems.functions import from_function
from racedyn.systems.gated import COMPRESSED as COMPRESSED
from racedyn.systems.gated import FULL as FULL
from racedyn.systems.gated import MATRIX as MATRIX
from racedyn.systems.gated import MODES as MODES
from racedyn.systems.gated import SIGNALS as SIGNALS
from racedyn.systems.gated import Condensed as Condensed
from racedyn.systems.gated import GatedFlow as GatedFlow
from racedyn.systems.gated import Level as Level
from racedyn.systems.gated import Modewise as Modewise
from racedyn.systems.gated import Reading as Reading
from racedyn.systems.gated import Size as Size
from racedyn.systems.gated import Trained as Trained
from racedyn.systems.gated import condense as condense
from racedyn.systems.gated import gated_flow as gated_flow
from racedyn.systems.gated import in_bases as in_bases
from racedyn.systems.maps import Maps
from racedyn.systems.pathways import Pathways
from racedyn.systems.piecewise import Piecewise

__all__ = ["AbstractSystem", "Descent", "Maps", "Pathways", "Piecewise", "from_function"]
