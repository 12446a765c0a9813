"""The sums of a file of an archive are written beside it; see `stored_sums`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from advisor.base.log import happened
from advisor.store.archive.layout import month_of, scan
from advisor.store.archive.reading import load, of_gpus
from advisor.store.archive.stored_sums import (
    BIDS,
    EDGES,
    LIFETIMES,
    SPANS,
    SUMMED,
    TABLES,
    StoredSums,
    listings_of,
    prices_of,
    stored_sums,
)
from advisor.store.archive.sums import Paid, in_order, periods, spans_of
from advisor.store.listing_intervals import ListingIntervals
from advisor.store.market_statistics import count_bids, observed_lifetimes

if TYPE_CHECKING:
    import duckdb


def sum_up(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    """Write the sums of a file of an archive, unless they are there.

    They are there whole or not at all; those of what the file was before are removed.
    """
    folder = stored_sums(file).folder
    if not folder.is_dir():
        temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
        temporary.mkdir(parents=True)
        try:
            _write(connection, file, StoredSums(temporary))
            temporary.rename(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        happened("files", "%s written", folder)
    for other in folder.parent.iterdir():
        if other != folder:
            shutil.rmtree(other)


def _write(connection: duckdb.DuckDBPyConnection, file: Path, into: StoredSums) -> None:
    """Write the tables, one GPU after the other: who asks for it skips the rest."""
    month = month_of(file)
    names = connection.execute(
        f"SELECT DISTINCT gpu_name FROM {scan([file])} "  # noqa: S608
        f"WHERE {of_gpus(None)} ORDER BY gpu_name"
    ).fetchall()
    with ExitStack() as stack:
        writers = {
            table: stack.enter_context(
                pq.ParquetWriter(into.path(table), schema, compression="zstd")
            )
            for table, schema in TABLES.items()
        }
        for (name,) in names:
            intervals = in_order(load(connection, [file], month, [name]))
            for table, columns in _sums(intervals, month[1]):
                values = [pa.array(one) for one in columns.values()]
                rows = [pa.repeat(name, len(values[0])), *values]
                writers[table].write_table(pa.table(rows, schema=TABLES[table]))
    for table in TABLES:
        with into.path(table).open("r+b") as written:
            os.fsync(written.fileno())


def _sums(
    intervals: ListingIntervals, end: int
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the tables of a GPU: their names, their columns.

    Parameters
    ----------
    intervals : in order
    end : of their month, seconds since 1970
    """
    if not len(intervals):
        return
    for by in SUMMED:
        paid, shown = periods(intervals, by)
        yield prices_of(by), _together(paid)
        yield listings_of(by), shown
    yield SPANS, spans_of(intervals)._asdict()
    edges, inner = _apart(intervals, end)
    yield EDGES, {one.name: getattr(edges, one.name) for one in fields(edges)}
    seconds, ended = observed_lifetimes(inner)
    lasted, number = np.unique(2 * seconds + ended, return_counts=True)
    yield LIFETIMES, {"seconds": lasted // 2, "ended": lasted % 2 == 1, "number": number}
    bids = count_bids(inner)._asdict()
    yield BIDS, {"place": np.arange(len(bids["outbid"])), **bids}


def _together(paid: Paid) -> Mapping[str, Any]:
    """Sum up the seconds at the same prices in a period."""
    keys = ["bucket", "usd", "bid"]
    sums = pa.table(dict(paid)).group_by(keys).aggregate([("seconds", "sum")])
    order = [(key, "ascending") for key in keys]
    columns = sums.rename_columns({"seconds_sum": "seconds"}).sort_by(order)
    return {name: columns[name].combine_chunks() for name in paid}


def _apart(
    intervals: ListingIntervals, end: int
) -> tuple[ListingIntervals, ListingIntervals]:
    """Return lifetimes that months around may have a part of, and all others."""
    first, last = intervals.lifetimes()
    listing = intervals.listing[first]
    goes_on = np.maximum.reduceat(intervals.last_at, first) >= end
    began_before = ~intervals.born[first]
    began_before[1:] &= listing[1:] != listing[:-1]
    edge = np.repeat(goes_on | began_before, last - first + 1)
    return intervals.take(edge), intervals.take(~edge)
