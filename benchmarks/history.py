"""Size and speed of a recorded market: a month of snapshots, kept and asked.

The market is simulated: machines come and go (in a published record of Vast.ai of January
2026, 78 snapshots over 6 hours, half of all listings were seen in at most 17 % of them),
and change their price some times a day. Each snapshot goes through `keep` as a fetched
one does.

    python benchmarks/history.py [--days 30] [--offers 3000] [--minutes 5] [--seed 0]
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from advisor.base.resources import STORE
from advisor.market.offers import Offers, parse_offers
from advisor.simulator.generate.sample import generate_offers
from advisor.store.database import open_store
from advisor.store.history import store_snapshot
from advisor.store.listing_intervals import load_intervals
from advisor.store.market_statistics import bid_survival, lifetimes, price_buckets

MEDIAN_LIFE_H = 2.0
CHANGES_A_DAY = 4.0


class Market:
    """Offers that come, go and change, twice as many as are seen at once."""

    def __init__(self, offers: int, step_h: float, random: np.random.Generator) -> None:
        self._random, self._step_h = random, step_h
        records = generate_offers(2 * offers, int(random.integers(2**31)), 1.8e9)
        self._all, _ = parse_offers(records)
        count = len(self._all)
        # Some listings live for hours, some for weeks.
        self._leaves = np.log(2) / (
            MEDIAN_LIFE_H * np.exp(random.normal(1.0, 1.5, count))
        )
        self._there = random.random(count) < 0.5
        self._factor = np.ones(count)

    def snapshot(self) -> Offers:
        """Let one step pass and return what is there."""
        moves = self._random.random(len(self._all)) < self._leaves * self._step_h
        self._there ^= moves
        changes = self._random.random(len(self._all)) < CHANGES_A_DAY * self._step_h / 24
        jumps = np.exp(self._random.normal(0.0, 0.05, len(self._all)))
        self._factor = np.where(changes, jumps, self._factor)
        seen = self._all.take(self._there)
        factor = self._factor[self._there]
        seen.dph_base[:] *= factor
        seen.min_bid[:] *= factor
        return seen


def main() -> None:
    """Print the size of the file and the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--offers", type=int, default=3000)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    step = timedelta(minutes=options.minutes)
    random = np.random.default_rng(options.seed)
    market = Market(options.offers, options.minutes / 60, random)
    at, kept = datetime(2026, 1, 1, tzinfo=UTC), list[float]()
    with tempfile.TemporaryDirectory() as name, open_store(Path(name)) as store:
        for _ in range(round(options.days * 86_400 / step.total_seconds())):
            offers = market.snapshot()
            start = time.perf_counter()
            store_snapshot(store, offers, market="vast", at=at, whole=True)
            kept.append(time.perf_counter() - start)
            at += step
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (Path(name) / STORE).stat().st_size
        print(f"{len(kept):,} snapshots of about {len(offers):,} offers: "
              f"{size / 1e6:.0f} MB (target: under 1,000 for a month), "
              f"{statistics.median(kept) * 1e3:.0f} ms to keep one")  # fmt: skip
        for gpus in ({"RTX 4090"}, None):
            start = time.perf_counter()
            intervals = load_intervals(store, gpus, "vast")
            price_buckets(intervals, "day"), lifetimes(intervals), bid_survival(intervals)
            seconds = time.perf_counter() - start
            named = "all GPUs" if gpus is None else "RTX 4090"
            print(f"{named}: {len(intervals):,} intervals, "
                  f"{seconds:.2f} s (target: under 1 for a GPU)")  # fmt: skip


if __name__ == "__main__":
    main()
