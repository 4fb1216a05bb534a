"""Gates found in trained ReLU networks, and the gated linear networks that take them over."""

from racedyn.gates.patterns import Patterns, patterns
from racedyn.gates.twin import Twin, twin

__all__ = ["Patterns", "Twin", "patterns", "twin"]
