"""Which job a machine gets next, and what becomes of one; nothing is in two places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.job import JobSpec
from advisor.app.sweep import SweepJob
from advisor.base.errors import AdvisorError
from advisor.fleet.board import Attempt, Board
from advisor.software.misfit import Symptom
from advisor.store.sweeps import SweepStore

SWEEP = "sweep"
LARGE = JobSpec("gpt2-1.5b")
HERE, THERE = "advisor:sweep:00000001-a", "advisor:sweep:00000002-b"


def job(name: str) -> SweepJob:
    spec = JobSpec("resnet50")
    return SweepJob(name, ("true",), spec, f"results/{name}", f"saved/{name}", ())


@pytest.fixture
def store(tmp_path: Path) -> SweepStore:
    """Return a store with a sweep of four jobs."""
    made = SweepStore(tmp_path)
    made.begin(SWEEP, {}, {}, list("abcd"), 1.0)
    return made


def board_of(store: SweepStore, retries: int = 1) -> Board:
    return Board(store, SWEEP, map(job, "abcd"), retries, lambda: 2.0)


@pytest.fixture
def board(store: SweepStore) -> Board:
    """Return the jobs of the sweep."""
    return board_of(store)


def take(board: Board, key: int, label: str = HERE) -> Attempt:
    found = board.take(key, label)
    assert found is not None
    return found


def test_a_job_that_three_machines_refuse_has_failed(
    store: SweepStore, board: Board
) -> None:
    """It waits after each of the first two, and is no other machine's in doubt."""
    for number, label in enumerate((HERE, THERE), 1):
        attempt = take(board, number, label)
        assert attempt.job.name == "a"
        assert board.refuse(attempt, "its disk is full", is_over=False) == "assigned"
        assert [one.name for one in board.on(label)] == ["a"]
        assert board.refuse(attempt, "its disk is full", is_over=True) == "waiting"
        board.share({number + 1: ["a"]})
    attempt = take(board, 3, "advisor:sweep:00000003-c")
    assert board.refuse(attempt, "its disk is full", is_over=False) == "assigned"
    assert board.refuse(attempt, "its disk is full", is_over=True) == "failed"
    assert store.job(SWEEP, "a").reason == "3 machines refuse: its disk is full"
    assert board.counts.failed == 1


def test_a_machine_gets_no_other_training_than_was_planned_for_it(
    store: SweepStore,
) -> None:
    """A large net on a small GPU would use up its starts; what it had, it may have."""
    jobs = [job("a"), job("b"), *(replace(job(one), job=LARGE) for one in "cd")]
    board = Board(store, SWEEP, jobs, 1, lambda: 2.0)
    board.share({0: ["a"], 1: ["c"]})
    assert [take(board, 0).job.name for _ in range(2)] == ["a", "b"]
    assert board.take(0, HERE) is None
    assert not board.has_for(0)
    assert [take(board, 1, THERE).job.name for _ in range(2)] == ["c", "d"]
    again = Board(store, SWEEP, jobs, 1, lambda: 3.0)
    again.move_all(THERE, "stopped")
    assert again.take(0, HERE) is None
    assert again.waiting()


def test_a_machine_gets_its_own_share_first_and_then_what_is_nobodys(
    board: Board,
) -> None:
    """In the order of its share; what another one is to do is left to that."""
    board.share({0: ["c", "b"], 1: ["d"]})
    assert [take(board, 0).job.name for _ in range(3)] == ["c", "b", "a"]
    assert board.take(0, HERE) is None
    assert take(board, 1, THERE).job.name == "d"


def test_a_machine_takes_the_last_jobs_of_one_that_is_no_cheaper(board: Board) -> None:
    """A dearer one leaves them, and so does one of which nobody knows what it costs."""
    board.share({0: [], 1: ["a", "b", "c", "d"]})
    assert not board.has_for(0)
    board.price(0, 2.0)
    board.price(1, 1.0)
    assert not board.has_for(0)
    board.price(1, 3.0)
    assert take(board, 0).job.name == "d"


def test_the_share_of_a_machine_that_is_gone_is_for_whoever_has_time(
    board: Board,
) -> None:
    """Nothing waits for a machine that comes no more."""
    board.share({0: [], 1: ["a", "b", "c", "d"]})
    board.leave(1)
    assert take(board, 0).job.name == "a"


def test_what_is_given_is_written_down_first(store: SweepStore, board: Board) -> None:
    """Another launcher finds it there; what was not written is given to nobody."""
    one = take(board, 0)
    assert (one.job.name, one.number, one.before) == ("a", 1, "")
    assert [stored.name for stored in board_of(store).on(HERE)] == ["a"]
    store.finish(SWEEP, 3.0)
    with pytest.raises(AdvisorError, match="over"):
        board.take(0, HERE)
    assert board.counts.waiting == 3


def test_a_job_that_fails_is_started_again_as_often_as_was_asked_for(
    board: Board,
) -> None:
    """Then it has failed; a start that was moved counts for none."""
    first = take(board, 0)
    board.move(first, "stopped")
    board.share({0: ["a"]})
    for state in ("waiting", "failed"):
        one = take(board, 0, THERE)
        assert one.job.name == "a"
        board.end(one, 1)
        assert board.verdict(one, 1, None) == state
        board.finish(one, board.verdict(one, 1, None))
        board.share({0: ["a"]})
    assert board.counts.failed == 1


def test_what_a_machine_could_not_run_gets_one_more_start(store: SweepStore) -> None:
    """Also where no job that fails is started again."""
    board = board_of(store, retries=0)
    one = take(board, 0)
    board.end(one, 1)
    symptom = Symptom("driver_too_old", "it says so")
    assert board.verdict(one, 1, symptom) == "waiting"
    assert board.verdict(one, 1, None) == "failed"
    assert board.verdict(one, 0, None) == "done"


def test_what_ended_in_a_way_that_nobody_knows_gets_one_more_start(
    store: SweepStore,
) -> None:
    """As where its machine restarts: but not for ever, it may be its own doing."""
    board = board_of(store, retries=0)
    for state in ("waiting", "failed"):
        one = take(board, 0)
        board.end(one, None)
        assert board.verdict(one, None, None) == state
        board.finish(one, board.verdict(one, None, None))
        board.share({0: ["a"]})


def test_all_that_a_machine_had_waits_once_that_is_gone(
    store: SweepStore, board: Board
) -> None:
    """Also what has ended there and is not home; what is home stays done."""
    done, ended, running = (take(board, 0) for _ in range(3))
    for one in (done, ended):
        board.end(one, 0)
    board.finish(done, "done")
    moved = board.move_all(HERE, "destroyed")
    assert [one.job.name for one in moved.attempts] == ["b", "c"]
    assert {one.name: one.state for one in store.jobs(SWEEP)} == {
        "a": "done",
        **dict.fromkeys("bcd", "waiting"),
    }
    again = take(board, 1, THERE)
    assert again.number == 1 or again.before == HERE
    assert running.number == 1


def test_an_attempt_that_is_no_more_changes_nothing(
    store: SweepStore, board: Board
) -> None:
    """What comes late of a machine that has lost a job is refused."""
    one = take(board, 0)
    board.move(one, "stopped")
    board.share({1: ["a"]})
    other = take(board, 1, THERE)
    with pytest.raises(AdvisorError):
        board.end(one, 0)
    assert store.job(SWEEP, "a").label == THERE
    assert other.number == 2
    assert other.before == HERE
