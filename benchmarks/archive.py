"""Size and speed of an archive: a year of 25,000 offers, looked at every five minutes.

The market is simulated by the rates of a real one. A published record of Vast.ai (RTX
5090, January 2026, 78 snapshots five minutes apart, 127.6 listings in each) saw 416
listings: 8 % of them in 70 snapshots or more, 44 % in fewer than 10, half in at most 13.
Listings here stay and stay away for times that are exponential, with rates that are
log-normal over the listings; medians of 1.5 h and 32 h and a standard deviation of 1 in
the logarithm come nearest to that on a grid (the first line that is printed compares the
two). Price changes are an *assumption*, as in ``benchmarks/history.py``: 4 a day. (Of 33
offers in two real snapshots of August 2026, three minutes apart, none changed its price.)

What a stay or a price begins and ends with is what `advisor.store.history` would have
written, so the files go through `advisor.store.archive.export.save`.

    python benchmarks/archive.py [--offers 25000] [--months 12] [--folder KEPT] [--seed 0]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from advisor.market.offers import parse_offers
from advisor.simulator.generate.sample import generate_offers
from advisor.store.archive.engine import database
from advisor.store.archive.export import save
from advisor.store.archive.layout import partition_file
from advisor.store.archive.questions import open_archive
from advisor.store.archive.summing import sum_up

STEP_S = 300
STAY_H, AWAY_H, SPREAD = 1.5, 32.0, 1.0
CHANGES_A_DAY = 4.0
SNAPSHOTS = 78
PUBLISHED = (3.26, 13, 0.08, 0.44)


class Market:
    """Listings that come, go and change their price, each at rates of its own.

    Attributes
    ----------
    leaves, returns, changes : probabilities in a step of five minutes, shape (N,)
    """

    def __init__(self, shown: float, random: np.random.Generator) -> None:
        step_h = STEP_S / 3600
        stay, away = self._hours(STAY_H, 4096, random), self._hours(AWAY_H, 4096, random)
        share = float(np.mean(away**-1 / (away**-1 + stay**-1)))
        count = round(shown / share)
        self.random = random
        self.leaves = -np.expm1(-step_h / self._hours(STAY_H, count, random))
        self.returns = -np.expm1(-step_h / self._hours(AWAY_H, count, random))
        self.changes = CHANGES_A_DAY * step_h / 24

    @staticmethod
    def _hours(
        median: float, count: int, random: np.random.Generator
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.asarray(median * np.exp(random.normal(0.0, SPREAD, count)))

    def __len__(self) -> int:
        return len(self.leaves)

    def seen(self, snapshots: int) -> tuple[float, ...]:
        """Return what `PUBLISHED` says of the record."""
        there = self.random.random(len(self)) < self.returns / (
            self.leaves + self.returns
        )
        number = np.zeros(len(self))
        for _ in range(snapshots):
            number += there
            moves = self.random.random(len(self))
            there = np.where(there, moves >= self.leaves, moves < self.returns)
        shown, number = number.sum() / snapshots, number[number > 0]
        return (
            len(number) / shown,
            float(np.median(number)),
            float(np.mean(number >= 70)),
            float(np.mean(number < 10)),
        )


class Record:
    """The intervals of a market, month by month."""

    def __init__(self, market: Market, start: int) -> None:
        random, count = market.random, len(market)
        offers, _ = parse_offers(generate_offers(4000, 0, 1.8e9))
        like = random.integers(len(offers), size=count)
        self._market = market
        self._names = offers.gpu_name[like]
        self._gpus = offers.num_gpus[like].astype(np.int64)
        self._usual = offers.dph_base[like]
        self._ids = random.integers(-(2**63), 2**63 - 1, size=count, dtype=np.int64)
        self._price = self._usual.copy()
        self._born = np.zeros(count, dtype=bool)
        there = random.random(count) < market.returns / (market.leaves + market.returns)
        away = np.where(there, 0, random.geometric(market.returns))
        self._at = start + away * STEP_S
        self._born[~there] = True

    def month(self, end: int) -> Iterator[pa.Table]:
        """Yield the intervals that begin before a time, some of all listings at once."""
        market, random = self._market, self._market.random
        while len(now := np.flatnonzero(self._at < end)):
            leaves, ends = market.leaves[now], self._at[now].copy()
            any_change = leaves + market.changes - leaves * market.changes
            ends += STEP_S * random.geometric(any_change)
            gone = random.random(len(now)) < leaves / (leaves + market.changes)
            price = np.round(self._price[now], 4)
            yield pa.table(
                {
                    "listing": self._ids[now],
                    "machine_id": now,
                    "num_gpus": self._gpus[now],
                    "gpu_ids": pa.array(["0"]).take(pa.array(np.zeros(len(now), int))),
                    "gpu_name": pa.array(self._names[now].astype(str)),
                    "first_at": self._at[now],
                    "last_at": ends,
                    "born": self._born[now],
                    "gone": gone,
                    "dph_base": price,
                    "storage_usd_per_gb_month": np.full(len(now), 0.15),
                    "min_bid": np.round(0.6 * price, 4),
                }
            )
            away = np.where(gone, STEP_S * random.geometric(market.returns[now]), 0)
            self._at[now], self._born[now] = ends + away, gone
            jumps = self._usual[now] * np.exp(random.normal(0.0, 0.05, len(now)))
            self._price[now] = np.where(gone, self._price[now], jumps)


def month_after(at: datetime) -> datetime:
    """Return the beginning of the next month."""
    return (at.replace(day=1) + timedelta(days=32)).replace(day=1)


def in_lots(parts: Iterator[pa.Table], rows: int = 500_000) -> Iterator[pa.Table]:
    """Yield tables one after the other, small ones together."""
    lot, room = list[pa.Table](), rows
    for part in parts:
        lot.append(part)
        room -= len(part)
        if room < 0:
            yield pa.concat_tables(lot)
            lot, room = [], rows
    if lot:
        yield pa.concat_tables(lot)


def write(market: Market, folder: Path, months: int) -> datetime:
    """Write the months into an archive; return their end."""
    at = datetime(2026, 1, 1, tzinfo=UTC)
    record = Record(market, int(at.timestamp()))
    for _ in range(months):
        end = month_after(at)
        with database() as connection:
            for number, part in enumerate(in_lots(record.month(int(end.timestamp())))):
                connection.register("part", part)
                into = "INSERT INTO month" if number else "CREATE TABLE month AS"
                connection.execute(f"{into} FROM part")
            file = partition_file(folder, "vast", f"{at:%Y-%m}")
            save(connection, "month", file)
            connection.execute("DROP TABLE month")
            sum_up(connection, file)
        at = end
    return at


def main() -> None:
    """Print the size of the files and the times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=25_000)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    market = Market(options.offers, np.random.default_rng(options.seed))
    print("listings/shown, snapshots of half, share in 70 and more, in fewer than 10: "
          f"{', '.join(f'{one:.2f}' for one in market.seen(SNAPSHOTS))} "
          f"(published: {', '.join(map(str, PUBLISHED))})")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder, start = options.folder or Path(name), time.perf_counter()
        end = write(market, folder, options.months)
        files = list(folder.rglob("*.parquet"))
        size = sum(one.stat().st_size for one in files)
        sums = sum(one.stat().st_size for one in folder.rglob("*.sums"))
        print(f"{len(market):,} listings, {options.offers:,} shown at once: {len(files)} "
              f"files, {size / 1e6:,.0f} MB, sums {sums / 1e6:,.0f} MB, written in "
              f"{time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
        week = end - timedelta(days=7)
        for what, names, since, by in (
            ("one GPU, all months, by day", {"RTX 4090"}, None, "day"),
            ("all GPUs, the last 7 days, by day", None, week, "day"),
            ("all GPUs, all months, by week", None, None, "week"),
        ):
            start, busy = time.perf_counter(), time.process_time()
            with open_archive(folder, "vast") as archive:
                found = archive.history(by, names, since)
            seconds = time.perf_counter() - start
            busy = time.process_time() - busy
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
            print(f"{what}: {found.lifetimes.number:,} lifetimes, {seconds:.1f} s "
                  f"({busy:.1f} s of the processor), "
                  f"{peak:.1f} GB at most so far", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
