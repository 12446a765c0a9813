"""Assumptions: each is told, sourced, bounded and can be changed."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from advisor.base.errors import UsageError
from advisor.cost.assumptions import Assumptions, assumed_figures
from advisor.cost.bill import Bill

STATED = Assumptions()


def test_each_has_a_unit_and_a_source() -> None:
    """Nothing is assumed in silence."""
    for name, one in STATED.listed().items():
        assert one.unit, name
        assert len(one.source) > 20, name
        assert one.value == getattr(STATED, name)


def test_a_changed_figure_is_the_only_change() -> None:
    """What is replaced has the new value, the rest stays."""
    changed = STATED.replaced(assumed_figures(["repair_h=4", "boot_s = 30"]))
    assert (changed.repair_h, changed.boot_s) == (4.0, 30.0)
    assert changed.replaced({"repair_h": 1.0, "boot_s": 75.0}) == STATED


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("repair=4", "there is no assumption 'repair'"),
        ("repair_h", "name=number"),
        ("repair_h=fast", "name=number"),
        ("repair_h=nan", "0.001 to 100000"),
        ("repair_h=-1", "0.001 to 100000"),
        ("delivered_share=1.5", "0.001 to 1"),
        ("failure_band=100", "1 to 10"),
        ("boot_s=1e300", "0 to 1e+07"),
    ],
)
def test_what_cannot_be_is_refused(assignment: str, words: str) -> None:
    """A wrong name or figure is one line that says what is expected."""
    with pytest.raises(UsageError, match=re.escape(words)):
        STATED.replaced(assumed_figures([assignment]))


@pytest.mark.parametrize("name", STATED.listed())
@pytest.mark.parametrize("end", ["least", "most"])
def test_at_its_bounds_a_figure_still_makes_a_bill(
    bill_of: Callable[..., Bill], record: dict[str, Any], name: str, end: str
) -> None:
    """The least and the most that is taken leave finite numbers and no warning."""
    bound = Assumptions.__dataclass_fields__[name].metadata[end]
    for rental in ("on-demand", "interruptible"):
        cost = bill_of(record, rental=rental, epochs=90, assumed={name: bound})
        for values in (cost.epoch_usd_low, cost.epoch_usd, cost.epoch_usd_high):
            assert np.isfinite(values[0])
