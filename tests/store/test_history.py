"""The record of a market: intervals, ends, gaps, and what it shows."""

from __future__ import annotations

import math
import random
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.market.offers import parse_offers
from advisor.store.database import open_store
from advisor.store.history import GAP_S, StoredSnapshot, store_snapshot
from advisor.store.listing_intervals import (
    ListingIntervals,
    load_intervals,
    stored_gpu_names,
)
from advisor.store.market_statistics import bid_survival, lifetimes, price_buckets

START = datetime(2026, 11, 1, tzinfo=UTC)
STEP_S = 300


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path) as connection:
        yield connection


class Recorder:
    """Keeps snapshots of the test's offers, five minutes apart."""

    def __init__(self, store: sqlite3.Connection, record: dict[str, Any]) -> None:
        self._store, self._record, self._now = store, record, START

    def keep(
        self, *changes: dict[str, Any], whole: bool = True, after_s: int = STEP_S
    ) -> StoredSnapshot:
        self._now += timedelta(seconds=after_s)
        records = [
            {**self._record, "id": random.randrange(10**9), **change}  # noqa: S311
            for change in changes
        ]
        offers, _ = parse_offers(records)
        return store_snapshot(
            self._store, offers, market="vast", at=self._now, whole=whole
        )

    def again(self, *changes: dict[str, Any]) -> StoredSnapshot:
        return self.keep(*changes, after_s=0)


@pytest.fixture
def recorder(store: sqlite3.Connection, record: dict[str, Any]) -> Recorder:
    return Recorder(store, record)


def table(store: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return store.execute("SELECT * FROM spell ORDER BY listing, first_at").fetchall()


def test_equal_prices_are_one_interval(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """However often it is seen under whatever id, a listing takes one row."""
    for _ in range(5):
        recorder.keep({})
    intervals = load_intervals(store)
    assert len(intervals) == 1
    assert int(intervals.last_at[0] - intervals.first_at[0]) == 4 * STEP_S
    assert not intervals.born[0]
    assert stored_gpu_names(store) == {"RTX 4090"}


def test_a_new_price_is_a_new_interval(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """It begins where the old one ends, in the same lifetime."""
    recorder.keep({"dph_base": 0.3})
    recorder.keep({"dph_base": 0.4})
    recorder.keep({"dph_base": 0.4, "min_bid": 0.2})
    intervals = load_intervals(store)
    assert intervals.dph_base.tolist() == [0.3, 0.4, 0.4]
    assert intervals.first_at[1:].tolist() == intervals.last_at[:-1].tolist()
    first, last = intervals.lifetimes()
    assert (first.tolist(), last.tolist()) == ([0], [2])


def test_a_snapshot_twice_changes_nothing(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """The same moment is stored once."""
    recorder.keep({})
    before = table(store)
    assert not recorder.again({"dph_base": 9.0}).new
    assert table(store) == before


def test_an_older_snapshot_is_refused(recorder: Recorder) -> None:
    """Time runs forward, else ends would be wrong."""
    recorder.keep({})
    with pytest.raises(UsageError, match="order of their time"):
        recorder.keep({}, after_s=-STEP_S)


def test_an_absence_ends_a_listing_in_a_whole_snapshot(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """It is gone from then on; seen again it is born anew."""
    other = {"machine_id": 8, "gpu_ids": [12]}
    recorder.keep({}, other)
    recorder.keep(other)
    recorder.keep({}, other)
    intervals = load_intervals(store)
    assert intervals.gone.tolist() == [True, False, False]
    assert intervals.born.tolist() == [False, True, False]
    first, _ = intervals.lifetimes()
    assert len(first) == 3


def test_an_absence_in_a_part_of_the_market_says_nothing(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """The interval goes on when it is seen again soon."""
    recorder.keep({})
    recorder.keep(whole=False)
    recorder.keep({})
    intervals = load_intervals(store)
    assert len(intervals) == 1
    assert not intervals.gone[0]


@pytest.mark.parametrize("whole", [True, False])
def test_a_gap_in_the_record_is_not_observed(
    store: sqlite3.Connection, recorder: Recorder, whole: bool
) -> None:
    """After it neither a birth nor an end is known, only that it is there."""
    recorder.keep({}, {"machine_id": 8})
    recorder.keep({}, after_s=GAP_S + 1, whole=whole)
    intervals = load_intervals(store)
    assert not intervals.born.any()
    assert not intervals.gone.any()
    assert (intervals.last_at - intervals.first_at).tolist() == [0, 0, 0]


def test_a_market_that_shows_nothing_ends_nothing(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """An empty answer, or one with offers of no machine, is not the whole market."""
    recorder.keep({})
    recorder.keep()
    recorder.keep({"machine_id": None})
    recorder.keep({})
    intervals = load_intervals(store)
    assert len(intervals) == 1
    assert not intervals.gone[0]


def test_an_offer_that_cannot_be_rented_is_gone(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """Listed as rented is as good as not listed."""
    other = {"machine_id": 8, "gpu_ids": [12]}
    recorder.keep({}, other)
    recorder.keep({"rentable": False}, other)
    assert load_intervals(store).gone.tolist() == [True, False]


def test_listings_that_cannot_be_told_apart_are_the_cheapest(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """In whatever order a market names them, their price stays."""
    two = ({"gpu_ids": None, "dph_base": 0.3}, {"gpu_ids": None, "dph_base": 0.2})
    recorder.keep(*two)
    recorder.keep(*two[::-1])
    assert load_intervals(store).dph_base.tolist() == [0.2]


def test_what_was_before_a_time_does_not_count(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """An interval that began earlier is cut, and is no birth."""
    other = {"machine_id": 8, "gpu_ids": [12]}
    recorder.keep(other)
    for _ in range(5):
        recorder.keep({}, other)
    since = START + timedelta(seconds=4 * STEP_S)
    intervals = load_intervals(store, since=since)
    assert (intervals.last_at - intervals.first_at).tolist() == [2 * STEP_S] * 2
    assert not intervals.born.any()
    assert bid_survival(intervals).exposure_hours[0] == pytest.approx(4 * STEP_S / 3600)


def test_offers_without_a_machine_are_counted(recorder: Recorder) -> None:
    """They cannot be followed, and that is told."""
    stored = recorder.keep({}, {"machine_id": None})
    assert (stored.listings, stored.without_machine) == (1, 1)


def test_threads_that_keep_at_once(tmp_path: Path, record: dict[str, Any]) -> None:
    """Each moment is stored once, whoever comes first, and no lock is lost."""
    offers, _ = parse_offers([record])
    results: list[bool] = []

    def run() -> None:
        with open_store(tmp_path) as store:
            stored = store_snapshot(store, offers, market="vast", at=START, whole=True)
            results.append(stored.new)

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 5 + [True]


def test_price_quantiles_are_weighted_by_time(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """A price that stood for nine tenths of the day is its median."""
    two = {"num_gpus": 2, "gpu_ids": [1, 2]}
    for step in range(21):
        recorder.keep(two | {"dph_base": 0.8 if step < 18 else 2.0})
    (bucket,) = price_buckets(load_intervals(store), "day")
    assert bucket.start == START
    assert bucket.listings == 1
    assert bucket.usd_per_gpu_hour == (0.4, 0.4, 0.4)
    assert bucket.bid_usd_per_gpu_hour == (0.075,) * 3


def test_an_interval_over_midnight_is_in_both_days(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """Each day has the price; weeks begin on Mondays."""
    recorder.keep({}, after_s=86_000)
    recorder.keep({}, after_s=1000)
    intervals = load_intervals(store)
    assert [b.start.day for b in price_buckets(intervals, "day")] == [1, 2]
    assert len(price_buckets(intervals, "hour")) == 2
    assert [b.start.weekday() for b in price_buckets(intervals, "week")] == [0, 0]


def test_unknown_prices_are_not_zero(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """A market that tells no bid has none in the record."""
    recorder.keep({"min_bid": None})
    (bucket,) = price_buckets(load_intervals(store), "day")
    assert all(map(math.isnan, bucket.bid_usd_per_gpu_hour))


def test_lifetimes_by_hand(store: sqlite3.Connection, recorder: Recorder) -> None:
    """Kaplan and Meier over three births: two ends, one that outlives the record."""
    a, b, c = ({"machine_id": machine, "gpu_ids": [machine]} for machine in (1, 2, 3))
    hour = 1200
    recorder.keep({"machine_id": 4})  # something else, to see them begin
    recorder.keep({"machine_id": 4}, after_s=1)
    recorder.keep(a, b, c, after_s=hour)
    recorder.keep(b, c, after_s=hour)  # a lived for a third of an hour
    for _ in range(4):
        recorder.keep(b, c, after_s=hour)
    recorder.keep(c, after_s=hour)  # b for two hours
    found = lifetimes(load_intervals(store))
    assert (found.number, found.ends) == (3, 2)
    assert found.survival[0] == pytest.approx(2 / 3)
    assert found.median_h == pytest.approx(2.0)
    assert math.isnan(found.survival[1])


def test_bids_by_hand(store: sqlite3.Connection, recorder: Recorder) -> None:
    """A rise of half loses lower bids, an end all that stand; hours count until then."""
    bids = (0.10, 0.10, 0.15, 0.15, 0.12)
    for bid in bids:
        recorder.keep({"min_bid": bid}, {"machine_id": 8, "min_bid": None})
    recorder.keep({"machine_id": 8, "min_bid": None})
    found = bid_survival(load_intervals(store), (1.0, 1.25, 1.5, 2.0))
    assert found.outbid.tolist() == [1.0, 1.0, 0.0, 0.0]
    assert found.gone.tolist() == [0.0, 1.0, 1.0, 1.0]
    steps = np.array([2.0, 3.0, 5.0, 5.0])
    assert found.exposure_hours == pytest.approx(steps * STEP_S / 3600)


Series = Sequence[tuple[float, float]]
"""Hours, and the least bid in them, $/h."""


def followed(*series: Series, gpus: float = 1.0, gone: bool = False) -> ListingIntervals:
    """Return one lifetime for each series."""
    rows = list[tuple[float, ...]]()
    for listing, prices in enumerate(series):
        edges = np.cumsum([0.0, *(hours for hours, _ in prices)]) * 3600
        rows += [
            (listing, since, until, gone and number == len(prices), bid)
            for number, (since, until, (_, bid)) in enumerate(
                zip(edges[:-1], edges[1:], prices, strict=True), 1
            )
        ]
    listing, since, until, ends, bids = np.array(rows, dtype=float).reshape(-1, 5).T
    return ListingIntervals(
        listing.astype(np.int64),
        np.full(len(rows), gpus),
        since.astype(np.int64),
        until.astype(np.int64),
        np.zeros(len(rows), dtype=bool),
        ends.astype(bool),
        np.ones(len(rows)),
        bids,
    )


def test_a_least_bid_that_rises_and_falls_loses_a_bid_each_time() -> None:
    """A bid that lost once is not safe: others outbid it as often as they did before."""
    busy = followed([(3.0, 0.10), (1.0, 0.20)] * 50)
    found = bid_survival(busy, (1.0, 1.5, 2.0))
    assert found.outbid.tolist() == [50.0, 50.0, 0.0]
    assert found.exposure_hours.tolist() == [150.0, 150.0, 200.0]


def test_a_bid_that_began_when_others_bid_much_is_no_measure_of_later_ones() -> None:
    """Whoever bids after the least bid has fallen bids less, and loses to a rise."""
    fallen = followed([(1.0, 0.40), (5.0, 0.10), (1.0, 0.20), (5.0, 0.10)])
    found = bid_survival(fallen, (1.5,))
    assert found.outbid.tolist() == [1.0]
    assert found.exposure_hours.tolist() == [11.0]


def test_a_bid_begins_anew_when_the_least_bid_stays_up() -> None:
    """After two hours, as a job moves on: the third to the tenth of the ten count."""
    risen = followed([(5.0, 0.10), (10.0, 0.20)])
    found = bid_survival(risen, (1.5,))
    assert found.outbid.tolist() == [1.0]
    assert found.exposure_hours.tolist() == [5.0 + 8.0]


def test_hours_of_many_gpus_count_for_more() -> None:
    """Eight lose 8^0.6 times as often as one does: so much do they say of one."""
    eight = followed([(2.0, 0.10), (1.0, 0.20)], gpus=8.0, gone=True)
    of_listings, of_one = (
        bid_survival(eight, (2.0,), exponent).exposure_hours[0] for exponent in (0.0, 0.6)
    )
    assert of_listings == 3.0
    assert of_one == pytest.approx(3.0 * 8.0**0.6)


walks = st.lists(
    st.lists(
        st.tuples(st.sampled_from([0.25, 1.0, 3.0]), st.floats(0.05, 1.0)),
        min_size=1,
        max_size=8,
    ),
    max_size=6,
)


@given(walks)
def test_bids_against_a_plain_loop(lifetimes_: list[list[tuple[float, float]]]) -> None:
    """The vectorized count is that of following every bid by itself."""
    ratios = (1.0, 1.3, 2.0)
    found = bid_survival(followed(*lifetimes_, gone=True), ratios)
    for at, ratio in enumerate(ratios):
        outbid, gone, stood_h = 0, 0, 0.0
        for lifetime in lifetimes_:
            begun_at, waited_h, stands = lifetime[0][1], 0.0, True
            for hours, least in lifetime:
                begun_at = min(begun_at, least)
                if least <= begun_at * ratio * (1 + 1e-9):
                    stands, waited_h, waits_h = True, 0.0, 0.0
                else:
                    outbid, stands = outbid + stands, False
                    waits_h = min(hours, 2.0 - waited_h)
                    waited_h += waits_h
                    if waited_h >= 2.0:
                        stands, begun_at, waited_h = True, least, 0.0
                stood_h += (hours - waits_h) if stands else 0.0
            gone += stands
        assert found.outbid[at] == outbid
        assert found.gone[at] == gone
        assert found.exposure_hours[at] == pytest.approx(stood_h)


def test_a_lifetime_with_an_unknown_bid_says_nothing_of_bids(
    store: sqlite3.Connection, recorder: Recorder
) -> None:
    """Neither hours nor ends: nobody knows what became of a bid in between."""
    other = {"machine_id": 8, "gpu_ids": [12], "min_bid": 0.1}
    for bid in (0.1, None, 0.3):
        recorder.keep({"min_bid": bid}, other)
    recorder.keep(other)
    found = bid_survival(load_intervals(store))
    assert found.outbid.tolist() == found.gone.tolist() == [0.0] * 6
    assert found.exposure_hours == pytest.approx(np.full(6, 3 * STEP_S / 3600))


def test_an_empty_record_has_nothing(store: sqlite3.Connection) -> None:
    """No intervals, no buckets, no lifetimes, no hours."""
    intervals = load_intervals(store, {"RTX 4090"})
    assert len(intervals) == 0
    assert price_buckets(intervals, "day") == []
    assert lifetimes(intervals).number == 0
    assert bid_survival(intervals).exposure_hours.sum() == 0.0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("first_at", 0),
        ("first_at", "x"),
        ("last_at", 2**62),
        ("last_at", 1_600_000_000),
        ("born", "x"),
        ("gone", b"x"),
        ("dph_base", b"x"),
        ("dph_base", -0.1),
        ("min_bid", 1e308),
        ("storage_usd_per_gb_month", "x"),
        ("min_bid", "x"),
    ],
)
def test_an_interval_that_makes_no_sense_is_left_out(
    store: sqlite3.Connection, recorder: Recorder, column: str, value: object
) -> None:
    """Nor is it gone on with: the listing begins anew, the others go on."""
    recorder.keep({"machine_id": 1}, {"machine_id": 2})
    store.execute(f"UPDATE spell SET {column} = ? WHERE listing = 1", (value,))  # noqa: S608
    assert load_intervals(store).listing.tolist() == [2]
    recorder.keep({"machine_id": 1}, {"machine_id": 2})
    intervals = load_intervals(store)
    assert intervals.listing.tolist() == [1, 2]
    assert (intervals.last_at - intervals.first_at).tolist() == [0, STEP_S]
    assert len(price_buckets(intervals, "hour")) == 1


@pytest.mark.parametrize("value", [0, "x", b"x"])
def test_a_listing_of_no_gpus_is_left_out(
    store: sqlite3.Connection, recorder: Recorder, value: object
) -> None:
    """Nothing is divided by what makes no sense."""
    recorder.keep({"machine_id": 1}, {"machine_id": 2})
    store.execute("UPDATE listing SET num_gpus = ? WHERE id = 1", (value,))
    assert load_intervals(store).listing.tolist() == [2]


@pytest.mark.parametrize("at", ["x", 0, 2**62, b"x"])
def test_a_snapshot_at_no_time_stops_no_later_one(
    store: sqlite3.Connection, recorder: Recorder, at: object
) -> None:
    """It is neither the newest nor the one before."""
    recorder.keep({"machine_id": 1})
    store.execute("INSERT INTO snapshot VALUES ('vast', ?, 1, 1)", (at,))
    assert recorder.keep({"machine_id": 1}, {"machine_id": 2}).new
    assert load_intervals(store).born.tolist() == [False, True]
