"""Listing intervals as a table, loaded from the record; see `advisor.store.history`."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.base.columns import Columns
from advisor.store.history import SENSE


@dataclass(frozen=True, slots=True)
class ListingIntervals(Columns):
    """S listing intervals, by listing and time; see `advisor.store.history`.

    Attributes
    ----------
    listing : which listing, shape (S,)
    num_gpus : GPUs of it, shape (S,)
    first_at, last_at : seconds since 1970, shape (S,)
    born : the whole market did not show it shortly before, shape (S,)
    gone : the whole market did not show it after, shape (S,)
    dph_base, min_bid : $/h of the whole listing, NaN where unknown, shape (S,)
    """

    listing: IntArray
    num_gpus: FloatArray
    first_at: IntArray
    last_at: IntArray
    born: BoolArray
    gone: BoolArray
    dph_base: FloatArray
    min_bid: FloatArray

    def __len__(self) -> int:
        return len(self.listing)

    def between(self, begin: int, end: int) -> Self:
        """Return what a record from one moment to another would show, s since 1970."""
        part = self.take((self.last_at >= begin) & (self.first_at <= end))
        return replace(
            part,
            first_at=np.maximum(part.first_at, begin),
            last_at=np.minimum(part.last_at, end),
            born=part.born & (part.first_at >= begin),
            gone=part.gone & (part.last_at <= end),
        )

    def lifetimes(self) -> tuple[IntArray, IntArray]:
        """Return the first and last interval of each lifetime, which has no break.

        One that was born begins a lifetime, whatever was there before.
        """
        follows = (self.listing[1:] == self.listing[:-1]) & ~self.gone[:-1]
        follows &= (self.first_at[1:] == self.last_at[:-1]) & ~self.born[1:]
        breaks = np.flatnonzero(~follows)
        end = np.array([len(self) - 1] if len(self) else [], dtype=np.int64)
        return np.concatenate([0 * end, breaks + 1]), np.concatenate([breaks, end])


def load_intervals(
    connection: sqlite3.Connection,
    gpu_names: Collection[str] | None = None,
    market: str | None = None,
    since: datetime | None = None,
) -> ListingIntervals:
    """Load the listing intervals of GPUs (market spellings; all if `None`) since a time.

    An interval that began before is cut there: what happened earlier is not counted. Rows
    that make no sense are left out.
    """
    conditions, values = [SENSE], list[object]()
    if gpu_names is not None:
        conditions.append(f"gpu_name IN ({', '.join('?' * len(gpu_names))})")
        values += gpu_names
    if market is not None:
        conditions.append("market = ?")
        values.append(market)
    if since is not None:
        conditions.append("last_at >= ?")
        values.append(int(since.timestamp()))
    rows = connection.execute(
        "SELECT listing, num_gpus, first_at, last_at, born, gone, dph_base, min_bid "  # noqa: S608
        "FROM spell JOIN listing ON listing = id "
        f"WHERE {' AND '.join(conditions)} ORDER BY listing, first_at",
        values,
    ).fetchall()
    table = np.array(rows, dtype=np.float64).reshape(-1, 8)
    whole = table[:, [0, 2, 3]].astype(np.int64)
    begin = int(since.timestamp()) if since is not None else 0
    cut = whole[:, 1] < begin
    return ListingIntervals(
        listing=whole[:, 0],
        num_gpus=table[:, 1],
        first_at=np.maximum(whole[:, 1], begin),
        last_at=whole[:, 2],
        born=table[:, 4].astype(bool) & ~cut,
        gone=table[:, 5].astype(bool),
        dph_base=table[:, 6],
        min_bid=table[:, 7],
    )


def stored_gpu_names(connection: sqlite3.Connection) -> frozenset[str]:
    """Return the spellings of all GPUs that are stored."""
    rows = connection.execute("SELECT DISTINCT gpu_name FROM listing")
    return frozenset(name for (name,) in rows)
