"""Offers that come in several pages, each of them once."""

from __future__ import annotations

import math
from collections.abc import Iterable

from advisor.market.types import Record


def merged(pages: Iterable[Iterable[Record]]) -> list[Record]:
    """Return the offers of pages, each one once; of one id the better scored record.

    Records without an id that can be one come last, all of them.

    Examples
    --------
    >>> merged([[{"id": 1, "score": 5}, {"gpu_name": "L4"}], [{"id": 1, "score": 7}]])
    [{'id': 1, 'score': 7}, {'gpu_name': 'L4'}]
    """
    offers: dict[int | str, Record] = {}
    nameless: list[Record] = []
    for page in pages:
        merge(page, offers, nameless)
    return [*offers.values(), *nameless]


def merge(
    page: Iterable[Record], offers: dict[int | str, Record], nameless: list[Record]
) -> bool:
    """Add a page's offers; say whether there was a new one among them.

    Parameters
    ----------
    page : what came
    offers : those found so far, by id
    nameless : records so far without an id that can be one
    """
    known = len(offers)
    for offer in page:
        name = identity(offer)
        if name is None:
            nameless.append(offer)
            continue
        before = offers.get(name)
        if before is None or number_of(offer, "score") > number_of(before, "score"):
            offers[name] = offer
    return len(offers) > known


def identity(offer: Record) -> int | str | None:
    """Return the id of an offer, None where there is none that can be one."""
    for name in ("id", "ask_contract_id"):
        value = offer.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool):
            return value
    return None


def number_of(offer: Record, name: str) -> float:
    """Return a finite number of an offer, else minus infinity."""
    value = offer.get(name)
    if not isinstance(value, int | float):
        return -math.inf
    try:
        number = float(value)
    except OverflowError:  # JSON's whole numbers have no end
        return -math.inf
    return number if math.isfinite(number) else -math.inf
