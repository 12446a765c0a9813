"""Rules for what a market makes of a query: it may answer more, and never less.

Every constraint is checked again on the offers, so that a market that understands none
of a query returns all it has. What it must not do is leave out an offer that matches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.market.columns import record_id
from advisor.market.conformance.rules import Complaints
from advisor.market.filters import Filters, matching_records
from advisor.market.offers import Offers, parse_offers
from advisor.market.types import Answer, Condition, Query, Record

_DISK_GB = 10.0
_SHOWN = 5


class Narrowed(NamedTuple):
    """A narrower question.

    Attributes
    ----------
    query : what is asked
    filters : the same, as it is checked on offers
    """

    query: Query
    filters: Filters


def _by_gpu(offers: Offers) -> Narrowed | None:
    names = [name for name in offers.gpu_name.tolist() if name]
    if not names:
        return None
    asked = (names[0],)
    return Narrowed(Query(gpu_names=asked), Filters(gpu_names=frozenset(asked)))


def _by_count(offers: Offers) -> Narrowed | None:
    if not len(offers):
        return None
    asked = (int(offers.num_gpus[0]),)
    return Narrowed(Query(num_gpus=asked), Filters(num_gpus=frozenset(asked)))


def _by_reliability(offers: Offers) -> Narrowed | None:
    if (least := _middle(offers.reliability)) is None:
        return None
    return Narrowed(Query(min_reliability=least), Filters(min_reliability=least))


def _by_price(offers: Offers) -> Narrowed | None:
    price = offers.usd_per_hour(_DISK_GB)
    if (middle := _middle(price)) is None:
        return None
    most = middle * (1.0 + 1e-6)  # prices made anew differ in their last digits
    query = Query(max_usd_per_hour=most, disk_gb=_DISK_GB)
    return Narrowed(query, Filters(max_usd_per_hour=middle))


def _by_verification(offers: Offers) -> Narrowed | None:
    if "verified" not in offers.verification:
        return None
    return Narrowed(Query(verified=True), Filters(verified=True))


def _by_duration(offers: Offers) -> Narrowed | None:
    if (least := _middle(offers.duration_s)) is None:
        return None
    return Narrowed(Query(min_duration_s=least), Filters(min_duration_s=least))


def _by_condition(offers: Offers) -> Narrowed | None:
    if (least := _middle(offers.gpu_ram_mb)) is None:
        return None
    asked = (Condition("gpu_ram", "gte", least),)
    return Narrowed(Query(conditions=asked), Filters(where=asked))


NARROWED: Mapping[str, Callable[[Offers], Narrowed | None]] = {
    "gpu_names": _by_gpu,
    "num_gpus": _by_count,
    "min_reliability": _by_reliability,
    "max_usd_per_hour": _by_price,
    "verified": _by_verification,
    "min_duration_s": _by_duration,
    "conditions": _by_condition,
}
"""Field of `Query` -> makes of all offers a question that some of them meet; None where
none states it."""


def matching(field: str, records: Sequence[Record]) -> tuple[Query, set[int]] | None:
    """Return a question by one field, and the ids that its answer must have.

    None where no offer states what is asked for.
    """
    offers, _ = parse_offers(records)
    narrowed = NARROWED[field](offers)
    if narrowed is None:
        return None
    matched, _ = matching_records(records, narrowed.filters, _DISK_GB)
    return narrowed.query, {record_id(record) for record in matched}


def of_narrowed(query: Query, expected: set[int], answer: Answer) -> Complaints:
    """Yield what an answer leaves out that matches.

    One that says that it is not complete may leave out anything.
    """
    if answer.complete is False:
        return
    missing = sorted(expected - {record_id(record) for record in answer.records})
    if missing:
        asked = ", ".join(f"{name}={value!r}" for name, value in _given(query).items())
        ids = ", ".join(map(str, missing[:_SHOWN]))
        more = " ..." if len(missing) > _SHOWN else ""
        yield (
            f"search(Query({asked})) leaves out {len(missing)} offers that match: {ids}"
            f"{more}; what a market cannot ask for it must not leave out"
        )


def _given(query: Query) -> dict[str, Any]:
    """Return what a query asks."""
    fields = {name: getattr(query, name) for name in Query.__dataclass_fields__}
    return {name: value for name, value in fields.items() if value not in (None, ())}


def _middle(values: FloatArray) -> float | None:
    """Return a value of the middle, None where all are unknown."""
    known = np.sort(values[np.isfinite(values)])
    return float(known[len(known) // 2]) if len(known) else None
