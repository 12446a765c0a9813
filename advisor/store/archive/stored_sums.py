"""Sums of a month that are stored beside it, and read instead of its intervals.

What `advisor.store.market_statistics` says of listings adds up: seconds at each price,
lifetimes of each length, what became of bids. So each file of an archive has a folder of
sums per GPU under ``_sums``. They are Parquet too, but readers of the archive as one
table pass over them: Spark and Arrow for the name of the folder, Dask and DuckDB for that
of the files. Lifetimes that may have begun in another month, or go on in the next, are
stored as they are (`EDGES`): months are joined there, and nothing is rounded.

The folder is named by what the sums are of. Where it is not there, since the file is
another one or an advisor before wrote it, the intervals are read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from advisor.store.archive.layout import scan
from advisor.store.archive.reading import columns, of_gpus
from advisor.store.followed_bids import PATIENCE_S
from advisor.store.market_statistics import BID_RATIOS, Bucket

if TYPE_CHECKING:
    import duckdb
    import numpy.typing as npt

_VERSION = 1
"""Of the sums; it rises when what they are computed from their rows changes."""

SUMMED: tuple[Bucket, ...] = ("day", "week")
"""Periods whose prices are summed up; hours would be as many rows as the intervals."""

EDGES, SPANS, LIFETIMES, BIDS = "edges", "spans", "lifetimes", "bids"


def prices_of(by: Bucket) -> str:
    """Return the name of the table of the prices of periods."""
    return f"prices_{by}"


def listings_of(by: Bucket) -> str:
    """Return the name of the table of how many listings each period shows."""
    return f"listings_{by}"


def _schema(**kinds: pa.DataType) -> pa.Schema:
    return pa.schema([("gpu_name", pa.string()), *kinds.items()])


_PERIODS = {
    prices_of: _schema(
        bucket=pa.int64(), usd=pa.float64(), bid=pa.float64(), seconds=pa.int64()
    ),
    listings_of: _schema(bucket=pa.int64(), listings=pa.int64()),
}

TABLES: Mapping[str, pa.Schema] = {
    **{name(by): kinds for by in SUMMED for name, kinds in _PERIODS.items()},
    LIFETIMES: _schema(seconds=pa.int64(), ended=pa.bool_(), number=pa.int64()),
    BIDS: _schema(
        place=pa.int64(), outbid=pa.float64(), gone=pa.float64(), exposure_s=pa.float64()
    ),
    SPANS: _schema(listing=pa.int64(), first_at=pa.int64(), last_at=pa.int64()),
    EDGES: _schema(
        listing=pa.int64(),
        num_gpus=pa.float64(),
        first_at=pa.int64(),
        last_at=pa.int64(),
        born=pa.bool_(),
        gone=pa.bool_(),
        dph_base=pa.float64(),
        min_bid=pa.float64(),
    ),
}
"""Table -> its columns: those of GPUs in the order of their names, NaN where no price was
told; ``usd`` and ``bid`` are $/h per GPU, ``place`` that of a bid in `BID_RATIOS`."""


@dataclass(frozen=True, slots=True)
class StoredSums:
    """The sums of one file, for some GPUs; see `TABLES`."""

    folder: Path

    def path(self, table: str) -> Path:
        """Return the file of a table."""
        return self.folder / f"{table}.sums"

    @property
    def whole(self) -> bool:
        """Whether they are there."""
        return self.folder.is_dir()

    def read(
        self,
        connection: duckdb.DuckDBPyConnection,
        table: str,
        gpu_names: Collection[str] | None,
    ) -> dict[str, npt.NDArray[Any]]:
        """Return the rows of GPUs (of all if `None`), without their names."""
        return columns(
            connection,
            f"SELECT * EXCLUDE gpu_name FROM {scan([self.path(table)])} "  # noqa: S608
            f"WHERE {of_gpus(gpu_names)}",
        )


def stored_sums(file: Path) -> StoredSums:
    """Return where the sums of a file of an archive are, or would be."""
    market, month = file.parts[-3:-1]
    return StoredSums(file.parents[2] / "_sums" / market / month / _fingerprint(file))


def _fingerprint(file: Path) -> str:
    """Return the name of a file's contents, and of what is summed up from them.

    The footer of Parquet has the place, the size and the least and greatest value of each
    column of each some hundred thousand rows: other rows have another one.
    """
    with file.open("rb") as parquet:
        size = parquet.seek(-8, 2) + 8
        length = int.from_bytes(parquet.read(4), "little")
        parquet.seek(-8 - length, 2)
        footer = parquet.read(length)
    about = repr((_VERSION, BID_RATIOS, PATIENCE_S, size)).encode()
    return hashlib.sha256(about + footer).hexdigest()[:32]
