"""What the market's query language selects: predicates, order, how many rows."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from advisor.market.conditions import (
    COMPARISONS,
    MEMBERSHIPS,
    as_number,
    predicate_of,
)
from advisor.market.fields import FIELDS
from advisor.market.reading import Reader, as_flag, reader_of
from advisor.market.types import Record

Offer = TypeVar("Offer", bound=Record)
Predicate = Callable[[Record], bool]

ROWS_WITHOUT_KEY = 64
"""Rows that a search without a key gets, whatever it asks for."""

DEFAULT_LIMIT = 64
SEARCHED_DISK_GB = 5.0
TYPES = ("on-demand", "bid", "reserved")

_META = {
    "order",
    "limit",
    "type",
    "allocated_storage",
    "select_cols",
    "disable_bundling",
    "resource_type",
}
_ALIASES = {"ask_contract_id": "id"}


class InvalidQueryError(ValueError):
    """The query is not one; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Search:
    """A query, ready to be put to offers.

    Attributes
    ----------
    kind : one of `TYPES`
    disk_gb : GB of disk whose price `dph_total` contains
    predicates : all of which an offer must meet
    order : (field, whether descending), the first decides
    limit : most rows wanted
    """

    kind: str
    disk_gb: float
    predicates: tuple[Predicate, ...]
    order: tuple[tuple[str, bool], ...]
    limit: int

    def select(self, records: Iterable[Offer], cap: int | None) -> list[Offer]:
        """Return the matching records in order.

        Parameters
        ----------
        cap : most rows that a key gets; None for a search without one, which gets
            `ROWS_WITHOUT_KEY` rows of an order of the market's own, not the best
        """
        found = [
            record
            for record in records
            if all(predicate(record) for predicate in self.predicates)
        ]
        if cap is None:
            found.sort(key=lambda record: zlib.crc32(str(record["id"]).encode()))
            found = found[:ROWS_WITHOUT_KEY]
        for name, descending in reversed(self.order):
            found.sort(key=_sort_key(name, descending), reverse=descending)
        return found[: self.limit if cap is None else min(self.limit, cap)]


def parse_search(query: Any) -> Search:
    """Read the body of a search.

    Raises
    ------
    InvalidQueryError
        if it is not in the query language
    """
    if not isinstance(query, Mapping):
        message = "the query must be a JSON object"
        raise InvalidQueryError(message)
    kind = query.get("type") or "on-demand"
    if kind not in TYPES:
        message = f"type {kind!r} is not one of {', '.join(TYPES)}"
        raise InvalidQueryError(message)
    conditions = {name: value for name, value in query.items() if name not in _META}
    predicates = [
        predicate
        for name, condition in conditions.items()
        for predicate in _predicates(name, condition)
    ]
    if "cuda_max_good" in conditions and "compute_cap" not in conditions:
        # So the market does (dstackai/gpuhunt issue 142).
        predicates.append(lambda record: not str(record["gpu_name"]).startswith("H100"))
    return Search(
        kind=kind,
        disk_gb=_number(query.get("allocated_storage", SEARCHED_DISK_GB), "storage"),
        predicates=tuple(predicates),
        order=parse_order(query.get("order") or [["score", "desc"]]),
        limit=int(_number(query.get("limit") or DEFAULT_LIMIT, "limit")),
    )


def parse_filters(filters: Any) -> tuple[Predicate, ...]:
    """Read ``select_filters``: the same conditions, of instances or benchmarks.

    Raises
    ------
    InvalidQueryError
        if they are not in the query language
    """
    if not isinstance(filters, Mapping):
        message = "select_filters must be a JSON object"
        raise InvalidQueryError(message)
    return tuple(
        predicate
        for name, condition in filters.items()
        for predicate in _conditions(name, condition, _reader(name))
    )


def parse_order(order: Any) -> tuple[tuple[str, bool], ...]:
    """Read an order: ``[["dph_total", "asc"]]`` or ``[{"col": .., "dir": ..}]``.

    Raises
    ------
    InvalidQueryError
        if it is neither
    """
    pairs = []
    for entry in order if isinstance(order, list) else [order]:
        if isinstance(entry, Mapping):
            entry = [entry.get("col"), entry.get("dir", "asc")]  # noqa: PLW2901
        if isinstance(entry, str):
            entry = [entry, "asc"]  # noqa: PLW2901
        if (
            not isinstance(entry, list)
            or len(entry) != 2
            or not isinstance(entry[0], str)
            or entry[1] not in ("asc", "desc")
        ):
            message = f"order {entry!r} is no pair of a field and asc or desc"
            raise InvalidQueryError(message)
        pairs.append((entry[0], entry[1] == "desc"))
    return tuple(pairs)


def ordered(records: Iterable[Record], order: Any) -> list[Record]:
    """Return records in an order, what lacks the field last."""
    found = list(records)
    for name, descending in reversed(parse_order(order)):
        found.sort(key=_sort_key(name, descending), reverse=descending)
    return found


def _predicates(name: str, condition: Any) -> list[Predicate]:
    """Return the predicates of one field of an offer."""
    if name == "id":  # reportedly matches nothing; `ask_contract_id` does
        return [lambda _: False]
    field = FIELDS.get(name)
    if field is None:
        return _conditions(name, condition, _reader(_ALIASES.get(name, name)))
    if field.kind == "flag":
        return _conditions(name, _as_flags(condition), reader_of(name))
    if field.kind == "version" and not _is_number(condition):
        return _conditions(name, condition, _reader(name))
    return _conditions(name, condition, reader_of(name))


def _reader(field: str) -> Reader:
    return lambda record: record.get(field)


def _as_flags(condition: Any) -> Mapping[str, Any]:
    """Return what is asked of a field that is true or false: clients send words too."""
    return {
        name: flag if (flag := as_flag(asked)) is not None else asked
        for name, asked in _operators("a flag", condition).items()
    }


def _conditions(name: str, condition: Any, read: Reader) -> list[Predicate]:
    """Return one predicate for each operator of a condition."""
    found = []
    for word, asked in _operators(name, condition).items():
        if word in MEMBERSHIPS:
            if not isinstance(asked, list):
                message = f"{name}: {word} needs a list"
                raise InvalidQueryError(message)
        elif word not in COMPARISONS:
            message = f"{name}: unknown operator {word!r}"
            raise InvalidQueryError(message)
        found.append(_met(read, predicate_of(word, asked)))
    return found


def _met(read: Reader, holds: Callable[[Any], bool]) -> Predicate:
    return lambda record: holds(read(record))


def _operators(name: str, condition: Any) -> Mapping[str, Any]:
    if not isinstance(condition, Mapping):
        message = f'{name}: a condition is an object such as {{"eq": 1}}'
        raise InvalidQueryError(message)
    return condition


def _is_number(condition: Any) -> bool:
    """Say whether numbers are all that a condition asks for."""
    asked = condition.values() if isinstance(condition, Mapping) else [None]
    items = [item for one in asked for item in (one if isinstance(one, list) else [one])]
    return all(as_number(item) is not None for item in items)


def _number(value: Any, what: str) -> float:
    number = as_number(value)
    if number is None or not 0 <= number < math.inf:
        message = f"{what} {value!r} is no number from 0 up"
        raise InvalidQueryError(message)
    return number


def _sort_key(name: str, descending: bool) -> Callable[[Record], tuple[bool, str, float]]:
    """Return a key that puts what lacks the field last, either way."""

    def key(record: Record) -> tuple[bool, str, float]:
        value = record.get(name)
        lacks = value is None or (isinstance(value, float) and math.isnan(value))
        if isinstance(value, str):
            return descending, value, 0.0
        if lacks or not isinstance(value, int | float):
            return not descending, "", 0.0
        return descending, "", float(value)

    return key
