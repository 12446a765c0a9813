"""Launchers that are killed leave nothing that the ledger does not account for."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.slow

STEP = 19  # every point: python benchmarks/kill.py
SCHEDULES = 8  # 500 of them: python benchmarks/kill.py --schedules 500


def test_nothing_is_orphaned_wherever_a_launcher_is_killed(killing: Any) -> None:
    """At points all over rent, release and reconcile; the benchmark takes every one."""
    points = killing.every_point(STEP)
    assert len(points) == 3
    assert max(points.values()) >= 40


def test_nothing_is_orphaned_in_random_schedules_with_faults(killing: Any) -> None:
    """Faults of the market, and launchers that die, one to three a schedule."""
    told = killing.random_schedules(SCHEDULES, 20_261_126)
    assert told["schedules"] == SCHEDULES
    assert told["killed"] > 0
