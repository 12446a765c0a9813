"""Assumptions: each is told, sourced, bounded and can be changed."""

from __future__ import annotations

import re

import pytest

from advisor.cost.assumptions import Assumptions, assumed_figures
from advisor.errors import UsageError

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
        ("repair_h=nan", "0.001 or more"),
        ("repair_h=-1", "0.001 or more"),
        ("delivered_share=1.5", "0.001 to 1"),
        ("failure_band=100", "1 to 10"),
    ],
)
def test_what_cannot_be_is_refused(assignment: str, words: str) -> None:
    """A wrong name or figure is one line that says what is expected."""
    with pytest.raises(UsageError, match=re.escape(words)):
        STATED.replaced(assumed_figures([assignment]))
