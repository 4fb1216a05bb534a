"""Gates found in trained ReLU networks, and the gated linear networks that take them over.

- `patterns`: which neurons are on in which contexts.
- `find`: gating patterns that many neurons share, by clustering.
- `k_means`: the clustering, from many starts.
- `found`: what is found so, per step and number of clusters.
- `twin`: a network's own neurons with their gates of one step, as a gated linear network.
- `neurons`: what these read of a ReLU layer.
"""

from racedyn.gates.find import find
from racedyn.gates.found import Clusters, Found
from racedyn.gates.patterns import Patterns, patterns
from racedyn.gates.twin import Twin, twin

__all__ = ["Clusters", "Found", "Patterns", "Twin", "find", "patterns", "twin"]
