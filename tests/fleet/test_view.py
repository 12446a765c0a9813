"""How far a sweep has come follows from its events, whatever their order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.fleet.events import (
    Event,
    JobAssigned,
    JobDone,
    JobEnded,
    JobFailed,
    JobMoved,
    JobStarted,
    MachineLost,
    MachineReady,
    MachineReleased,
    MachineRented,
    Spent,
    SweepBegun,
)
from advisor.fleet.tally import Tally, view_of
from advisor.fleet.words import progress_of

JOBS = ("a", "b", "c")
LABELS = ("m1", "m2")
BEGUN = SweepBegun(at=0.0, sweep="s", jobs=len(JOBS), budget_usd=10.0)


def rented(
    label: str = "m1",
    at: float = 0.0,
    *,
    slots: int = 1,
    usd_per_hour: float = 1.0,
    job_s: float | None = 3600.0,
) -> MachineRented:
    return MachineRented(
        at=at,
        label=label,
        instance_id=1,
        gpu_name="RTX 4090",
        num_gpus=slots,
        slots=slots,
        usd_per_hour=usd_per_hour,
        predicted_job_s=job_s,
    )


def begun(job: str, at: float, label: str = "m1") -> tuple[Event, ...]:
    return (
        JobAssigned(at=at, job=job, label=label, attempt=1),
        JobStarted(at=at, job=job, label=label, attempt=1),
    )


def done(job: str, at: float, took_s: float, label: str = "m1") -> JobDone:
    return JobDone(at=at, job=job, label=label, attempt=1, took_s=took_s)


def _event(kind: str, at: float, label: str, job: str, flag: bool) -> Event:
    own = {"at": at, "job": job, "label": label, "attempt": 1}
    made = {
        "assigned": lambda: JobAssigned(**own),
        "started": lambda: JobStarted(**own),
        "ended": lambda: JobEnded(**own, exit_code=0),
        "moved": lambda: JobMoved(**own, proof="stopped"),
        "done": lambda: JobDone(**own, took_s=at),
        "failed": lambda: JobFailed(**own, exit_code=1, again=flag),
        "rented": lambda: rented(label, at),
        "ready": lambda: MachineReady(at=at, label=label),
        "lost": lambda: MachineLost(at=at, label=label),
        "released": lambda: MachineReleased(at=at, label=label),
        "spent": lambda: Spent(at=at, usd=at / 100.0),
    }
    return made[kind]()


_KINDS = ("assigned", "started", "ended", "moved", "done", "failed", "rented", "ready")
_KINDS += ("lost", "released", "spent")

happened = st.lists(
    st.tuples(
        st.sampled_from(_KINDS),
        st.sampled_from(LABELS),
        st.sampled_from(JOBS),
        st.booleans(),
    ),
    max_size=40,
).map(
    lambda rows: [
        BEGUN,
        *(
            _event(kind, float(at), label, job, flag)
            for at, (kind, label, job, flag) in enumerate(rows)
        ),
    ]
)


@given(happened)
def test_each_job_is_in_one_place(said: list[Event]) -> None:
    """Whatever is told, in whatever order, the counts add up to the jobs."""
    view = view_of(said, 100.0)
    counts = (view.waiting, view.assigned, view.running, view.returning)
    assert sum(counts) + view.done + view.failed == view.jobs == len(JOBS)
    assert min(counts) >= 0
    assert len(view.machines) + view.released <= len(LABELS)


@given(happened, st.integers(0, 40))
def test_what_is_done_stays_done(said: list[Event], at: int) -> None:
    """No later event makes a job that has ended run, and none ends twice."""
    before, after = view_of(said[: at + 1], 100.0), view_of(said, 100.0)
    assert before.done <= after.done
    assert before.failed <= after.failed


@given(happened, st.floats(0.0, 1e6), st.floats(0.0, 1e6))
def test_looking_changes_nothing(said: list[Event], first: float, second: float) -> None:
    """The same is said at the same moment, however often and in what order."""
    tally = Tally()
    for event in said:
        tally.hear(event)
    seen = [tally.view(at) for at in (first, second, first)]
    assert seen[0] == seen[2] == view_of(said, first)
    early, late = sorted((first, second))
    assert view_of(said, early).usd <= view_of(said, late).usd


@given(happened)
def test_a_forecast_is_no_less_than_what_is_spent(said: list[Event]) -> None:
    """What is to come costs something or nothing."""
    view = view_of(said, 100.0)
    if view.forecast_usd is not None:
        assert view.forecast_usd >= view.usd
        assert view.left_s is not None
        assert view.left_s >= 0.0


def test_money_is_counted_from_rent_to_release() -> None:
    """A machine bills while it is rented; the ledger's figure takes the place of that."""
    said: list[Event] = [BEGUN, rented(usd_per_hour=2.0)]
    assert view_of(said, 1800.0).usd == pytest.approx(1.0)
    said.append(Spent(at=1800.0, usd=0.5))
    assert view_of(said, 3600.0).usd == pytest.approx(1.5)
    said.append(MachineReleased(at=3600.0, label="m1"))
    assert view_of(said, 7200.0).usd == pytest.approx(1.5)


def test_the_forecast_is_what_the_machines_take_for_the_rest() -> None:
    """Three jobs of an hour on two slots: one and a half hours, as both are kept busy."""
    said = [BEGUN, rented(slots=2, usd_per_hour=2.0)]
    view = view_of(said, 0.0)
    assert view.left_s == pytest.approx(1.5 * 3600.0)
    assert view.forecast_usd == pytest.approx(3.0)


def test_the_forecast_goes_by_what_was_seen() -> None:
    """Jobs that took half the predicted time halve what is left, and say so."""
    said = [BEGUN, rented(), *begun("a", 0.0), done("a", 1800.0, took_s=1800.0)]
    view = view_of(said, 1800.0)
    (machine,) = view.machines
    assert machine.speed == pytest.approx(2.0)
    assert machine.predicted_jobs_per_hour == pytest.approx(1.0)
    assert machine.seen_jobs_per_hour == pytest.approx(2.0)
    assert view.left_s == pytest.approx(3600.0)


@pytest.mark.parametrize(("took_s", "speed"), [(59.0, None), (60.0, 60.0)])
def test_no_speed_is_told_of_jobs_of_seconds(took_s: float, speed: float | None) -> None:
    """Start and copying are most of them: against the plan that says nothing."""
    said = [BEGUN, rented(), *begun("a", 0.0), done("a", took_s, took_s=took_s)]
    (machine,) = view_of(said, took_s).machines
    assert machine.speed == speed
    assert machine.seen_jobs_per_hour == pytest.approx(3600.0 / took_s)


def test_the_end_is_not_before_the_longest_job() -> None:
    """A slow machine's last job counts, however fast the others are."""
    said = [
        BEGUN,
        rented("m1", job_s=10.0),
        rented("m2", job_s=3600.0),
        *begun("a", 0.0, "m2"),
    ]
    assert view_of(said, 600.0).left_s == pytest.approx(3000.0)


@pytest.mark.parametrize(
    "said",
    [[], [rented(job_s=None)], [rented(), MachineLost(at=1.0, label="m1")]],
    ids=["no machine", "no prediction", "a lost one"],
)
def test_where_nobody_can_say_there_is_no_forecast(said: list[Event]) -> None:
    """A forecast is never invented."""
    view = view_of([BEGUN, *said], 5.0)
    assert (view.left_s, view.forecast_usd) == (None, None)


def test_a_job_that_is_started_again_waits() -> None:
    """A failure that is not the last one is none in the end."""
    own = {"job": "a", "label": "m1", "attempt": 1, "exit_code": 1}
    said = [BEGUN, rented(), *begun("a", 0.0), JobFailed(at=1.0, again=True, **own)]
    view = view_of(said, 1.0)
    assert (view.waiting, view.failed) == (3, 0)
    view = view_of([*said, JobFailed(at=2.0, again=False, **own)], 2.0)
    assert (view.waiting, view.failed) == (2, 1)


def test_what_an_earlier_launcher_has_done_counts() -> None:
    """A sweep that goes on has its jobs, and its dollars, from before."""
    resumed = SweepBegun(
        at=0.0, sweep="s", jobs=10, done=4, failed=1, usd=2.5, resumed=True
    )
    view = view_of([resumed, rented(), *begun("x", 0.0)], 0.0)
    assert (view.done, view.failed, view.running, view.waiting) == (4, 1, 1, 4)
    assert view.usd == pytest.approx(2.5)


def test_the_ledger_is_told_with_the_forecast() -> None:
    """The event of what was spent says what follows from it."""
    tally = Tally()
    for event in (BEGUN, rented(usd_per_hour=1.0)):
        tally.hear(event)
    assert tally.spent(0.25, 0.0) == Spent(
        at=0.0, usd=0.25, forecast_usd=3.25, left_s=3 * 3600.0
    )


def test_a_line_says_how_far_it_has_come() -> None:
    """Jobs, dollars of the budget, and the end that follows."""
    said = [BEGUN, rented(), *begun("a", 0.0), done("a", 3600.0, 3600.0)]
    assert progress_of(view_of(said, 3600.0)) == (
        "1 of 3 jobs done, 0 on machines, 2 waiting; at most $1.00 so far of $10.00, "
        "$3.00 at the end, 2 h left"
    )
