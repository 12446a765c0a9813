"""A machine of a sweep is given back whatever ends its thread; its jobs wait again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")
pytest.importorskip("distributed", reason="the extra 'fleet' is not installed")

from advisor.app.plan import plan
from advisor.app.rent import RentSpec
from advisor.base.errors import AdvisorError, MarketError, NothingFitsError, ReleasedError
from advisor.fleet.board import Board
from advisor.fleet.controller import SILENT_S, Controller, Share
from advisor.fleet.crew import Crew, Work
from advisor.fleet.feeding import Pace
from advisor.fleet.folders import Folders
from advisor.fleet.launching import Face, Launch
from advisor.fleet.member import Member
from advisor.fleet.planning import Planning
from advisor.rental.release import release
from advisor.store.ledger import Entry, State
from tests.fleet.conftest import NAME, TRAINED, MakeRig, Rig, real_time
from tests.rental.conftest import wait_for

WRITES = 'mkdir -p "$ADVISOR_RESULTS" && echo {value} >"$ADVISOR_RESULTS/out"'


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    """Return a sweep of two jobs."""
    return make_rig(WRITES, range(2))


class Plans:
    """A planner that says one thing after another, the last one again and again."""

    def __init__(self, *said: list[Share] | AdvisorError) -> None:
        self.said, self.asked = list(said), 0

    def __call__(self, _without: object, _crews: object) -> list[Share]:
        self.asked += 1
        found = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(found, AdvisorError):
            raise found
        return found


@contextmanager
def worked_on(rig: Rig, work: Work) -> Iterator[Entry]:
    """Yield a machine that an earlier launcher has left, with a job that it was given."""
    spec = RentSpec(job=TRAINED, name=NAME, lease_s=3600.0, verify=False)
    planned = plan(rig.context, spec, wait_for_ssh=True)
    member = Member.rented(work.fleet, planned)
    member.claim()
    rig.store.assign(NAME, rig.jobs[0].name, member.label, rig.rental.now())
    member.leave()
    (entry,) = rig.street.entries()
    yield entry


def lose(rig: Rig) -> None:
    """Let the market's machines die."""
    street = rig.street
    for one in street.instances():
        with street.world.looked_at():
            contract = street.world.rentals.contracts[one["id"]]
            street.world.rentals.fail(contract, "the machine died")


def states(rig: Rig) -> list[str]:
    return [one.state for one in rig.store.jobs(NAME)]


def test_a_market_that_is_silent_for_a_while_ends_no_sweep(rig: Rig) -> None:
    """It is asked again, once a minute; what it says then counts."""
    silent = MarketError("no connection")
    plans = Plans(silent, silent, NothingFitsError("none fits"))
    begun = rig.street.world.clock.now()
    with rig.work() as work, pytest.raises(NothingFitsError, match="none fits"):
        Controller(work, plans).run()
    assert plans.asked == 3
    assert 120.0 <= rig.street.world.clock.now() - begun < SILENT_S


def test_a_market_that_stays_silent_is_told_in_the_end(rig: Rig) -> None:
    """Nobody waits for it for ever; the sweep can be gone on with."""
    plans = Plans(MarketError("no connection"))
    with rig.work() as work, pytest.raises(MarketError, match="no connection"):
        Controller(work, plans).run()
    assert plans.asked == 1 + SILENT_S / 60.0


def test_an_offer_that_cannot_be_had_is_not_planned_with_again(rig: Rig) -> None:
    """Else the same one would be tried until no machine may be lost any more."""

    def none() -> Any:
        message = "no offer could be had: 5 taken"
        raise NothingFitsError(message)

    asked: list[set[int]] = []

    def planner(without: Any, _crews: object) -> list[Share]:
        asked.append(set(without))
        if len(asked) > 1:
            message = "none is left"
            raise NothingFitsError(message)
        return [Share(("value-0", "value-1"), None, rental=none, machine_id=5)]

    with rig.work() as work, pytest.raises(NothingFitsError, match="none is left"):
        Controller(work, planner).run()
    assert asked == [set(), {5}]


@pytest.mark.slow
def test_a_machine_that_died_while_no_launcher_was_there_loses_its_jobs(
    rig: Rig,
) -> None:
    """They wait again, and it is given back; nothing is left as it is."""
    with rig.work() as work, worked_on(rig, work) as entry:
        lose(rig)
        board = Board(rig.store, NAME, rig.jobs, 1, rig.rental.now)
        anew = replace(work, board=board)
        with pytest.raises(NothingFitsError, match="none fits"):
            Controller(anew, Plans(NothingFitsError("none fits"))).run([entry])
    assert states(rig) == ["waiting", "waiting"]
    assert rig.street.instances() == []


@pytest.mark.slow
@pytest.mark.parametrize("ends", [True, False])
def test_a_machine_that_is_not_picked_up_is_an_error(rig: Rig, ends: bool) -> None:
    """Its jobs are no other machine's: nobody knows whether they run."""
    with rig.work() as work, worked_on(rig, work) as entry:
        controller = Controller(work, Plans([]))
        with (
            rig.rental.work_on(entry.label),
            pytest.raises(AdvisorError, match="another"),
        ):
            controller.stop([entry]) if ends else controller.run([entry])
    assert states(rig)[0] == "assigned"
    assert len(rig.street.instances()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("state", ["gone", "working"])
def test_a_machine_that_is_shown_again_after_all_is_done_is_given_back(
    rig: Rig, state: State
) -> None:
    """Its jobs were done elsewhere. As long as some are left it may be picked up."""
    folders = Folders(rig.context, rig.spec, rig.jobs)
    launch = Launch(rig.context, rig.spec, rig.jobs, folders, rig.rental, Face())
    with rig.work() as work, worked_on(rig, work) as entry:
        if state != "working":  # by then somebody has compared the ledger
            rig.rental.ledger.advance(entry.label, state, rig.rental.now(), "not shown")
        board = Board(rig.store, NAME, rig.jobs, 0, rig.rental.now)
        with launch._ending(board):
            pass
        assert len(rig.street.instances()) == 1
        (stored,) = board.on(entry.label)
        for attempt in (board.attempt_of(stored), board.take(0, "advisor:sweep:1-a")):
            assert attempt is not None
            board.end(attempt, 0)
            board.finish(attempt, "done")
        with launch._ending(board):
            pass
    assert rig.street.instances() == []
    assert [one.state for one in rig.street.entries()] == ["released"]


LOST = "advisor:sweep:7fffffff-0123456789abcdef"


@pytest.fixture
def lost(rig: Rig) -> Iterator[Work]:
    """Yield a sweep whose first job is on a machine that the ledger does not tell of."""
    context = real_time(rig.street.context(), 0.002)
    rig.context = replace(context, notify=rig.lines.append)
    with rig.work() as work:
        rig.store.assign(NAME, "value-0", LOST, rig.rental.now())
        yield replace(work, board=Board(rig.store, NAME, rig.jobs, 1, rig.rental.now))


def test_jobs_that_wait_are_planned_at_once_beside_a_machine_that_is_absent(
    rig: Rig, lost: Work
) -> None:
    """Those that it had only once it has surely ended them; also of an unknown one."""
    begun, asked = rig.rental.now(), []

    def planner(_without: object, _crews: object) -> list[Share]:
        names = [one.name for one in lost.board.waiting()]
        asked.append((rig.rental.now() - begun, names))
        rig.street.sleep(rig.spec.lease_s + 301.0)
        message = "none fits"
        raise NothingFitsError(message)

    with pytest.raises(NothingFitsError):
        Controller(lost, planner).run((), [LOST])
    (first_s, first), (second_s, second) = asked
    assert first_s < rig.spec.lease_s
    assert first == ["value-1"]
    assert second_s > rig.spec.lease_s
    assert second == ["value-0", "value-1"]
    assert rig.store.job(NAME, "value-0").reason == "moved: lapsed"


@pytest.mark.slow
def test_a_machine_that_is_absent_counts_as_one(make_rig: MakeRig) -> None:
    """It may be there, and bill: no more are rented than were allowed."""
    rig = make_rig(WRITES, range(2), max_machines=1)
    with rig.work() as work, worked_on(rig, work) as entry:
        board = Board(rig.store, NAME, rig.jobs, 1, rig.rental.now)
        anew = planning(rig, replace(work, board=board))
        assert anew._absent([]) == {entry.label}
        assert anew._absent([Crew(0, work, None, entry)]) == set()
        with pytest.raises(NothingFitsError, match="1 machines are there"):
            anew((), [])


def test_a_machine_that_the_ledger_lacks_is_told_and_its_jobs_are_left(
    rig: Rig, lost: Work
) -> None:
    """Whoever ends a sweep is not kept from it; nobody says that they do not run."""
    folders = Folders(rig.context, rig.spec, rig.jobs)
    launch = Launch(rig.context, rig.spec, rig.jobs, folders, rig.rental, Face())
    with ExitStack() as stack:
        result = launch.stop(stack)
    (line,) = [one for one in rig.lines if LOST in one]
    assert "does not tell" in line
    assert "1 jobs" in line
    assert result.counts.assigned == 1


@pytest.mark.slow
def test_a_machine_is_given_back_where_nobody_can_be_told_of_it(rig: Rig) -> None:
    """What hears of it is broken, as a pipe that was closed."""

    def broken(_event: object) -> None:
        message = "the pipe is closed"
        raise BrokenPipeError(message)

    with rig.work() as work:
        share = rig.share()
        crew = Crew(0, replace(work, told=broken), share.rental)
        crew.start()
        crew.join()
    assert isinstance(crew.error, BrokenPipeError)
    assert rig.street.instances() == []
    assert [one.state for one in rig.street.entries()] == ["released"]


@pytest.mark.slow
def test_a_machine_without_time_for_a_job_has_not_done_its_work(rig: Rig) -> None:
    """Its time is over: another one like it is not rented for ever."""
    with rig.work() as work:
        crew = Crew(0, work, rig.share().rental, pace=Pace(planned_s=1e9))
        crew.start()
        crew.join()
    assert crew.outcome == "over"
    assert states(rig) == ["waiting", "waiting"]
    assert rig.street.instances() == []


@pytest.mark.slow
def test_who_has_released_a_machine_wants_no_other_one(make_rig: MakeRig) -> None:
    """The sweep ends with that, and nothing more is rented."""
    rig = make_rig("sleep 60 {value}", range(1))
    over = threading.Event()

    def release_it() -> None:
        wait_for(lambda: bool(rig.events("job_started")), 90.0)
        release(rig.rental, rig.street.entries()[0], "its user has released it")
        while not over.wait(0.2):
            rig.street.sleep(61.0)

    releasing = threading.Thread(target=release_it)
    releasing.start()
    try:
        with pytest.raises(ReleasedError):
            rig.run(1)
    finally:
        over.set()
        releasing.join()
    assert len(rig.street.entries()) == 1
    assert states(rig) == ["waiting"]


def planning(rig: Rig, work: Work) -> Planning:
    return Planning(
        rig.context, rig.spec, rig.jobs, work.board, rig.rental, rig.told.append, float
    )


def test_machines_that_no_plan_counts_on_count_as_machines(make_rig: MakeRig) -> None:
    """No more are there at a time than were allowed, whatever is known of each."""
    rig = make_rig(WRITES, range(2), max_machines=1)
    with rig.work() as work:
        unknown = Crew(0, work, None)
        ending = Crew(1, work, None, is_ending=True)
        for one in (unknown, ending):
            with pytest.raises(NothingFitsError, match="as many as there may be"):
                planning(rig, work)((), [one])


def test_a_share_is_for_others_once_its_machine_only_waits_for_its_end(
    rig: Rig,
) -> None:
    """Also where the plan was made before that."""
    with rig.work() as work:
        controller = Controller(work, Plans([]))
        crew = Crew(0, work, None, is_ending=True)
        controller._crews[0] = crew
        controller._have([Share(("value-0",), None, key=0)])
        assert sorted(work.board.unshared()) == ["value-0", "value-1"]
