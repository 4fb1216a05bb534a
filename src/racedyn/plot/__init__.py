"""Figures. Each function draws on the axes it is given, or makes its own, and returns those it drew
on.

matplotlib is imported when a function runs; the package's style holds while it draws and in
`save_figure`.

- `races`: strengths over time: which pathway takes each mode, and when.
- `losses`: loss curves.
- `seeds`: several seeds of one run as one curve with a shaded range, for both of these.
- `timing`: which part of the axis of time is shown, and on which scale.
- `times`: when each mode is learned, against how strong it is.
- `phases`: the plane of two pathways, and where each start leads.
- `planes`: the plane of any two observables of any system.
- `maps`: what each pathway carries between all modes, as images at a few times.
- `shares`: what each pathway has of all modes together, without a basis, against flow time.
- `images`: one matrix as an image.
- `phase_maps`: a measure of many runs over two of their axes.
- `bands`: a measure of many runs along one axis, with how far they scatter.
- `sweeps`: which of these a sweep shows at first sight.
- `cells`: a measure of many runs along named axes.
- `panels`: small multiples of both, their ticks, labels and notes.
- `graphs`: a network as a graph, and what a context opens in it.
- `layout`: where the nodes of that graph stand.
- `style`: what all figures share: colours, labels, legends, saving.
"""

from racedyn.plot.bands import bands
from racedyn.plot.graphs import network
from racedyn.plot.images import matrix
from racedyn.plot.losses import loss
from racedyn.plot.maps import strength_maps
from racedyn.plot.phase_maps import phase_map
from racedyn.plot.phases import phase_plane
from racedyn.plot.planes import plane
from racedyn.plot.races import race, strengths
from racedyn.plot.shares import projectors
from racedyn.plot.style import GREY as GREY
from racedyn.plot.style import close, save_figure
from racedyn.plot.style import context as context
from racedyn.plot.style import cycle as cycle
from racedyn.plot.style import keep_layout as keep_layout
from racedyn.plot.style import new_figure as new_figure
from racedyn.plot.style import share_legend as share_legend
from racedyn.plot.sweeps import overview
from racedyn.plot.times import learning_times

__all__ = [
    "bands",
    "close",
    "learning_times",
    "loss",
    "matrix",
    "network",
    "overview",
    "phase_map",
    "phase_plane",
    "plane",
    "projectors",
    "race",
    "save_figure",
    "strength_maps",
    "strengths",
]
