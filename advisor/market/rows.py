"""Records of JSON text as rows: the fields that columns are made of, and no others.

Of a record of a hundred fields most of the time goes into those that nobody reads, and
into its dictionary. msgspec reads the fields of a declared type: numbers as floats, the
others whatever they hold. Where a number is something else the record goes the way of all
records (`advisor.market.values`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import chain
from typing import Any, NamedTuple

from advisor.market.columns import Row, record_id
from advisor.market.fast_json import strict_loads
from advisor.market.offers import KEYS, NUMBERS
from advisor.market.types import Record
from advisor.market.values import read_figure, renamed

_NUMBERS = frozenset(chain.from_iterable(one.keys for one in NUMBERS.values()))


class _Kind(NamedTuple):
    """The type of rows, and what reads a list of them."""

    row: Any
    decoder: Any


@cache
def _kind() -> _Kind:
    import msgspec  # noqa: PLC0415  (5 ms that who reads no JSON need not pay)

    types = {key: float | None if key in _NUMBERS else Any for key in KEYS}
    row: Any = msgspec.defstruct(
        "Row", [(key, kind, None) for key, kind in types.items()], gc=False
    )
    return _Kind(row, msgspec.json.Decoder(list[row]))


def rows_of(text: bytes) -> list[Row]:
    """Return the rows of a list of records, strictly read; see `strict_loads`.

    What is no record stays what it is.

    Raises
    ------
    ValueError
        if it is no such list
    """
    import msgspec  # noqa: PLC0415

    rows: list[Row] = []
    try:
        rows = _kind().decoder.decode(text)
    except msgspec.ValidationError:
        pass  # a number is none, or an item no record
    except msgspec.DecodeError as error:  # a ValueError in newer releases alone
        raise ValueError(str(error)) from error
    if not rows or None in [row.id for row in rows]:
        return [
            row_of(one) if isinstance(one, dict) else one for one in strict_loads(text)
        ]
    return rows


def row_of(record: Record) -> Row:
    """Return one record as a row."""
    named = renamed(record)
    known = {
        key: read_figure(value) if key in _NUMBERS else value
        for key in KEYS
        if (value := named.get(key)) is not None
    }
    return _kind().row(**(known | {"id": record_id(record)}))


def as_rows(chunks: Iterable[Sequence[Any]]) -> Iterator[Row]:
    """Return records, some of which are rows already, as rows."""
    of_rows = {_kind().row}
    return chain.from_iterable(
        chunk
        if set(map(type, chunk)) == of_rows
        else [row_of(one) if isinstance(one, dict) else one for one in chunk]
        for chunk in chunks
    )
