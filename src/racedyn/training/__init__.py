"""Gradient descent: a network trained on the host (`train`), and what was trained elsewhere, read
alike (`observe`).
"""

from racedyn.training.asked import Probe
from racedyn.training.checkpoints import observe
from racedyn.training.train import train

__all__ = ["Probe", "observe", "train"]
