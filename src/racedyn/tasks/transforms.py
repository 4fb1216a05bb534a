"""stub until merged"""

from typing import Any

import numpy as np


def transformed(transform: Any, rows: Any) -> Any:
    if transform is None:
        return rows
    return rows[transform] if transform.ndim == 1 else transform @ rows


def check_transforms(argument, given, count, size):
    return None if given is None else np.asarray(given)
