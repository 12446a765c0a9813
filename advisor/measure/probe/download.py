"""How fast a machine downloads, from addresses that the user names."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import TYPE_CHECKING

from advisor.measure.probe.samples import Samples

if TYPE_CHECKING:
    from advisor.measure.probe.tell import Tell

_CHUNK = 1 << 18
_PATIENCE_S = 10.0
_SLICES = 4
_AGENT = "advisor"


class DownloadError(Exception):
    """Nothing could be downloaded."""


def measure_download(
    samples: Samples, urls: Sequence[str], seconds: float, size: float, tell: Tell
) -> None:
    """Download from all addresses at once, into nothing.

    Parameters
    ----------
    seconds, size : after which it stops
    tell : is called with what is done and the share of it

    Raises
    ------
    DownloadError
        if nothing came
    """
    taken, failures, stop = [0] * len(urls), [""] * len(urls), threading.Event()

    def take(number: int) -> None:
        try:
            request = urllib.request.Request(urls[number], headers={"User-Agent": _AGENT})  # noqa: S310  (the opener knows the web alone)
            with _opener().open(request, timeout=_PATIENCE_S) as answer:
                while not stop.is_set() and (chunk := answer.read(_CHUNK)):
                    taken[number] += len(chunk)
        except Exception as error:
            failures[number] = _words_of(error)

    threads = [
        threading.Thread(target=take, args=(number,), daemon=True)
        for number in range(len(urls))
    ]
    for thread in threads:
        thread.start()
    try:
        _watch(samples, threads, taken, seconds, size, tell)
    finally:
        stop.set()
    if not sum(taken):
        message = next(filter(None, failures), "nothing came in time")
        raise DownloadError(message)


def _watch(  # noqa: PLR0917  (what it watches)
    samples: Samples,
    threads: Sequence[threading.Thread],
    taken: Sequence[int],
    seconds: float,
    size: float,
    tell: Tell,
) -> None:
    """Read the rate in slices, from the first byte on."""
    began = time.monotonic()
    while not sum(taken) and any(one.is_alive() for one in threads):
        if time.monotonic() - began > _PATIENCE_S:
            return
        tell("download", 0.0)
        time.sleep(0.005)
    note = f"{len(threads)} connection{'s' * (len(threads) != 1)}"
    began = last = time.monotonic()
    before = 0
    while any(one.is_alive() for one in threads) and sum(taken) < size:
        time.sleep(0.02)
        now, came = time.monotonic(), sum(taken)
        tell("download", min((now - began) / seconds, 1.0))
        if now - last >= seconds / _SLICES:
            samples.add(
                "net.download", (came - before) * 8e-6 / (now - last), "Mbit/s", note
            )
            last, before = now, came
        if now - began >= seconds:
            return
    passed = time.monotonic() - last
    if samples.median("net.download") is None and passed > 0.0:  # it was small
        samples.add("net.download", (sum(taken) - before) * 8e-6 / passed, "Mbit/s", note)


def _opener() -> urllib.request.OpenerDirector:
    """Return what opens addresses of the web and nothing else: no file, no FTP."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener


def _words_of(error: Exception) -> str:
    """Return what went wrong, without the address."""
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code}"
    if isinstance(error, urllib.error.URLError):
        reason = getattr(error.reason, "strerror", None)
        return str(reason or type(error.reason).__name__)
    return type(error).__name__
