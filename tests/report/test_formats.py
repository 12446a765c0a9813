"""Formats: what programs read back is what was meant, unknown figures included."""

from __future__ import annotations

import csv
import json

import pytest

from advisor.report.entries import number
from advisor.report.formats import to_delimited, to_json
from advisor.report.listing import listing
from advisor.report.tables import Column

ROWS = [
    {
        "name": 'a "quoted", name',
        "limits": {"gpu": 1.5, "cpu": None},
        "flags": ["x", "y"],
    },
    {"name": "two\nlines\tand a tab", "limits": {"gpu": None, "cpu": 2}, "flags": []},
]


@pytest.mark.parametrize("delimiter", [",", "\t"])
def test_delimited_rows_are_read_back(delimiter: str) -> None:
    """Quotes, line breaks and delimiters in a name survive; None is an empty cell."""
    text = to_delimited(ROWS, delimiter)
    lines = text.splitlines(keepends=True)
    read = list(csv.DictReader(lines, delimiter=delimiter))
    assert read == [
        {"name": ROWS[0]["name"], "limits_gpu": "1.5", "limits_cpu": "", "flags": "x;y"},
        {"name": ROWS[1]["name"], "limits_gpu": "", "limits_cpu": "2", "flags": ""},
    ]


def test_no_rows_are_an_empty_header() -> None:
    """Nothing to list is no error."""
    assert to_delimited([], ",") == ""


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_json_cannot_hold_is_null(value: float) -> None:
    """NaN and the infinities become null, and never slip through."""
    assert number(value) is None
    with pytest.raises(ValueError, match="JSON"):
        to_json({"value": value})


def test_a_listing_shows_unknown_as_such() -> None:
    """NaN is ``?`` for people and null for programs."""
    rows = [{"name": "a", "watts": float("nan")}, {"name": "b", "watts": 70.0}]
    columns = (Column("name"), Column("watts"))
    table = listing("cards", rows, columns, "table").text
    assert [line.split() for line in table.splitlines()[2:]] == [["a", "?"], ["b", "70"]]
    document = json.loads(listing("cards", rows, columns[:1], "json").text)
    assert document["cards"] == [
        {"name": "a", "watts": None},
        {"name": "b", "watts": 70.0},
    ]
