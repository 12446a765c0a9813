"""Which listings a record of a market has, and when it watched the whole market."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import numpy as np

from advisor.base.arrays import IntArray, ObjectArray
from advisor.store.history import A_TIME, GAP_S


@dataclass(frozen=True, slots=True)
class RecordedListings:
    """L listings of a market; see `advisor.store.history`.

    Attributes
    ----------
    listing : row of each, as `ListingIntervals.listing` has it, rising, shape (L,)
    machine_id : the market's id of its machine, shape (L,)
    num_gpus : GPUs of it, shape (L,)
    gpu_name : the market's spelling, shape (L,)
    """

    listing: IntArray
    machine_id: IntArray
    num_gpus: IntArray
    gpu_name: ObjectArray


def recorded_listings(connection: sqlite3.Connection, market: str) -> RecordedListings:
    """Return the listings of a market; a row that makes no sense is left out."""
    rows = connection.execute(
        "SELECT id, machine_id, num_gpus, gpu_name FROM listing WHERE market = ? "
        "AND typeof(machine_id) = 'integer' AND typeof(num_gpus) = 'integer' "
        "AND typeof(gpu_name) = 'text' AND num_gpus > 0 ORDER BY id",
        (market,),
    ).fetchall()
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    listing, machine_id, num_gpus = (np.array(one, np.int64) for one in columns[:3])
    return RecordedListings(
        listing, machine_id, num_gpus, np.array(columns[3], dtype=np.object_)
    )


def watched(connection: sqlite3.Connection, market: str) -> tuple[tuple[int, int], ...]:
    """Return the stretches of time in which the whole market was watched.

    In such a stretch no two snapshots of the whole market are more than `GAP_S` apart, so
    that what is not seen in it is not there.

    Returns
    -------
    stretches : beginning and end of each, seconds since 1970, one after another
    """
    rows = connection.execute(
        "SELECT at FROM snapshot WHERE market = ? AND whole "  # noqa: S608
        f"AND typeof(at) = 'integer' AND at {A_TIME} ORDER BY at",
        (market,),
    ).fetchall()
    at = np.array(rows, dtype=np.int64).ravel()
    if not len(at):
        return ()
    parts = np.split(at, np.flatnonzero(np.diff(at) > GAP_S) + 1)
    return tuple((int(part[0]), int(part[-1])) for part in parts)
