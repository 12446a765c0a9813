"""Columns of offers: declared once, and what follows from that."""

from __future__ import annotations

from dataclasses import Field, dataclass, field, fields
from functools import partial

import numpy as np
import pytest

from advisor.base.arrays import FloatArray, ObjectArray
from advisor.market.columns import COLUMN, Column, Reader, number, text, values_of
from advisor.market.offers import KEYS, NUMBERS, Offers
from advisor.market.rows import row_of

IN_NAMES = {
    "_gb_s": "GB/s", "_mb_s": "MB/s", "_mbit_s": "Mbit/s", "_ghz": "GHz", "_w": "W",
    "_tflops": "TFLOPS", "_usd_per_gb": "$/GB", "_space_gb": "GB", "duration_s": "s",
    "unix_s": "s", "dph_base": "$/h", "dph_total": "$/h", "min_bid": "$/h",
}  # fmt: skip
"""How a name ends -> the unit that it says."""


@pytest.mark.parametrize("one", fields(Offers), ids=lambda one: one.name)
def test_every_column_says_what_it_is(one: Field[object]) -> None:
    """A doc, the keys that it is read from, and the unit that its name says."""
    column: Column = one.metadata[COLUMN]
    assert column.doc
    assert column.keys or one.name == "price_contradictory"
    for ending, unit in IN_NAMES.items():
        if one.name.endswith(ending):
            assert column.unit == unit


def test_rows_have_the_keys_of_all_columns() -> None:
    """Those of the class, and those that stand in for some; numbers as numbers."""
    row = row_of(
        {"id": 3, "cpu_ghz": "2.5", "internet_up_cost_per_tb": 4, "gpu_name": "A"}
    )
    assert set(row.__struct_fields__) == set(KEYS)
    assert (row.id, row.cpu_ghz, row.internet_up_cost_per_tb) == (3, 2.5, 4.0)
    assert {"inet_up_usd_per_tb", "inet_down_usd_per_tb"} == set(NUMBERS) - {
        one.name for one in fields(Offers)
    }


@dataclass(frozen=True, slots=True)
class Loud(Offers):
    noise_db: FloatArray = field(metadata=number("noise", "loudness", doc="of its fans"))
    fan: ObjectArray = field(metadata=text("fan", "fanned", doc="what fans it has"))


def test_a_column_is_read_where_its_declaration_says() -> None:
    """A class with two more columns: no list elsewhere names them."""
    declared = {one.name: one.metadata[COLUMN] for one in fields(Loud)}
    records = [
        {"noise": 40, "fan": "two"},
        {"loudness": "35.5", "fanned": False},
        {"noise": "loud"},
    ]
    reader = Reader(declared)
    reader.read(partial(values_of, records), np.arange(3))
    columns = reader.columns()
    assert columns["noise_db"].tolist() == [40.0, 35.5, -np.inf]
    assert columns["fan"].tolist() == ["two", "unfanned", ""]
