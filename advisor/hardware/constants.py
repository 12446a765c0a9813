"""Fitted constants: dataclasses read from a section of the model artifact."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from advisor.base.assumption import Range
from advisor.base.errors import AdvisorError

Constants = TypeVar("Constants")

SPREAD_OF = "spread_of"
"""Key of a field's metadata: name of the constant whose spread the field is."""

_Z90 = 1.6449  # half the width of a 90 % interval in standard deviations
_OF_SD = "90 % interval of its stated standard deviation"
_OF_LOG_SD = "90 % interval of the stated standard deviation of its logarithm"


@dataclass(frozen=True, slots=True)
class Constant:
    """One constant, with what it rests on.

    Attributes
    ----------
    value : in `unit`
    unit : such as ``"GB/s"``
    source : where it is from
    sd, log_sd : standard deviation of it or of its natural logarithm; None: not stated
    rows : measurements that it was fitted on; None: it was not fitted
    """

    value: float
    unit: str
    source: str
    sd: float | None = None
    log_sd: float | None = None
    rows: int | None = None

    @property
    def likely(self) -> Range | None:
        """Its 90 % interval where a spread is stated; None: none is."""
        if self.log_sd is not None:
            factor = math.exp(_Z90 * self.log_sd)
            return Range(self.value / factor, self.value * factor, _OF_LOG_SD)
        if self.sd is not None:
            by = _Z90 * self.sd
            return Range(max(self.value - by, 0.0), self.value + by, _OF_SD)
        return None

    def to_dict(self) -> dict[str, Any]:
        """Return what is stated, as plain data for JSON."""
        each = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in each.items() if value is not None}


def read_constants(kind: type[Constants], section: Mapping[str, Any]) -> Constants:
    """Read a dataclass of numbers from ``{name: {"value": ..., ...}}``.

    A field is the ``value`` of the entry of its name. One with `SPREAD_OF` in its
    metadata is the spread of that other entry: ``log_sd`` (of the natural logarithm)
    or ``sd``, as the field's own name ends.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if an entry is missing or no number
    """
    values = {}
    for field in fields(kind):  # type: ignore[arg-type]
        owner = field.metadata.get(SPREAD_OF)
        spread = "log_sd" if field.name.endswith("log_sd") else "sd"
        try:
            entry = section[owner or field.name]
            values[field.name] = float(entry[spread if owner else "value"])
        except (KeyError, TypeError, ValueError) as error:
            message = f"the model artifact lacks the constant {field.name}: {error}"
            raise AdvisorError(message) from error
    return kind(**values)
