"""An archive is asked what the record in SQLite is asked, and answers the same.

Prices are summed up by DuckDB. Lifetimes and bids are followed by the functions of
`advisor.store.market_statistics`, some GPUs at a time, so that a year of a whole market
needs the memory of some GPUs: a listing is of one GPU, and all sums add up.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from advisor.store.archive.engine import database
from advisor.store.archive.layout import SENSE, partitions, scan
from advisor.store.market_statistics import (
    BID_RATIOS,
    QUANTILES,
    BidCounts,
    Bucket,
    Lifetimes,
    ListingIntervals,
    MarketHistory,
    PriceBucket,
    bucket_grid,
    count_bids,
    estimated_lifetimes,
    observed_lifetimes,
    survival_of,
)

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 4_000_000
"""Intervals whose lifetimes are followed at once: some hundred megabytes."""

# An interval counts in each period that it touches; a price that was seen at one instant
# alone counts as one second (`advisor.store.market_statistics.price_buckets`).
_SPREAD = """
    CREATE OR REPLACE TEMP VIEW spread AS
    SELECT listing, bucket, price, bid,
        greatest(
            least(last_at, bucket * width + origin + width)
            - greatest(first_at, bucket * width + origin), 1
        ) AS seconds
    FROM (
        SELECT listing, first_at, last_at, {width} AS width, {origin} AS origin,
            dph_base / num_gpus AS price, min_bid / num_gpus AS bid,
            unnest(range(
                (first_at - {origin}) // {width}, (last_at - {origin}) // {width} + 1
            )) AS bucket
        FROM intervals
    )
"""

_LISTINGS = "SELECT bucket, count(DISTINCT listing) FROM spread GROUP BY bucket"

_WEIGHTED = """
    SELECT bucket, {columns} FROM (
        SELECT bucket, figure,
            sum(weight) OVER (PARTITION BY bucket ORDER BY figure)::DOUBLE AS share,
            sum(weight) OVER (PARTITION BY bucket)::DOUBLE AS whole
        FROM (
            SELECT bucket, {figure} AS figure, sum(seconds) AS weight
            FROM spread WHERE {figure} IS NOT NULL GROUP BY bucket, figure
        )
    ) GROUP BY bucket
"""


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
        `advisor.store.market_statistics.load_intervals`.
        """
        if not self._files:
            return None
        self._select(gpu_names, since)
        lots = self._lots()
        if not lots:
            return None
        lifetimes, bids = self._followed(lots)
        return MarketHistory(self._prices(by), lifetimes, bids)

    def _select(self, gpu_names: Collection[str] | None, since: datetime | None) -> None:
        """Make the view ``intervals`` of what is asked for, cut where it begins."""
        begin = 0 if since is None else int(since.timestamp())
        conditions = [SENSE, f"last_at >= {begin}"]
        if gpu_names is not None:
            listed = ", ".join("'" + name.replace("'", "''") + "'" for name in gpu_names)
            conditions.append(f"gpu_name IN ({listed})" if listed else "false")
        self._connection.execute(
            "CREATE OR REPLACE TEMP VIEW intervals AS "  # noqa: S608
            "SELECT listing, gpu_name, num_gpus::DOUBLE AS num_gpus, "
            f"greatest(whole.first_at, {begin}) AS first_at, last_at, "
            f"born AND whole.first_at >= {begin} AS born, gone, dph_base, min_bid "
            f"FROM {scan(self._files)} AS whole WHERE {' AND '.join(conditions)}"
        )

    def _lots(self) -> list[list[str]]:
        """Return the GPUs in lots of at most some million intervals each."""
        lots, room = list[list[str]](), 0
        for name, count in self._connection.execute(
            "SELECT gpu_name, count(*) FROM intervals GROUP BY gpu_name ORDER BY gpu_name"
        ).fetchall():
            if count > room:
                lots.append([])
                room = _AT_ONCE
            lots[-1].append(name)
            room -= count
        return lots

    def _followed(self, lots: Sequence[Sequence[str]]) -> tuple[Lifetimes, Any]:
        """Return lifetimes and bids, each the sum over all lots."""
        lived: dict[tuple[int, bool], int] = {}
        outbid, gone, exposure_s = np.zeros((3, len(BID_RATIOS)))
        for lot in lots:
            intervals = self._load(lot)
            lasted, ended = observed_lifetimes(intervals)
            alike, number = np.unique(2 * lasted + ended, return_counts=True)
            for key, count in zip(alike.tolist(), number.tolist(), strict=True):
                lived[divmod(key, 2)] = lived.get(divmod(key, 2), 0) + count
            counts = count_bids(intervals)
            outbid += counts.outbid
            gone += counts.gone
            exposure_s += counts.exposure_s
        table = np.array(
            [(lasted, ended, count) for (lasted, ended), count in lived.items()],
            dtype=np.int64,
        ).reshape(-1, 3)
        estimated = estimated_lifetimes(
            table[:, 0], table[:, 1].astype(bool), table[:, 2]
        )
        return estimated, survival_of(BidCounts(outbid, gone, exposure_s))

    def _load(self, lot: Sequence[str]) -> ListingIntervals:
        names = ", ".join("?" * len(lot))
        columns = self._connection.execute(
            "SELECT listing, num_gpus, first_at, last_at, born, gone, "  # noqa: S608
            "coalesce(dph_base, 'nan') AS dph_base, coalesce(min_bid, 'nan') AS min_bid "
            f"FROM intervals WHERE gpu_name IN ({names}) ORDER BY listing, first_at",
            list(lot),
        ).fetchnumpy()
        return ListingIntervals(
            **{name: np.asarray(one) for name, one in columns.items()}
        )

    def _prices(self, by: Bucket) -> list[PriceBucket]:
        """Return the prices of each period, as `price_buckets` does."""
        width, origin = bucket_grid(by)
        self._connection.execute(_SPREAD.format(width=width, origin=origin))
        listings = dict(self._connection.execute(_LISTINGS).fetchall())
        prices, bids = self._quantiles("price"), self._quantiles("bid")
        nothing = (float("nan"),) * len(QUANTILES)
        return [
            PriceBucket(
                start=datetime.fromtimestamp(bucket * width + origin, UTC),
                listings=listings[bucket],
                usd_per_gpu_hour=prices.get(bucket, nothing),
                bid_usd_per_gpu_hour=bids.get(bucket, nothing),
            )
            for bucket in sorted(listings)
        ]

    def _quantiles(self, figure: str) -> dict[int, tuple[float, ...]]:
        """Return the quantiles of a figure in each period, weighted by the time."""
        columns = ", ".join(
            f"min(figure) FILTER (share >= {quantile!r}::DOUBLE * whole)"
            for quantile in QUANTILES
        )
        rows = self._connection.execute(
            _WEIGHTED.format(figure=figure, columns=columns)
        ).fetchall()
        return {bucket: tuple(quantiles) for bucket, *quantiles in rows}


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
