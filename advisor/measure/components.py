"""What each part of a healthy machine does, from the table that ships.

``data/components.csv`` is compiled by ``tools/compile_components.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from advisor.base.columns import read_records, typed

_TABLE = Path(__file__).parent / "data" / "components.csv"

ANY_CARD, ANY_LINK, ANY_CORE = "any card", "any link", "core of speed 1"
"""Things that stand for all of their kind in the table."""


@dataclass(frozen=True, slots=True)
class Component:
    """What one component of one thing does.

    Attributes
    ----------
    component : such as ``"matmul.fp16"``
    of : the GPU, the kind of board, or what else has it
    value : median of healthy machines
    unit : of the value; ``"of the data sheet"`` and ``"of the link"`` are shares
    level_log_sd : standard deviation of the logarithm of the median itself
    host_log_sd : standard deviation of the logarithm between healthy machines
    measurements : behind the median
    source : where they are from
    """

    component: str
    of: str
    value: float
    unit: str
    level_log_sd: float
    host_log_sd: float
    measurements: float
    source: str

    @property
    def log_sd(self) -> float:
        """Standard deviation of the logarithm of what one more machine shows."""
        return math.hypot(self.level_log_sd, self.host_log_sd)


@cache
def load_components() -> Mapping[tuple[str, str], Component]:
    """Load the table that ships with the package, by component and thing."""
    rows = (Component(**typed(Component, record)) for record in read_records(_TABLE))
    return {(row.component, row.of): row for row in rows}


def component(name: str, *things: str) -> Component | None:
    """Return the component of the first of some things that the table has."""
    table = load_components()
    found = (table.get((name, thing)) for thing in things)
    return next((row for row in found if row is not None), None)
