"""The bids on an offer cost what a ranking says of it at that bid."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.cost.job import RENTALS, Job, Rental
from advisor.market.filters import Filters
from advisor.ranking.offer import RankedOffer
from advisor.ranking.rank import rank
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

TABLES = load_tables()
EXACT = 1e-9
"""What kernels without vector units may round otherwise, relative."""

PLAIN = {
    **generate_offers(80, 5, 1.8e9)[0],
    "id": 1,
    "disk_space": 4000.0,
    "dph_base": 0.4,
    "dph_total": 0.42,
    "min_bid": 0.2,
    "storage_cost": 0.2,
    "reliability": 0.99,
    "duration": 1e7,
}

ODD = st.fixed_dictionaries(
    {},
    optional={
        "duration": st.sampled_from((7200.0, 20_000.0, 100_000.0, None)),
        "dph_base": st.none(),
        "storage_cost": st.sampled_from((None, 0.0, 2.0)),
        "reliability": st.sampled_from((0.3, 0.8, None)),
        "min_bid": st.sampled_from((0.01, 0.1, 0.39)),
        "verification": st.just("deverified"),
        "cpu_ram": st.sampled_from((9000.0, 16_000.0)),
        "num_gpus": st.just(4),
    },
)
"""What may be odd of an offer: it ends soon, hides its prices, fails, does not start."""


@cache
def profile() -> Any:
    """Return the profile of what is trained."""
    return load_workload("resnet50")


def offer(rental: Rental, epochs: int = 20, **changed: Any) -> RankedOffer:
    """Return the one offer of a market, whether it can run the job or not."""
    job = Job(profile(), epochs, profile().disk_gb, rental)
    return RankedOffer(rank([PLAIN | changed], job, TABLES, Filters()), 0)


@settings(max_examples=40)
@given(ODD, st.sampled_from(RENTALS), st.sampled_from((1, 20, 90)))
def test_the_advised_bid_costs_what_the_ranking_says(
    changed: dict[str, Any], rental: Rental, epochs: int
) -> None:
    """Of every offer, and however the ranking that is asked for the bids is rented."""
    ranked = offer("interruptible", epochs, **changed)
    bids = offer(rental, epochs, **changed).bids()
    (advised,) = [bid for bid in bids if bid.is_advised]
    assert advised.usd_per_h == pytest.approx(ranked.bid_usd_per_h, rel=EXACT)
    assert advised.cost_usd_per_epoch == pytest.approx(
        ranked.cost_usd_per_epoch, rel=EXACT
    )
    assert advised.job_h == pytest.approx(ranked.job_h, rel=EXACT)
    assert advised.preemptions == pytest.approx(ranked.expected_preemptions, rel=EXACT)
    least = min(bid.cost_usd_per_epoch for bid in bids)
    assert advised.cost_usd_per_epoch <= 1.001 * least
    assert all(
        bid.cost_usd_per_epoch_low
        <= bid.cost_usd_per_epoch * (1 + EXACT)
        <= bid.cost_usd_per_epoch_high * (1 + 2 * EXACT)
        for bid in bids
    )


def test_every_bid_counts_planned_moves() -> None:
    """On an offer that ends in two hours all bids cost more, and take longer."""
    stands, ends = (offer("interruptible", duration=end) for end in (1e8, 7200.0))
    assert ends.expected_moves > 1.0 + stands.expected_moves
    for plain, dearer in zip(stands.bids(), ends.bids(), strict=True):
        assert plain.usd_per_h == dearer.usd_per_h
        assert dearer.cost_usd_per_epoch > 1.05 * plain.cost_usd_per_epoch
        assert dearer.job_h > plain.job_h


def test_every_bid_counts_failed_starts() -> None:
    """On a machine that the market took its word for back each bid costs more."""
    sound, broken = (
        offer("interruptible"),
        offer("interruptible", verification="deverified"),
    )
    assert broken.expected_failed_starts > sound.expected_failed_starts + 0.1
    for plain, dearer in zip(sound.bids(), broken.bids(), strict=True):
        assert dearer.cost_usd_per_epoch > plain.cost_usd_per_epoch


@pytest.mark.parametrize("rental", RENTALS)
def test_an_offer_that_names_no_price_of_its_gpus_has_bids(rental: Rental) -> None:
    """Its whole price is the one on demand, as for the ranking."""
    hides = offer(rental, dph_base=None, dph_total=0.42)
    assert hides.on_demand_usd_per_h == pytest.approx(0.42)
    bids = [bid.usd_per_h for bid in hides.bids()]
    assert bids[0] == pytest.approx(0.2)
    assert 0.4 < bids[-1] < 0.42


@pytest.mark.parametrize("rental", RENTALS)
def test_the_price_on_demand_is_the_same_however_it_is_rented(rental: Rental) -> None:
    """A discount for what is reserved lowers no other price."""
    one = offer(rental, discounted_dph_total=0.3)
    assert one.on_demand_usd_per_h == pytest.approx(0.4)
