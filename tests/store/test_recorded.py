"""Which listings a record has, and when it watched all of the market."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from advisor.market.offers import parse_offers
from advisor.store.database import open_store
from advisor.store.history import GAP_S, store_snapshot
from advisor.store.recorded import recorded_listings, watched

START = datetime(2026, 11, 1, tzinfo=UTC)
BEGAN = int(START.timestamp())


@pytest.fixture
def store(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with open_store(tmp_path) as connection:
        yield connection


def keep(
    store: sqlite3.Connection,
    *records: dict[str, Any],
    after_s: int,
    whole: bool = True,
    market: str = "vast",
) -> None:
    offers, _ = parse_offers(list(records))
    at = START + timedelta(seconds=after_s)
    store_snapshot(store, offers, market=market, at=at, whole=whole)


def test_a_gap_ends_a_stretch(store: sqlite3.Connection, record: dict[str, Any]) -> None:
    """So does a time of snapshots of a part of the market, which show no absence."""
    assert watched(store, "vast") == ()
    for after_s in (0, 600, 600 + GAP_S):
        keep(store, record, after_s=after_s)
    keep(store, record, after_s=3000, whole=False)
    for after_s in (6000, 6300):
        keep(store, record, after_s=after_s)
    assert watched(store, "vast") == ((BEGAN, BEGAN + 2400), (BEGAN + 6000, BEGAN + 6300))
    assert watched(store, "other") == ()


def test_the_listings_of_a_market_are_told_apart(
    store: sqlite3.Connection, record: dict[str, Any]
) -> None:
    """By machine, GPUs and name; those of another market, and torn rows, are not told."""
    keep(store, record, {**record, "id": 5, "machine_id": 8}, after_s=0)
    keep(store, record, after_s=0, market="other")
    store.execute(
        "INSERT INTO listing (market, machine_id, num_gpus, gpu_ids, gpu_name) "
        "VALUES ('vast', 9, 'four', '', 'H100')"
    )
    found = recorded_listings(store, "vast")
    assert found.machine_id.tolist() == [7, 8]
    assert found.num_gpus.tolist() == [1, 1]
    assert set(found.gpu_name) == {"RTX 4090"}
    assert found.listing.tolist() == sorted(found.listing.tolist())
    assert len(recorded_listings(store, "nowhere").listing) == 0
