"""A search of Vast.ai in as many pages as it takes, since the market cuts answers.

While the market keeps to the order of prices, each page goes on from the last price:
nothing needs fewer requests. Where it does not, or has more offers at one price than it
shows at once, it is asked GPU by GPU and count by count: a part that is not cut is whole,
in whatever order it comes.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from advisor.base.errors import MarketError
from advisor.market.merging import identity, merge, number_of
from advisor.market.types import Record
from advisor.market.vast.cuts import Suspicion, reaches, suspicion
from advisor.market.vast.queries import COUNT, GPU, PRICE, ROWS_ASKED, Bounds

MOST_PAGES = 500
MOST_ROWS = 2 * ROWS_ASKED
"""What one search reads at most: the market counts the rows of a day, and does not say
how many there may be."""

_SAMPLE = 30
"""Rows of the first page that are asked for again: fewer than any known cut."""

_OVERLAP = 5
"""Rows of a page that is likely cut with which the next one begins, at least, and an
eighth of the page: enough to see that the market has shown all up to there."""

_CHANGES = 2
"""Offers among these that may have come or gone in the meantime."""

_MANY_PAGES = 4  # from so many on a note says why it took a while

_HIDDEN = (
    "more offers at one price or of one GPU than the market shows at once: some are "
    "missing"
)
_NO_PAGES = "the market does not keep to the order or price asked for: offers may lack"

_MEETS: Mapping[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, asked: value == asked,
    "notin": lambda value, asked: value not in asked,
    "gt": lambda value, asked: value > asked,
    "gte": lambda value, asked: value >= asked,
    "lte": lambda value, asked: value <= asked,
}


@dataclass(frozen=True, slots=True)
class Look:
    """What came of asking again for a part of the first page.

    Attributes
    ----------
    page : what came
    is_new : whether there is an offer that was not there before
    late : offers that the first page should have shown
    obeys : whether it keeps to the prices asked for, in order
    """

    page: list[Record]
    is_new: bool
    late: int
    obeys: bool


@dataclass(slots=True)
class PagedSearch:
    """One search in as many pages as it takes.

    Attributes
    ----------
    page : asks the market for a part of what is searched; waits for the rate limiter
    came : is called when the offers of a page are there
    asked : rows that a page asks for
    cuts : rows at which this market's answers were found to be cut before
    offers : what was found, by id; of one id the better scored record
    nameless : records without an id that can be one
    notes : what a reader of the offers should know
    pages, rows : how many were read
    cut : rows at which the answers of this search turned out to be cut; None: at none
    """

    page: Callable[[Bounds], list[Record]]
    came: Callable[[], None]
    asked: int = ROWS_ASKED
    cuts: frozenset[int] = frozenset()
    offers: dict[int | str, Record] = field(default_factory=dict)
    nameless: list[Record] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    pages: int = 0
    rows: int = 0
    cut: int | None = None
    _first: int = 0

    def run(self) -> bool:
        """Read every page; say whether these are surely all offers."""
        first, _ = self._read({})
        doubt = self._suspicion(first)
        if doubt is Suspicion.NONE:
            return True
        try:
            whole = self._read_on(first, is_likely=doubt is Suspicion.LIKELY)
        except MarketError as error:
            self.notes.append(f"the search ended before the last page: {error}")
            whole = False
        is_cut = self.cut is not None and len(self.offers) > self.cut
        if is_cut and self.pages >= _MANY_PAGES:
            shown = f"the market shows {self.cut:,} offers at once"
            self.notes.append(f"{shown}: {self.pages:,} pages were read")
        return whole

    def _suspicion(self, first: list[Record]) -> Suspicion:
        """Return what the first page's rows say, and its offers: some may come twice."""
        counts = (len(first), len(self.offers) + len(self.nameless))
        found = {suspicion(rows, self.asked, self.cuts) for rows in counts}
        by_weight = (Suspicion.LIKELY, Suspicion.DOUBT, Suspicion.NONE)
        return next(one for one in by_weight if one in found)

    def _read_on(self, first: list[Record], *, is_likely: bool) -> bool:
        """Read what the first page may leave out; say whether nothing lacks."""
        prices = sorted(map(_price, first))
        in_order, sure, page = _is_ascending(first, -math.inf), True, first
        if in_order:
            tail = self._tail(prices, is_likely=is_likely)
            is_all = len(tail.page) < len(first)  # else it may be cut as well
            if not tail.is_new and (not tail.obeys or (is_all and not is_likely)):
                return self._noted(tail.obeys)
            if not (tail.is_new or is_all):
                self.cut = self._first
            page, sure = tail.page, not tail.late
            in_order = tail.obeys and tail.late <= _CHANGES
        if in_order:
            head = self._look({"lte": prices[:_SAMPLE][-1]}, prices[-1])
            sure = sure and not head.late
            in_order = head.obeys and head.late <= _CHANGES
            if not (head.obeys or head.is_new):
                return self._noted(False)  # whatever is asked for, this comes
        if in_order:
            whole = self._by_price(page) if self._is_cut(page) else True
            if whole is not None:
                return self._noted(whole and sure)
        if self.cut is not None and self._by_kind({}):
            return True
        self._by_price(page, strict=False)
        return self._noted(False)

    def _tail(self, prices: list[float], *, is_likely: bool) -> Look:
        """Ask again for the dearest offers of the first page, whose prices are given."""
        # Fewer than came: behind as many as were asked for there may be no room.
        most = max(_OVERLAP, len(prices) // 8) if is_likely else _SAMPLE
        rows = min(most, (len(prices) + 1) // 2)
        # Of more than one price: what the page hides at the last one lies behind it.
        below = [one for one in prices if one < prices[-1]][-1:]
        tail = self._look({"gte": min([prices[-rows], *below])}, prices[-1])
        if is_likely and tail.obeys and not tail.is_new and len(tail.page) < len(prices):
            # A cut just where the market ends, or a part that is not the cheapest.
            tail = self._look({"gte": prices[len(prices) // 2]}, prices[-1])
        return tail

    def _look(self, prices: Mapping[str, float], last: float) -> Look:
        """Ask again for a part of the first page, whose highest price is `last`."""
        known = set(self.offers)
        page, is_new, obeys = self._read_part({PRICE: prices})
        late = sum(identity(o) not in known and _price(o) < last for o in page)
        return Look(page, is_new, late, obeys and _is_ascending(page, -math.inf))

    def _by_price(self, page: list[Record], *, strict: bool = True) -> bool | None:
        """Read from the highest price of a page on.

        Returns whether nothing lacks behind it, and None where the market does not
        keep to prices or order: at once if `strict`, else when nothing new comes.
        """
        whole: bool | None = True
        operator, last = "gte", max(map(_price, page))
        while math.isfinite(last):
            known = {i for i, o in self.offers.items() if _price(o) >= last}
            page, is_new = self._read({PRICE: {operator: last}})
            if operator == "gte" and known.isdisjoint(map(identity, page)):
                # It does not begin where the last one ended; one offer may have gone.
                part = {PRICE: {"gte": self._before(last)}}
                _, _, obeys = self._read_part(part)
                if not obeys:
                    return None
            if not _is_ascending(page, last):
                whole = None
                if strict:
                    return None
            if not self._is_cut(page):
                return whole
            if is_new:
                operator, last = "gte", max(map(_price, page))
            elif operator == "gte":
                operator = "gt"
                if not self._by_kind({PRICE: {"gte": last, "lte": last}}):
                    whole = None if whole is None else False
                    self._note(_HIDDEN)
            else:
                return None
        return None

    def _before(self, last: float) -> float:
        """Return a price some offers before one."""
        prices = sorted(p for p in map(_price, self.offers.values()) if p <= last)
        return prices[-_SAMPLE:][0]

    def _by_kind(self, part: Bounds, fields: tuple[str, ...] = (GPU, COUNT)) -> bool:
        """Read a part of the market GPU by GPU, then count by count.

        Returns whether nothing of that part lacks.
        """
        name, *finer = fields
        known = self._kinds(name, part)
        divided: list[Any] = []
        while known:  # what is of none of the kinds known so far
            others = {**part, name: {"notin": known}}
            page, _, obeys = self._read_part(others)
            if not obeys:
                return False
            divided = known
            if not self._is_cut(page):
                break
            known = self._kinds(name, part)
            if len(known) == len(divided):
                return False
        whole = bool(divided)
        for kind in divided:
            one = {**part, name: {"eq": kind}}
            page, _, obeys = self._read_part(one)
            if not obeys:
                return False
            if not self._is_cut(page):
                continue
            if not finer:
                self._note(_HIDDEN)
            whole = bool(finer) and self._by_kind(one, tuple(finer)) and whole
        return whole

    def _kinds(self, name: str, part: Bounds) -> list[Any]:
        """Return the kinds of the offers found so far in a part, the most frequent first.

        Parameters
        ----------
        name : field that distinguishes them
        """
        found = Counter(
            kind
            for offer in self.offers.values()
            if isinstance(kind := offer.get(name), str | int) and _obeys([offer], part)
        )
        return [kind for kind, _ in found.most_common()]

    def _is_cut(self, page: list[Record]) -> bool:
        """Say whether a further page may be cut."""
        if self.cut is not None and reaches(len(page), self.cut):
            return True
        return suspicion(len(page), self.asked, self.cuts) is Suspicion.LIKELY

    def _noted(self, whole: bool) -> bool:
        """Return `whole`, with a note for people where it is False."""
        if not whole and not self.notes:
            self._note(_NO_PAGES)
        return whole

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _read_part(self, part: Bounds) -> tuple[list[Record], bool, bool]:
        """Return the page of a part, whether it brings offers, and keeps to the part.

        It does if nothing else is in it, and what was known of the part mostly is: a
        market that does not understand the question may well show nothing.
        """
        known = {name for name, one in self.offers.items() if _obeys([one], part)}
        page, is_new = self._read(part)
        missing = 0 if self._is_cut(page) else len(known - set(map(identity, page)))
        obeys = _obeys(page, part) and missing <= max(_CHANGES, len(known) // 2)
        return page, is_new, obeys

    def _read(self, part: Bounds) -> tuple[list[Record], bool]:
        """Return the page of a part, and whether it brings offers.

        Raises
        ------
        MarketError
            if it cannot be read, or enough was
        """
        if self.pages >= MOST_PAGES or self.rows >= MOST_ROWS:
            message = f"{self.pages:,} pages were read; narrow the search"
            raise MarketError(message)
        page = self.page(part)
        is_new = merge(page, self.offers, self.nameless)
        if self.pages == 0:
            self._first = len(page)
        elif is_new and self.cut is None:
            self.cut = self._first
        self.pages += 1
        self.rows += len(page)
        self.came()
        return page, is_new


def _obeys(page: Iterable[Record], part: Bounds) -> bool:
    """Say whether all offers of a page lie in a part of the market."""
    conditions = [
        (name, _MEETS[operator], asked)
        for name, operators in part.items()
        for operator, asked in operators.items()
    ]
    return all(
        meets(_price(offer) if name == PRICE else offer.get(name), asked)
        for offer in page
        for name, meets, asked in conditions
    )


def _is_ascending(page: list[Record], least: float) -> bool:
    """Say whether a page has all its prices, ascending, from `least` on."""
    prices = [_price(offer) for offer in page]
    return all(math.isfinite(price) and price >= least for price in prices) and all(
        one <= other for one, other in itertools.pairwise(prices)
    )


def _price(offer: Record) -> float:
    return number_of(offer, "dph_total")
