"""Constants of the artifact: values and spreads find their fields, or an error does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from advisor.base.errors import AdvisorError
from advisor.hardware.constants import SPREAD_OF, read_constants


@dataclass(frozen=True)
class Two:
    rate_gb_s: float
    rate_log_sd: float = field(metadata={SPREAD_OF: "rate_gb_s"})
    power: float
    power_sd: float = field(metadata={SPREAD_OF: "power"})


SECTION: dict[str, dict[str, Any]] = {
    "rate_gb_s": {"value": 3.0, "log_sd": 0.2, "unit": "GB/s", "source": "?"},
    "power": {"value": 0.9, "sd": 0.1, "unit": "1", "source": "?"},
    "unused": {"value": 7.0},
}


def test_values_and_spreads_are_read() -> None:
    """A field of its own name is a value, one with an owner is the owner's spread."""
    assert read_constants(Two, SECTION) == Two(3.0, 0.2, 0.9, 0.1)


@pytest.mark.parametrize(
    "entry",
    [{}, {"value": 0.9}, {"value": "many", "sd": 0.1}, None, {"value": 1, "sd": []}],
)
def test_a_broken_section_is_refused(entry: Any) -> None:
    """The error names the constant that is missing or no number."""
    with pytest.raises(AdvisorError, match="power"):
        read_constants(Two, SECTION | {"power": entry})
