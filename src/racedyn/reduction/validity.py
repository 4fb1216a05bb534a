"""What a reduction measured about itself."""

from typing import Any, NoReturn

import numpy as np

# What rounding does to products and to bases of a few hundred entries: measured parts below this
# many units of the last place of the weights' own precision count as none.
ULPS = 1e4


def rounding(dtype: Any) -> float:
    """The size, relative, below which a measured part counts as rounding."""
    return ULPS * float(np.finfo(dtype).eps)


class Validity(dict[str, Any]):
    """What was measured, name -> number or text; `level`, `exact` and, where it is not, `reason`.
    It prints itself.
    """

    @property
    def exact(self) -> bool:
        return bool(self["exact"])

    def __str__(self) -> str:
        state = "exact" if self.exact else "not exact"
        lines = [
            f"level {self['level']!r}: {state}"
            + (f", {self['reason']}" if self.get("reason") else "")
        ]
        for name, value in self.items():
            if name not in ("level", "exact", "reason"):
                lines.append(f"  {name.replace('_', ' '):<28} {_short(value)}")
        return "\n".join(lines)


def refuse(validity: Validity, exact: str) -> NoReturn:
    """Say why a level is not exact, and which one is."""
    near = " ('compressed' stands for it to a tolerance)" if exact == "full" else ""
    raise ValueError(
        f"Level {validity['level']!r} is not exact here ({validity['reason']}), but "
        f"level={exact!r} is{near}. "
        "inexact=True goes on all the same."
    )


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    if isinstance(value, dict):
        shown = [f"{name} {_short(item)}" for name, item in list(value.items())[:8]]
        return ", ".join(shown) + (f", ... ({len(value)} in all)" if len(value) > 8 else "")
    return str(value)
