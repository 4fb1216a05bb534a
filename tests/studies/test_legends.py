"""Legends of studies' panels."""

import pytest

from racedyn.plot import close, context, new_figure
from racedyn.studies.legends import legend_above


@pytest.mark.parametrize("columns, title", [(3, None), (1, "two lines\nof a title")])
def test_a_legend_above_its_panel_hides_nothing_and_is_on_the_figure(columns, title):
    with context():
        panels = new_figure(2, 2, height=4.0)
        for ax in panels:
            for name in "abc":
                ax.plot([0, 1], [0, 1], label=name)
            ax.set(xlabel="x", ylabel="y")
            legend_above(ax, columns, title)
        figure = panels[0].figure
        figure.canvas.draw()
    for ax in panels:
        legend = ax.get_legend().get_window_extent()
        assert legend.y0 >= ax.get_window_extent().y1
        assert figure.bbox.y1 >= legend.y1
        below = [
            other.get_tightbbox().y0 for other in panels if other.get_window_extent().y0 > legend.y0
        ]
        assert all(legend.y1 <= y for y in below)
    close(figure)
