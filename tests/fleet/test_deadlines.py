"""A sweep that is late is planned for the next deadline that can be kept."""

from __future__ import annotations

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.fleet.planning import _deadlines_s


def test_a_sweep_without_a_deadline_has_none() -> None:
    """It is as cheap as can be."""
    assert list(_deadlines_s(None, None)) == []


def test_a_deadline_is_put_off_step_by_step() -> None:
    """From what is left, and from a quarter of it all where little or nothing is."""
    assert list(_deadlines_s(100.0, 80.0)) == [80.0, 100.0, 120.0, 160.0, 320.0]
    assert list(_deadlines_s(100.0, -50.0)) == [1.0, 31.25, 37.5, 50.0, 100.0]
