"""An archive is asked what the record in SQLite is asked, and answers the same.

A month that is asked for whole is answered from the sums that are stored beside it
(`stored_sums`); of one before, only what reaches beyond its end is read. DuckDB reads the
rest month by month, some GPUs at a time; `sums` counts it. So a year of a whole market
needs the memory of a month's prices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from advisor.base.columns import concat
from advisor.store.archive.engine import database
from advisor.store.archive.layout import month_of, partitions, scan
from advisor.store.archive.reading import NO_INTERVALS, load, of_gpus
from advisor.store.archive.stored_sums import (
    BIDS,
    EDGES,
    LIFETIMES,
    SPANS,
    SUMMED,
    StoredSums,
    listings_of,
    prices_of,
    stored_sums,
)
from advisor.store.archive.sums import NEVER, LifetimeSums, PriceSums, Spans, in_order
from advisor.store.listing_intervals import ListingIntervals
from advisor.store.market_statistics import BID_RATIOS, BidCounts, Bucket, MarketHistory

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 1_000_000
"""Intervals that are followed at once: some hundred megabytes."""


class _Month(NamedTuple):
    """What is read of a month.

    Attributes
    ----------
    begin, end : seconds since 1970
    rows : files whose intervals are read
    sums : of files that need not be read
    """

    begin: int
    end: int
    rows: list[Path]
    sums: list[StoredSums]


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive that is open; see `open_archive`."""

    _connection: duckdb.DuckDBPyConnection
    _files: Sequence[Path]

    def gpu_names(self) -> frozenset[str]:
        """Return the spellings of all GPUs in it."""
        if not self._files:
            return frozenset()
        rows = self._connection.execute(
            f"SELECT DISTINCT gpu_name FROM {scan(self._files)}"  # noqa: S608
        ).fetchall()
        return frozenset(name for (name,) in rows)

    def history(
        self, by: Bucket, gpu_names: Collection[str] | None, since: datetime | None
    ) -> MarketHistory | None:
        """Return what it shows of GPUs (market spellings; all if `None`) since a time.

        Returns `None` if it shows nothing of them; see
        `advisor.store.listing_intervals.load_intervals`.
        """
        if not self._files:
            return None
        cut = 0 if since is None else int(since.timestamp())
        months = self._months(by, cut)
        lifetimes, prices, seen = LifetimeSums(), PriceSums(by), False
        lots = self._lots(gpu_names, months)
        begins = [month.begin for month in months]
        for month, following in zip(months, [*begins[1:], NEVER], strict=True):
            for number, lot in enumerate(lots):
                intervals = self._load(month.rows, month, lot, cut)
                seen = seen or len(intervals) > 0
                prices.add(intervals)
                edges = self._load([one.path(EDGES) for one in month.sums], month, lot)
                lifetimes.add(number, concat([intervals, edges]), following)
            for sums in month.sums:
                seen = self._add(sums, by, gpu_names, prices, lifetimes) or seen
            prices.finish(following)
        return MarketHistory(prices.result(), *lifetimes.result()) if seen else None

    def _months(self, by: Bucket, cut: int) -> list[_Month]:
        """Return what is to be read, in the order of time."""
        found = dict[tuple[int, int], _Month]()
        for path in self._files:
            begin, end = month_of(path)
            month = found.setdefault((begin, end), _Month(begin, end, [], []))
            sums = stored_sums(path)
            if not sums.whole or begin < cut < end:
                month.rows.append(path)
            elif end <= cut:
                month.rows.append(sums.path(EDGES))  # what reaches beyond its end
            elif by in SUMMED:
                month.sums.append(sums)
            else:
                month.rows.append(path)
        return [found[when] for when in sorted(found)]

    def _lots(
        self, gpu_names: Collection[str] | None, months: Sequence[_Month]
    ) -> list[list[str]]:
        """Return the GPUs in lots of about `_AT_ONCE` intervals a month at most."""
        counts = Counter[str]()
        for month in months:
            here = Counter[str]()
            for file in (*month.rows, *(one.path(EDGES) for one in month.sums)):
                rows = self._connection.execute(
                    f"SELECT gpu_name, count(*) FROM {scan([file])} "  # noqa: S608
                    f"WHERE {of_gpus(gpu_names)} GROUP BY gpu_name"
                )
                here.update(dict(rows.fetchall()))
            counts |= here  # the greater of the two
        lots, room = list[list[str]](), 0
        for name, count in sorted(counts.items()):
            if count > room:
                lots.append([])
                room = _AT_ONCE
            lots[-1].append(name)
            room -= count
        return lots

    def _load(
        self, files: Sequence[Path], month: _Month, gpu_names: Sequence[str], cut: int = 0
    ) -> ListingIntervals:
        """Return intervals of some GPUs that begin in a month, in order."""
        span = (month.begin, month.end)
        # Files of intervals and of sums differ in their columns: one at a time.
        parts = [load(self._connection, [one], span, gpu_names, cut) for one in files]
        return in_order(concat([NO_INTERVALS, *parts]))

    def _add(
        self,
        sums: StoredSums,
        by: Bucket,
        gpu_names: Collection[str] | None,
        prices: PriceSums,
        lifetimes: LifetimeSums,
    ) -> bool:
        """Add the sums of a month; return whether there are any."""
        read = partial(sums.read, self._connection, gpu_names=gpu_names)
        paid = read(prices_of(by))
        prices.add_prices(**paid)
        prices.add_listings(**read(listings_of(by)), spans=Spans(**read(SPANS)))
        bids = read(BIDS)
        counts = np.zeros((len(BidCounts._fields), len(BID_RATIOS)))
        for count, name in zip(counts, BidCounts._fields, strict=True):
            np.add.at(count, bids["place"], bids[name])
        lifetimes.add_counted(**read(LIFETIMES), bids=BidCounts(*counts))
        return len(paid["bucket"]) > 0


@contextmanager
def open_archive(folder: Path, market: str | None = None) -> Iterator[Archive]:
    """Open an archive that `advisor.store.archive.export.export` wrote.

    Parameters
    ----------
    market : whose part of it; None: all

    Raises
    ------
    advisor.base.errors.UsageError
        if it is none
    advisor.base.errors.AdvisorError
        if it cannot be read
    """
    files = partitions(folder, market)
    with database() as connection:
        yield Archive(connection, files)
