"""Saxe, Sodhani, Lewallen 2022, figures 3 to 7: XoR, routing through a shared matrix, the race of
sharing schemes, its end in the lazy regime, and images on many routes.

Published settings: XoR with 128 hidden units from N(0, 0.0002^2); routing with M = 7, K = 4, 64
hidden units, orthogonal weights of gain 0.2, step 0.02 on the sum over trained routes of the mean
squared error, 500 steps; figure 5 with M = 10 and step 0.05 / K. Steps of figures 3 and 5 and all
seeds are ours.

- `fig3`: XoR, where ReLU neurons end, and the loss beside that of the gated network.
- `fig4`: routing through a shared matrix.
- `fig5`: the race of sharing schemes.
- `fig6`: from the race to the lazy regime, by the initial scale.
- `fig7`: images on many routes, few of them trained.
- `routing_runs`: the runs that figures 4 to 6 share, and what is read from them.
"""

from racedyn.studies.saxe2022 import fig3, fig4, fig5, fig6, fig7

STUDIES = (fig3.STUDY, fig4.STUDY, fig5.STUDY, fig6.STUDY, fig7.STUDY)
