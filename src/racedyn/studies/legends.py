"""Legends of panels whose curves leave no room for one."""

from typing import Any


def legend_above(ax: Any, columns: int, title: str | None = None) -> None:
    """The legend above its panel, in so many columns, where it hides nothing; `title` takes the
    place of the panel's own.
    """
    legend = ax.legend(
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        borderaxespad=0.3,
        ncols=columns,
        title=title,
        title_fontsize="medium",
        handlelength=1.6,
        columnspacing=1.0,
    )
    legend.get_title().set_multialignment("center")
