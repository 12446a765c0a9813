"""`advisor serve` over a real socket: the address, the end, many at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.base.errors import UsageError
from advisor.base.loopback import url_of
from advisor.serve.application import application
from advisor.serve.server import listen_here, running
from advisor.serve.workers import BusyError, Workers


@contextlib.contextmanager
def program(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command; yield it and the first line that it prints."""
    variables = {"ADVISOR_DATA_DIR": str(folder / "data"), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-W", "error", "-m", "advisor", "serve", "resnet50"]
    with subprocess.Popen(
        [*command, "--market", "sample", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **variables},
    ) as process:
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_it_serves_until_it_is_interrupted(tmp_path: Path) -> None:
    """One line with the address, which opens the page; Ctrl-C ends it cleanly."""
    with program(tmp_path) as (process, url):
        assert url.startswith("http://127.0.0.1:")
        with httpx.Client(follow_redirects=True, trust_env=False) as client:
            page = client.get(url)
            assert page.status_code == 200
            assert 'id="page-data"' in page.text
            assert page.url.params.get("token") is None
            scripts = client.get(page.url.join("/static/page.js"))
            assert scripts.headers["content-type"].startswith("text/javascript")
        process.send_signal(signal.SIGTERM)  # a job in the background ignores SIGINT
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert out == ""
    assert err.splitlines() == [
        "open this address in a browser of this machine; Ctrl-C ends the server",
        "the server has ended",
    ]


@pytest.mark.slow
def test_it_ends_while_pages_are_computed(tmp_path: Path) -> None:
    """A page that nobody waits for any more keeps nothing alive."""
    with program(tmp_path) as (process, url):
        base, _, _ = url.partition("/?")
        with httpx.Client(trust_env=False) as client:
            assert client.get(url).status_code == 303
            cookies = "; ".join(
                f"{name}={value}" for name, value in client.cookies.items()
            )
        host = base.removeprefix("http://")
        name, _, port = host.partition(":")
        with contextlib.ExitStack() as asking:
            for epochs in range(6):
                one = asking.enter_context(socket.create_connection((name, int(port))))
                one.sendall(
                    f"GET /?epochs={epochs + 1} HTTP/1.1\r\nHost: {host}\r\n"
                    f"Cookie: {cookies}\r\n\r\n".encode()
                )
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in err


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com", ""])  # noqa: S104
def test_it_listens_at_this_machine_alone(advisor: Callable[..., Any], host: str) -> None:
    """Another address is refused, with the way to look from elsewhere."""
    outcome = advisor("serve", "resnet50", "--market", "sample", "--host", host)
    assert outcome.exit_code == 2
    assert "not this machine's own address" in outcome.stderr
    assert "ssh -L" in outcome.stderr
    assert outcome.stdout == ""


def test_a_port_that_is_taken_is_told(advisor: Callable[..., Any]) -> None:
    """With the way out."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        outcome = advisor("serve", "resnet50", "--market", "sample", "--port", port)
    assert outcome.exit_code == 2
    assert f"cannot listen at 127.0.0.1:{port}" in outcome.stderr
    assert "--port 0" in outcome.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("resnet5",), "did you mean resnet50?"),
        (("resnet50", "--market", "nowhere"), "nowhere"),
        ((), "Missing the workload"),
    ],
)
def test_what_cannot_be_served_is_told_at_once(
    advisor: Callable[..., Any], words: tuple[str, ...], told: str
) -> None:
    """Before anything listens."""
    outcome = advisor("serve", "--market", "sample", *words)
    assert outcome.exit_code == 2
    assert told in outcome.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    """One line, as of every extra."""
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from advisor.cli.main import run\n"
        "sys.exit(run(['serve', 'resnet50', '--market', 'sample']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "pip install '.[serve]'" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture
def server(browser: Any) -> Iterator[tuple[httpx.Client, Any]]:
    """Return a client of a running server that knows it, and what it answers from."""
    listener = listen_here("127.0.0.1", 0)
    with (
        running(application(browser.served), listener),
        httpx.Client(
            base_url=url_of(listener), cookies=browser.cookies, trust_env=False
        ) as client,
    ):
        yield client, browser.served


def test_headers_of_the_server_tell_no_program(server: Any) -> None:
    """Over the socket as in the application."""
    client, _ = server
    answer = client.get("/speedup")
    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_what_is_no_http_is_refused(server: Any) -> None:
    """An address or a header without end, or no request at all, harms nobody."""
    client, _ = server
    host, port = client.base_url.host, client.base_url.port
    for request in (
        b"GET /?gpu=" + b"x" * 200_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 200_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    ):
        with (
            socket.create_connection((host, port), timeout=20) as one,
            contextlib.suppress(OSError),  # the server may have had enough already
        ):
            one.sendall(request)
            answer = one.recv(100)
            assert not answer or answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 414"))
    assert client.get("/speedup").status_code == 200


def test_a_slow_page_keeps_no_other_waiting(
    server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one ranking takes its time, styles and the other pages come."""
    client, served = server
    may_end, begun = threading.Event(), threading.Event()
    ranker = type(served).ranker

    def slow(self: Any, asked: Any, notices: list[str]) -> Any:
        if asked.values().get("epochs") == "77":
            begun.set()
            may_end.wait(30)
        return ranker(self, asked, notices)

    monkeypatch.setattr(type(served), "ranker", slow)
    done: list[int] = []
    asking = threading.Thread(
        target=lambda: done.append(client.get("/?epochs=77", timeout=60).status_code)
    )
    asking.start()
    assert begun.wait(20)
    assert client.get("/static/page.css").status_code == 200
    assert client.get("/speedup").status_code == 200
    assert done == []
    may_end.set()
    asking.join()
    assert done == [200]


def test_more_than_can_be_answered_is_refused_at_once() -> None:
    """A queue that grows without end would answer nobody in time."""

    async def work() -> tuple[int, int]:
        workers = Workers(1)
        release = threading.Event()
        asked = [asyncio.ensure_future(workers.run(release.wait)) for _ in range(20)]
        await asyncio.sleep(0)
        refused = [one for one in asked if one.done()]
        while len(refused) < 20 - 9:
            await asyncio.sleep(0.001)
            refused = [one for one in asked if one.done()]
        release.set()
        results = await asyncio.gather(*asked, return_exceptions=True)
        workers.close()
        busy = sum(isinstance(one, BusyError) for one in results)
        return busy, results.count(True)

    assert asyncio.run(work()) == (11, 9)


def test_what_nobody_waits_for_is_not_computed() -> None:
    """A slider that moves on leaves a queue of answers that nobody wants."""

    async def work() -> list[Any]:
        workers, release = Workers(1), threading.Event()

        async def is_gone() -> bool:
            return True

        first = asyncio.ensure_future(workers.run(release.wait))
        await asyncio.sleep(0)
        computed: list[str] = []
        left = asyncio.ensure_future(workers.run(lambda: computed.append("x"), is_gone))
        wanted = asyncio.ensure_future(workers.run(lambda: 7))
        await asyncio.sleep(0)
        release.set()
        found = await asyncio.gather(first, left, wanted, return_exceptions=True)
        workers.close()
        return [*found, computed]

    first, left, wanted, computed = asyncio.run(work())
    assert (first, wanted, computed) == (True, 7, [])
    assert isinstance(left, BusyError)


def test_who_is_refused_hears_when_to_try_again(browser: Any) -> None:
    """A line, and a status that says that it is not their fault."""
    browser.served.workers._at_work = 10_000
    answer = browser.get("/")
    assert answer.status_code == 503
    assert "try again in a second" in answer.text


def test_another_address_is_no_option_of_the_server() -> None:
    """Whoever calls it from a program is refused, too."""
    with pytest.raises(UsageError, match="own address"):
        listen_here("0.0.0.0", 0)  # noqa: S104
