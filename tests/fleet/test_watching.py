"""What a machine says of its jobs is acted on."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.job import JobSpec
from advisor.app.sweep import SweepJob
from advisor.fleet.board import Attempt
from advisor.fleet.running import Hands
from advisor.fleet.watching import Watcher


class Machine:
    """The ssh of a machine on which the first job runs, and no other one has begun."""

    def __init__(self) -> None:
        self.began: list[str] = []

    def ask(self, script: str, what: str, _timeout_s: float = 60.0) -> str:
        if what == "starting the command":
            self.began.append(script)
        if what == "asking how long the machine is up":
            return "0-1 100 /root\n"
        return "running" if "jobs/a.1" in script else "not_started"


def test_a_job_is_not_started_where_another_one_has_its_slot() -> None:
    """It waits for its turn, however often its connection and its tasks are lost."""
    moment, machine, nothing = [100.0], Machine(), cast("Any", None)
    clock = SimpleNamespace(monotonic=lambda: moment[0])
    member = SimpleNamespace(
        fleet=SimpleNamespace(context=SimpleNamespace(clock=clock)),
        ssh=machine,
        slots=[(0,)],
        worker_names=(),
        is_connected=False,
        label="advisor:sweep:1-a",
        look=lambda: None,
    )
    hands = Hands(cast("Any", member), 60.0, nothing, {})
    home = SimpleNamespace(check=lambda: None)
    watcher = Watcher(
        hands,
        nothing,
        cast("Any", home),
        nothing,
        nothing,
        moved=nothing,
        started=lambda _: None,
        ended=nothing,
        place=nothing,
        refused=nothing,
    )
    for name in ("a", "b"):
        job = SweepJob(name, ("true",), JobSpec("resnet50"), f"r/{name}", f"s/{name}", ())
        attempt = Attempt(job, member.label, 1)
        hands.hold(attempt, 0)
        hands.running[attempt.key].is_placed = True
    watcher._tried_at = watcher._printed_at = 1e9  # it is connected by and by
    for _ in range(9):
        moment[0] += 6.0
        watcher.look(0.0)
    assert machine.began == []
    hands.drop("a.1")
    for _ in range(9):
        moment[0] += 6.0
        watcher.look(0.0)
    assert len(machine.began) > 0
