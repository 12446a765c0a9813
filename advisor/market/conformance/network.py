"""Networks that fail: what a market's requests meet."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta

import httpx

from advisor.base.clock import Clock, utc_now

Send = Callable[[], httpx.Response]
Fault = Callable[[httpx.Request, Send], httpx.Response]
"""Meets a request; by its second argument it can be passed on."""


class Network(httpx.BaseTransport):
    """A transport that remembers what it was asked, and may fail.

    Parameters
    ----------
    inner : carries what gets through
    fault : meets each request; None: all get through
    """

    def __init__(self, inner: httpx.BaseTransport, fault: Fault | None = None) -> None:
        self._inner, self._fault = inner, fault
        self.requests: list[httpx.Request] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one request."""
        request.read()
        self.requests.append(request)

        def send() -> httpx.Response:
            return self._inner.handle_request(request)

        return send() if self._fault is None else self._fault(request, send)

    @property
    def repeated(self) -> list[str]:
        """What was asked twice that is more than a question: method and path."""
        seen: set[tuple[str, httpx.URL, bytes]] = set()
        twice: list[str] = []
        for one in self.requests:
            asked = (one.method, one.url, one.content)
            if one.method not in ("GET", "HEAD") and asked in seen:
                twice.append(f"{one.method} {one.url.path}")
            seen.add(asked)
        return twice

    @property
    def addresses(self) -> list[str]:
        """Where requests went."""
        return [str(one.url) for one in self.requests]

    @property
    def sent_elsewhere(self) -> list[str]:
        """What went to a host that a redirect named, headers and all."""
        return [
            f"{one.method} {one.url} {one.headers.multi_items()} {one.content!r}"
            for one in self.requests
            if one.url.host == ELSEWHERE
        ]


ELSEWHERE = "elsewhere.invalid"
"""A host that nobody asked for anything."""


def refuses(request: httpx.Request, _: Send) -> httpx.Response:
    """Let no connection be made."""
    message = "connection refused"
    raise httpx.ConnectError(message, request=request)


def loses_answers(request: httpx.Request, send: Send) -> httpx.Response:
    """Hand a request on, and lose what is answered."""
    response = send()
    response.read()
    response.close()
    message = "connection reset by peer"
    raise httpx.ReadError(message, request=request)


def answering(status: int, text: str) -> Fault:
    """Return what answers each request so, and passes none on."""

    def answer(request: httpx.Request, _: Send) -> httpx.Response:
        return httpx.Response(status, text=text, request=request)

    return answer


def redirects(request: httpx.Request, _: Send) -> httpx.Response:
    """Send every request elsewhere, with all that is in it."""
    headers = {"Location": f"https://{ELSEWHERE}/"}
    return httpx.Response(307, headers=headers, request=request)


def impatient_clock() -> Clock:
    """Return a clock by which a wait takes no time, and counts all the same."""
    skipped = [0.0]

    def sleep(seconds: float) -> None:
        skipped[0] += seconds

    return Clock(
        lambda: utc_now() + timedelta(seconds=skipped[0]),
        lambda: time.monotonic() + skipped[0],
        sleep,
    )
