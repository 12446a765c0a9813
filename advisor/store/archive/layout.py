"""Where the files of an archive are, and what each holds."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote

import pyarrow as pa
import pyarrow.parquet as pq

from advisor.base.errors import UsageError
from advisor.store.history import A_TIME

VERSION = 1
"""Of the columns; it rises when one changes its meaning or goes."""

VERSION_KEY = "advisor_archive_version"
"""Key of the version in the metadata of each file."""

FILE = "intervals.parquet"

COLUMNS: Mapping[str, str] = {
    "listing": "BIGINT",
    "machine_id": "BIGINT",
    "num_gpus": "BIGINT",
    "gpu_ids": "VARCHAR",
    "gpu_name": "VARCHAR",
    "first_at": "BIGINT",
    "last_at": "BIGINT",
    "born": "BOOLEAN",
    "gone": "BOOLEAN",
    "dph_base": "DOUBLE",
    "storage_usd_per_gb_month": "DOUBLE",
    "min_bid": "DOUBLE",
}
"""Column -> its type in DuckDB, as in `advisor.store.history`; ``listing`` is the same
for a market's listing in every file (`advisor.store.archive.export.listing_id`)."""

SENSE = (
    f"num_gpus > 0 AND first_at {A_TIME} AND last_at {A_TIME} AND first_at <= last_at"
    " AND (dph_base IS NULL OR dph_base BETWEEN 0 AND 1e9)"
    " AND (min_bid IS NULL OR min_bid BETWEEN 0 AND 1e9)"
)
"""Condition of a row that makes sense: an archive may be somebody else's."""

_ARROW = {
    "BIGINT": pa.int64(),
    "BOOLEAN": pa.bool_(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
}
_TYPES = {name: _ARROW[kind] for name, kind in COLUMNS.items()}


def partition_file(folder: Path, market: str, month: str) -> Path:
    """Return the file of a market and a month, ``2026-11``."""
    # A name of a market may hold what no path may: readers of such folders decode it.
    return folder / f"market={quote(market, safe='')}" / f"month={month}" / FILE


def partitions(folder: Path, market: str | None = None) -> list[Path]:
    """Return the files of an archive, those of one market if it is given.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none, or one is none of this version
    """
    if not folder.is_dir():
        message = f"{folder} is no folder: 'advisor history export' makes an archive"
        raise UsageError(message)
    found = sorted(folder.glob(f"market=*/month=*/{FILE}"))
    if not found:
        message = f"{folder} is no archive: 'advisor history export' makes one"
        raise UsageError(message)
    for path in found:
        check(path)
        month_of(path)
    if market is None:
        return found
    return [path for path in found if _market_of(path) == market]


def month_of(path: Path) -> tuple[int, int]:
    """Return the beginning and the end of a file's month, seconds since 1970.

    Raises
    ------
    advisor.base.errors.UsageError
        if its folder is named for none
    """
    try:
        begin = datetime.strptime(path.parent.name, "month=%Y-%m").replace(tzinfo=UTC)
    except ValueError as error:
        message = f"{path} is of no month: its folder is named as month=2026-11 is"
        raise UsageError(message) from error
    end = (begin + timedelta(days=31)).replace(day=1)
    return int(begin.timestamp()), int(end.timestamp())


def check(path: Path) -> None:
    """Refuse a file that is none of an archive.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is torn, of another version, or has other columns
    """
    try:
        schema = pq.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        message = f"{path} cannot be read as Parquet: move it away, and export again"
        raise UsageError(message) from error
    version = (schema.metadata or {}).get(VERSION_KEY.encode())
    if version != str(VERSION).encode():
        message = (
            f"{path} is of no archive of version {VERSION}: export into a new folder "
            "with this advisor"
        )
        raise UsageError(message)
    if {one.name: one.type for one in schema} != _TYPES:
        message = f"{path} has not the columns of an archive: export into a new folder"
        raise UsageError(message)


def text(value: str | Path) -> str:
    """Return a text as SQL has it."""
    return "'" + str(value).replace("'", "''") + "'"


def scan(paths: Sequence[Path]) -> str:
    """Return files as a table of SQL: no character of a path stands for others."""
    listed = ", ".join(text(Path(glob.escape(str(path)))) for path in paths)
    return f"read_parquet([{listed}], hive_partitioning = false)"


def _market_of(path: Path) -> str:
    return unquote(path.parents[1].name.removeprefix("market="))
