"""The official client and ours do the same things on one simulated market.

Both go through a proxy that remembers what they send. The market's clock stands still
but for what the flow lets pass.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import json
import re
import subprocess
import sys
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from advisor.base.clock import Clock
from advisor.market.lifecycle import Order
from advisor.market.types import Query
from advisor.market.vast.client import VastMarket
from advisor.market.vast.key import Key
from advisor.simulator.clock import SimClock
from advisor.simulator.server import serve
from advisor.simulator.world import World

OFFICIAL = Path(sys.executable).parent / "vastai"
THEIR_KEY, OUR_KEY = "key-of-the-official-client", "key-of-ours"
START = 1_800_000_000.0
BOOT_S = 3600.0
IMAGE = "pytorch/pytorch:2.5.1-cuda12.4-cudnn9-runtime"


@dataclass(frozen=True)
class Sent:
    """One request: what it asks, without the ids of instances and offers."""

    method: str
    path: str
    params: dict[str, str]
    body: Any
    key: str


@dataclass
class Recorder:
    """Where the proxy listens, and what went through it."""

    url: str
    sent: list[Sent] = field(default_factory=list)

    def since(self, count: int) -> list[Sent]:
        return self.sent[count:]


@contextlib.contextmanager
def recording(upstream: str) -> Iterator[Recorder]:
    """Pass what comes on to `upstream`, and remember it."""
    target = urllib.parse.urlsplit(upstream).netloc

    class Proxy(http.server.BaseHTTPRequestHandler):
        def pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            parts = urllib.parse.urlsplit(self.path)
            recorder.sent.append(
                Sent(
                    self.command,
                    re.sub(r"/\d+(?=/|$)", "/ID", parts.path),
                    dict(urllib.parse.parse_qsl(parts.query)),
                    json.loads(body) if body else None,
                    self.headers.get("Authorization", ""),
                )
            )
            connection = http.client.HTTPConnection(target, timeout=20.0)
            try:
                headers = {name: self.headers[name] for name in self.headers}
                connection.request(self.command, self.path, body, headers)
                answer = connection.getresponse()
                content = answer.read()
            finally:
                connection.close()
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = pass_on  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Print nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        recorder = Recorder(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield recorder
        finally:
            server.shutdown()
            thread.join()


@dataclass
class Flow:
    """What each side sent and got, by intention."""

    sent: dict[str, list[Sent]] = field(default_factory=dict)
    got: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Both:
    """The flow of the official client, ours, and the market's ledger at the end."""

    theirs: Flow
    ours: Flow
    ledger: dict[str, Any]


def official(url: str, home: Path, *words: str) -> Any:
    """Run the official client as a user would; return its JSON, or its text."""
    command = [str(OFFICIAL), "--url", url, "--api-key", THEIR_KEY, *words]
    done = subprocess.run(
        command,
        env={"HOME": str(home), "XDG_CONFIG_HOME": str(home), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    try:
        return json.loads(done.stdout)
    except ValueError:
        return done.stdout


@pytest.fixture(name="official")
def official_client() -> Callable[..., Any]:
    """Return what runs the official client, or skip."""
    if not OFFICIAL.exists():
        pytest.skip("the official client is not installed (extra `peer`)")
    return official


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    """Let both clients go through their flows, one after the other."""
    pytest.importorskip("uvicorn", reason="the extra simulator is not installed")
    if not OFFICIAL.exists():
        pytest.skip("the official client is not installed (extra `peer`)")

    home = tmp_path_factory.mktemp("home")
    world = World(offers=400, seed=7, clock=SimClock.manual(START), calm=True)
    with serve(world) as server, recording(server.url) as recorder:
        theirs = their_flow(recorder, home, world)
        ours = our_flow(recorder, world)
        return Both(theirs, ours, world.ledger())


THEIR_SEARCHES = {
    "search": (
        *("gpu_name=RTX_4090 num_gpus=1 reliability>0.9", "-o", "dph_total"),
        *("--limit", "20", "--storage", "40"),
    ),
    "search large": ("num_gpus>=2 gpu_ram>=20 cpu_ram>64 inet_down>100 verified=any",),
    "search long": ("duration>2 dph<1.5 geolocation!=CN", "-o", "dlperf_usd-"),
    "search bid": ("num_gpus=1 gpu_name in [RTX_3090,RTX_4090]", "--type", "bid"),
}


def their_flow(recorder: Recorder, home: Path, world: World) -> Flow:
    """Search, rent, look, change and destroy with the official client."""
    flow = Flow()

    def do(intention: str, *words: str) -> Any:
        before = len(recorder.sent)
        flow.got[intention] = official(recorder.url, home, *words, "--raw")
        flow.sent[intention] = recorder.since(before)
        return flow.got[intention]

    for intention, words in THEIR_SEARCHES.items():
        do(intention, "search", "offers", *words)
    offer, bid_offer = flow.got["search"][0], flow.got["search bid"][-1]
    order = (
        *("--image", IMAGE, "--disk", "40", "--ssh", "--direct", "--cancel-unavail"),
        *("--env", "-e JOB=1", "--label", "peer:one", "--onstart-cmd", "echo hi"),
    )
    rented = do("rent", "create", "instance", str(offer["id"]), *order)
    price = str(round(bid_offer["min_bid"] * 1.5, 3))
    bidding = do(
        *("rent by bid", "create", "instance", str(bid_offer["id"]), *order),
        *("--bid_price", price),
    )
    number, other = str(rented["new_contract"]), str(bidding["new_contract"])
    do("account", "show", "user")
    do("instances", "show", "instances")
    world.advance(BOOT_S)
    do("instance", "show", "instance", number)
    do("ssh", "ssh-url", number)
    do("log", "logs", number, "--tail", "5")
    do("relabel", "label", "instance", number, "peer:new")
    do("bid", "change", "bid", other, "--price", str(round(float(price) * 1.2, 3)))
    do("stop", "stop", "instance", number)
    do("start", "start", "instance", number)
    do("release", "destroy", "instance", number, "-y")
    do("release the other", "destroy", "instance", other, "-y")
    do("instance that is gone", "show", "instance", number)
    do("no instances", "show", "instances")
    return flow


def our_flow(recorder: Recorder, world: World) -> Flow:
    """Do the same with our client."""
    flow = Flow()
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    clock = Clock(monotonic=lambda: passed[0], sleep=sleep)
    market = VastMarket(Key(OUR_KEY, "test"), recorder.url, clock=clock)

    def do(intention: str, call: Any, *arguments: Any) -> Any:
        before = len(recorder.sent)
        flow.got[intention] = call(*arguments)
        flow.sent[intention] = recorder.since(before)
        return flow.got[intention]

    query = Query(("RTX 4090",), (1,), 0.9, disk_gb=40.0)
    offers = do("search", market.search, query).records
    offer, bid_offer = offers[0], offers[-1]
    order = Order(offer["id"], IMAGE, 40.0, "peer:one", "echo hi", {"JOB": "1"})
    number = do("rent", market.rent, order)
    price = round(bid_offer["min_bid"] * 1.5, 3)
    bid = Order(bid_offer["id"], IMAGE, 40.0, "peer:one", "echo hi", {"JOB": "1"}, price)
    other = do("rent by bid", market.rent, bid)
    do("account", market.account)
    do("instances", market.instances)
    world.advance(BOOT_S)
    do("instance", market.instance, number)
    do("log", market.log, number, 5)
    do("relabel", market.relabel, number, "peer:new")
    do("bid", market.change_bid, other, round(price * 1.2, 3))
    do("stop", market.stop, number)
    do("start", market.start, number)
    do("release", market.release, number)
    do("release the other", market.release, other)
    do("instance that is gone", market.instance, number)
    do("no instances", market.instances)
    return flow
