"""Bids: the hazard, the curve, and the bid that is advised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.cost.assumptions import Assumptions
from advisor.cost.bill import Bill
from advisor.cost.hazard import BidHazard

BillOf = Callable[..., Bill]
PRIOR = BidHazard.assumed(Assumptions())


def test_the_hazard_at_the_least_bid_is_the_stated_one() -> None:
    """Outbid at the stated rate and rented away at the floor, for one GPU."""
    assert PRIOR.per_hour(np.array([1.0]), np.array([1.0]))[0] == pytest.approx(0.36)


@given(st.floats(1.0, 6.0), st.floats(1.0, 6.0), st.integers(1, 8))
def test_a_higher_bid_is_lost_less_often(one: float, other: float, gpus: int) -> None:
    """The hazard falls with the bid, rises with the GPUs, and keeps to the floor."""
    low, high = sorted((one, other))
    rate = PRIOR.per_hour(np.array([low, high]), np.full(2, float(gpus)))
    rounding = 1 + 1e-12  # a power is exact to a few last bits
    assert rate[0] * rounding >= rate[1] >= 0.06 / rounding
    more = PRIOR.per_hour(np.array([low, high]), np.full(2, gpus + 1.0))
    assert np.all(rate <= more * rounding)


def test_snapshots_move_the_hazard_and_narrow_it() -> None:
    """Many quiet hours lower it, many losses raise it; both narrow the band."""
    ratios = np.array([1.0, 1.5, 2.0])
    quiet = PRIOR.updated(ratios, np.zeros(3), np.full(3, 1000.0))
    busy = PRIOR.updated(ratios, np.array([900.0, 600.0, 500.0]), np.full(3, 1000.0))
    at = np.array([1.0]), np.array([1.0])
    assert quiet.per_hour(*at)[0] < 0.002
    assert busy.per_hour(*at)[0] == pytest.approx(0.9, rel=0.01)
    assert busy.band < 1.1 < quiet.band == PRIOR.band
    assert "1,000 hours" in busy.source


def test_without_snapshots_the_posterior_is_the_prior() -> None:
    """No hours watched change nothing."""
    ratios = np.array([1.0, 2.0])
    same = PRIOR.updated(ratios, np.zeros(2), np.zeros(2))
    one = np.ones(2)
    assert same.per_hour(ratios, one) == pytest.approx(PRIOR.per_hour(ratios, one))


def test_the_advised_bid_is_below_on_demand(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """It lies from the least bid up to the price on demand, which it never reaches."""
    records = [
        record | {"id": at, "min_bid": bid}
        for at, bid in enumerate((0.01, 0.1, 0.2, 0.29), 1)
    ]
    cost = bill_of(*records, rental="interruptible")
    bids = cost.bid_usd_per_hour
    assert np.all(bids >= np.array([0.01, 0.1, 0.2, 0.29]) * (1 - 1e-12))
    assert np.all(bids < record["dph_base"])


@pytest.mark.parametrize("least", [0.30, 0.5, None])
def test_no_bid_is_advised_where_on_demand_is_cheaper(
    bill_of: BillOf, record: dict[str, Any], least: float | None
) -> None:
    """A least bid at or above the price on demand, or none, has no bid to advise."""
    cost = bill_of(record | {"min_bid": least}, rental="interruptible")
    assert np.isnan(cost.bid_usd_per_hour[0])
    assert np.isnan(cost.epoch_usd[0])


def test_the_least_bid_does_not_always_win(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """A long job with dear restarts bids more than the floor."""
    cost = bill_of(
        record | {"min_bid": 0.05}, rental="interruptible", epochs=90, cold=200.0
    )
    assert cost.bid_usd_per_hour[0] > 0.05 * 1.2


def test_a_bid_without_losses_is_a_cheaper_rental(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """With nobody bidding against it the least bid wins and nothing is lost."""
    quiet = calm | {"preemptions_per_h": 0.0, "preemption_floor_per_h": 0.0}
    cost = bill_of(record | {"reliability": 1.0}, rental="interruptible", assumed=quiet)
    assert cost.bid_usd_per_hour[0] == pytest.approx(record["min_bid"])
    assert cost.job.preemptions[0] == cost.job.paused_h[0] == 0.0
    assert cost.usd_per_hour[0] == pytest.approx(record["min_bid"] + 0.2 * 180 / 720)


def test_a_pause_bills_storage_and_no_rent(
    bill_of: BillOf, calm: dict[str, float], record: dict[str, Any]
) -> None:
    """Longer pauses cost disk and time; the machine's rent stays what it was."""
    brief, long = (
        bill_of(
            record,
            rental="interruptible",
            assumed=calm | {"pause_h": pause, "patience_h": 1e5},
        )
        for pause in (0.5, 5.0)
    )
    assert long.job.paused_h[0] > 5 * brief.job.paused_h[0]
    assert long.job.storage_usd[0] > brief.job.storage_usd[0]
    assert long.job_hours[0] > brief.job_hours[0]


def test_an_unknown_disk_price_is_assumed(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """A bid is for the GPU part: the disk costs beside it, and is flagged if assumed."""
    cost = bill_of(
        record,
        record | {"id": 102, "storage_cost": None},
        rental="interruptible",
    )
    assert cost.flags["storage_price_assumed"].tolist() == [False, True]
    assert np.all(cost.terms.storage_usd_per_h > 0.0)


def test_a_bid_that_saves_nothing_says_so(
    bill_of: BillOf, record: dict[str, Any]
) -> None:
    """Where every bid costs more than a rental on demand the offer is flagged."""
    cost = bill_of(
        record | {"min_bid": 0.01},
        record | {"id": 102, "min_bid": 0.299},
        rental="interruptible",
        epochs=90,
    )
    assert cost.flags["on_demand_cheaper"].tolist() == [False, True]
    listed = bill_of(record, epochs=90)
    assert cost.job_usd[1] > listed.job_usd[0] > cost.job_usd[0]
