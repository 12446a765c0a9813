"""Sweeps in the store: whatever is called in whatever order, a job is in one place."""

from __future__ import annotations

import math
import sqlite3
import tempfile
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from advisor.base.errors import AdvisorError, StoreError, StoreFullError
from advisor.base.resources import STORE
from advisor.store import database
from advisor.store.health import look_at
from advisor.store.place import place_of
from advisor.store.sweep_rows import StoredSweep
from advisor.store.sweeps import JobPhase, StoredJob, SweepStore

NAME, A, B = "grid", "advisor:grid:00000000-a", "advisor:grid:00000000-b"


@pytest.fixture
def sweeps(tmp_path: Path) -> SweepStore:
    made = SweepStore(tmp_path)
    made.begin(
        NAME, {"command": "x"}, {"usd": 1.5}, ["one", "two"], 1000.25, market="m/1"
    )
    return made


def test_a_sweep_is_of_its_place_also_where_that_is_made_for_it(tmp_path: Path) -> None:
    """Else the first one of a computer could not be gone on with."""
    sweeps = SweepStore(tmp_path / "new" / "data")
    sweeps.begin(NAME, {}, {}, ["one"], 1.0)
    assert sweeps.load(NAME).place == place_of(sweeps.folder)


def test_a_sweep_comes_back_as_it_was_written(sweeps: SweepStore) -> None:
    """Its documents, its jobs in their order, all of them waiting."""
    place = place_of(sweeps.folder)
    spec, plan = {"command": "x"}, {"usd": 1.5}
    begun = StoredSweep(NAME, "m/1", place, 1000.25, None, 1000.25, spec, plan)
    assert sweeps.load(NAME) == begun
    assert sweeps.sweeps() == [begun]
    assert sweeps.jobs(NAME) == [StoredJob("one"), StoredJob("two")]
    assert sweeps.job(NAME, "two") == StoredJob("two")
    assert sweeps.torn() == []


def test_the_usual_life_of_a_job_is_told_step_by_step(sweeps: SweepStore) -> None:
    """It fails, is tried elsewhere, is moved, and is done in the third attempt."""
    assert sweeps.assign(NAME, "one", A, 1001.0) == 1
    sweeps.end(NAME, "one", A, 1, 7, 1010.0)
    sweeps.finish_job(NAME, "one", A, 1, "waiting", "exit code 7", 1011.0)
    waits = sweeps.job(NAME, "one")
    assert (waits.state, waits.label, waits.attempts, waits.exit_code) == (
        "waiting",
        A,
        1,
        7,
    )
    assert sweeps.assign(NAME, "one", B, 1020.0) == 2
    assert sweeps.job(NAME, "one").exit_code is None
    sweeps.note_checkpoint(NAME, "one", B, 2, 1025.0)
    sweeps.move(NAME, "one", B, 2, "destroyed", 1030.0)
    assert sweeps.assign(NAME, "one", A, 1040.0) == 3
    sweeps.end(NAME, "one", A, 3, 0, 1050.0)
    sweeps.finish_job(NAME, "one", A, 3, "done", "", 1051.0)
    assert sweeps.job(NAME, "one") == StoredJob(
        "one", "done", A, 3, 2, 0, 1040.0, 1050.0, 1051.0, 1025.0, ""
    )
    assert sweeps.history(NAME, "one") == [
        (1001.0, "assigned", A, 1, ""),
        (1010.0, "ended", A, 1, ""),
        (1011.0, "waiting", A, 1, "exit code 7"),
        (1020.0, "assigned", B, 2, ""),
        (1030.0, "waiting", B, 2, "moved: destroyed"),
        (1040.0, "assigned", A, 3, ""),
        (1050.0, "ended", A, 3, ""),
        (1051.0, "done", A, 3, ""),
    ]
    assert sweeps.history(NAME, "two") == []


def test_a_moved_attempt_is_no_retry(sweeps: SweepStore) -> None:
    """It did not fail: its machine was lost."""
    for number in range(1, 4):
        sweeps.assign(NAME, "one", A, 1001.0)
        sweeps.move(NAME, "one", A, number, "lapsed", 1002.0)
    assert (sweeps.job(NAME, "one").attempt, sweeps.job(NAME, "one").attempts) == (3, 0)


def test_what_ended_and_was_lost_with_its_machine_waits_again(sweeps: SweepStore) -> None:
    """What it wrote was never brought back."""
    sweeps.assign(NAME, "one", A, 1001.0)
    sweeps.end(NAME, "one", A, 1, 0, 1002.0)
    sweeps.move(NAME, "one", A, 1, "destroyed", 1003.0)
    found = sweeps.job(NAME, "one")
    assert (found.state, found.ended_at, found.reason) == (
        "waiting",
        1002.0,
        "moved: destroyed",
    )


LATE: dict[str, Callable[[SweepStore, str, int], Any]] = {
    "end": lambda one, label, number: one.end(NAME, "one", label, number, 0, 9.0),
    "finish": lambda one, label, number: one.finish_job(
        NAME, "one", label, number, "done", "", 9.0
    ),
    "move": lambda one, label, number: one.move(
        NAME, "one", label, number, "stopped", 9.0
    ),
    "checkpoint": lambda one, label, number: one.note_checkpoint(
        NAME, "one", label, number, 9.0
    ),
}


@pytest.mark.parametrize("call", LATE)
@pytest.mark.parametrize(("label", "number"), [(A, 1), (B, 1), (A, 2), (A, 3), ("", 0)])
@pytest.mark.parametrize("state", ["waiting", "assigned", "ended"])
def test_what_comes_late_changes_nothing(
    sweeps: SweepStore, call: str, label: str, number: int, state: str
) -> None:
    """The second attempt is on another machine: only that one is heard, in its state."""
    sweeps.assign(NAME, "one", A, 1.0)
    sweeps.move(NAME, "one", A, 1, "stopped", 2.0)
    if state != "waiting":
        sweeps.assign(NAME, "one", B, 3.0)
    if state == "ended":
        sweeps.end(NAME, "one", B, 2, 0, 4.0)
    before, steps = sweeps.jobs(NAME), sweeps.history(NAME, "one")
    with pytest.raises(AdvisorError, match=f"^job one of the sweep grid is {state}"):
        LATE[call](sweeps, label, number)
    assert sweeps.jobs(NAME) == before
    assert sweeps.history(NAME, "one") == steps


@pytest.mark.parametrize("end", ["done", "failed"])
def test_what_is_over_stays_so(sweeps: SweepStore, end: Any) -> None:
    """It is not given to a machine again, nor moved."""
    sweeps.assign(NAME, "one", A, 1.0)
    sweeps.end(NAME, "one", A, 1, 1, 2.0)
    sweeps.finish_job(NAME, "one", A, 1, end, "as it is", 3.0)
    assert sweeps.job(NAME, "one").is_over
    assert not sweeps.job(NAME, "two").is_over
    for call in LATE.values():
        with pytest.raises(AdvisorError, match=f"is {end}"):
            call(sweeps, A, 1)
    with pytest.raises(AdvisorError, match=f"is {end} .* cannot be given to {B}$"):
        sweeps.assign(NAME, "one", B, 4.0)


def test_of_many_that_assign_a_job_one_does(sweeps: SweepStore) -> None:
    """Eight launchers at once; the others are told who has it."""
    numbers: list[int] = []
    refusals: list[str] = []

    def give(label: str) -> None:
        try:
            numbers.append(SweepStore(sweeps.folder).assign(NAME, "one", label, 1.0))
        except AdvisorError as error:
            refusals.append(str(error))

    threads = [threading.Thread(target=give, args=(f"{A}{n}",)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1]
    assert len(refusals) == 7
    assert all("is assigned (attempt 1 on advisor:grid" in one for one in refusals)


_LABELS = st.sampled_from([A, B])
_NUMBERS = st.integers(0, 4)
_JOBS = st.sampled_from(["one", "two"])
_WHO = st.integers(0, 1)


class Sweeping(RuleBasedStateMachine):
    """Two launchers call what they like, also of attempts that are long over.

    What may live is counted apart from what the store says: an attempt may from the
    moment it is assigned until its end or a proof was accepted.
    """

    def __init__(self) -> None:
        super().__init__()
        self.aside = tempfile.TemporaryDirectory()
        self.stores = [SweepStore(Path(self.aside.name)) for _ in range(2)]
        self.stores[0].begin(NAME, {}, {}, ["one", "two"], 0.0)
        self.alive: dict[str, set[tuple[str, int]]] = {"one": set(), "two": set()}
        self.given: dict[str, list[int]] = {"one": [], "two": []}
        self.over: dict[str, StoredJob] = {}

    def teardown(self) -> None:
        self.aside.cleanup()

    @rule(who=_WHO, job=_JOBS, label=_LABELS)
    def assign(self, who: int, job: str, label: str) -> None:
        """Succeeds only where nothing of the job may live."""
        could = not self.alive[job]
        try:
            number = self.stores[who].assign(NAME, job, label, 1.0)
        except AdvisorError:
            return
        assert could
        self.alive[job].add((label, number))
        self.given[job].append(number)

    @rule(who=_WHO, job=_JOBS, label=_LABELS, number=_NUMBERS, code=st.integers(0, 1))
    def end(self, who: int, job: str, label: str, number: int, code: int) -> None:
        """Is believed of the attempt that lives alone."""
        self.try_to(
            job,
            (label, number),
            lambda: self.stores[who].end(NAME, job, label, number, code, 2.0),
        )

    @rule(
        who=_WHO,
        job=_JOBS,
        label=_LABELS,
        number=_NUMBERS,
        proof=st.sampled_from(["stopped", "lapsed", "destroyed"]),
    )
    def move(self, who: int, job: str, label: str, number: int, proof: Any) -> None:
        """As an end is; or takes what has ended already."""
        ended = self.stores[who].job(NAME, job).state == "ended"
        self.try_to(
            job,
            (label, number),
            lambda: self.stores[who].move(NAME, job, label, number, proof, 2.0),
            may_be_over=ended,
        )

    @rule(
        who=_WHO,
        job=_JOBS,
        label=_LABELS,
        number=_NUMBERS,
        state=st.sampled_from(["done", "failed", "waiting"]),
    )
    def finish_job(self, who: int, job: str, label: str, number: int, state: Any) -> None:
        """Never while the attempt may live."""
        try:
            self.stores[who].finish_job(NAME, job, label, number, state, "", 3.0)
        except AdvisorError:
            return
        assert not self.alive[job]
        if state != "waiting":
            self.over[job] = self.stores[who].job(NAME, job)

    def try_to(
        self,
        job: str,
        attempt: tuple[str, int],
        call: Callable[[], None],
        *,
        may_be_over: bool = False,
    ) -> None:
        try:
            call()
        except AdvisorError:
            assert attempt not in self.alive[job]
            return
        assert attempt in self.alive[job] or may_be_over
        self.alive[job].discard(attempt)

    @invariant()
    def a_job_lives_once(self) -> None:
        """Both launchers see the same, and no two attempts of a job may live."""
        jobs = self.stores[0].jobs(NAME)
        assert self.stores[1].jobs(NAME) == jobs
        for one in jobs:
            alive = self.alive[one.name]
            assert len(alive) <= 1
            assert (one.state == "assigned") == bool(alive)
            assert alive <= {(one.label, one.attempt)}
            given = self.given[one.name]
            assert given == list(range(1, len(given) + 1))
            assert self.over.get(one.name, one) == one


Sweeping.TestCase.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None, database=None
)
TestSweeping = Sweeping.TestCase


def test_a_sweep_that_is_over_starts_nothing(sweeps: SweepStore) -> None:
    """What runs may end; with the sweep open again it goes on."""
    sweeps.assign(NAME, "one", A, 1001.0)
    sweeps.finish(NAME, 1002.0)
    assert sweeps.load(NAME).ended_at == 1002.0
    with pytest.raises(AdvisorError, match=r"^the sweep grid is over: none of its jobs"):
        sweeps.assign(NAME, "two", A, 1003.0)
    sweeps.end(NAME, "one", A, 1, 0, 1004.0)
    sweeps.reopen(NAME)
    assert sweeps.assign(NAME, "two", A, 1005.0) == 1


def test_a_plan_is_made_anew(sweeps: SweepStore) -> None:
    """What was asked for stays."""
    sweeps.replan(NAME, {"usd": 2.5}, 1500.0)
    found = sweeps.load(NAME)
    assert (found.spec, found.plan) == ({"command": "x"}, {"usd": 2.5})
    assert (found.begun_at, found.planned_at) == (1000.25, 1500.0)


def test_sweeps_have_nothing_to_do_with_one_another(sweeps: SweepStore) -> None:
    """Though their jobs have the same names."""
    sweeps.begin("other", {}, {}, ["one"], 1000.5)
    sweeps.assign("other", "one", B, 1001.0)
    assert [one.state for one in sweeps.jobs(NAME)] == ["waiting", "waiting"]
    assert [one.name for one in sweeps.sweeps()] == [NAME, "other"]
    assert sweeps.history(NAME, "one") == []


@pytest.mark.parametrize(
    ("name", "spec", "jobs", "at", "told"),
    [
        (NAME, {}, ["one"], 1.0, "^there is a sweep grid already: give this one another"),
        ("new", {}, [], 1.0, "^the sweep new needs jobs, each of a name of its own$"),
        ("new", {}, ["a", "a"], 1.0, "each of a name of its own$"),
        ("new", {}, ["a", ""], 1.0, "its name is ''"),
        ("", {}, ["a"], 1.0, "its name is ''"),
        ("a\x1bb", {}, ["a"], 1.0, "its name is"),
        ("new", {}, ["a"], math.nan, "its begun_at is nan$"),
        ("new", {"x": math.nan}, ["a"], 1.0, "^the sweep new cannot be written down"),
        ("new", {"x": object()}, ["a"], 1.0, "^the sweep new cannot be written down"),
        ("new", [], ["a"], 1.0, "its spec is"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_not_begun(
    sweeps: SweepStore, name: str, spec: Any, jobs: list[str], at: float, told: str
) -> None:
    """Nothing is written that could not be read again."""
    before = everything(sweeps.folder)
    with pytest.raises(AdvisorError, match=told):
        sweeps.begin(name, spec, {}, jobs, at)
    assert everything(sweeps.folder) == before


@pytest.mark.parametrize("at", [math.nan, math.inf, -1.0])
def test_a_step_at_no_time_is_refused(sweeps: SweepStore, at: float) -> None:
    """The job is as it was."""
    with pytest.raises(AdvisorError, match=r"^job one cannot be written down"):
        sweeps.assign(NAME, "one", A, at)
    assert sweeps.job(NAME, "one") == StoredJob("one")
    sweeps.assign(NAME, "one", A, 1.0)
    with pytest.raises(AdvisorError, match=r"^job one cannot be written down"):
        sweeps.move(NAME, "one", A, 1, "stopped", at)
    sweeps.end(NAME, "one", A, 1, 1, 2.0)
    with pytest.raises(AdvisorError, match="the time of a step is"):
        sweeps.finish_job(NAME, "one", A, 1, "waiting", "", at)
    assert sweeps.job(NAME, "one").state == "ended"


def test_what_is_not_there_is_told(sweeps: SweepStore) -> None:
    """By its name; it is no fault of the file."""
    for call, told in (
        (lambda: sweeps.load("none"), "^there is no sweep none here$"),
        (lambda: sweeps.finish("none", 1.0), "^there is no sweep none here$"),
        (lambda: sweeps.job(NAME, "x"), "^the sweep grid has no job x$"),
        (lambda: sweeps.assign("none", "x", A, 1.0), "^the sweep none has no job x$"),
    ):
        with pytest.raises(AdvisorError, match=told) as raised:
            call()
        assert not isinstance(raised.value, StoreError)
    assert sweeps.jobs("none") == []


def test_a_full_disk_stops_no_end(
    sweeps: SweepStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written in the room that was kept, once, also if it was said to fail."""
    sweeps.assign(NAME, "one", A, 1.0)
    connect, failures = sqlite3.connect, [3]

    class Full(sqlite3.Connection):
        """Says that the disk is full after the commit, a few times."""

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            done = super().execute(sql, *values)
            if sql == "COMMIT" and failures[0]:
                failures[0] -= 1
                fault = sqlite3.OperationalError("database or disk is full")
                fault.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise fault
            return done

    monkeypatch.setattr(
        database.sqlite3, "connect", lambda *a, **o: connect(*a, factory=Full, **o)
    )
    sweeps.end(NAME, "one", A, 1, 0, 2.0)
    assert failures == [0]
    assert sweeps.job(NAME, "one").attempts == 1
    assert [state for _, state, *_ in sweeps.history(NAME, "one")] == [
        "assigned",
        "ended",
    ]


def test_without_room_for_what_comes_later_no_sweep_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing would be known of its jobs."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("advisor.store.reserve.os.posix_fallocate", full)
    with pytest.raises(StoreFullError, match="make room"):
        SweepStore(tmp_path).begin(NAME, {}, {}, ["one"], 1.0)
    monkeypatch.undo()
    assert SweepStore(tmp_path).sweeps() == []


# What makes no sense


def everything(folder: Path) -> list[Any]:
    with closing(sqlite3.connect(folder / STORE)) as store:
        return [
            store.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608
            for table in ("sweep", "sweep_job", "sweep_event")
        ]


def wreck(sweeps: SweepStore, statement: str, *values: Any) -> None:
    """Do something to the file that no advisor does."""
    with closing(sqlite3.connect(sweeps.folder / STORE)) as store:
        store.execute(statement, values)
        store.commit()


NAMES = (None, b"x", "a\x1bb", "a\ufffdb")
NUMBERS = (None, -1, 1.5, "x", b"1", 2**31)
TIMES = (-1.0, "x", b"1", math.inf, 253_402_300_800.0)
JOB_NO_SENSE = {
    "name": (*NAMES, ""),
    "state": (None, 7, "", "DONE", "moved"),
    "label": (*NAMES, ""),
    "attempt": (*NUMBERS, 0),
    "attempts": NUMBERS,
    "exit_code": NUMBERS[1:],
    "assigned_at": TIMES,
    "ended_at": TIMES,
    "done_at": TIMES,
    "checkpoint_at": TIMES,
    "reason": (None, b"x"),
}
SWEEP_NO_SENSE = {
    "name": (*NAMES, ""),
    "market": NAMES,
    "place": (None, b"x"),
    "begun_at": (None, *TIMES),
    "ended_at": TIMES,
    "planned_at": (None, *TIMES),
    "spec": (None, 1, "", "{", "[]", "[" * 100_000),
    "plan": (None, 1, "", "{", "[]"),
}


def test_every_column_is_looked_at() -> None:
    """Of a new one it must be said what makes no sense."""
    assert list(JOB_NO_SENSE) == [field.name for field in fields(StoredJob)]
    assert list(SWEEP_NO_SENSE) == [field.name for field in fields(StoredSweep)]
    assert get_args(JobPhase) == ("waiting", "assigned", "ended", "done", "failed")


@pytest.mark.parametrize("column", JOB_NO_SENSE)
def test_a_torn_job_hides_no_other_and_is_never_assigned(
    sweeps: SweepStore, column: str
) -> None:
    """Nobody knows where it is; that is told, also by who looks after the file."""
    sweeps.assign(NAME, "one", A, 1.0)
    file = sweeps.folder / STORE
    whole = file.read_bytes()
    for value in JOB_NO_SENSE[column]:
        wreck(sweeps, f"UPDATE sweep_job SET {column} = ? WHERE name = 'one'", value)  # noqa: S608
        assert [one.name for one in sweeps.jobs(NAME)] == ["two"], value
        (torn,) = sweeps.torn(NAME)
        assert torn.why.startswith("its "), value
        found = look_at(sweeps.folder, 60.0)
        assert found is not None
        assert [one.why for one in found.torn_jobs] == [torn.why]
        for call in (
            lambda: sweeps.assign(NAME, "one", B, 2.0),
            lambda: sweeps.move(NAME, "one", A, 1, "stopped", 2.0),
        ):
            with pytest.raises(AdvisorError):
                call()
        file.write_bytes(whole)


def test_a_job_that_is_there_twice_is_nowhere(sweeps: SweepStore) -> None:
    """It could run twice."""
    wreck(
        sweeps,
        "INSERT INTO sweep_job SELECT 9, sweep, name, state, label, attempt, attempts, "
        "exit_code, assigned_at, ended_at, done_at, checkpoint_at, reason "
        "FROM sweep_job WHERE name = 'one'",
    )
    with pytest.raises(
        StoreError, match=r"job one .* makes no sense: it is there twice$"
    ):
        sweeps.assign(NAME, "one", A, 1.0)
    assert [one.why for one in sweeps.torn(NAME)] == ["its name is another's too"]


@pytest.mark.parametrize("sweep", [None, b"x", "a\ufffdb", "other"])
def test_a_job_of_no_sweep_is_told(sweeps: SweepStore, sweep: Any) -> None:
    """It may be any sweep's: each would be over without it."""
    wreck(sweeps, "UPDATE sweep_job SET sweep = ? WHERE name = 'one'", sweep)
    assert [one.name for one in sweeps.jobs(NAME)] == ["two"]
    assert [(one.label, one.why) for one in sweeps.torn(NAME)] == [
        ("one", "it is of no sweep that is known")
    ]


@pytest.mark.parametrize("column", SWEEP_NO_SENSE)
def test_a_torn_sweep_hides_no_other(sweeps: SweepStore, column: str) -> None:
    """It is told, none of its jobs is started, and its name stays taken."""
    sweeps.begin("other", {}, {}, ["one"], 1000.5)
    file = sweeps.folder / STORE
    whole = file.read_bytes()
    for value in SWEEP_NO_SENSE[column]:
        wreck(sweeps, f"UPDATE sweep SET {column} = ? WHERE name = ?", value, NAME)  # noqa: S608
        assert [one.name for one in sweeps.sweeps()] == ["other"], value
        assert any(column in one.why for one in sweeps.torn())
        assert all(column not in one.why for one in sweeps.torn("other"))
        with pytest.raises(AdvisorError):
            sweeps.assign(NAME, "one", A, 1.0)
        if column != "name":
            with pytest.raises(StoreError, match="the row of a sweep makes no sense"):
                sweeps.load(NAME)
            with pytest.raises(AdvisorError, match="already"):
                sweeps.begin(NAME, {}, {}, ["one"], 2.0)
        file.write_bytes(whole)


def test_torn_steps_are_left_out(sweeps: SweepStore) -> None:
    """The history tells the others."""
    sweeps.assign(NAME, "one", A, 1.0)
    sweeps.move(NAME, "one", A, 1, "stopped", 2.0)
    wreck(sweeps, "UPDATE sweep_event SET state = 'x' WHERE at = 1.0")
    assert [at for at, *_ in sweeps.history(NAME, "one")] == [2.0]
