"""Shi, Shea-Brown, Buice 2022, figures 3 to 8: pathways of equal depth compete for the modes of the
hierarchical task.

Published settings: inputs I_8, 15 targets, two pathways of width 1000, entries N(0, 0.01^2), step
0.01 on the sum of squares, 1000, 10000, 10000 and 20000 epochs at depths 2, 3, 4 and 7; single
precision. The seeds are ours.

- `fig3`: phase planes of two pathways.
- `fig4`: maps of the pathways over the first epochs.
- `fig5`: linear pathways, depth by depth.
- `fig6`: two draws at one depth.
- `fig7`: ReLU pathways, depth by depth.
- `fig8`: tanh pathways, depth by depth.
- `pathways`: two pathways trained and in theory, from which all figures are made.
"""

from racedyn.studies.shi2022 import fig3, fig4, fig5, fig6, fig7, fig8

STUDIES = (fig3.STUDY, fig4.STUDY, fig5.STUDY, fig6.STUDY, fig7.STUDY, fig8.STUDY)
