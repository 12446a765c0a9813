"""JSON over HTTP from a server that may be slow, busy, wrong or hostile."""

from __future__ import annotations

import email.utils
import itertools
import json
import logging
import random
import threading
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import httpx
import stamina

from advisor.errors import BadAnswerError, MarketError, RateLimitedError, UsageError

MAX_BODY_BYTES = 64 * 1024 * 1024
"""Longest answer that is read, decoded; a whole market is about 5 MB."""

MAX_RETRY_AFTER_S = 60.0
"""Longest wait that a server may ask for before we give up instead."""

MAX_REDIRECTS = 5

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_BUSY_WAIT_S = 6.0  # what the market's slowest read endpoint wants between calls
_PASSING = {
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_ATTEMPTS = 5
_ENCODINGS = ("", "identity", "gzip", "deflate")
_LONGEST_REASON = 200
_LONGEST_RETRY_S = 10 * 365 * 86400.0  # no date after that needs telling
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

# stamina logs each retry; without a handler the standard library would print
# that on stderr, which is for what people need to know.
logging.getLogger("stamina").addHandler(logging.NullHandler())


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


def check_address(url: str, *, has_key: bool) -> str:
    """Return the address of an API if it is one, and a key may be sent there.

    No message shows it: people keep passwords in addresses.

    Raises
    ------
    UsageError
        if it is no http or https address, holds more than host, port and path, or
        would carry a key unencrypted to another machine
    """
    try:
        parts = urllib.parse.urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(httpx.URL(url).host)
        usable = usable and parts.port != 0  # asked for, a wrong port is a ValueError
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        message = "VAST_URL is no http or https address, such as https://host:port"
        raise UsageError(message)
    if parts.username is not None or parts.query or parts.fragment:
        message = "VAST_URL may hold host, port and path only, such as https://host:port"
        raise UsageError(message)
    if has_key and parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        message = "VAST_URL would carry the key unencrypted: use https"
        raise UsageError(message)
    return url


def open_client(
    url: str, key: str | None, timeout_s: float, transport: httpx.BaseTransport | None
) -> httpx.Client:
    """Return a client of the API at `url` that shows `key`, if there is one.

    Parameters
    ----------
    timeout_s : seconds that one read or one connection may take
    transport : carries the requests; None for the network

    Raises
    ------
    UsageError
        if the environment asks for a proxy or certificates that cannot be used
    """
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
        "User-Agent": "advisor",
    }
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    try:
        return httpx.Client(
            base_url=url,
            headers=headers,
            timeout=timeout_s,
            transport=transport,
            # In clear, a key goes to this machine alone, never by a proxy.
            trust_env=urllib.parse.urlsplit(url).scheme == "https",
        )
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        message = (
            "the network settings of the environment cannot be used: check HTTPS_PROXY, "
            "ALL_PROXY and SSL_CERT_FILE (a SOCKS proxy needs the package socksio)"
        )
        raise UsageError(message) from error


def read(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Reply:
    """Send a request that only reads, again where that may help, by a deadline.

    Tried again: 429 (after what Retry-After says, up to `MAX_RETRY_AFTER_S`),
    502, 503, 504, and errors of the connection; with growing, jittered waits.
    A redirect is followed on the same origin only, so that a key never reaches
    another host.

    Parameters
    ----------
    deadline : moment of `clock` when all must be over, in seconds
    now : tells the time (UTC), for a Retry-After that is a date

    Raises
    ------
    RateLimitedError
        if the server still asks to slow down
    BadAnswerError
        if the answer cannot be decoded, is too long, or redirects elsewhere
    MarketError
        if there is no answer in time
    """
    tries = itertools.count()

    def again(error: Exception) -> bool | float:
        return backoff_s(error, deadline - clock(), next(tries))

    host = request.url.host
    try:
        for attempt in stamina.retry_context(
            on=again, attempts=_ATTEMPTS, timeout=max(deadline - clock(), 0.001)
        ):
            with attempt:
                reply = _in_time(
                    lambda: _once(client, request, deadline, clock, now),
                    request,
                    deadline - clock(),
                )
    except _TryAgainError as error:
        raise _given_up(error.reply) from error
    except httpx.TimeoutException as error:
        message = f"{host} did not answer in time; try again later"
        raise MarketError(message) from error
    except httpx.DecodingError as error:
        message = f"the answer of {host} cannot be decompressed; try again later"
        raise BadAnswerError(message) from error
    except httpx.RemoteProtocolError as error:  # its text quotes what the server sent
        message = f"the answer of {host} breaks off or is no HTTP; try again later"
        raise MarketError(message) from error
    except httpx.TransportError as error:
        reason = (" ".join(str(error).split()) or type(error).__name__)[:_LONGEST_REASON]
        message = f"no connection to {host}: {reason}"
        raise MarketError(message) from error
    return reply


def backoff_s(error: Exception, left_s: float, tries: int = 0) -> bool | float:
    """Return how many seconds to wait before another try; False for no other try.

    What the server asks for, else a random part of a bound that doubles with each
    try ("full jitter"), so that clients that failed together do not come back
    together. No wait goes past the deadline.

    Parameters
    ----------
    error : what the last try ended in
    left_s : seconds left until the deadline
    tries : tries before the one that ended so
    """
    if not isinstance(error, _TryAgainError | httpx.TransportError):
        return False
    bound = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2.0**tries)
    wait = random.uniform(0.0, bound)  # noqa: S311  (jitter)
    if isinstance(error, _TryAgainError):
        asked = error.reply.retry_after_s
        if asked is not None and asked > MAX_RETRY_AFTER_S:
            return False
        if asked is not None:
            wait = asked + random.uniform(0.0, 0.5)  # noqa: S311
        elif error.reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            wait = _BUSY_WAIT_S * random.uniform(1.0, 1.5)  # noqa: S311
    return wait if wait < left_s else False


def _in_time(call: Callable[[], Reply], request: httpx.Request, limit_s: float) -> Reply:
    """Return what `call` returns, unless that takes more than `limit_s` seconds.

    The time-outs of httpx are for one read each: looking up a name has none, and
    a header may drip for ever. So the call runs in a thread that is left behind
    when time is up; it ends with its own time-outs, or with the process.
    """
    outcome: list[Reply | BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # raised again below
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(limit_s, 0.0))
    if not outcome:
        message = "the deadline has passed"
        raise httpx.ReadTimeout(message, request=request)
    (result,) = outcome
    if isinstance(result, BaseException):
        raise result
    return result


def _once(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Callable[[], float],
    now: Callable[[], datetime],
) -> Reply:
    """Send a request once and read the answer whole, following redirects."""
    for _ in range(MAX_REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            if response.next_request is None:
                return _reply(response, deadline, clock, now)
            request = _same_origin(request, response.next_request)
        finally:
            response.close()
    message = f"{request.url.host} redirects in circles; check VAST_URL"
    raise BadAnswerError(message)


def _reply(
    response: httpx.Response,
    deadline: float,
    clock: Callable[[], float],
    now: Callable[[], datetime],
) -> Reply:
    """Read an answer whole, unless it is too long or drips past the deadline."""
    host = response.request.url.host
    if response.headers.get("Content-Encoding", "").strip().lower() not in _ENCODINGS:
        # Layers of compression, or brotli, turn a hundred bytes into gigabytes in
        # one step, before the length can be looked at.
        message = f"{host} sent an answer packed in a way that nobody asked for"
        raise BadAnswerError(f"{message}; check VAST_URL")
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
    wait = _retry_after_s(response.headers, now())
    reply = Reply(response.status_code, wait, bytes(body))
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


def _retry_after_s(headers: httpx.Headers, now: datetime) -> float | None:
    """Return what Retry-After asks for: seconds, or a date (RFC 9110, 10.2.3)."""
    text = headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text[:12]), _LONGEST_RETRY_S)
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _LONGEST_RETRY_S)


def _given_up(reply: Reply) -> MarketError:
    """Return the error of a reply that stays the same after all tries."""
    if reply.status != HTTPStatus.TOO_MANY_REQUESTS:
        return MarketError(
            f"the market has trouble of its own (HTTP {reply.status}); try again later"
        )
    wait = reply.retry_after_s
    when = "a minute" if wait is None else f"{wait:.0f} seconds"
    return RateLimitedError(f"the market gets too many requests; try again in {when}")
