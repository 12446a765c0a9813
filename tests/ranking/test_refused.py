"""Where limits leave nothing: which refuses, and what is enough when it is followed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from advisor.base.errors import AdvisorError, NothingFitsError, OverBudgetError
from advisor.cost.job import RENTALS, Job, Rental
from advisor.market.filters import Filters
from advisor.ranking.policy import Policy
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.ranking.refused import nothing_left
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

TABLES = load_tables()
MARKET = generate_offers(80, 5, 1.8e9)
PROFILE = load_workload("resnet50")

AMOUNTS = {
    "max_usd_per_hour": r"\$([\d,.]+)/h",
    "deadline_h": r"(?<!\$)\b([\d,.]+) h",
    "budget_usd": r"\$([\d,.]+)(?!/h| per epoch|[\d,.])",
    "max_epoch_usd": r"\$([\d,.]+) per epoch",
}
"""Limit -> how an amount of it is written."""


def ranked(policy: Policy, rental: Rental = "on-demand", epochs: int = 90) -> Ranking:
    job = Job(PROFILE, epochs, PROFILE.disk_gb, rental)
    return rank(MARKET, job, TABLES, Filters(), policy)


def refusal(ranking: Ranking) -> AdvisorError:
    assert not ranking
    return nothing_left(ranking)


def advised(error: AdvisorError) -> tuple[dict[str, float], int | None]:
    """Return the limits that a refusal says are enough, and the epochs."""
    words = str(error).partition(": allow ")[2].partition("; without")[0]
    allow, _, train = words.partition(" or train ")
    found = {name: re.search(form, allow) for name, form in AMOUNTS.items()}
    limits = {
        name: float(match[1].replace(",", "")) for name, match in found.items() if match
    }
    assert limits, str(error)
    return limits, int(train.split()[0].replace(",", "")) if train else None


def followed(policy: Policy, rental: Rental = "on-demand", epochs: int = 90) -> None:
    """Do what the refusal says, either way: there is a choice then."""
    limits, fewer = advised(refusal(ranked(policy, rental, epochs)))
    more: dict[str, Any] = {**limits}
    assert ranked(replace(policy, **more), rental, epochs)
    assert all(getattr(policy, name) < most for name, most in limits.items())
    if fewer is not None:
        assert ranked(policy, rental, fewer)


@settings(max_examples=20)
@given(
    policy=st.builds(
        Policy,
        max_usd_per_hour=st.none() | st.floats(0.001, 1.0),
        deadline_h=st.none() | st.floats(0.5, 30.0),
        budget_usd=st.none() | st.floats(0.05, 20.0),
        max_epoch_usd=st.none() | st.floats(0.01, 0.2),
    ),
    rental=st.sampled_from(RENTALS),
    epochs=st.sampled_from([1, 7, 90]),
)
def test_what_is_advised_is_enough(policy: Policy, rental: Rental, epochs: int) -> None:
    """Whichever limits are combined: the limits as advised, or the epochs."""
    assume(not ranked(policy, rental, epochs))
    followed(policy, rental, epochs)


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("limit", ["budget_usd", "deadline_h"])
def test_fewer_epochs_still_pay_the_set_up(limit: str, share: float) -> None:
    """The epochs that are advised fit, and with one more the offer would not."""
    bill = ranked(Policy()).bill
    values = bill.job_usd if limit == "budget_usd" else bill.job_hours
    nearest, most = int(values.argmin()), share * float(values.min())
    more: dict[str, Any] = {limit: most}
    _, fewer = advised(refusal(ranked(Policy(**more))))
    assert fewer is not None
    for epochs, fits in ((fewer, True), (fewer + 1, False)):
        there = ranked(Policy(), epochs=epochs).bill
        again = there.job_usd if limit == "budget_usd" else there.job_hours
        assert (float(again[nearest]) <= most) == fits


def test_epochs_that_do_not_help_are_not_advised() -> None:
    """Less than the set-up costs buys no epoch at all."""
    assert advised(refusal(ranked(Policy(budget_usd=0.001))))[1] is None
    assert advised(refusal(ranked(Policy(max_epoch_usd=0.001))))[1] is None
    assert advised(refusal(ranked(Policy(max_usd_per_hour=0.001), "reserved")))[1] is None


@pytest.mark.parametrize(
    "others", [{}, {"budget_usd": 1e4}, {"deadline_h": 1e4}, {"max_epoch_usd": 1e3}]
)
def test_the_highest_price_is_named(others: dict[str, Any]) -> None:
    """Not a limit that offers meet; with the least price that there is."""
    policy = Policy(max_usd_per_hour=0.0001, **others)
    ranking = ranked(policy, "interruptible")
    error = refusal(ranking)
    assert isinstance(error, NothingFitsError)
    assert "no offer meets max_usd_per_hour of $0.0001/h; " in str(error)
    limits, _ = advised(error)
    least = float(ranking.bill.usd_per_hour[ranking.usable].min())
    assert limits == {"max_usd_per_hour": pytest.approx(least, rel=0.01)}


def test_a_budget_that_the_price_forbids() -> None:
    """Offers of that price cost too much: the budget, and what another price would do."""
    bill = ranked(Policy(), "reserved").bill
    price = float(bill.usd_per_hour.min()) * 1.01
    policy = Policy(max_usd_per_hour=price, budget_usd=float(bill.job_usd.min()) * 1.01)
    error = refusal(ranked(policy, "reserved"))
    assert isinstance(error, OverBudgetError)
    assert "; the cheapest that meets max_usd_per_hour is offer " in str(error)
    assert "; without max_usd_per_hour offer " in str(error)


def test_the_nearest_meets_the_other_limits() -> None:
    """More time is of no use on the fastest offer, which costs more than there is."""
    bill = ranked(Policy()).bill
    budget = float(bill.job_usd.min()) * 1.01
    ranking = ranked(Policy(deadline_h=0.5, budget_usd=budget))
    error = refusal(ranking)
    assert isinstance(error, NothingFitsError)
    assert "the nearest that meets the budget is offer " in str(error)
    assert "; without the budget offer " in str(error)
    (hours,) = advised(error)[0].values()
    assert hours >= float(bill.job_hours[bill.job_usd <= budget].min())


def test_limits_that_nothing_meets_are_all_told() -> None:
    """Each of them alone could be loosened in vain."""
    policy = Policy(deadline_h=0.1, budget_usd=0.01, max_epoch_usd=0.0001)
    error = refusal(ranked(policy))
    assert set(advised(error)[0]) == {"deadline_h", "budget_usd", "max_epoch_usd"}
    assert re.search(r"allow [\d.]+ h, \$[\d.]+ and \$[\d.]+ per epoch$", str(error))
    assert "no offer meets max_epoch_usd of $0.0001 per epoch; the cheapest is" in str(
        refusal(ranked(Policy(max_epoch_usd=0.0001)))
    )
