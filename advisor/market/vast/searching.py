"""One search of Vast.ai: what is sent for each page, and what has come so far."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from advisor.base.errors import BadAnswerError
from advisor.market.columns import record_id
from advisor.market.types import Query, Record
from advisor.market.vast.answers import ApiReply, is_too_much, offers_of
from advisor.market.vast.cuts import Suspicion, suspicion
from advisor.market.vast.paging import PagedSearch
from advisor.market.vast.queries import ROWS_SURE, Bounds, search_body

_PATIENCE_S = 1.0
_SURELY_CUT = 1.2  # times as many offers as one answer had: not just a few new ones

Send = Callable[[Mapping[str, Any], float], ApiReply]
"""Sends the body of a search; waits at most so many seconds for the rate limiter."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search has found so far.

    Attributes
    ----------
    records : the offers
    whole : whether these are surely all
    pages : how many were read
    notes : what a reader of the offers should know
    bodies : the pages as they came
    cut : rows at which the market surely cuts its answers, and nobody knew; else None
    """

    records: list[Record]
    whole: bool
    pages: int
    notes: tuple[str, ...]
    bodies: tuple[bytes, ...]
    cut: int | None


class Searching:
    """One search.

    Parameters
    ----------
    query : what is searched
    send : sends a request
    came : is called with what has come so far, after each page
    cuts : rows at which this market's answers were found to be cut before
    has_key : whether the answer can be complete: else no page but the first is waited for
    """

    def __init__(
        self,
        query: Query,
        send: Send,
        came: Callable[[Found], None],
        cuts: frozenset[int],
        *,
        has_key: bool,
    ) -> None:
        self._query, self._send, self._has_key = query, send, has_key
        self._bodies: list[bytes] = []
        self._search = PagedSearch(self._page, lambda: came(self._found()), cuts=cuts)

    def run(self) -> Found:
        """Read all pages."""
        whole = self._search.run()
        return self._found(whole=whole and self._has_key)

    def the_one(self) -> Found:
        """Read the offer that is asked for by its id: that offer, or none."""
        offers = self._page({})
        found = [one for one in offers if record_id(one) == self._query.offer_id]
        if offers and not found:
            asked = self._query.offer_id
            message = f"the market sent other offers than {asked}; update advisor"
            raise BadAnswerError(message)
        return Found(found, True, 1, (), tuple(self._bodies), None)

    def _page(self, part: Bounds) -> list[Record]:
        """Return the offers of a part of what is searched."""
        patience_s = math.inf if self._has_key or not self._bodies else _PATIENCE_S
        asked = self._search.asked
        answer = self._send(search_body(self._query, part, asked), patience_s)
        if asked > ROWS_SURE and is_too_much(answer):
            self._search.asked = ROWS_SURE
            return self._page(part)
        offers = offers_of(answer)
        self._bodies.append(answer.reply.body)
        return offers

    def _found(self, *, whole: bool = False) -> Found:
        search = self._search
        records = [*search.offers.values(), *search.nameless]
        notes, bodies = tuple(search.notes), tuple(self._bodies)
        cut = search.cut if self._is_news(len(records)) else None
        return Found(records, whole, search.pages, notes, bodies, cut)

    def _is_news(self, offers: int) -> bool:
        """Say whether the market surely cuts where nobody knew that it does."""
        cut, asked = self._search.cut, self._search.asked
        if cut is None or offers < _SURELY_CUT * cut:
            return False
        return suspicion(cut, asked) is not Suspicion.LIKELY
