"""Rows: a file read as rows gives the offers that its records give."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.market.columns import CHUNK, RowSource
from advisor.market.offers import KEYS, Offers, parse_offers
from advisor.market.snapshot import FileMarket, SnapshotRecords
from advisor.market.types import Query

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["7", "1.5", "verified", 10**30]),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
CHANGES = st.dictionaries(
    st.sampled_from([*KEYS, "ask_contract_id", "another"]), VALUES, max_size=5
)


def shown(offers: Offers) -> dict[str, str]:
    return {one.name: repr(list(getattr(offers, one.name))) for one in fields(Offers)}


@pytest.mark.slow
@pytest.mark.parametrize("lines", [False, True])
@settings(max_examples=40)
@given(
    changes=st.lists(CHANGES, max_size=6),
    gone=st.sets(st.sampled_from([*KEYS]), max_size=4),
    loud=st.sets(st.integers(0, 5)),
)
def test_rows_give_the_offers_that_records_give(
    tmp_path_factory: pytest.TempPathFactory,
    plain_record: Mapping[str, Any],
    changes: list[dict[str, Any]],
    gone: set[str],
    loud: set[int],
    lines: bool,
) -> None:
    """Odd values, fields that are missing or null, names in capitals: all the same."""
    records = [{**plain_record, "id": at} for at in range(CHUNK + 5)]
    for at, change in enumerate(changes):
        odd = {k: v for k, v in plain_record.items() if k not in gone} | change
        cased = {k.upper(): v for k, v in odd.items()} if at in loud else odd
        records.insert(17 * at, cased)
    path = tmp_path_factory.mktemp("rows") / "offers.json"
    written = "\n".join(map(json.dumps, records)) if lines else json.dumps(records)
    path.write_text(written)
    source = SnapshotRecords(path)
    assert isinstance(source, RowSource)
    offers, excluded = parse_offers(source)
    expected, counts = parse_offers(json.loads(json.dumps(records)))
    assert shown(offers) == shown(expected)
    assert excluded == counts


def test_a_large_file_is_parsed_as_a_small_one(
    tmp_path: Path, plain_record: Mapping[str, Any]
) -> None:
    """What was looked at before the file was found to be large counts once."""
    records = [{**plain_record, "id": at, "note": "x" * 300} for at in range(3000)]
    path = tmp_path / "offers.json"
    path.write_text(json.dumps(records))
    large, small = (FileMarket(path, size).search(Query()) for size in (10_000, 1 << 30))
    assert isinstance(large.records, RowSource)
    assert isinstance(small.records, list)
    offers, excluded = parse_offers(large.records)
    assert shown(offers) == shown(parse_offers(small.records)[0])
    assert not excluded
    assert shown(parse_offers(large.records)[0]) == shown(offers)  # and once more
