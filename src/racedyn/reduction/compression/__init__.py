"""Compression: a narrow network that learns as a wide one does, given or drawn from a law.

- `compress`: the function for users.
- `compressed`: what it returns.
- `rounds`: passes at ever finer shares, until the estimated error is within the tolerance.
- `columns`: the task as columns, each with a direction of its own in the targets.
- `store`: what is known of the initial weights, in bases that grow.
- `matrices`: the store of weights that are given.
- `laws`: stores of weights that are drawn when they are asked for, and never formed.
- `isometries`: a Haar matrix, drawn as far as it is asked for.
- `signals`: a look: what the network's signals reach outside the store.
- `marching`: the network of the store goes on in time, by descent or flow.
- `growing`: one pass through learning, in which the store grows.
- `members`: narrow networks of one shape, for ensembles.
- `levels`: the levels "signals" and "compressed" of `reduce`.
- `choice`: the directions that the signals of a pass used.
"""

from racedyn.reduction.compression.compress import compress
from racedyn.reduction.compression.compressed import Compressed
from racedyn.reduction.compression.members import of_one_shape

__all__ = ["Compressed", "compress", "of_one_shape"]
