"""What a machine has to do, and how often it is given a task for that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.fleet.running import Hands, Running

ATTEMPT = cast("Any", SimpleNamespace(key="a.1"))


def hands_at(moment: list[float]) -> Hands:
    """Return the hands of a machine that is never reached, at a moment that moves."""
    clock = SimpleNamespace(monotonic=lambda: moment[0])
    member = SimpleNamespace(fleet=SimpleNamespace(context=SimpleNamespace(clock=clock)))
    return Hands(cast("Any", member), 60.0, cast("Any", None), {})


def test_an_attempt_whose_task_is_over_gets_another_one_after_a_pause() -> None:
    """A machine that ends each task at once keeps its launcher from nothing else."""
    moment = [100.0]
    hands = hands_at(moment)
    one = Running(ATTEMPT, 0, 100.0, 100.0, begun_at=100.0, is_over=True)
    hands.running["a.1"] = one
    asked = []
    for second in range(100, 161):
        moment[0] = float(second)
        if hands.over(0.0):
            asked.append(second)
            one.asked_at = moment[0]
            if hands.lacks_task(one):
                one.begun_at = moment[0]
    assert asked == list(range(105, 161, 5))
    assert one.begun_at == 160.0


def test_an_attempt_without_a_task_gets_one_at_once() -> None:
    """As one that an earlier launcher has begun."""
    assert hands_at([0.0]).lacks_task(Running(ATTEMPT, 0, 0.0))


def test_what_was_never_begun_here_is_asked_for_at_once() -> None:
    """As one that an earlier launcher was killed over; after that as any other one."""
    moment = [100.0]
    hands = hands_at(moment)
    hands.hold(ATTEMPT, 0)
    assert hands.over(0.0) == ["a.1"]
    hands.running["a.1"].asked_at = 100.0
    assert hands.over(0.0) == []
    moment[0] = 105.0
    assert hands.over(0.0) == ["a.1"]


def test_what_has_just_begun_is_left_alone_for_a_minute() -> None:
    """Its task tells of its end; who asks for each job of a second does little else."""
    moment = [100.0]
    hands = hands_at(moment)
    one = Running(ATTEMPT, 0, 100.0, begun_at=100.0, task=cast("Any", object()))
    hands.running["a.1"] = one
    asked = []
    for second in range(100, 161):
        moment[0] = float(second)
        asked += [second] if hands.over(0.0) else []
    assert asked == [160]
