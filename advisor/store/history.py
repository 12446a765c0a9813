"""Recorded snapshots of a market, compact: one row for each price that a listing had.

A *listing* is a set of GPUs of one machine, whatever id the market gives its offer. A
*listing interval* is a time in which it was seen at the same prices (a row of table
``spell``); the next begins where they
change. An absence is the end of a listing in a snapshot of the whole market alone; in any
other, and over a gap in the record, it is censored: nobody knows.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from advisor.base.errors import UsageError
from advisor.market.offers import Offers
from advisor.market.values import UNKNOWN_ID
from advisor.store.database import transaction

GAP_S = 1800
"""Snapshots further apart than this do not tell what was between them: six times the five
minutes at which markets are usually recorded."""

_EARLIEST, _LATEST = 1_577_836_800, 4_102_444_800
"""2020 and 2100: no snapshot is from before or after."""

A_TIME = f"BETWEEN {_EARLIEST} AND {_LATEST}"

_PRICES = ("dph_base", "storage_usd_per_gb_month", "min_bid")

SENSE = (
    f"typeof(first_at) = 'integer' AND typeof(last_at) = 'integer' "
    f"AND first_at {A_TIME} AND last_at BETWEEN first_at AND {_LATEST} "
    "AND typeof(born) = 'integer' AND typeof(gone) = 'integer' "
    "AND typeof(num_gpus) = 'integer' AND num_gpus > 0 "
) + "".join(
    f"AND ({price} IS NULL "
    f"OR typeof({price}) IN ('real', 'integer') AND {price} BETWEEN 0 AND 1e9) "
    for price in _PRICES
)
"""Condition of an interval and its listing that make sense: SQLite keeps anything in any
column, also what the disk made of it. No price is above 10^9 $."""

_RIVAL_S = 60
"""A snapshot that is older by less came from another process at the same time."""


class Prices(NamedTuple):
    """What a listing cost; None where the market did not say."""

    dph_base: float | None
    storage_usd_per_gb_month: float | None
    min_bid: float | None


class _Key(NamedTuple):
    """What makes a listing the same whatever its offer's id."""

    machine_id: int
    num_gpus: int
    gpu_ids: str
    gpu_name: str


class _Open(NamedTuple):
    """An interval that goes on."""

    listing: int
    first_at: int
    last_at: int
    prices: Prices


@dataclass(frozen=True, slots=True)
class StoredSnapshot:
    """What became of one snapshot.

    Attributes
    ----------
    new : False where this snapshot, or one of the same minute, was stored before
    listings : that it shows
    without_machine : offers that name no machine, which cannot be followed
    """

    new: bool
    listings: int
    without_machine: int


def store_snapshot(
    connection: sqlite3.Connection,
    offers: Offers,
    *,
    market: str,
    at: datetime,
    whole: bool,
) -> StoredSnapshot:
    """Store a snapshot of a market.

    Parameters
    ----------
    offers : what the market showed
    market : its name
    at : when (UTC)
    whole : whether it showed all that it has, so that an absence is an end; not believed
        of a market that shows nothing, or offers of no machine

    Raises
    ------
    advisor.base.errors.UsageError
        if a later snapshot of the market was stored already
    """
    now = int(at.timestamp())
    seen = _seen(offers)
    stored = StoredSnapshot(True, len(seen), int((offers.machine_id == UNKNOWN_ID).sum()))
    whole = whole and bool(seen) and not stored.without_machine
    with transaction(connection):
        (newest,) = connection.execute(
            "SELECT max(at) FROM snapshot "  # noqa: S608
            f"WHERE market = ? AND typeof(at) = 'integer' AND at {A_TIME}",
            (market,),
        ).fetchone()
        if newest is not None and 0 <= newest - now < _RIVAL_S:
            return StoredSnapshot(False, stored.listings, stored.without_machine)
        if newest is not None and newest > now:
            message = (
                f"a later snapshot of market {market} was stored already: snapshots are "
                "stored in the order of their time"
            )
            raise UsageError(message)
        _Recorder(connection, market, now).record(seen, whole)
    return stored


class _Recorder:
    """Writes one snapshot, inside a transaction."""

    def __init__(self, connection: sqlite3.Connection, market: str, now: int) -> None:
        self._connection, self._market, self._now = connection, market, now

    def record(self, seen: Mapping[_Key, Prices], whole: bool) -> None:
        going_on = self._going_on()
        watched = self._watched()
        same = list[_Open]()
        changed = list[tuple[_Open, Prices]]()
        begun = list[tuple[_Key, Prices, bool]]()
        for key, prices in seen.items():
            interval = going_on.pop(key, None)
            if interval is None:
                begun.append((key, prices, watched))
            elif self._now - interval.last_at > GAP_S:
                begun.append((key, prices, False))
            elif interval.prices == prices:
                same.append(interval)
            else:
                changed.append((interval, prices))
        self._extend([*same, *(interval for interval, _ in changed)])
        self._begin([(interval.listing, prices, False) for interval, prices in changed])
        self._begin([(self._listing(key), prices, born) for key, prices, born in begun])
        if whole:
            self._end(list(going_on.values()))
        self._connection.execute(
            "INSERT INTO snapshot VALUES (?, ?, ?, ?)",
            (self._market, self._now, whole, len(seen)),
        )

    def _going_on(self) -> dict[_Key, _Open]:
        rows = self._connection.execute(
            "SELECT machine_id, num_gpus, gpu_ids, gpu_name, listing, first_at, last_at, "  # noqa: S608
            "dph_base, storage_usd_per_gb_month, min_bid "
            "FROM listing JOIN spell ON listing = id AND first_at = open_since "
            f"WHERE market = ? AND open_since IS NOT NULL AND {SENSE}",
            (self._market,),
        )
        return {
            _Key(*key): _Open(listing, first_at, last_at, Prices(base, storage, bid))
            for *key, listing, first_at, last_at, base, storage, bid in rows
        }

    def _watched(self) -> bool:
        """Return whether the whole market was seen shortly before."""
        (last,) = self._connection.execute(
            "SELECT max(at) FROM snapshot "  # noqa: S608
            f"WHERE market = ? AND whole AND typeof(at) = 'integer' AND at {A_TIME}",
            (self._market,),
        ).fetchone()
        return last is not None and self._now - last <= GAP_S

    def _listing(self, key: _Key) -> int:
        """Return the row of a listing, made where it is new."""
        named = (self._market, *key)
        self._connection.execute(
            "INSERT OR IGNORE INTO listing "
            "(market, machine_id, num_gpus, gpu_ids, gpu_name) VALUES (?, ?, ?, ?, ?)",
            named,
        )
        (row,) = self._connection.execute(
            "SELECT id FROM listing WHERE market = ? AND machine_id = ? "
            "AND num_gpus = ? AND gpu_ids = ? AND gpu_name = ?",
            named,
        ).fetchone()
        return int(row)

    def _extend(self, intervals: list[_Open]) -> None:
        self._connection.executemany(
            "UPDATE spell SET last_at = ? WHERE listing = ? AND first_at = ?",
            [(self._now, interval.listing, interval.first_at) for interval in intervals],
        )

    def _begin(self, begun: list[tuple[int, Prices, bool]]) -> None:
        self._connection.executemany(
            "INSERT INTO spell (listing, first_at, last_at, born, dph_base, "
            "storage_usd_per_gb_month, min_bid) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (listing, self._now, self._now, born, *prices)
                for listing, prices, born in begun
            ],
        )
        self._connection.executemany(
            "UPDATE listing SET open_since = ? WHERE id = ?",
            [(self._now, listing) for listing, *_ in begun],
        )

    def _end(self, intervals: list[_Open]) -> None:
        """End what the whole market does not show; over a gap only the record ends."""
        self._connection.executemany(
            "UPDATE spell SET last_at = ?, gone = 1 WHERE listing = ? AND first_at = ?",
            [
                (self._now, interval.listing, interval.first_at)
                for interval in intervals
                if self._now - interval.last_at <= GAP_S
            ],
        )
        self._connection.executemany(
            "UPDATE listing SET open_since = NULL WHERE id = ?",
            [(interval.listing,) for interval in intervals],
        )


def _seen(offers: Offers) -> dict[_Key, Prices]:
    """Return what each listing of a snapshot that can be rented costs.

    Of offers that cannot be told apart the cheapest counts, in whatever order they came.
    """
    there = offers.take(offers.rentable & (offers.machine_id != UNKNOWN_ID))
    columns = zip(
        there.machine_id.tolist(),
        there.num_gpus.astype(int).tolist(),
        there.gpu_ids,
        there.gpu_name.tolist(),
        there.dph_base.tolist(),
        there.storage_usd_per_gb_month.tolist(),
        there.min_bid.tolist(),
        strict=True,
    )
    seen: dict[_Key, Prices] = {}
    for machine, count, gpus, name, *figures in columns:
        key = _Key(machine, count, ",".join(map(str, sorted(gpus))), name)
        prices = Prices(*(None if math.isnan(figure) else figure for figure in figures))
        if key not in seen or _in_order(prices) < _in_order(seen[key]):
            seen[key] = prices
    return seen


def _in_order(prices: Prices) -> tuple[float, ...]:
    """Return prices as they sort, unknown ones last."""
    return tuple(math.inf if price is None else price for price in prices)
