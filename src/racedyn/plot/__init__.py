"""Figures. Each function draws on the axes it is given, or makes its own, and returns those it drew
on.

matplotlib is imported when a function runs; the package's style holds while it draws and in
`save_figure`."""

from racedyn.plot.graphs import network
from racedyn.plot.images import matrix
from racedyn.plot.losses import loss
from racedyn.plot.maps import strength_maps
from racedyn.plot.phases import phase_plane
from racedyn.plot.races import race, strengths
from racedyn.plot.style import GREY as GREY
from racedyn.plot.style import close, save_figure
from racedyn.plot.style import context as context
from racedyn.plot.style import cycle as cycle
from racedyn.plot.style import new_figure as new_figure
from racedyn.plot.style import share_legend as share_legend
from racedyn.plot.times import learning_times

__all__ = [
    "close",
    "learning_times",
    "loss",
    "matrix",
    "network",
    "phase_plane",
    "race",
    "save_figure",
    "strength_maps",
    "strengths",
]
