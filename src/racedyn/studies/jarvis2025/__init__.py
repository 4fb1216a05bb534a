"""Jarvis et al. 2025, figures 2, 4 and 5: ReLU networks beside gated linear ones, on XoR with
margin and on contextual tasks.
"""

from racedyn.studies.jarvis2025 import fig2, fig4, fig5

STUDIES = (fig2.STUDY, fig4.STUDY, fig5.STUDY)
