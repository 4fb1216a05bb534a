"""Figures. Each function draws on the axes it is given, or makes its own, and returns those it drew on.

matplotlib is imported when a function runs; the package's style holds while it draws and in `save_figure`.
"""

from racedyn.plot.losses import loss
from racedyn.plot.races import race, strengths
from racedyn.plot.style import close, save_figure

__all__ = ["close", "loss", "race", "save_figure", "strengths"]
