"""JSON over HTTP from a server that may be slow, busy, wrong or hostile."""

from __future__ import annotations

import email.utils
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
import stamina

from advisor.errors import BadAnswerError, MarketError, RateLimitedError

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Longest answer that is read, decoded; a whole market is about 5 MB."""

MAX_RETRY_AFTER_S = 60.0
"""Longest wait that a server may ask for before we give up instead."""

MAX_REDIRECTS = 5

_BUSY_WAIT_S = 6.0  # what the market's slowest read endpoint wants between calls
_PASSING = {
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class Reply:
    """A server's answer, read whole.

    Attributes
    ----------
    status : HTTP status
    retry_after_s : seconds that the server asks to wait, None if it does not say
    body : decoded bytes
    """

    status: int
    retry_after_s: float | None
    body: bytes

    def json(self) -> Any:
        """Return the body as JSON; NaN and Infinity pass, markets send them.

        Raises
        ------
        BadAnswerError
            if it is empty, an HTML page, torn, or no UTF-8
        """
        if not self.body.strip():
            message = f"the market sent an empty answer (HTTP {self.status}); try again"
            raise BadAnswerError(message)
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            what = "a web page" if self.body.lstrip()[:1] == b"<" else "torn or no JSON"
            message = (
                f"the market sent {what} instead of offers (HTTP {self.status}); "
                "check VAST_URL or try again later"
            )
            raise BadAnswerError(message) from error


class _TryAgainError(Exception):
    """A reply that may be another one in a while."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def read(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
) -> Reply:
    """Send a request that only reads, again where that may help, by a deadline.

    Tried again: 429 (after what Retry-After says, up to `MAX_RETRY_AFTER_S`),
    502, 503, 504, and errors of the connection; with growing, jittered waits.
    A redirect is followed on the same origin only, so that a key never reaches
    another host.

    Parameters
    ----------
    deadline : moment of `clock` when all must be over, in seconds

    Raises
    ------
    RateLimitedError
        if the server still asks to slow down
    BadAnswerError
        if the answer cannot be decoded, is too long, or redirects elsewhere
    MarketError
        if there is no answer in time
    """

    def again(error: Exception) -> bool | float:
        return backoff_s(error, deadline - clock())

    host = request.url.host
    try:
        for attempt in stamina.retry_context(
            on=again, attempts=_ATTEMPTS, timeout=max(deadline - clock(), 0.001)
        ):
            with attempt:
                reply = _once(client, request, deadline, clock)
    except _TryAgainError as error:
        raise _given_up(error.reply) from error
    except httpx.TimeoutException as error:
        message = f"{host} did not answer in time; try again later"
        raise MarketError(message) from error
    except httpx.DecodingError as error:
        message = f"the answer of {host} cannot be decompressed; try again later"
        raise BadAnswerError(message) from error
    except httpx.TransportError as error:
        message = f"no connection to {host}: {error or type(error).__name__}"
        raise MarketError(message) from error
    return reply


def backoff_s(error: Exception, left_s: float) -> bool | float:
    """Return how many seconds to wait before another try; False for no other try.

    Parameters
    ----------
    error : what the last try ended in
    left_s : seconds left until the deadline
    """
    if isinstance(error, _TryAgainError):
        asked = error.reply.retry_after_s
        if asked is not None and asked > min(MAX_RETRY_AFTER_S, left_s):
            return False
        if asked is not None:
            return asked + random.uniform(0.0, 0.5)  # noqa: S311  (jitter)
        if error.reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = _BUSY_WAIT_S * random.uniform(1.0, 1.5)  # noqa: S311
            return wait if wait < left_s else False
        return left_s > 0
    return isinstance(error, httpx.TransportError) and left_s > 0


def _once(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Callable[[], float],
) -> Reply:
    """Send a request once and read the answer whole, following redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                return _reply(response, deadline, clock)
            request = _same_origin(request, response.next_request)
        finally:
            response.close()
    message = f"{request.url.host} redirects in circles; check VAST_URL"
    raise BadAnswerError(message)


def _reply(
    response: httpx.Response, deadline: float, clock: Callable[[], float]
) -> Reply:
    """Read an answer whole, unless it is too long or drips past the deadline."""
    host = response.request.url.host
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            megabytes = MAX_BODY_BYTES // 2**20
            message = f"{host} sent more than {megabytes} MB; narrow the search"
            raise BadAnswerError(message)
        if clock() > deadline:
            message = f"the answer of {host} did not end in time; try again later"
            raise MarketError(message)
    reply = Reply(response.status_code, _retry_after_s(response.headers), bytes(body))
    busy = reply.status == HTTPStatus.TOO_MANY_REQUESTS and b"quota" not in reply.body
    if busy or reply.status in _PASSING:
        raise _TryAgainError(reply)
    return reply


def _same_origin(request: httpx.Request, following: httpx.Request) -> httpx.Request:
    """Return the redirected request if it goes where the first one went."""
    here, there = request.url, following.url
    if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
        message = (
            f"{here.host} redirects to {there.scheme}://{there.host}, "
            "which is not followed with a key; check VAST_URL"
        )
        raise BadAnswerError(message)
    return following


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Return what Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text[:9])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max((moment - datetime.now(UTC)).total_seconds(), 0.0)


def _given_up(reply: Reply) -> MarketError:
    """Return the error of a reply that stays the same after all tries."""
    if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
        return MarketError(
            f"the market has trouble of its own (HTTP {reply.status}); try again later"
        )
    wait = reply.retry_after_s
    when = "a minute" if wait is None else f"{wait:.0f} seconds"
    return RateLimitedError(f"the market gets too many requests; try again in {when}")
