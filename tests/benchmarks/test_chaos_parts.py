"""The chaos harness draws what it says, keeps time, and sees what is wrong."""

from __future__ import annotations

import importlib
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.simulator.clock import SimClock
from advisor.simulator.contract import Wish
from advisor.simulator.world import World

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def part(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what imports a module of the harness."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    known = set(sys.modules)
    yield lambda name: importlib.import_module(f"chaos_parts.{name}")
    for name in set(sys.modules) - known:
        if name.partition(".")[0] == "chaos_parts":
            del sys.modules[name]


def test_a_schedule_follows_from_its_seed_and_number(part: Any) -> None:
    """What broke can be played again; another number is another schedule."""
    draw = part("drawing").draw_schedule
    for number in range(40):
        assert draw(3, number) == draw(3, number)
    assert len({str(draw(3, number)) for number in range(40)}) == 40


def test_every_class_is_drawn_with_what_it_is_about(part: Any) -> None:
    """None plays nothing, and each that is asked for alone is the one that comes."""
    drawing = part("drawing")
    for kind in drawing.ALL_CLASSES:
        for number in range(5):
            schedule = drawing.draw_schedule(1, number, [kind])
            assert schedule.kind == kind
            assert schedule.steps


def test_time_passes_only_when_every_lane_waits(part: Any, tmp_path: Path) -> None:
    """Who waits for less is woken first, and no time passes while anybody works."""
    clock = SimClock.manual(1_763_650_000.0)
    world = World(offers=4, seed=1, clock=clock, calm=True)
    time = part("simtime").SimTime(world, tmp_path / "time")
    begun, woken = time.now, []
    for lane in (1, 2):
        time.begin(lane)

    def lane(number: int, seconds: float) -> None:
        time.wait(number, seconds)
        woken.append((number, time.now - begun))
        time.end(number)

    threads = [
        threading.Thread(target=lane, args=(number, seconds))
        for number, seconds in ((1, 50.0), (2, 20.0))
    ]
    try:
        threads[0].start()
        assert not woken  # lane 2 is at work
        threads[1].start()
        for thread in threads:
            thread.join(10.0)
    finally:
        time.close()
    assert woken == [(2, 20.0), (1, 50.0)]


@pytest.mark.slow
def test_an_orphan_is_seen(part: Any, tmp_path: Path) -> None:
    """One that no ledger knows, rented under a label of ours, breaks a promise."""
    plans, scenes = part("plans"), part("scene")
    warm = part("warm").WarmProcess()
    steps = (plans.Step("reconcile", "", "A"),)
    schedule = plans.Schedule(1, 1, "calm", (steps,))
    keys = tmp_path / "keys"
    keys.mkdir()
    try:
        with scenes.Scene(schedule, warm, keys) as scene:
            label = f"advisor:lost:{int(scene.time.now + 7200):08x}-{'cd' * 8}"
            with scene.world.looked_at():
                offer = next(
                    int(record["id"])
                    for _, record in scene.world.fleet.offers(scene.time.now)
                    if record.get("rentable")
                )
                account = scene.world.account(scenes.KEY)
                scene.world.rent(account, offer, Wish("image", 10.0, label=label))
            scene.play()
            promises = part("promises").Promises(scene)
            promises.check()
    finally:
        warm.close()
    assert [line for line in promises.broken if line.startswith("orphan")]
