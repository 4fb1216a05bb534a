"""What the hidden layers of a network hold, and how far learning moved them.

Small initial weights make the race of [Saxe22]: hidden layers align and input domains come to share
them (fig. 4g). Large ones make the lazy regime, whose tangent kernel [Jacot et al. 2018] stays as
it was drawn (fig. 6).

- `hidden`: what a hidden layer holds of each example, and how alike examples are in it.
- `scaling`: multidimensional scaling of that, for several networks on common axes.
- `tangents`: the tangent kernel, how far it moved, and how far layers are aligned.
- `curvature`: how sharply the loss bends.
"""

from racedyn.representations.curvature import Sharpness, sharpness
from racedyn.representations.curvature import largest_curvature as largest_curvature
from racedyn.representations.hidden import Sharing, activity, responses, sharing, similarity
from racedyn.representations.scaling import Scaled, mds
from racedyn.representations.tangents import (
    Movement,
    alignment,
    kernel_movement,
    open_outputs,
    singular_values,
    tangent_kernel,
)
from racedyn.representations.tangents import kernel_of as kernel_of
from racedyn.representations.tangents import kernel_rows as kernel_rows

__all__ = [
    "Movement",
    "Scaled",
    "Sharing",
    "Sharpness",
    "activity",
    "alignment",
    "kernel_movement",
    "mds",
    "open_outputs",
    "responses",
    "sharing",
    "sharpness",
    "similarity",
    "singular_values",
    "tangent_kernel",
]
