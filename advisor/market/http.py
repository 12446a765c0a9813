"""JSON over HTTP from a server that may be slow, busy, wrong or hostile."""

from __future__ import annotations

import random
import ssl
import urllib.parse
from dataclasses import replace
from http import HTTPStatus

import httpx

from advisor.base.clock import Clock
from advisor.base.errors import (
    BadAnswerError,
    MarketError,
    NotSentError,
    RentalStateUnknownError,
    UsageError,
)
from advisor.base.late import LateError, within
from advisor.base.log import detail, happened
from advisor.market.rate_limit import ASKED, CallLimiter
from advisor.market.reply import Reply, busy_error, read_reply

MAX_RETRY_AFTER_S = 60.0
"""Longest wait that a server may ask for before we give up instead."""

MAX_REDIRECTS = 5

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 8.0
_BUSY_WAIT_S = 6.0  # assumption: what Vast.ai's searches, a slow endpoint, ask for
_PASSING = {
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
}
_ATTEMPTS = 5
_LONGEST_REASON = 200
_NO_TIME = "ran out of time: the market's rate limits allow no further request; try again"
_NO_ANSWER = "the market does not answer: next try in"
_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Errors that httpx raises only while no byte of the request has left yet."""


class _TryAgainError(Exception):
    """A reply that may be another one in a while."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply

    @property
    def asks_to_slow_down(self) -> bool:
        """Whether there were too many requests."""
        return self.reply.status == HTTPStatus.TOO_MANY_REQUESTS


def check_address(url: str, setting: str, *, has_key: bool) -> str:
    """Return the address of an API if it is one, and a key may be sent there.

    No message shows it: people keep passwords in addresses.

    Parameters
    ----------
    setting : the variable that holds it, for the messages
    has_key : whether a key is sent there

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
        message = f"{setting} is no http or https address, such as https://host:port"
        raise UsageError(message)
    if parts.username is not None or parts.query or parts.fragment:
        message = (
            f"{setting} may hold host, port and path only, such as https://host:port"
        )
        raise UsageError(message)
    if has_key and not is_private(url):
        message = f"{setting} would carry the key unencrypted: use https"
        raise UsageError(message)
    return url


def is_private(url: str) -> bool:
    """Say whether nobody on the way to an address can read what is sent."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = httpx.URL(url).host
    except (ValueError, httpx.InvalidURL):
        return False
    local = parts.scheme == "http" and parts.hostname in _LOOPBACK
    return bool(host) and (parts.scheme == "https" or local)


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
    encrypted = urllib.parse.urlsplit(url).scheme == "https"
    # To load the certificates that are trusted takes longer than a whole answer does.
    nobody_is_trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return httpx.Client(
            base_url=url,
            headers=headers,
            timeout=timeout_s,
            transport=transport,
            verify=True if encrypted else nobody_is_trusted,
            # In clear, a key goes to this machine alone, never by a proxy.
            trust_env=encrypted,
        )
    except (ImportError, ValueError, OSError, httpx.InvalidURL) as error:
        message = (
            "the network settings of the environment cannot be used: check HTTPS_PROXY, "
            "ALL_PROXY and SSL_CERT_FILE (a SOCKS proxy needs the package socksio)"
        )
        raise UsageError(message) from error


def send_repeatable(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Clock,
    limiter: CallLimiter,
) -> Reply:
    """Send a request that does no harm twice, again where that may help.

    Tried again: 429 (after what Retry-After says, up to `MAX_RETRY_AFTER_S`, and the
    limiter is notified), 502, 503, 504, and errors of the connection; with
    growing, jittered waits.
    A redirect is followed on the same origin only, so that a key never reaches
    another host, and only where the method stays what it was.

    Parameters
    ----------
    deadline : moment of the clock when all must be over, in seconds
    limiter : of this kind of call; each try waits for it, but for the one after a
        connection that could not be made

    Raises
    ------
    RateLimitedError
        if the server still asks to slow down
    BadAnswerError
        if the answer cannot be decoded, is too long, or redirects elsewhere
    MarketError
        if there is no answer in time
    """
    tries, host = 0, request.url.host
    if not limiter.wait(deadline):
        raise MarketError(_NO_TIME)
    while True:
        try:
            reply = _exchange(client, request, deadline, clock, limiter, follow=True)
            return _not_busy(reply, limiter)
        except (_TryAgainError, httpx.RequestError) as error:
            tries += 1
            left_s = min(deadline - clock.monotonic(), limiter.patience_s)
            wait_s = backoff_s(error, left_s, tries - 1) if tries < _ATTEMPTS else False
            why = _NO_ANSWER
            if isinstance(error, _TryAgainError) and error.asks_to_slow_down:
                why = ASKED
                limiter.refused(error.reply, None if wait_s is False else wait_s)
            if wait_s is False:
                raise _given_up(error, host) from error
            detail("market", "%s: try %d in %.1f s", host, tries + 1, wait_s)
            limiter.rest(wait_s, why)
            if not isinstance(error, _NOTHING_SENT) and not limiter.wait(deadline):
                raise _given_up(error, host) from error


def send_once(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Clock,
    limiter: CallLimiter,
) -> Reply:
    """Send a request that must never be sent twice; return whatever comes back.

    It is not repeated, no redirect is followed, and a thread that is left behind at
    the deadline sends nothing any more.

    Raises
    ------
    NotSentError
        if surely nothing was sent
    RentalStateUnknownError
        if it may have been sent, and no whole answer came
    """
    if not limiter.wait(deadline):
        raise NotSentError(_NO_TIME)
    host = request.url.host
    try:
        return _exchange(client, request, deadline, clock, limiter, follow=False)
    except _NOTHING_SENT as error:
        raise NotSentError(str(_given_up(error, host))) from error
    except Exception as error:
        # Whatever else went wrong did so after a byte may have left.
        cause = error if isinstance(error, MarketError) else _given_up(error, host)
        message = f"nobody can say whether the market took the order: {cause}"
        raise RentalStateUnknownError(message) from error


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
        elif error.asks_to_slow_down:
            wait = _BUSY_WAIT_S * random.uniform(1.0, 1.5)  # noqa: S311
    return wait if wait < left_s else False


def _exchange(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Clock,
    limiter: CallLimiter,
    *,
    follow: bool,
) -> Reply:
    """Send a request once and read the answer whole, unless that takes too long.

    The time-outs of httpx are for one read each: looking up a name has none, and
    a header may drip for ever. So the exchange is left behind when time is up; what
    it has not begun to send by then it never sends.
    """
    in_time = True

    def trace(event: str, _: object) -> None:
        if not in_time and event.endswith("send_request_headers.started"):
            message = "the deadline has passed"
            raise httpx.ConnectTimeout(message)

    request.extensions = {**request.extensions, "trace": trace}
    begun = clock.monotonic()
    try:
        reply = within(
            deadline - begun,
            lambda: _followed(client, request, deadline, clock, follow=follow),
        )
    except LateError as error:
        message = "the deadline has passed"
        raise httpx.ReadTimeout(message, request=request) from error
    finally:
        in_time = False
        limiter.ended()
    took_s = clock.monotonic() - begun
    asked = f"{request.method} {_host_and_path(request)}"
    happened("market", "%s: HTTP %d, %.2f s", asked, reply.status, took_s)
    return replace(reply, took_s=took_s)


def _host_and_path(request: httpx.Request) -> str:
    """Return where a request goes, without what is asked."""
    return f"{request.url.host}{request.url.path}"


def _followed(
    client: httpx.Client,
    request: httpx.Request,
    deadline: float,
    clock: Clock,
    *,
    follow: bool,
) -> Reply:
    """Send a request and, where it may `follow` redirects, those; read the answer."""
    for _ in range(MAX_REDIRECTS + 1):
        response = client.send(request, stream=True)
        try:
            if response.next_request is None or not follow:
                return read_reply(response, deadline, clock)
            request = _same_origin(request, response.next_request)
        finally:
            response.close()
    message = f"{request.url.host} redirects in circles; check the market's address"
    raise BadAnswerError(message)


def _not_busy(reply: Reply, limiter: CallLimiter) -> Reply:
    """Return a reply, unless another one may come in a while."""
    refused = reply.status == HTTPStatus.TOO_MANY_REQUESTS
    if (refused and not limiter.is_quota(reply)) or reply.status in _PASSING:
        raise _TryAgainError(reply)
    return reply


def _same_origin(request: httpx.Request, following: httpx.Request) -> httpx.Request:
    """Return the redirected request if it goes where the first one went."""
    here, there = request.url, following.url
    if (here.scheme, here.host, here.port) != (there.scheme, there.host, there.port):
        message = (
            f"{here.host} redirects to {there.scheme}://{there.host}, "
            "which is not followed with a key; check the market's address"
        )
        raise BadAnswerError(message)
    if request.method != following.method:
        message = f"{here.host} redirects a {request.method} to a {following.method}"
        raise BadAnswerError(f"{message}; check the market's address")
    return following


def _given_up(error: Exception, host: str) -> MarketError:
    """Return our error for what the last try ended in."""
    if isinstance(error, _TryAgainError):
        return busy_error(error.reply)
    if isinstance(error, httpx.TimeoutException):
        return MarketError(f"{host} did not answer in time; try again later")
    if isinstance(error, httpx.DecodingError):
        message = f"the answer of {host} cannot be decompressed; try again later"
        return BadAnswerError(message)
    if not isinstance(error, httpx.NetworkError | httpx.ProxyError):
        # The text of such an error may quote what the server sent.
        message = f"the answer of {host} breaks off or is no HTTP; try again later"
        return MarketError(message)
    reason = (" ".join(str(error).split()) or type(error).__name__)[:_LONGEST_REASON]
    return MarketError(f"no connection to {host}: {reason}")
