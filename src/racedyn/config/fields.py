"""What a field of a configuration may be, and what makes a class one of its sections."""

import dataclasses
import functools
import sys
from typing import Annotated, Any, Literal, TypeAlias, TypeVar, dataclass_transform

from pydantic import ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from racedyn.config.problems import ConfigError, kinds_in, problems

T = TypeVar("T")
# Keys have 64 bits, and up to 2**53 a step's time can be told from that of the next.
LARGEST_KEY, MOST = 2**63 - 1, 2**53
WIDEST = 2**31 - 1
"""Units of one layer: no array is longer."""
MOST_LAYERS = 1000
"""Weight matrices of one pathway: each is compiled by itself, and a thousand take minutes."""
FINEST_RTOL, LOOSEST_RTOL = 10 * sys.float_info.epsilon, 0.1
"""What float64 can meet, and from where on a tolerance lets anything pass; those of
`racedyn.simulate`.
"""

WholePositive: TypeAlias = Annotated[int, Field(ge=1, le=MOST)]
Width: TypeAlias = Annotated[int, Field(ge=1, le=WIDEST)]
Depth: TypeAlias = Annotated[int, Field(ge=1, le=MOST_LAYERS)]
Key: TypeAlias = Annotated[int, Field(ge=-LARGEST_KEY - 1, le=LARGEST_KEY)]
DataPath: TypeAlias = Annotated[str, Field(pattern=r"^[^\x00]+$")]
NotNegative: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction: TypeAlias = Annotated[float, Field(gt=0, lt=1)]
Real: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]
Numbers: TypeAlias = Real | tuple[Real, ...] | tuple[tuple[Real, ...], ...]
"""A number, a list of them, or a matrix as its rows."""
Activation: TypeAlias = Literal["linear", "relu", "tanh"]
Sharing: TypeAlias = WholePositive | Literal["shared", "dedicated"]
Structure: TypeAlias = Literal[
    "tree", "graded_ring", "crossed_tree", "ring", "order", "cross_cutting"
]


@dataclass_transform(frozen_default=True, kw_only_default=True)
def as_section(cls: type[T]) -> type[T]:
    """A frozen, strict pydantic dataclass whose errors are `ConfigError`s."""
    checked: Any = dataclass(
        cls, frozen=True, kw_only=True, config=ConfigDict(extra="forbid", strict=True)
    )
    init = checked.__init__
    known, kinds = [field.name for field in dataclasses.fields(checked)], kinds_in(checked)

    @functools.wraps(init)
    def __init__(self: Any, **values: Any) -> None:
        try:
            init(self, **values)
        except ValidationError as error:
            raise ConfigError("\n".join(problems(error, known, kinds))) from None

    checked.__init__ = __init__
    return checked
