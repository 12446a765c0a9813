"""What a machine does not start goes elsewhere, once nothing of it can run there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.job import JobSpec
from advisor.app.sweep import SweepJob
from advisor.base.errors import UnreachableError
from advisor.fleet.board import Board
from advisor.fleet.events import Event
from advisor.fleet.refusals import Refusals
from advisor.fleet.telling import Teller
from advisor.rental.remote.held_scripts import EARLIER
from advisor.store.sweeps import SweepStore

HERE = "advisor:sweep:00000001-a"


@pytest.mark.parametrize(
    ("has_stopped", "reason", "state"),
    [
        (True, "its disk is full", "waiting"),
        (False, "its disk is full", "assigned"),
        (True, f"{EARLIER} still runs there", "assigned"),
    ],
)
def test_a_job_goes_elsewhere_only_where_nothing_of_it_lives(
    tmp_path: Path, has_stopped: bool, reason: str, state: str
) -> None:
    """Else it is the machine's until that is gone; no more is given to it either way."""
    store = SweepStore(tmp_path)
    store.begin("sweep", {}, {}, ["a"], 1.0)
    job = SweepJob("a", ("true",), JobSpec("resnet50"), "results/a", "saved/a", ())
    board = Board(store, "sweep", [job], 1, lambda: 2.0)
    attempt = board.take(0, HERE)
    assert attempt is not None
    hands = SimpleNamespace(drop=lambda _: None, stop=lambda _: has_stopped)
    told: list[Event] = []
    refusals = Refusals(cast("Any", hands), board, Teller(told.append, lambda: 2.0))
    refusals.note(attempt, reason)
    assert refusals.reason == reason
    assert store.job("sweep", "a").state == state
    assert [one.name for one in told] == ["job_moved"] * (state == "waiting")


def test_a_machine_that_does_not_answer_is_asked_again() -> None:
    """Nothing is noted: it may have been the connection that kept a job from it."""

    def stop(_attempt: object) -> bool:
        message = "no ssh to it"
        raise UnreachableError(message)

    nothing = cast("Any", None)
    refusals = Refusals(cast("Any", SimpleNamespace(stop=stop)), nothing, nothing)
    with pytest.raises(UnreachableError, match="no ssh"):
        refusals.note(nothing, "copying by rsync failed")
    assert refusals.reason == ""
