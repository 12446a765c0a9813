"""Conditions on a market's records, with the meaning that the market gives them.

A condition is put to the record as it came, in the market's names and units; what it
says in words is in `advisor.market.where`. What is not known (missing, null, not a
finite number, an empty text) meets no condition but the one that asks for it.
"""

from __future__ import annotations

import math
import operator
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from advisor.market.reading import Reader, reader_of
from advisor.market.types import Condition, Record, Scalar
from advisor.market.values import renamed

Predicate = Callable[[Scalar], bool]
"""Says whether a value meets a condition."""

COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
MEMBERSHIPS = ("in", "notin")
ANYTHING = "any"
EQUALITIES = ("eq", "neq", *MEMBERSHIPS)
"""Operators that need no order."""

_RECORDS = (dict, Mapping)  # the first is checked faster


def sifted(
    records: Iterable[Any],
    conditions: Sequence[Condition],
    disk_gb: float,
    left_out: Counter[str],
) -> Iterator[Any]:
    """Yield the records that meet all conditions, as they came; count the others.

    What is no record stays: it is no offer, which is for others to say.

    Parameters
    ----------
    records : offers as the market's JSON has them
    conditions : all of which must hold
    disk_gb : GB of disk that prices are compared with
    left_out : takes ``where_<field>``, or ``unknown_<field>`` where the field is not
        known, -> count; a record counts once, under the first condition that it fails
    """
    tests = _compiled(conditions, disk_gb)
    if not tests:
        yield from records
        return
    for record in records:
        if isinstance(record, _RECORDS):
            shown = renamed(record)
            for condition, read, test in tests:
                found = read(shown)
                if not test(found):
                    left_out[reason_of(condition, found)] += 1
                    break
            else:
                yield record
        else:
            yield record


def unmet(
    record: Record, conditions: Sequence[Condition], disk_gb: float
) -> list[tuple[Condition, Scalar]]:
    """Return every condition that a record fails, with what it has in that field."""
    shown = renamed(record)
    found = [
        (condition, read(shown), test)
        for condition, read, test in _compiled(conditions, disk_gb)
    ]
    return [(condition, value) for condition, value, test in found if not test(value)]


def reason_of(condition: Condition, found: Scalar) -> str:
    """Return under what an offer is counted that has `found` and fails a condition."""
    return f"{'unknown' if found is None else 'where'}_{condition.field}"


def _compiled(
    conditions: Sequence[Condition], disk_gb: float
) -> list[tuple[Condition, Reader, Predicate]]:
    return [
        (one, reader_of(one.field, disk_gb), predicate_of(one.operator, one.value))
        for one in conditions
        if one.operator != ANYTHING
    ]


def predicate_of(operator: str, asked: Any) -> Predicate:
    """Return whether a value meets one operator with what is asked for.

    Parameters
    ----------
    operator : one of `COMPARISONS` or `MEMBERSHIPS`
    asked : a number, text, flag or None; a sequence of them for a membership. A text
        that is a number is compared as one with numbers, as the market does
    """
    if operator in MEMBERSHIPS:
        return _member(asked, wanted=operator == "in")
    compare = COMPARISONS[operator]
    if asked is None:
        if operator not in EQUALITIES:
            return lambda _: False
        return lambda found: (found is None) == (operator == "eq")
    if isinstance(asked, str):
        return _compared_with_text(compare, asked, has_order=operator not in EQUALITIES)
    if as_number(asked) is None:
        return lambda _: False
    return lambda found: (
        found is not None and not isinstance(found, str) and compare(found, asked)
    )


def _compared_with_text(
    compare: Callable[[Any, Any], bool], asked: str, *, has_order: bool
) -> Predicate:
    number = as_number(asked)

    def holds(found: Scalar) -> bool:
        if found is None:
            return False
        if not isinstance(found, str):
            return number is not None and compare(found, number)
        if has_order and number is not None:  # "9.10" is below "22.04"
            other = as_number(found)
            if other is not None:
                return compare(other, number)
        return compare(found, asked)

    return holds


def _member(asked: Iterable[Any], *, wanted: bool) -> Predicate:
    """Return whether a value is among those asked for, or among none of them."""
    items = tuple(asked)
    words = {item for item in items if isinstance(item, str)}
    numbers = {as_number(item) if isinstance(item, str) else item for item in items} - {
        None
    }
    null = None in items

    def holds(found: Scalar) -> bool:
        if found is None:
            return null and wanted
        return (found in (words if isinstance(found, str) else numbers)) == wanted

    return holds


def as_number(value: Any) -> float | None:
    """Return a value as a number: clients also send numbers as texts."""
    if isinstance(value, bool | int | float | str):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            return None
        return None if math.isnan(number) else number
    return None
