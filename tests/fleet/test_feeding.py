"""How long jobs take on a machine, and whether one more has the time."""

from __future__ import annotations

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from hypothesis import given
from hypothesis import strategies as st

from advisor.fleet.feeding import Pace


def test_what_was_seen_counts_for_more_than_the_plan() -> None:
    """The plan says it until the first job has ended well."""
    pace = Pace(planned_s=100.0)
    assert pace.seconds == 100.0
    pace.add(30.0)
    pace.add(50.0)
    assert pace.seconds == 40.0
    assert Pace().seconds is None


@given(st.lists(st.floats(0.0, 1e6), min_size=1))
def test_the_pace_lies_between_the_fastest_and_the_slowest_job(took: list[float]) -> None:
    """A law of means."""
    pace = Pace()
    for one in took:
        pace.add(one)
    assert pace.seconds is not None
    assert min(took) * (1 - 1e-9) <= pace.seconds <= max(took) * (1 + 1e-9)
