"""Caps: nothing that ends in time costs more than it may."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import OverBudgetError
from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from advisor.market.lifecycle import Instance
from advisor.rental.caps import (
    Caps,
    Commitment,
    commitments,
    latest_end,
)
from advisor.store.ledger import Entry

NOW = 20_000 * SECONDS_PER_DAY + 15 * SECONDS_PER_HOUR
"""Three in the afternoon (UTC)."""

SPANS = st.tuples(
    st.floats(-3 * SECONDS_PER_DAY, 3 * SECONDS_PER_DAY),
    st.floats(0.0, 4 * SECONDS_PER_DAY),
    st.floats(0.01, 20.0),
    st.floats(0.0, 5.0),
)


def one(
    start_s: float, length_s: float, price: float, traffic: float = 0.0, job: str = "job"
) -> Commitment:
    return Commitment(job, NOW + start_s, NOW + start_s + length_s, price, traffic)


def test_a_jobs_cap_shortens_a_rental() -> None:
    """Of $10 are $4 committed and $1 goes for traffic: $5 are 2.5 h at $2."""
    others = [one(-7200, 7200, 2.0), one(-3600, 3600, 9.0, job="another")]
    end = latest_end(one(0, 86400, 2.0, 1.0), others, Caps(job_usd=10.0), 3600.0)
    assert end == pytest.approx(NOW + 2.5 * 3600)


def test_without_caps_the_wanted_end_stands() -> None:
    """Whatever else is rented."""
    assert latest_end(one(0, 3600, 2.0), [one(0, 1e6, 50.0)], Caps(), 3600.0) == (
        NOW + 3600
    )


def test_what_leaves_too_little_is_over_budget() -> None:
    """The message has the cap, what is committed, and what the job needs."""
    with pytest.raises(OverBudgetError, match=r"\$1\.00.*\$0\.80 of it.*needs 2 h"):
        latest_end(one(0, 86400, 1.0), [one(-2880, 2880, 1.0)], Caps(job_usd=1.0), 7200.0)


def test_a_days_cap_counts_each_day_for_itself() -> None:
    """Nine hours are left of today; $12 at $1/h are the next midnight and 12 h more."""
    end = latest_end(one(0, 10 * 86400, 1.0), [], Caps(day_usd=12.0), 3600.0)
    assert end == pytest.approx(NOW + 9 * 3600 + 12 * 3600)


def test_a_full_day_ends_a_rental_at_midnight() -> None:
    """What others have committed of tomorrow is not there to be spent."""
    tomorrow = [one(9 * 3600, 86400, 1.0)]
    end = latest_end(one(0, 86400, 1.0), tomorrow, Caps(day_usd=24.0), 3600.0)
    assert end == pytest.approx(NOW + 9 * 3600)


@given(wanted=SPANS, others=st.lists(SPANS, max_size=5), cap=st.floats(0.1, 200.0))
def test_no_day_and_no_job_costs_more_than_its_cap(
    wanted: tuple[float, ...], others: list[tuple[float, ...]], cap: float
) -> None:
    """Whatever is rented beside it: what a new rental adds keeps both caps."""
    _, length, price, traffic = wanted
    asked = one(0.0, length, price, traffic)
    before = [one(*span) for span in others]
    try:
        end = latest_end(asked, before, Caps(job_usd=cap, day_usd=cap), 0.0)
    except OverBudgetError:
        return
    assert end <= asked.end_unix_s
    made = Commitment("job", NOW, end, price, traffic)
    total = sum(each.usd for each in before) + made.usd
    assert total <= cap + 1e-6
    day = NOW // SECONDS_PER_DAY * SECONDS_PER_DAY
    while day < end:
        spent = made.usd_between(day, day + SECONDS_PER_DAY)
        others_usd = sum(o.usd_between(day, day + SECONDS_PER_DAY) for o in before)
        assert spent < 1e-6 or spent + others_usd <= cap + 1e-6
        day += SECONDS_PER_DAY


@given(SPANS)
def test_the_days_of_a_commitment_add_up(span: tuple[float, ...]) -> None:
    """No dollar falls between two days, none counts twice."""
    made = one(*span)
    first = math.floor(made.start_unix_s / SECONDS_PER_DAY)
    days = [
        made.usd_between(day * SECONDS_PER_DAY, (day + 1) * SECONDS_PER_DAY)
        for day in range(first, first + 6)
    ]
    assert sum(days) == pytest.approx(made.usd)


def entry(**changes: object) -> Entry:
    values: dict[str, object] = {
        "label": "advisor:job:00000000-0000000000000000",
        "market": "m",
        "job": "job",
        "state": "handed",
        "offer_id": 1,
        "machine_id": 1,
        "gpu_ids": (),
        "gpu_name": "",
        "num_gpus": 1,
        "usd_per_hour": 1.0,
        "traffic_usd": 0.5,
        "intended_at": NOW - 3600,
        "ends_at": NOW + 3600,
        **changes,
    }
    return Entry(**values)  # type: ignore[arg-type]


def test_what_is_open_is_committed_until_its_end() -> None:
    """And past its end until now: it is still there and bills."""
    (open_one,) = commitments([entry()], [], NOW)
    assert open_one.usd == pytest.approx(2.5)
    (late,) = commitments([entry(ends_at=NOW - 1800)], [], NOW)
    assert late.usd == pytest.approx(1.5)


def test_what_has_ended_cost_what_it_ran() -> None:
    """One that never had a machine brought no data; one that was refused, nothing."""
    ended = {"state": "released", "closed_at": NOW - 1800.0}
    (never_used,) = commitments([entry(**ended)], [], NOW)
    assert never_used.usd == pytest.approx(0.5)
    (used,) = commitments([entry(**ended, instance_id=7)], [], NOW)
    assert used.usd == pytest.approx(1.0)
    assert commitments([entry(state="refused", closed_at=NOW)], [], NOW) == []


@pytest.mark.parametrize(("cap", "hours"), [(6.0, 4.0), (12.0, 9.0 + 12.0)])
def test_a_days_cap_pays_for_the_traffic_on_the_first_day_alone(
    cap: float, hours: float
) -> None:
    """Of $6 go $2 for traffic: 4 h at $1. Of $12 the first day leaves nine hours."""
    asked = one(0, 10 * 86400, 1.0, 2.0)
    end = latest_end(asked, [], Caps(day_usd=cap), 3600.0)
    assert end == pytest.approx(NOW + hours * 3600)


END = NOW + 7200.0
LABEL = f"advisor:job:{int(END):08x}-0000000000000000"


def shown(label: str, **changes: object) -> Instance:
    values: dict[str, object] = {
        **dict.fromkeys(("status", "intended_status"), "running"),
        "instance_id": 7,
        "message": "",
        "machine_id": 1,
        "host_id": 1,
        "gpu_name": "",
        "num_gpus": 1,
        "is_bid": False,
        "ssh": (),
        "usd_per_hour": 2.0,
        "storage_usd_per_hour": 0.25,
        "label": label,
        "started_unix_s": NOW - 3600.0,
        **changes,
    }
    return Instance(**values)  # type: ignore[arg-type]


def test_what_another_computer_rented_is_committed_until_its_labels_end() -> None:
    """From when the market says that it began; past its end until now."""
    (found,) = commitments([], [shown(LABEL)], NOW)
    assert found == Commitment("job", NOW - 3600.0, END, 2.0)
    (late,) = commitments([], [shown(LABEL)], END + 60.0)
    assert late.end_unix_s == END + 60.0
    (young,) = commitments([], [shown(LABEL, started_unix_s=None)], NOW)
    assert young.start_unix_s == NOW


def test_what_is_not_advisors_has_no_end() -> None:
    """It counts towards each day, and towards no job."""
    (found,) = commitments([], [shown("mine")], NOW)
    assert (found.job, found.end_unix_s) == ("", math.inf)


@pytest.mark.parametrize("status", ["stopped", "exited", "offline"])
def test_what_has_stopped_bills_its_disk(status: str) -> None:
    """All of its price where the market does not tell that of the disk."""
    (found,) = commitments([], [shown("mine", status=status)], NOW)
    assert found.usd_per_hour == 0.25
    untold = shown("mine", status=status, storage_usd_per_hour=None)
    assert commitments([], [untold], NOW)[0].usd_per_hour == 2.0


def test_what_tells_no_price_leaves_no_cap() -> None:
    """Nothing may be rented beside it; what the ledger knows has its own price."""
    with pytest.raises(OverBudgetError, match="what instance 7 bills: no cap can be"):
        commitments([], [shown("mine", usd_per_hour=None)], NOW)
    known = entry(label=LABEL)
    (found,) = commitments([known], [shown(LABEL, usd_per_hour=None)], NOW)
    assert found.usd_per_hour == known.usd_per_hour


def test_what_is_refused_and_shown_all_the_same_is_committed() -> None:
    """As any other, with its traffic, until its end."""
    refused = entry(state="refused", label=LABEL, closed_at=NOW - 3000.0)
    (found,) = commitments([refused], [shown(LABEL)], NOW)
    assert found.end_unix_s == refused.ends_at
    assert found.traffic_usd == refused.traffic_usd


def test_what_closed_at_a_time_that_nobody_knows_is_committed_until_now() -> None:
    """An older advisor has not written it."""
    (found,) = commitments([entry(state="gone", closed_at=None)], [], NOW)
    assert found.end_unix_s == NOW


@pytest.mark.parametrize(("needed_s", "fits"), [(18000.0, True), (18000.1, False)])
def test_a_cap_that_leaves_just_what_is_needed_suffices(
    needed_s: float, fits: bool
) -> None:
    """To the second: $10 at $2 per hour are five hours."""
    asked, caps = one(0, 86400, 2.0), Caps(job_usd=10.0)
    if fits:
        assert latest_end(asked, [], caps, needed_s) == NOW + needed_s
        return
    with pytest.raises(
        OverBudgetError, match=r"leaves 5 h at \$2.000/h, the job needs 5"
    ):
        latest_end(asked, [], caps, needed_s)


def test_the_cap_that_leaves_least_is_named() -> None:
    """With what is committed of it; without any it is the lifetime."""
    others = [one(-3600, 3600, 3.0)]
    for caps, words in (
        (
            Caps(5.0, 100.0),
            r"^the job's cap of \$5.00, \$3.00 of it committed leaves 1 h",
        ),
        (Caps(100.0, 4.0), r"^the day's cap of \$4.00, \$3.00 committed leaves 0.5 h"),
        (Caps(), r"^the longest lifetime leaves 10 h"),
    ):
        with pytest.raises(OverBudgetError, match=words):
            latest_end(one(0, 36000, 2.0), others, caps, 40000.0)


def test_a_day_that_is_spent_leaves_nothing() -> None:
    """Less than nothing is nothing."""
    with pytest.raises(OverBudgetError, match="leaves 0 h"):
        latest_end(one(0, 3600, 1.0), [one(-3600, 7200, 50.0)], Caps(None, 10.0), 1.0)


def test_a_commitment_falls_into_the_time_that_it_lasts() -> None:
    """Its traffic to the moment at which it begins."""
    made = one(0.0, 3600.0, 2.0, 0.5)
    assert made.usd == 2.5
    assert made.usd_between(NOW, NOW + 1800.0) == 1.5
    assert made.usd_between(NOW + 1800.0, NOW + 9000.0) == 1.0
    assert made.usd_between(NOW - 100.0, NOW) == 0.0
    assert made.usd_between(NOW + 3600.0, NOW + 7200.0) == 0.0
    assert one(0.0, -60.0, 2.0, 0.5).usd == 0.5
