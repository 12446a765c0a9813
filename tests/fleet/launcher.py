"""One command line of advisor as a process of its own, on a simulated market's time.

Usage: ``python launcher.py URL KEY FOLDER WORD...``. Waits pass on the market
at once, and take a moment here.
"""

from __future__ import annotations

import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.base.interrupts import to_the_end
from advisor.cli.main import run
from advisor.market.vast.key import VARIABLE

_SHORTEST_WAIT_S = 0.02


def main() -> int:
    """Do what `advisor.__main__` does, in a world of the test's."""
    url, key, place, *words = sys.argv[1:]
    folder = Path(place)
    market = httpx.Client(base_url=url, trust_env=False)  # no proxy

    def monotonic() -> float:
        return float(market.get("/__clock").json()["now_unix_s"])

    def now() -> datetime:
        return datetime.fromtimestamp(monotonic(), UTC)

    def sleep(seconds: float) -> None:
        market.post("/__clock", json={"advance_s": max(seconds, 0.0)})
        time.sleep(min(seconds, _SHORTEST_WAIT_S))

    context = Context(
        variables={
            "VAST_URL": url,
            VARIABLE: key,
            "ADVISOR_DATA_DIR": str(folder / "data"),
            "ADVISOR_CACHE_DIR": str(folder / "cache"),
        },
        home=folder,
        folder=folder,
        clock=Clock(now, monotonic, sleep),
    )
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as in the foreground
    to_the_end()
    try:
        return run(words, context)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
