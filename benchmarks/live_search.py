"""Time of a ranking of the live market, as a ratio to the official client's search.

Both ask one simulated market, a process of its own, and get the same offers:
``vastai search offers --raw`` (1.9.1, the extra `peer`) and ``advisor rank --workload
resnet50 --market vast --max-age 0``. They run in turn, as whole processes; the ratio of
the medians is what counts (at most 1.2).

Then a market that shows 64 rows at once and refuses who asks more often than every six
seconds: how many requests a ranking takes there, and how long, twice in a row.

    python benchmarks/live_search.py [--offers 1200 20000] [--runs 7] [--skip-limited]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from advisor.simulator.clock import SimClock
from advisor.simulator.server import serve
from advisor.simulator.world import World

KEY = "key-of-the-benchmark"
OFFICIAL = [
    *(str(Path(sys.executable).parent / "vastai"), "--api-key", KEY),
    *("search", "offers", "--no-default", "--raw", "--limit", "100000"),
    "rentable=true rented=false external=false",
]
OURS = [
    *(sys.executable, "-m", "advisor", "rank", "--workload", "resnet50"),
    *("--market", "vast", "--max-age", "0"),
]
CAP = 64
LIMITED_OFFERS = 1200
SEED = 1  # exactly 1,200 offers: a round number, which has been taken for a cut


class Counting(World):
    """A market that counts who looks at it: its clock stands still, so requests alone."""

    requests = 0

    @contextlib.contextmanager
    def looked_at(self) -> Iterator[None]:
        """Count, and look."""
        self.requests += 1
        with super().looked_at():
            yield


def main() -> None:
    """Print the times of both clients, and what the rate-limited market takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, nargs="+", default=[1200, 20_000])
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--skip-limited", action="store_true")
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        _serve(options.serve)
        return
    with tempfile.TemporaryDirectory() as folder:
        for offers in options.offers:
            with _server(offers) as url:
                _compare(offers, options.runs, _variables(Path(folder), url))
        if not options.skip_limited:
            _rate_limited(Path(folder))


def _serve(offers: int) -> None:
    """Run the market until the process is ended."""
    with serve(_world(offers)) as server:
        print(server.url, flush=True)
        threading.Event().wait()


def _world(offers: int) -> World:
    return World(offers, SEED, SimClock.manual(), calm=True)


@contextlib.contextmanager
def _server(offers: int) -> Iterator[str]:
    """Run the market as a process of its own; yield where it answers."""
    command = [sys.executable, __file__, "--serve", str(offers)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.terminate()


def _variables(folder: Path, url: str) -> dict[str, str]:
    """Return an environment in which nothing of the user's is read or written."""
    own = {"VAST_URL": url, "VAST_API_KEY": KEY, "HOME": str(folder)}
    own |= {"XDG_CONFIG_HOME": str(folder), "ADVISOR_CACHE_DIR": str(folder / "cache")}
    return {**os.environ, **own, "ADVISOR_DATA_DIR": str(folder / "data")}


def _compare(offers: int, runs: int, variables: Mapping[str, str]) -> None:
    """Print the medians of both clients, and their ratio."""
    theirs = len(json.loads(_run(OFFICIAL, variables).stdout))
    ours = _offers_read(_run(OURS, variables))
    if ours != theirs:
        sys.exit(f"the official client got {theirs} offers, ours {ours}")
    pairs = [
        (_seconds(OFFICIAL, variables), _seconds(OURS, variables)) for _ in range(runs)
    ]
    official, rank = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"{offers:,} offers asked for, {ours:,} got; medians of {runs} runs: "
          f"vastai search {official:.2f} s, advisor rank {rank:.2f} s, "
          f"ratio {rank / official:.2f} (target: at most 1.2)")  # fmt: skip


def _rate_limited(folder: Path) -> None:
    """Print what a ranking takes where pages are small and the market is slow."""
    clock = SimClock.manual()
    world = Counting(
        LIMITED_OFFERS, SEED, clock, calm=True, rate_limited=True, search_cap=CAP
    )
    with serve(world) as server:
        for run in ("first", "second"):
            before = world.requests
            begun = time.perf_counter()
            done = _run(OURS, _variables(folder, server.url))
            passed_s = time.perf_counter() - begun
            offers = _offers_read(done)
            print(f"{CAP} rows at once, limited, {run} run: {offers:,} offers, "
                  f"{world.requests - before} requests, {passed_s:.0f} s")  # fmt: skip
            print("   ", done.stderr.strip())


def _run(
    command: list[str], variables: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=True, capture_output=True, text=True, env=variables
    )


def _seconds(command: list[str], variables: Mapping[str, str]) -> float:
    """Return the wall time of one run of a command."""
    start = time.perf_counter()
    _run(command, variables)
    return time.perf_counter() - start


def _offers_read(done: subprocess.CompletedProcess[str]) -> int:
    """Return how many offers our client says that it has read."""
    found = re.search(r"([\d,]+) offers read", done.stderr)
    if found is None:
        sys.exit(f"advisor does not say what it has read: {done.stderr}")
    return int(found[1].replace(",", ""))


if __name__ == "__main__":
    main()
