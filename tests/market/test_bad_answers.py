"""Bad answers: whatever a server sends, one named error, one line, no key in it."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from advisor.base.clock import Clock
from advisor.base.errors import (
    BadAnswerError,
    KeyRefusedError,
    MarketError,
    QuotaError,
    RentalStateUnknownError,
)
from advisor.market.lifecycle import Order
from advisor.market.reply import MAX_BODY_BYTES
from advisor.market.types import Query
from advisor.market.vast.client import VastMarket
from advisor.market.vast.key import Key

Vast = Callable[..., VastMarket]
KEY = Key("k-secret-123", "VAST_API_KEY")
ORDER = Order(101, "pytorch/pytorch", 40.0, "advisor:job:token")
GOOD = json.dumps({"offers": []}).encode()


def reply(status: int, content: bytes = b"", **headers: str) -> httpx.Response:
    """Return an answer; an underscore in a header's name is a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, content=content, headers=named)


ANSWERS: dict[str, tuple[httpx.Response, type[MarketError], int]] = {
    "nothing": (reply(200), BadAnswerError, 1),
    "blanks": (reply(200, b"  \n "), BadAnswerError, 1),
    "204": (reply(204), BadAnswerError, 1),
    "html": (reply(200, b"<!DOCTYPE html><title>Cloud</title>"), BadAnswerError, 1),
    "html in 403": (reply(403, b"<html>Forbidden</html>"), KeyRefusedError, 4),
    "html in 500": (reply(500, b"<html>oops</html>"), MarketError, 1),
    "text": (reply(200, b"Service OK"), BadAnswerError, 1),
    "torn json": (reply(200, b'{"offers": [{"id": 1, "gpu'), BadAnswerError, 1),
    "two documents": (reply(200, GOOD + GOOD), BadAnswerError, 1),
    "not utf-8": (reply(200, b'{"offers": "\xff\xfe"}'), BadAnswerError, 1),
    "nested too deep": (reply(200, b"[" * 200_000), BadAnswerError, 1),
    "null": (reply(200, b"null"), BadAnswerError, 1),
    "number": (reply(200, b"42"), BadAnswerError, 1),
    "list": (reply(200, b"[]"), BadAnswerError, 1),
    "no offers": (reply(200, b'{"results": []}'), BadAnswerError, 1),
    "offers null": (reply(200, b'{"offers": null}'), BadAnswerError, 1),
    "offers an object": (reply(200, b'{"offers": {"id": 1}}'), BadAnswerError, 1),
    "offers of texts": (reply(200, b'{"offers": ["a"]}'), BadAnswerError, 1),
    "offers of nulls": (reply(200, b'{"offers": [null]}'), BadAnswerError, 1),
    "success false": (reply(200, b'{"success": false, "msg": "no"}'), MarketError, 1),
    "failure with controls": (
        reply(200, b'{"success": false, "msg": "a\\u001b[2J\\nb"}'),
        MarketError,
        1,
    ),
    "failure of no words": (
        reply(200, b'{"success": false, "msg": [1]}'),
        MarketError,
        1,
    ),
    "the key in a refusal": (
        reply(400, b'{"msg": "bad key k-secret-123"}'),
        MarketError,
        1,
    ),
    "the key in a failure": (
        reply(200, b'{"success": false, "msg": "k-secret-123?"}'),
        MarketError,
        1,
    ),
    "the key at the cut": (
        reply(400, b'{"msg": "%sk-secret-123"}' % (b"x" * 192)),
        MarketError,
        1,
    ),
    "a number too long": (
        reply(200, b'{"offers": [%s]}' % (b"9" * 5000)),
        BadAnswerError,
        1,
    ),
    "partial content": (reply(206, GOOD), MarketError, 1),
    "not modified": (reply(304), MarketError, 1),
    "wrong key": (reply(404, b'{"msg": "Invalid user key"}'), KeyRefusedError, 4),
    "quota": (reply(429, b'{"error": "search_quota_exceeded"}'), QuotaError, 5),
    "retired": (reply(410, b'{"error": "deprecated_endpoint"}'), MarketError, 1),
    "teapot": (reply(418, b"short and stout"), MarketError, 1),
    "control characters": (reply(400, b'{"msg": "a\\u001b[2J\\nb"}'), MarketError, 1),
    "long message": (reply(400, b'{"msg": "%s"}' % (b"x" * 9999)), MarketError, 1),
    "message no text": (reply(400, b'{"msg": {"a": 1}}'), MarketError, 1),
    "redirect elsewhere": (
        reply(302, Location="https://evil.example/api/v0/bundles/"),
        BadAnswerError,
        1,
    ),
    "redirect in clear": (
        reply(307, Location="http://console.vast.ai/api/v0/bundles/"),
        BadAnswerError,
        1,
    ),
    "redirect nowhere": (reply(302, Location="https://"), BadAnswerError, 1),
    "redirect in circles": (reply(307, Location="/api/v0/bundles/"), BadAnswerError, 1),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_bad_answer_is_a_named_error(vast: Vast, name: str) -> None:
    """Each ends in its error and exit code, in one short line without the key."""
    answer, error, status = ANSWERS[name]
    sent = (answer.status_code, answer.headers, answer.content)

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(sent[0], headers=sent[1], content=sent[2])

    with pytest.raises(MarketError) as caught:
        vast(handler).search(Query())
    assert type(caught.value) is error
    assert int(caught.value.exit_status) == status
    message = str(caught.value)
    assert message.isprintable()
    assert 10 < len(message) < 400
    assert KEY.value[:8] not in message


def test_a_redirect_elsewhere_sends_nothing_there(vast: Vast) -> None:
    """No request, with or without the key, reaches the other host."""
    hosts = []

    def handler(request: httpx.Request) -> httpx.Response:
        hosts.append(request.url.host)
        return reply(302, Location="https://evil.example/")

    with pytest.raises(BadAnswerError, match=r"evil\.example"):
        vast(handler).search(Query())
    assert set(hosts) == {"console.vast.ai"}


def chunked(*parts: bytes) -> bytes:
    """Return a body in chunks, without the last one that ends it."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@functools.cache
def packed_bomb() -> bytes:
    """Return more than is read of any answer, packed; it is never in memory unpacked."""
    packer = zlib.compressobj(wbits=16 + zlib.MAX_WBITS)
    block = b" " * 2**20
    blocks = [packer.compress(block) for _ in range(MAX_BODY_BYTES // len(block) + 1)]
    return b"".join([*blocks, packer.flush()])


def drip(connection: socket.socket) -> None:
    """Send a byte now and then, each well within any time-out of a read."""
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n")
    for _ in range(50):
        connection.sendall(b" ")
        time.sleep(0.05)


def hang_up(connection: socket.socket) -> None:
    """Close in the middle of the body."""
    connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n" + GOOD[:5])


def torn_gzip(connection: socket.socket) -> None:
    """Send half of a compressed body, as if it were whole."""
    body = gzip.compress(GOOD * 9)[:40]
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.sendall(HEAD + head + body)


def no_gzip(connection: socket.socket) -> None:
    """Send plain text and call it compressed."""
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GOOD)
    connection.sendall(HEAD + head + GOOD)


def bomb(connection: socket.socket) -> None:
    """Send more than is read of any answer, packed into a thousandth."""
    body = packed_bomb()
    head = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.sendall(HEAD + head + body)


def drip_head(connection: socket.socket) -> None:
    """Never come to the end of the head."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(100):
        connection.sendall(b"a")
        time.sleep(0.05)


def layers(connection: socket.socket) -> None:
    """Send the same, packed twice into less than a kilobyte."""
    body = gzip.compress(packed_bomb())
    head = b"Content-Encoding: gzip, gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.sendall(HEAD + head + body)


def odd_packing(connection: socket.socket) -> None:
    """Send an encoding that nobody asked for."""
    head = b"Content-Encoding: br\r\nContent-Length: %d\r\n\r\n" % len(GOOD)
    connection.sendall(HEAD + head + GOOD)


def echo(connection: socket.socket) -> None:
    """Send the key back as the name of a header, which it cannot be."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nBearer k-secret-123\r\n\r\n")


def long_line(connection: socket.socket) -> None:
    """Send a line of the head that is none, and long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nbad " + b"z" * 50_000 + b"\r\n\r\n")


def bad_chunks(connection: socket.socket) -> None:
    """Send a chunk whose length is no number."""
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n")


def torn_chunks(connection: socket.socket) -> None:
    """Send chunks without their end."""
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    connection.sendall(head + chunked(GOOD[:5]))


def no_http(connection: socket.socket) -> None:
    """Speak another protocol."""
    connection.sendall(b"220 mail.example ESMTP\r\n")


def silence(connection: socket.socket) -> None:
    """Say nothing until the client gives up."""
    time.sleep(1.5)


@contextmanager
def server(behave: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve each connection with `behave` after reading the request's head."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(5.0)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                try:
                    connection.recv(65536)
                    behave(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)  # wakes the thread up
        listener.close()
        thread.join(timeout=5.0)


@pytest.mark.parametrize(
    ("behave", "error"),
    [
        (drip, MarketError),
        (hang_up, MarketError),
        (torn_gzip, BadAnswerError),
        (no_gzip, BadAnswerError),
        (bomb, BadAnswerError),
        (drip_head, MarketError),
        (layers, BadAnswerError),
        (odd_packing, BadAnswerError),
        (echo, MarketError),
        (long_line, MarketError),
        (bad_chunks, MarketError),
        (torn_chunks, MarketError),
        (no_http, MarketError),
        (silence, MarketError),
    ],
)
def test_a_bad_connection_is_a_named_error(
    behave: Callable[[socket.socket], None], error: type[MarketError]
) -> None:
    """Over a real socket too: a named error, in time, in one line without the key."""
    # A whole answer is read at leisure, however busy the machine; the rest times out.
    deadline_s = 30.0 if error is BadAnswerError else 0.5
    with server(behave) as url:
        market = VastMarket(KEY, url, deadline_s=deadline_s)
        started = time.monotonic()
        with pytest.raises(MarketError) as caught:
            market.search(Query())
        assert time.monotonic() - started < deadline_s + 5.0
    assert type(caught.value) is error
    assert int(caught.value.exit_status) == 1
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400
    assert KEY.value not in str(caught.value)
    if behave is bomb:
        assert "sent more than" in str(caught.value)


@pytest.mark.parametrize(
    "behave",
    [
        *(drip, hang_up, torn_gzip, no_gzip, layers, odd_packing, echo, long_line),
        *(bad_chunks, torn_chunks, no_http, silence, drip_head),
    ],
)
def test_a_bad_connection_leaves_a_rental_open(
    behave: Callable[[socket.socket], None],
) -> None:
    """Over a real socket too: one connection, and nobody can say what came of it."""
    connections = []

    def counted(connection: socket.socket) -> None:
        connections.append(connection)
        behave(connection)

    with server(counted) as url:
        market = VastMarket(KEY, url, deadline_s=0.4)
        with pytest.raises(RentalStateUnknownError) as caught:
            market.rent(ORDER)
    assert len(connections) == 1
    assert str(caught.value).isprintable()
    assert KEY.value not in str(caught.value)


def test_what_is_not_sent_in_time_is_never_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """An order whose host is looked up too slowly does not go out behind our back."""
    look_up = socket.getaddrinfo

    def slow(*arguments: Any, **more: Any) -> Any:
        time.sleep(0.5)
        return look_up(*arguments, **more)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2.0)
        monkeypatch.setattr(socket, "getaddrinfo", slow)
        market = VastMarket(
            KEY, f"http://127.0.0.1:{listener.getsockname()[1]}", deadline_s=0.2
        )
        with pytest.raises(RentalStateUnknownError):
            market.rent(ORDER)
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(2.0)
            assert connection.recv(65536) == b""


def test_nobody_listens_and_nothing_is_rented() -> None:
    """A connection that was refused is the one failure whose outcome is sure."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(MarketError, match="no connection"):
        VastMarket(KEY, f"http://127.0.0.1:{port}").rent(ORDER)


def test_in_clear_a_key_never_goes_to_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the environment does not see what is asked of this machine."""
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    def good(connection: socket.socket) -> None:
        head = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(GOOD)
        connection.sendall(HEAD + head + GOOD)

    def tell(connection: socket.socket) -> None:
        proxied.append(connection)

    proxied: list[socket.socket] = []
    with server(good) as url, server(tell) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy)
        assert VastMarket(KEY, url, deadline_s=5.0).search(Query()).complete is True
    assert not proxied


def test_nobody_listens() -> None:
    """A port that nobody serves is a market that cannot be reached."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    market = VastMarket(
        KEY, f"http://127.0.0.1:{port}", clock=Clock(sleep=lambda _: None)
    )
    with pytest.raises(MarketError, match="no connection"):
        market.search(Query())
