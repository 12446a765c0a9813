"""A search of Vast.ai in as many pages as it takes, since the market cuts answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from advisor.errors import MarketError
from advisor.market.types import Record

ROWS_ASKED = 3000
"""Rows asked for in one search; no search is known to have got more."""

SMALLEST_CAP = 64
LARGEST_CAP = 256
"""Rows at which the market has been seen to cut answers: 64, and 234 to 241."""

_HIDDEN = "more offers at one price than the market shows at once: some are missing"
_NO_PAGES = "the market does not keep to the order or price asked for: offers may lack"


@dataclass(slots=True)
class PagedSearch:
    """One search in as many pages as it takes.

    Attributes
    ----------
    page : asks the market for one page, given bounds on the price; waits for its turn
    offers : what was found, by id; of one id the better scored record
    nameless : records without an id that can be one
    notes : what a reader of the offers should know
    """

    page: Callable[[Mapping[str, float]], list[Record]]
    offers: dict[int | str, Record] = field(default_factory=dict)
    nameless: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self) -> bool:
        """Read every page; say whether these are surely all offers."""
        first = self.page({})
        self._merge(first)
        if not may_be_cut(len(first)):
            return True
        try:
            return self._page_on(first) and self._is_cheapest(first)
        except MarketError as error:
            self.notes.append(f"the search ended before the last page: {error}")
            return False

    def _page_on(self, page: list[Record]) -> bool:
        """Read from the highest price of a page on; say whether nothing lacks.

        A page that does not keep to what was asked costs the trust in the answer,
        not the offers that further pages bring.
        """
        trusted = _is_ascending(page, -math.inf)
        operator, last = "gte", max(map(_price, page))
        while math.isfinite(last):
            page, is_new = self._next({operator: last})
            trusted = trusted and _is_ascending(page, last)
            if not may_be_cut(len(page)):
                return self._told(trusted)
            if is_new:
                operator, last = "gte", max(map(_price, page))
            elif operator == "gte":
                operator, trusted = "gt", False
                self.notes.append(_HIDDEN)
            else:
                break
        return self._told(False)

    def _is_cheapest(self, first: list[Record]) -> bool:
        """Say whether a look at the cheaper half of a page shows nothing new."""
        _, is_new = self._next({"lte": _price(first[len(first) // 2])})
        return self._told(not is_new)

    def _told(self, trusted: bool) -> bool:
        """Return `trusted`, with a note for people where it is False."""
        if not trusted and not self.notes:
            self.notes.append(_NO_PAGES)
        return trusted

    def _next(self, bounds: Mapping[str, float]) -> tuple[list[Record], bool]:
        """Return another page, and whether it brings offers."""
        page = self.page(bounds)
        return page, self._merge(page)

    def _merge(self, page: Iterable[Record]) -> bool:
        """Add a page's offers; say whether there was a new one among them."""
        known = len(self.offers)
        for offer in page:
            identity = _identity(offer)
            if identity is None:
                self.nameless.append(offer)
                continue
            before = self.offers.get(identity)
            if before is None or _number(offer, "score") > _number(before, "score"):
                self.offers[identity] = offer
        return len(self.offers) > known


def may_be_cut(rows: int) -> bool:
    """Say whether an answer of so many rows may be a part of a longer one.

    A length within the known cuts, at least what was asked for, or a round number
    that may be a cut nobody has told of yet.
    """
    if rows <= LARGEST_CAP or rows >= ROWS_ASKED:
        return rows >= SMALLEST_CAP
    return rows % 50 == 0 or rows % 64 == 0


def _is_ascending(page: list[Record], least: float) -> bool:
    """Say whether a page has all its prices, ascending, from `least` on."""
    prices = [_price(offer) for offer in page]
    return all(math.isfinite(price) and price >= least for price in prices) and all(
        one <= other for one, other in itertools.pairwise(prices)
    )


def _identity(offer: Record) -> int | str | None:
    """Return the id of an offer, None where there is none that can be one."""
    for name in ("id", "ask_contract_id"):
        value = offer.get(name)
        if isinstance(value, int | str) and not isinstance(value, bool):
            return value
    return None


def _price(offer: Record) -> float:
    return _number(offer, "dph_total")


def _number(offer: Record, name: str) -> float:
    """Return a finite number of an offer, else minus infinity."""
    value = offer.get(name)
    if not isinstance(value, int | float):
        return -math.inf
    try:
        number = float(value)
    except OverflowError:  # JSON's whole numbers have no end
        return -math.inf
    return number if math.isfinite(number) else -math.inf
