"""One answer of an HTTP server, read whole or refused."""

from __future__ import annotations

import email.utils
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from advisor.base.clock import Clock
from advisor.base.errors import BadAnswerError, MarketError, RateLimitedError
from advisor.base.units import BYTES_PER_MIB, SECONDS_PER_DAY
from advisor.market.fast_json import loads

if TYPE_CHECKING:
    import httpx

MAX_BODY_BYTES = 128 * BYTES_PER_MIB
"""Longest answer that is read, decoded; 40,000 offers of 3 KB are 120 MB."""

_ENCODINGS = ("", "identity", "gzip", "deflate")
_LONGEST_RETRY_S = 10 * 365 * SECONDS_PER_DAY  # no date after that matters
_UNREAD = object()


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer, read whole.

    Attributes
    ----------
    status : HTTP status
    retry_after_s : seconds that the server asks to wait, None if it does not say
    body : decoded bytes
    server_time : what the server's clock said (UTC), in whole seconds; None if it
        does not say
    took_s : seconds from the request to the end of the answer
    """

    status: int
    retry_after_s: float | None
    body: bytes
    server_time: datetime | None = None
    took_s: float = 0.0
    _document: Any = field(default=_UNREAD, init=False, repr=False, compare=False)

    def json(self) -> Any:
        """Return the body as JSON; NaN and Infinity pass, markets send them.

        It is read once: an answer may be tens of megabytes.

        Raises
        ------
        BadAnswerError
            if it is empty, an HTML page, torn, or no UTF-8
        """
        if self._document is not _UNREAD:
            return self._document
        if not self.body.strip():
            message = f"the market sent an empty answer (HTTP {self.status}); try again"
            raise BadAnswerError(message)
        try:
            document = loads(self.body)
        except (ValueError, RecursionError) as error:
            what = "a web page" if self.body.lstrip()[:1] == b"<" else "torn or no JSON"
            message = (
                f"the market sent {what} instead of an answer (HTTP {self.status}); "
                "check the market's address or try again later"
            )
            raise BadAnswerError(message) from error
        object.__setattr__(self, "_document", document)
        return document


def read_reply(response: httpx.Response, deadline: float, clock: Clock) -> Reply:
    """Read an answer whole, unless it is too long or drips past the deadline.

    Parameters
    ----------
    deadline : moment of the clock, in seconds

    Raises
    ------
    BadAnswerError
        if it is too long, or packed in a way that was not asked for
    MarketError
        if it does not end in time
    """
    host = response.request.url.host
    if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        # Layers of compression, or brotli, turn a hundred bytes into gigabytes in
        # one step, before the length can be looked at.
        message = f"{host} sent an answer packed in a way that nobody asked for"
        raise BadAnswerError(f"{message}; check the market's address")
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            megabytes = MAX_BODY_BYTES // BYTES_PER_MIB
            message = f"{host} sent more than {megabytes} MB; narrow the search"
            raise BadAnswerError(message)
        if clock.monotonic() > deadline:
            message = f"the answer of {host} did not end in time; try again later"
            raise MarketError(message)
    at = _date(response.headers.get("Date", ""))
    # A moment is one of the server's clock, which ours may be far from.
    wait = _retry_after_s(response.headers, at or clock.now())
    return Reply(response.status_code, wait, bytes(body), at)


def busy_error(reply: Reply) -> MarketError:
    """Return the error of a server that stays busy after all tries."""
    if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
        message = f"the market reports a failure of its own (HTTP {reply.status})"
        return MarketError(f"{message}; try again later")
    wait = reply.retry_after_s
    when = "a minute" if wait is None else f"{wait:.0f} seconds"
    return RateLimitedError(f"the market gets too many requests; try again in {when}")


def _retry_after_s(headers: httpx.Headers, now: datetime) -> float | None:
    """Return what Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text[:12]), _LONGEST_RETRY_S)
    moment = _date(text)
    if moment is None:
        return None
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_RETRY_S)


def _date(text: str) -> datetime | None:
    """Return the moment (UTC) that a header names, None if it names none."""
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
