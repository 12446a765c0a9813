"""A record knows no machines: a listing is the machine of its id, or one of its kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from advisor.backtest.recorded import recorded_market
from advisor.ranking.ranking import Ranking
from advisor.store.listing_intervals import ListingIntervals
from advisor.store.recorded import RecordedListings

Ranked = Callable[..., Ranking]


def recorded(*rows: tuple[int, int, int, str]) -> RecordedListings:
    listing, machine, gpus, name = zip(*rows, strict=True)
    numbers = (np.array(one, dtype=np.int64) for one in (listing, machine, gpus))
    return RecordedListings(*numbers, np.array(name, dtype=np.object_))


def intervals(*rows: tuple[int, int, int]) -> ListingIntervals:
    table = np.array(rows, dtype=np.int64)
    ones, no = np.ones(len(rows)), np.zeros(len(rows), dtype=bool)
    return ListingIntervals(*table.T[:1], ones, *table.T[1:], no, no, ones, ones)


@pytest.fixture(scope="module")
def ranking(ranked: Ranked, sure: dict[str, Any]) -> Ranking:
    """Return five machines with an RTX 4090 of three speeds, and one with an A100."""
    cards = [
        {
            **sure,
            "id": at,
            "machine_id": at,
            "gpu_ids": [at],
            "cpu_cores_effective": cores,
        }
        for at, cores in enumerate((2.0, 4.0, 8.0, 12.0, 16.0))
    ]
    other = {**sure, "id": 9, "machine_id": 9, "gpu_ids": [9], "gpu_name": "A100 PCIE"}
    return ranked(*cards, {**other, "gpu_ram": 40960, "gpu_total_ram": 40960})


def test_a_machine_that_is_still_there_is_itself(ranking: Ranking) -> None:
    """With as many of the same GPUs."""
    found = recorded_market(
        ranking, recorded((5, 1, 1, "RTX 4090")), intervals((5, 0, 9)), ((0, 9),)
    )
    assert found.market.listings.offers.machine_id.tolist() == [1]
    assert (found.same, found.alike, found.unknown) == (1, 0, 0)


@pytest.mark.parametrize("machine", [77, 9])
def test_any_other_machine_is_the_median_one_of_its_kind(
    ranking: Ranking, machine: int
) -> None:
    """Also one whose id has another GPU by now."""
    found = recorded_market(
        ranking, recorded((5, machine, 1, "RTX 4090")), intervals((5, 0, 9)), ((0, 9),)
    )
    hours = ranking.bill.epoch_hours[ranking.offers.gpu_name == "RTX 4090"]
    epochs = ranking.job.epochs
    assert found.market.listings.training_h[0] == np.median(hours) * epochs
    assert (found.same, found.alike, found.unknown) == (0, 1, 0)


def test_gpus_that_no_offer_has_are_left_out(ranking: Ranking) -> None:
    """Their intervals too; those of the others keep their listing."""
    listings = recorded(
        (3, 70, 1, "H100"),
        (5, 71, 1, "A100 PCIE"),
        (8, 72, 2, "RTX 4090"),
        (9, 0, 1, "RTX 4090"),
    )
    known = intervals((2, 0, 9), (3, 0, 9), (5, 0, 4), (5, 4, 9), (8, 0, 9), (9, 0, 9))
    found = recorded_market(ranking, listings, known, ((0, 9),))
    assert (found.same, found.alike, found.unknown) == (1, 1, 2)
    assert found.market.intervals.listing.tolist() == [0, 0, 1]
    assert found.market.intervals.first_at.tolist() == [0, 4, 0]
    assert found.market.listings.offers.machine_id.tolist() == [9, 0]
