"""What comes home of a job gets its place when all of it is here."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.job import JobSpec
from advisor.app.sweep import SweepJob
from advisor.base.errors import RemoteError, ResultsLeftError
from advisor.fleet.board import Board
from advisor.fleet.home import CameHome, Ended, Home, put_in_place
from advisor.fleet.printing import Printer
from advisor.store.sweeps import SweepStore


def folder(place: Path, text: str) -> Path:
    place.mkdir(parents=True)
    (place / "out").write_text(text)
    return place


def test_what_has_come_whole_is_the_result(tmp_path: Path) -> None:
    """What earlier attempts have sent of it is gone then."""
    place = tmp_path / "results" / "job*"
    folder(tmp_path / "results" / ".job*.1.coming", "half")
    other = folder(tmp_path / "results" / ".jobs.1.coming", "another job's")
    put_in_place(folder(tmp_path / "results" / ".job*.2.coming", "whole"), place)
    assert (place / "out").read_text() == "whole"
    assert sorted(one.name for one in place.parent.iterdir()) == [other.name, "job*"]


def test_a_result_that_comes_again_replaces_what_came(tmp_path: Path) -> None:
    """A launcher was killed between the two: nothing of both is mixed."""
    place = folder(tmp_path / "job", "first")
    (place / "more").write_text("of the first")
    put_in_place(folder(tmp_path / ".job.1.coming", "again"), place)
    assert [one.name for one in place.iterdir()] == ["out"]
    assert (place / "out").read_text() == "again"


class Away:
    """A machine on which a job has written results, and that rsync fails to copy from.

    Parameters
    ----------
    answers : whether it answers when it is asked after each failure
    """

    def __init__(self, *answers: bool) -> None:
        self._answers, self.waits = list(answers), 0
        clock = SimpleNamespace(sleep=self._sleep)
        context = SimpleNamespace(clock=clock)
        rental = SimpleNamespace(notify=lambda _: None)
        self.ssh = self
        self.fleet = SimpleNamespace(context=context, rental=rental)

    def _sleep(self, _seconds: float) -> None:
        self.waits += 1

    def answers(self) -> bool:
        return self._answers.pop(0)

    def ask(self, _script: str, _what: str) -> str:
        return "0"

    def pull(self, _ssh: object, _remote: str, place: Path, _look: object) -> None:
        if self._answers:
            message = "copying by rsync failed (255)"
            raise RemoteError(message)
        folder(place, "whole")


def bring(tmp_path: Path, machine: Away) -> tuple[list[CameHome], Path]:
    """Have the results of a job come home; return what was told, and their place."""
    store = SweepStore(tmp_path / "data")
    store.begin("sweep", {}, {}, ["a"], 1.0)
    job = SweepJob("a", ("true",), JobSpec("resnet50"), "results/a", "saved/a", ())
    board = Board(store, "sweep", [job], 1, lambda: 2.0)
    attempt = board.take(0, "advisor:sweep:00000001-a")
    assert attempt is not None
    board.end(attempt, 0)
    held = SimpleNamespace(follow=lambda *_: iter(()))
    hands = cast("Any", SimpleNamespace(member=machine, held=lambda _: held))
    came: list[CameHome] = []
    logs, printer = tmp_path / "logs", Printer(lambda _: None)
    incoming = cast("Any", lambda: machine)
    home = Home(hands, board, tmp_path, logs, incoming, printer, came.append)
    try:
        home.bring(Ended(attempt, 0))
        home.finish(lambda: None)
    finally:
        home.close()
    return came, tmp_path / "results" / "a" / "out"


def test_results_of_a_machine_that_is_away_come_once_it_is_back(tmp_path: Path) -> None:
    """As while it restarts: rsync fails, and does not tell why."""
    machine = Away(False, False)
    ((came,), out) = bring(tmp_path, machine)
    assert came.state == "done"
    assert out.read_text() == "whole"
    assert machine.waits == 2


def test_results_that_cannot_be_copied_from_a_machine_that_answers_stay_there(
    tmp_path: Path,
) -> None:
    """Nobody gives such a machine back: it has them alone."""
    with pytest.raises(ResultsLeftError, match="a has ended, but its results cannot be"):
        bring(tmp_path, Away(False, True, True))
