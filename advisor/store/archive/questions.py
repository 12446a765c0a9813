"""An archive is asked what the record in SQLite is asked, and answers the same.

DuckDB reads what is asked for month by month, some GPUs at a time; `sums` counts it. So a
year of a whole market needs the memory of a month's prices, and is read once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advisor.store.archive.engine import database
from advisor.store.archive.layout import SENSE, month_of, partitions, scan, text
from advisor.store.archive.sums import NEVER, LifetimeSums, PriceSums
from advisor.store.listing_intervals import ListingIntervals
from advisor.store.market_statistics import Bucket, MarketHistory

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 1_000_000
"""Intervals that are followed at once: some hundred megabytes."""


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
        months = self._months()
        lifetimes, prices, seen = LifetimeSums(), PriceSums(by), False
        lots = self._lots(gpu_names, len(months))
        begins = [begin for begin, _ in months]
        for (begin, end), following in zip(months, [*begins[1:], NEVER], strict=True):
            for number, lot in enumerate(lots):
                intervals = self._load(months[begin, end], begin, end, lot, since)
                seen = seen or len(intervals) > 0
                prices.add(intervals)
                lifetimes.add(number, intervals, following)
            prices.finish(following)
        return MarketHistory(prices.result(), *lifetimes.result()) if seen else None

    def _months(self) -> Mapping[tuple[int, int], Sequence[Path]]:
        """Return the files of each month (its beginning, its end), in order."""
        found = defaultdict[tuple[int, int], list[Path]](list)
        for path in self._files:
            found[month_of(path)].append(path)
        return {month: found[month] for month in sorted(found)}

    def _lots(self, gpu_names: Collection[str] | None, months: int) -> list[list[str]]:
        """Return the GPUs in lots that have about `_AT_ONCE` intervals in a month."""
        lots, room = list[list[str]](), 0
        for name, count in self._connection.execute(
            f"SELECT gpu_name, count(*) FROM {scan(self._files)} "  # noqa: S608
            f"WHERE {_of_gpus(gpu_names)} GROUP BY gpu_name ORDER BY gpu_name"
        ).fetchall():
            if count > room:
                lots.append([])
                room = _AT_ONCE * months
            lots[-1].append(name)
            room -= count
        return lots

    def _load(
        self,
        files: Sequence[Path],
        begin: int,
        end: int,
        gpu_names: Sequence[str],
        since: datetime | None,
    ) -> ListingIntervals:
        """Return intervals of some GPUs that begin in a month, without what is before."""
        cut = 0 if since is None else int(since.timestamp())
        columns = self._connection.execute(
            "SELECT listing, num_gpus::DOUBLE AS num_gpus, "  # noqa: S608
            f"greatest(whole.first_at, {cut}) AS first_at, last_at, "
            f"born AND whole.first_at >= {cut} AS born, gone, "
            "coalesce(dph_base, 'nan') AS dph_base, coalesce(min_bid, 'nan') AS min_bid "
            f"FROM {scan(files)} AS whole WHERE {SENSE} AND last_at >= {cut} "
            f"AND whole.first_at >= {begin} AND whole.first_at < {end} "
            f"AND {_of_gpus(gpu_names)}"
        ).fetchnumpy()
        return ListingIntervals(
            **{name: np.asarray(one) for name, one in columns.items()}
        )


def _of_gpus(names: Collection[str] | None) -> str:
    """Return the condition of rows of GPUs."""
    if names is None:
        return "true"
    if not names:
        return "false"
    # The range lets DuckDB skip what is of other GPUs, which a list alone does not.
    listed = ", ".join(map(text, sorted(names)))
    return (
        f"gpu_name BETWEEN {text(min(names))} AND {text(max(names))} "
        f"AND gpu_name IN ({listed})"
    )


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
