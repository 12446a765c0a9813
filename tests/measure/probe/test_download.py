"""The download: over HTTP alone, bounded, and no address in what is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from advisor.measure.probe.addresses import is_web
from advisor.measure.probe.download import DownloadError, measure_download
from advisor.measure.probe.samples import Samples

CHUNK = b"x" * 65536


class Pages(BaseHTTPRequestHandler):
    """An endless file, a small one, one elsewhere, and none."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
        elif self.path in {"/endless", "/small"}:
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(CHUNK)
                    if self.path == "/small":
                        break
            except OSError:  # nobody reads any more
                self.close_connection = True
        else:
            self.send_error(404)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[str]:
    """Return the address of a server on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def downloaded(*urls: str, seconds: float = 0.4, size: float = 1e12) -> Samples:
    samples = Samples()
    measure_download(samples, urls, seconds, size, lambda *_: None)
    return samples


def test_an_endless_download_ends_with_its_time(server: str) -> None:
    """Two connections, one figure."""
    (line,) = downloaded(f"{server}/endless", f"{server}/endless").lines()
    assert (line.name, line.unit) == ("net.download", "Mbit/s")
    assert line.value > 0.0
    assert line.note == "2 connections"


def test_an_endless_download_ends_with_its_bytes(server: str) -> None:
    """Some hosts bill what comes in."""
    (line,) = downloaded(f"{server}/endless", seconds=300.0, size=1e6).lines()
    assert line.value > 0.0


def test_a_small_file_is_a_figure_too(server: str) -> None:
    """It has come before the first slice is over."""
    (line,) = downloaded(f"{server}/small", seconds=100.0).lines()
    assert line.value > 0.0


@pytest.mark.parametrize("path", ["/none", "/away"])
def test_what_cannot_be_downloaded_is_told_without_its_address(
    server: str, path: str
) -> None:
    """A page that is not there; one that would lead to a file of the machine."""
    with pytest.raises(DownloadError) as caught:
        downloaded(f"{server}{path}")
    assert "127.0.0.1" not in str(caught.value)


def test_one_address_that_fails_spoils_nothing(server: str) -> None:
    """The others are measured."""
    assert downloaded(f"{server}/none", f"{server}/endless").lines()


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://x/y", "http://", "x", "", "http://[", "//x/y"]
)
def test_only_addresses_of_the_web_are_taken(url: str) -> None:
    """With a scheme and a host."""
    assert not is_web(url)
    assert is_web("https://example.com/x")
