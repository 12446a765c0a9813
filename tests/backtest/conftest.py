"""Listings whose prices over time a test says, and the job that they run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from advisor.backtest.market import Listings, PlayedMarket
from advisor.base.resources import models_folder
from advisor.cost.assumptions import Assumptions
from advisor.cost.job import Job, needed_disk_gb
from advisor.market.filters import Filters
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.store.listing_intervals import ListingIntervals
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload
from tests.conftest import RECORD

HOUR_S = 3600
Price = tuple[float, float, float, float]
"""Since and until, h; price on demand and least bid, $/h."""

CALM = {"gpu_failures_per_h": 0.0, "failure_band": 1.0, "preemption_band": 1.0}


@pytest.fixture(scope="session")
def ranked() -> Callable[..., Ranking]:
    """Return the function that ranks records for a job without failures."""
    tables = load_tables(models_folder())
    workload = load_workload("resnet50")

    def ranking_of(
        *records: dict[str, Any], epochs: int = 20, **assumed: float
    ) -> Ranking:
        assumptions = Assumptions().replaced({**CALM, **assumed})
        job = Job(
            workload,
            epochs,
            needed_disk_gb(workload, assumptions),
            assumptions=assumptions,
        )
        return rank(records, job, tables, Filters())

    return ranking_of


@pytest.fixture(scope="session")
def priced() -> Callable[..., PlayedMarket]:
    """Return the function that makes a market of listings and their prices."""

    def market_of(
        ranking: Ranking, *series: Sequence[Price], hours: float = 1000.0
    ) -> PlayedMarket:
        table = np.array(
            [
                (at, since * HOUR_S, until * HOUR_S, usd, bid)
                for at, prices in enumerate(series)
                for since, until, usd, bid in prices
            ]
        )
        whole = table[:, :3].astype(np.int64)
        nowhere = np.zeros(len(table), dtype=bool)
        intervals = ListingIntervals(
            listing=whole[:, 0],
            num_gpus=ranking.offers.num_gpus[whole[:, 0]],
            first_at=whole[:, 1],
            last_at=whole[:, 2],
            born=nowhere,
            gone=nowhere,
            dph_base=table[:, 3],
            min_bid=table[:, 4],
        )
        stretch = (0, int(hours * HOUR_S))
        return PlayedMarket.of(Listings.of(ranking), intervals, (stretch,))

    return market_of


@pytest.fixture(scope="session")
def sure() -> dict[str, Any]:
    """Return an offer of a machine that never fails."""
    return {**RECORD, "reliability": 1.0}
