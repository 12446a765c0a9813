"""The offers of Vast.ai: one search, paged past the market's cap.

Facts of the API: https://docs.vast.ai (November 2026).
"""

from __future__ import annotations

import math
import time
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.errors import (
    BadAnswerError,
    KeyRefusedError,
    MarketError,
    QuotaError,
)
from advisor.market.http import Reply, check_address, open_client, read
from advisor.market.keys import Key, find_key
from advisor.market.paging import ROWS_ASKED, PagedSearch
from advisor.market.types import Answer, Query, Record

if TYPE_CHECKING:
    import httpx

DEFAULT_URL = "https://console.vast.ai"
SEARCH_PATH = "/api/v0/bundles/"
DEADLINE_S = 60.0
_READ_TIMEOUT_S = 20.0
_LONGEST_MESSAGE = 200


class VastMarket:
    """The live market.

    Parameters
    ----------
    key : the account's; None searches without one, and the market shows less
    base_url : where its API is
    transport : carries the requests; None for the network
    deadline_s : seconds that a whole search may take, waits included
    clock, sleep, now : time, for tests
    """

    name = "vast"

    def __init__(
        self,
        key: Key | None = None,
        base_url: str = DEFAULT_URL,
        transport: httpx.BaseTransport | None = None,
        *,
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.key = key
        self.base_url = check_address(base_url, has_key=key is not None)
        self._transport = transport
        self._deadline_s = deadline_s
        self._clock, self._sleep, self._now = clock, sleep, now

    @property
    def origin(self) -> str:
        """The host that is asked, for people."""
        host = urllib.parse.urlsplit(self.base_url).netloc
        return host if self.key else f"{host}, without a key"

    def search(self, query: Query) -> Answer:
        """Return the offers that match, cheapest first as the market lists them.

        The market may cut an answer without saying so: at 64 rows, at about 240,
        or at what was asked for. An answer of any other length, and of no round
        one, is whole. One that may be cut is followed by a search from its last
        price on (above it, where nothing else is new) until an answer is whole.

        The answer is complete if there is a key, the last search was whole, and
        the pages can be trusted: each in the order and from the price asked for,
        none with one price only, and a last look at the cheaper half of the
        first page showed nothing that was not there before. Without a key the
        market shows a part that is not even the cheapest.

        What ends the search after its first page, be it time or an error, leaves
        what was read: not complete, with a note.

        Raises
        ------
        MarketError
            if the market cannot be asked or its answer makes no sense
        """
        deadline = self._clock() + self._deadline_s
        with self._client() as client:

            def page(bounds: Mapping[str, float]) -> list[Record]:
                return self._page(client, query, bounds, deadline)

            search = PagedSearch(page, deadline, self._clock, self._sleep)
            whole = search.run()
        return Answer(
            records=[*search.offers.values(), *search.nameless],
            market=self.name,
            origin=self.origin,
            fetched_at=self._now(),
            complete=whole and self.key is not None,
            notes=tuple(search.notes),
        )

    def _page(
        self,
        client: httpx.Client,
        query: Query,
        bounds: Mapping[str, float],
        deadline: float,
    ) -> list[Record]:
        body = search_body(query, bounds)
        request = client.build_request("POST", SEARCH_PATH, json=body)
        reply = read(client, request, deadline, self._clock, self._now)
        self._refuse(reply)
        return self._offers(reply)

    def _client(self) -> httpx.Client:
        key = self.key.value if self.key else None
        timeout_s = min(_READ_TIMEOUT_S, self._deadline_s)
        return open_client(self.base_url, key, timeout_s, self._transport)

    def _refuse(self, reply: Reply) -> None:
        """Raise the error that a reply stands for, if it is no success."""
        said = self._said(reply)
        if "quota" in said.lower() or reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            message = f"the market's daily quota is used up{self._reset(reply)}"
            raise QuotaError(message)
        if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or (
            reply.status == HTTPStatus.NOT_FOUND and "user key" in said.lower()
        ):
            origin = self.key.origin if self.key else "no place: there is none"
            message = f"the market refuses the key from {origin}: {said or reply.status}"
            raise KeyRefusedError(message)
        if reply.status == HTTPStatus.NO_CONTENT:
            message = "the market sent an empty answer (HTTP 204); try again"
            raise BadAnswerError(message)
        if reply.status == HTTPStatus.GONE:
            message = "the market has retired this search; update advisor"
            raise MarketError(message)
        if reply.status != HTTPStatus.OK:
            message = f"the market refuses the search (HTTP {reply.status})"
            raise MarketError(f"{message}: {said}" if said else message)

    def _offers(self, reply: Reply) -> list[Record]:
        """Return the offers of a search's answer."""
        document = reply.json()
        if not isinstance(document, dict):
            kind = type(document).__name__
            message = f"the market sent a JSON {kind} instead of offers; update advisor"
            raise BadAnswerError(message)
        if document.get("success") is False:
            said = self._said(reply) or "no reason given"
            if "quota" in said.lower():
                message = f"the market's daily quota is used up{self._reset(reply)}"
                raise QuotaError(message)
            message = f"the market refuses the search: {said}"
            raise MarketError(message)
        offers = document.get("offers")
        if not isinstance(offers, list):
            message = "the market's answer has no list of offers; update advisor"
            raise BadAnswerError(message)
        if not all(isinstance(offer, dict) for offer in offers):
            message = "the market's list of offers holds other things; try again later"
            raise BadAnswerError(message)
        return offers

    def _said(self, reply: Reply) -> str:
        """Return what a reply says of itself, should it repeat the key without it."""
        said = message_of(reply)
        if self.key is not None:
            said = said.replace(self.key.value, "[key]")
        return said[:_LONGEST_MESSAGE]

    def _reset(self, reply: Reply) -> str:
        if reply.retry_after_s is None:
            return "; take a saved answer with --stale-ok"
        moment = self._now() + timedelta(seconds=reply.retry_after_s)
        when = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f" until {when}; take a saved answer with --stale-ok"


def open_vast(
    variables: Mapping[str, str],
    home: Path,
    transport: httpx.BaseTransport | None,
    now: Callable[[], datetime],
) -> VastMarket:
    """Return the live market with the user's key, at ``VAST_URL`` if it is set."""
    url = variables.get("VAST_URL", "").strip() or DEFAULT_URL
    return VastMarket(find_key(variables, home), url, transport, now=now)


def search_body(
    query: Query, price_bounds: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return the body of a search, in the market's names and units.

    Parameters
    ----------
    query : what is wanted
    price_bounds : further bounds on `dph_total`, $/h, by the market's operators
    """
    bounds = dict(price_bounds or {})
    if query.max_usd_per_hour is not None:
        bounds["lte"] = min(query.max_usd_per_hour, bounds.get("lte", math.inf))
    body: dict[str, Any] = {
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "external": {"eq": False},
        "type": "on-demand",
        "order": [["dph_total", "asc"]],
        "limit": ROWS_ASKED,
    }
    asked: dict[str, dict[str, Any]] = {
        "gpu_name": {"in": list(query.gpu_names) or None},
        "num_gpus": {"in": list(query.num_gpus) or None},
        "reliability": {"gte": query.min_reliability},
        "verified": {"eq": query.verified},
        "duration": {"gte": query.min_duration_s},
        "dph_total": bounds,
    }
    for name, operators in asked.items():
        given = {op: value for op, value in operators.items() if value is not None}
        if given:
            body[name] = given
    if query.disk_gb is not None:
        body["allocated_storage"] = query.disk_gb
    return body


def message_of(reply: Reply) -> str:
    """Return what an error reply says of itself, in one plain line."""
    try:
        document = reply.json()
    except BadAnswerError:
        return ""
    if not isinstance(document, dict):
        return ""
    words = [document.get(name) for name in ("error", "msg")]
    text = ": ".join(word for word in words if isinstance(word, str))
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())
