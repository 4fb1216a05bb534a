"""Jarvis et al. 2025, figures 2, 4, 5, 6, 8 and 9: ReLU networks beside gated linear ones, on XoR
with margin and on contextual tasks.

- `fig2`: XoR with margin.
- `fig4`: three contexts of different structures.
- `fig5`: three, four and five contexts of one structure.
- `fig6`: two hidden layers.
- `fig8`: gates of a ReLU network by clustering, with figure 9's elbow.
- `uniqueness`: all kinds of gates against each other, and why no part is faster than the whole.
- `contextual_runs`: the runs that figures 4, 5 and 8 share, and what is read from them.
- `hand_overs`: for figure 4, gated networks that take over a ReLU network's gates and train on.
"""

from racedyn.studies.jarvis2025 import fig2, fig4, fig5, fig6, fig8, uniqueness

STUDIES = (
    fig2.STUDY,
    fig4.STUDY,
    fig5.STUDY,
    fig6.STUDY,
    fig8.STUDY,
    uniqueness.STUDY,
)
