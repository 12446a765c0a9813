"""The offers of Vast.ai: one search, paged past the market's cap.

Facts of the API: https://docs.vast.ai (November 2026).
"""

from __future__ import annotations

import math
import time
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from advisor.errors import (
    BadAnswerError,
    KeyRefusedError,
    MarketError,
    QuotaError,
    UsageError,
)
from advisor.market.http import Reply, read
from advisor.market.keys import Key, find_key
from advisor.market.types import Answer, Query, Record

DEFAULT_URL = "https://console.vast.ai"
SEARCH_PATH = "/api/v0/bundles/"
ROWS_ASKED = 3000
"""Rows asked for in one search; no search is known to have got more."""

SMALLEST_CAP = 64
LARGEST_CAP = 256
"""Rows at which the market has been seen to cut answers: 64, and 234 to 241."""

SEARCH_INTERVAL_S = 6.0
"""Seconds that the market wants between two searches of one account."""

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
        self.base_url = _checked(base_url, key)
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

        The market may cut an answer without saying so. An answer shorter than
        the shortest known cut, or longer than the longest and shorter than what
        was asked for, is whole; any other is followed by a search from its last
        price on, until one brings nothing new. The answer is complete if the
        last search was whole and there is a key: without one the market shows a
        part that is not even the cheapest.

        Raises
        ------
        MarketError
            if the market cannot be asked or its answer makes no sense
        """
        deadline = self._clock() + self._deadline_s
        offers: dict[int, Record] = {}
        whole, notes = False, []
        with self._client() as client:
            for page in self._pages(client, query, deadline):
                known = len(offers)
                _merge(offers, page)
                whole = _is_whole(page, brought_new=len(offers) > known)
                if whole or len(offers) == known:
                    break
            else:
                notes.append("the search ran out of time before the last page")
        return Answer(
            records=list(offers.values()),
            market=self.name,
            origin=self.origin,
            fetched_at=self._now(),
            complete=whole and self.key is not None,
            notes=tuple(notes),
        )

    def _pages(
        self, client: httpx.Client, query: Query, deadline: float
    ) -> Iterator[list[Record]]:
        """Yield pages, each from the last price of the one before, in time."""
        from_price: float | None = None
        while True:
            started = self._clock()
            page = self._page(client, query, from_price, deadline)
            yield page
            from_price = _last_price(page)
            wait = started + SEARCH_INTERVAL_S - self._clock()
            if from_price is None or self._clock() + wait >= deadline:
                return
            self._sleep(max(wait, 0.0))

    def _page(
        self,
        client: httpx.Client,
        query: Query,
        from_price: float | None,
        deadline: float,
    ) -> list[Record]:
        body = search_body(query, from_price)
        request = client.build_request("POST", SEARCH_PATH, json=body)
        reply = read(client, request, deadline, self._clock)
        self._refuse(reply)
        return _offers(reply.json())

    def _client(self) -> httpx.Client:
        headers = {"Accept": "application/json", "User-Agent": "advisor"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key.value}"
        timeout = min(_READ_TIMEOUT_S, self._deadline_s)
        return httpx.Client(
            base_url=self.base_url,
            headers=headers,
            timeout=timeout,
            transport=self._transport,
        )

    def _refuse(self, reply: Reply) -> None:
        """Raise the error that a reply stands for, if it is no success."""
        said = message_of(reply)
        if reply.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) or (
            reply.status == HTTPStatus.NOT_FOUND and "user key" in said.lower()
        ):
            origin = self.key.origin if self.key else "no place: there is none"
            message = f"the market refuses the key from {origin}: {said or reply.status}"
            raise KeyRefusedError(message)
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            message = f"the market's daily quota is used up{self._reset(reply)}"
            raise QuotaError(message)
        if reply.status == HTTPStatus.NO_CONTENT:
            message = "the market sent an empty answer (HTTP 204); try again"
            raise BadAnswerError(message)
        if reply.status == HTTPStatus.GONE:
            message = "the market has retired this search; update advisor"
            raise MarketError(message)
        if reply.status != HTTPStatus.OK:
            message = f"the market refuses the search (HTTP {reply.status}): {said}"
            raise MarketError(message)

    def _reset(self, reply: Reply) -> str:
        if reply.retry_after_s is None:
            return "; take a saved answer with --stale-ok"
        moment = self._now() + timedelta(seconds=reply.retry_after_s)
        when = moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
        return f" until {when}; take a saved answer with --stale-ok"


def open_vast(
    variables: Mapping[str, str],
    home: Path,
    transport: httpx.BaseTransport | None = None,
) -> VastMarket:
    """Return the live market with the user's key, at ``VAST_URL`` if it is set."""
    url = variables.get("VAST_URL", "").strip() or DEFAULT_URL
    return VastMarket(find_key(variables, home), url, transport)


def search_body(query: Query, from_price: float | None) -> dict[str, Any]:
    """Return the body of a search, in the market's names and units."""
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
        "dph_total": {"gte": from_price, "lte": query.max_usd_per_hour},
    }
    for name, operators in asked.items():
        given = {op: value for op, value in operators.items() if value is not None}
        if given:
            body[name] = given
    if query.disk_gb is not None:
        body["allocated_storage"] = query.disk_gb
    return body


def message_of(reply: Reply) -> str:
    """Return what an error reply says of itself, in one short plain line."""
    try:
        document = reply.json()
    except BadAnswerError:
        return ""
    if not isinstance(document, dict):
        return ""
    words = [document.get(key) for key in ("error", "msg")]
    text = ": ".join(word for word in words if isinstance(word, str))
    plain = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(plain.split())[:_LONGEST_MESSAGE]


def _checked(base_url: str, key: Key | None) -> str:
    """Return the base URL if a key may be sent there."""
    parts = urllib.parse.urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        message = f"VAST_URL {base_url!r} is no http or https address"
        raise UsageError(message)
    loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
    if key is not None and parts.scheme == "http" and not loopback:
        message = f"VAST_URL {base_url!r} would carry the key unencrypted: use https"
        raise UsageError(message)
    return base_url


def _offers(document: Any) -> list[Record]:
    """Return the offers of a search's answer."""
    if not isinstance(document, dict):
        message = f"the market sent a JSON {type(document).__name__} instead of offers"
        raise BadAnswerError(message)
    if document.get("success") is False:
        said = str(document.get("msg") or document.get("error") or "no reason given")
        message = f"the market refuses the search: {said[:_LONGEST_MESSAGE]}"
        raise MarketError(message)
    offers = document.get("offers")
    if not isinstance(offers, list):
        message = "the market's answer has no list of offers; update advisor"
        raise BadAnswerError(message)
    if not all(isinstance(offer, dict) for offer in offers):
        message = "the market's list of offers holds other things; try again later"
        raise BadAnswerError(message)
    return offers


def _merge(offers: dict[int, Record], page: list[Record]) -> None:
    """Add a page's offers; of one id the better scored record stays."""
    for offer in page:
        identity = offer.get("id", id(offer))
        before = offers.get(identity)
        if before is None or _number(offer, "score") > _number(before, "score"):
            offers[identity] = offer


def _is_whole(page: list[Record], *, brought_new: bool) -> bool:
    """Say whether a page was the last: too short to be cut, or nothing new in it.

    A page of one single price that brought nothing new may hide others at that
    price: no search can get past it.
    """
    rows = len(page)
    if rows < SMALLEST_CAP or LARGEST_CAP < rows < ROWS_ASKED:
        return True
    prices = {_number(offer, "dph_total") for offer in page}
    return not brought_new and len(prices) > 1


def _last_price(page: list[Record]) -> float | None:
    last = max(_number(offer, "dph_total") for offer in page)
    return last if math.isfinite(last) else None


def _number(offer: Record, name: str) -> float:
    value = offer.get(name)
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    return -math.inf
