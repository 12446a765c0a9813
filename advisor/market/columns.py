"""Columns of a market's records: declared once, and read as they came.

Most columns hold plain numbers or texts that come again and again, and are converted
whole; one odd value (a word, a list, an integer beyond 64 bits) sends its column through
`advisor.market.values`, value by value, to the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import (
    Any,
    Literal,
    NamedTuple,
    Protocol,
    TypeAlias,
    get_args,
    runtime_checkable,
)

import numpy as np

from advisor.base.arrays import FloatArray, IntArray, ObjectArray
from advisor.market.types import Record
from advisor.market.values import UNKNOWN_ID, read_figure, read_id, read_text, renamed

COLUMN = "column"
"""Key of a field's metadata: what the field's column is, a `Column`."""

Kind = Literal["number", "text", "id", "made"]


class Column(NamedTuple):
    """What a column of offers is and where a market's record has it.

    Attributes
    ----------
    kind : ``"number"`` (NaN where unknown, never negative), ``"text"`` (``""`` where
        unknown), ``"id"`` (`UNKNOWN_ID` where unknown), or ``"made"`` of several keys
    keys : the market's names of it, of which the first that is not null counts; of a
        text the second is what older records say with true or false
    doc : what it says
    unit : of a number, ``""`` for a mere count, share or score
    zero_is_unknown : a zero in it means "never measured"
    """

    kind: Kind
    keys: tuple[str, ...]
    doc: str
    unit: str = ""
    zero_is_unknown: bool = False


def number(
    *keys: str, doc: str, unit: str = "", zero_counts: bool = False
) -> Mapping[str, Column]:
    """Return the metadata of a field that holds numbers, see `Column`."""
    return {COLUMN: Column("number", keys, doc, unit, not zero_counts)}


def text(*keys: str, doc: str) -> Mapping[str, Column]:
    """Return the metadata of a field that holds texts."""
    return {COLUMN: Column("text", keys, doc)}


def identifier(key: str, *, doc: str) -> Mapping[str, Column]:
    """Return the metadata of a field that holds ids."""
    return {COLUMN: Column("id", (key,), doc)}


def made(*keys: str, doc: str) -> Mapping[str, Column]:
    """Return the metadata of a field that the parser makes of these keys and others."""
    return {COLUMN: Column("made", keys, doc)}


Values = Callable[[str], Sequence[Any]]
"""Returns the values of a key of some records, None where one has it not."""

Row: TypeAlias = Any
"""A record as `advisor.market.rows` reads it: an object with an attribute for each key of
a column, None where the record has it not. Its ``id`` is that of the offer, `UNKNOWN_ID`
where it has none; its numbers are floats."""


@runtime_checkable
class RowSource(Protocol):
    """Records that can also be had as rows."""

    def rows(self) -> Iterator[Row]:
        """Return the rows of the records, in their order."""
        ...


CHUNK = 96
"""Records that are read together: half a MB or so, about what a core's cache holds."""

_IDS_END = 2**63  # ids fit 64 bits

_PLAIN = frozenset({float, int, type(None)})
"""Types that NumPy converts as `read_figure` does; of a truth value it makes a number."""


def values_of(records: Sequence[Record], key: str) -> list[Any]:
    """Return the value of a key of each record, None where it is not there."""
    try:
        return [record[key] for record in records]
    except KeyError:
        return [record.get(key) for record in records]


def number_column(
    values_of_key: Values, keys: Sequence[str], *, plain: bool = False
) -> FloatArray:
    """Return a number of each record; of several keys the first that is not null.

    NaN where there is none, `NO_FIGURE` where it is something else than a number; no
    limits: see `advisor.market.offers`.

    Parameters
    ----------
    values_of_key : of the records
    keys : the market's names of the number
    plain : all values are known to be numbers or null
    """
    first, *others = keys
    values = values_of_key(first)
    for key in others:
        if None in values:
            values = [
                other if value is None else value
                for value, other in zip(values, values_of_key(key), strict=True)
            ]
    if plain or _PLAIN.issuperset(map(type, values)):
        try:
            return np.array(values, dtype=np.float64)
        except OverflowError:  # an integer beyond all floats
            pass
    return np.array([read_figure(value) for value in values], dtype=np.float64)


def id_column(values: Sequence[Any]) -> IntArray:
    """Return JSON values as ids, `UNKNOWN_ID` where one is none."""
    if set(map(type, values)) == {int}:
        try:
            ids = np.array(values, dtype=np.int64)
        except OverflowError:  # beyond 64 bits
            pass
        else:
            ids[ids < 0] = UNKNOWN_ID
            return ids
    return np.array([read_id(value) for value in values], dtype=np.int64)


def id_tuples(values: Sequence[Any]) -> list[tuple[int, ...]]:
    """Return JSON values as tuples of ids, empty ones where one is no list of ids."""
    if set(map(type, values)) == {list}:
        ids = list(chain.from_iterable(values))
        plain = set(map(type, ids)) == {int}
        if plain and min(ids) >= 0 and max(ids) < _IDS_END:
            return list(map(tuple, values))
    return [_id_tuple(value) for value in values]


def _id_tuple(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    ids = tuple(map(read_id, value))
    return () if UNKNOWN_ID in ids else ids


class Texts(dict[Any, str]):
    """JSON values as texts fit for a terminal; what comes again is one object.

    It grows by each text that is new: meant for one listing.
    """

    def __missing__(self, value: object) -> str:
        """Read a value that has not come yet; what is no text is not noted."""
        text = read_text(value)
        if isinstance(value, str):
            self[value] = text
        return text

    def column(self, values: Sequence[Any]) -> ObjectArray:
        """Return the texts of JSON values."""
        try:
            return objects([self[value] for value in values])
        except TypeError:  # a list or an object cannot be looked up
            return objects([read_text(value) for value in values])


def objects(values: Iterable[str]) -> ObjectArray:
    """Return texts as an array of Python's strings."""
    texts = list(values)
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = texts
    return array


def record_id(record: Record) -> int:
    """Return the id of a record's offer, `UNKNOWN_ID` where it has none."""
    return read_id(_id_of(renamed(record)))


def _id_of(named: Record) -> object:
    return named.get("id", named.get("ask_contract_id"))


def identified(records: Sequence[Any]) -> tuple[Values, IntArray]:
    """Return the values of records that are offers, by key, and their ids."""
    named, offer_id = _named(records)
    return partial(values_of, named), offer_id


def _named(records: Sequence[Any]) -> tuple[Sequence[Record], IntArray]:
    """Return the records that are offers, under the market's names, and their ids."""
    if set(map(type, records)) == {dict}:
        try:
            offer_id = id_column([record["id"] for record in records])
        except KeyError:
            pass
        else:
            if UNKNOWN_ID not in offer_id:
                return records, offer_id
    named = [renamed(record) for record in records if isinstance(record, Mapping)]
    offer_id = id_column([_id_of(record) for record in named])
    (known,) = np.nonzero(offer_id != UNKNOWN_ID)
    return [named[at] for at in known.tolist()], offer_id[known]


def identified_rows(rows: Sequence[Row]) -> tuple[Values, IntArray]:
    """Return the values of rows that are offers, by key, and their ids."""
    import msgspec  # noqa: PLC0415  (5 ms that who reads no JSON need not pay)

    offer_id = id_column([row.id for row in rows])
    known = offer_id != UNKNOWN_ID
    if not known.all():
        rows = [rows[at] for at in np.flatnonzero(known).tolist()]
        offer_id = offer_id[known]
    if not rows:
        return partial(values_of, []), offer_id
    cells = zip(*map(msgspec.structs.astuple, rows), strict=True)
    by_key = dict(zip(rows[0].__struct_fields__, cells, strict=True))
    return by_key.__getitem__, offer_id


class Reader:
    """Reads records into columns, chunk by chunk.

    Chunks are best small enough that their records are still in the processor's cache
    when the last column asks for them, see `CHUNK`.

    Parameters
    ----------
    declared : the columns that are read, by name; those that are ``"made"`` are only
        the GPUs' ids and whether an offer can be rented, which are read always
    """

    def __init__(self, declared: Mapping[str, Column]) -> None:
        self._of_kind = {
            kind: {name: one for name, one in declared.items() if one.kind == kind}
            for kind in get_args(Kind)
        }
        self._texts = Texts({None: ""})
        self._arrays: dict[str, Any] = {}
        self._gpu_ids: list[tuple[int, ...]] = []

    def read(self, values: Values, offer_id: IntArray, *, plain: bool = False) -> None:
        """Read the records with these ids, under the market's names.

        `plain` says that all numbers are numbers or null, see `number_column`.
        """
        self._gpu_ids += id_tuples(values("gpu_ids"))
        self._add("offer_id", offer_id)
        for name, column in self._of_kind["number"].items():
            self._add(name, number_column(values, column.keys, plain=plain))
        for name, column in self._of_kind["id"].items():
            self._add(name, id_column(values(column.keys[0])))
        for name, column in self._of_kind["text"].items():
            self._add(name, self._texts_of(values, column.keys))
        states = zip(values("rentable"), values("rented"), strict=True)
        rentable = [yes is not False and rented is not True for yes, rented in states]
        self._add("rentable", np.array(rentable, dtype=bool))

    def _texts_of(self, values: Values, keys: Sequence[str]) -> ObjectArray:
        """Return the texts of a column, see `Column.keys`."""
        first, *older = keys
        texts = self._texts.column(values(first))
        for key in older:
            (silent,) = np.nonzero(texts == "")
            flags = values(key) if len(silent) else ()
            for at in silent.tolist():
                texts[at] = _word_of(key, flags[at])
        return texts

    def _add(self, name: str, values: np.ndarray) -> None:
        """Put values behind those that a column has; it grows by doubling.

        Room that was never written to takes no memory, and columns of small arrays, each
        freed on its own, would leave their room to nobody.
        """
        end = len(self._gpu_ids)
        start = end - len(values)
        array = self._arrays.get(name)
        if array is None or len(array) < end:
            grown = np.empty(max(2 * end, CHUNK), dtype=values.dtype)
            if array is not None:
                grown[:start] = array[:start]
            self._arrays[name] = array = grown
        array[start:end] = values

    def columns(self) -> dict[str, Any]:
        """Return the columns of all that was read, as it came, and forget them."""
        if not self._arrays:
            self.read(partial(values_of, []), np.empty(0, dtype=np.int64))
        count, arrays = len(self._gpu_ids), self._arrays
        columns = {name: array[:count] for name, array in arrays.items()}
        columns["gpu_ids"] = self._gpu_ids
        self._arrays, self._gpu_ids = {}, []
        return columns


def _word_of(key: str, flag: object) -> str:
    """Return what a field that is true or false says, as a word: "unverified"."""
    if not isinstance(flag, bool):
        return ""
    return key if flag else f"un{key}"
