"""A simulated market over a real socket, and launchers that rent there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError
from advisor.cli.main import app
from advisor.market.vast.key import VARIABLE
from advisor.simulator.clock import SimClock
from advisor.simulator.local import LocalContainers
from advisor.simulator.server import serve
from advisor.simulator.world import World
from advisor.store.ledger import Entry, Ledger

START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
KEY = "test-key-0123456789abcdef"
RENT = ("rent", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
RENT += ("--yes", "--json")
RUN = ("run", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1", "--yes")
RUN += ("--no-verify",)  # tests of it ask for it


@dataclass(frozen=True)
class Street:
    """A market, its time, and the launchers of one account."""

    world: World
    url: str
    folder: Path
    run_command: Callable[..., Any]

    def context(
        self,
        machine: str = "here",
        key: str = KEY,
        gateway: Any = None,
        skew_s: float = 0,
    ) -> Context:
        """Return the outside world of a launcher on one of the user's machines.

        Parameters
        ----------
        gateway : what lies between it and the market
        skew_s : by which its clock is ahead
        """
        home = self.folder / machine
        home.mkdir(exist_ok=True)
        return Context(
            variables={
                "VAST_URL": self.url,
                VARIABLE: key,
                "ADVISOR_DATA_DIR": str(home / "data"),
                "ADVISOR_CACHE_DIR": str(home / "cache"),
            },
            home=home,
            folder=home,
            transport=gateway,
            clock=Clock(
                now=lambda: datetime.fromtimestamp(self.world.clock.now() + skew_s, UTC),
                monotonic=self.world.clock.now,
                sleep=self.sleep,
            ),
        )

    def sleep(self, seconds: float) -> None:
        self.world.advance(seconds)

    def launch(
        self, *words: str, machine: str = "here", key: str = KEY, **world: Any
    ) -> Any:
        """Run one command line as the process would; return its `Outcome`."""
        outcome = self.run_command(words, self.context(machine, key, **world))
        assert KEY not in outcome.stdout + outcome.stderr
        return outcome

    def rent(self, *words: str, **world: Any) -> Any:
        """Rent for the workload of the tests."""
        return self.launch(*RENT, *words, **world)

    def run(self, project: Path, script: str, *words: str) -> Any:
        """Run a shell script on a machine, with a folder; the machines must be there."""
        line = [*RUN, "--sync", str(project), *words]
        return self.launch(*line, "--", "sh", "-c", script)

    def rent_beside_others(self, *words: str, **world: Any) -> int:
        """Rent in one of several threads; return the exit code.

        click's runner would take the streams of the process, which threads share.
        """
        context = self.context(**world)
        line = [*RENT, *words]
        try:
            code = app.main(line, "advisor", standalone_mode=False, obj=context)
        except AdvisorError as error:
            return int(error.exit_status)
        return int(code or 0)

    def console_machine(self, label: str = "mine") -> int:
        """Rent the dearest machine as in the market's console; return its id."""
        headers = {"Authorization": f"Bearer {KEY}"}
        with httpx.Client(base_url=self.url, headers=headers, trust_env=False) as client:
            body = {"rentable": {"eq": True}, "order": [["dph_total", "desc"]]}
            offers = client.post("/api/v0/bundles/", json=body).json()["offers"]
            wish = {"client_id": "me", "image": "x", "disk": 10, "label": label}
            path = f"/api/v0/asks/{offers[0]['id']}/"
            answer = client.put(path, json={**wish, "runtype": "ssh"}).json()
        self.sleep(600.0)
        return int(answer["new_contract"])

    def ledger(self, machine: str = "here") -> Ledger:
        return Ledger(self.folder / machine / "data")

    def entries(self, machine: str = "here") -> list[Entry]:
        return list(self.ledger(machine).entries())

    def instances(self) -> list[dict[str, Any]]:
        """Return the contracts that exist, of all accounts."""
        return [one for one in self.world.ledger()["instances"] if not one["destroyed"]]

    def records(self) -> list[dict[str, Any]]:
        """Return the offers as the market itself knows them."""
        with self.world.looked_at():
            return [dict(record) for _, record in self.world.fleet.offers(0.0)]

    def labels(self) -> list[str]:
        return [str(one["label"]) for one in self.instances()]


Send = Callable[[], httpx.Response]
Act = Callable[[httpx.Request, Send], httpx.Response]


@dataclass
class Gateway(httpx.BaseTransport):
    """The network, where one kind of request is met by `act`.

    Attributes
    ----------
    method, path : of the requests; `path` is a part of it
    act : gets the request, and what sends it on
    times : requests that are met so; the rest pass
    seen : requests that were
    """

    method: str
    path: str
    act: Act
    times: int = 10**9
    seen: list[httpx.Request] = field(default_factory=list)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        def send() -> httpx.Response:
            with httpx.HTTPTransport(verify=False) as network:
                response = network.handle_request(request)
                response.read()
            return response

        wanted = request.method == self.method and self.path in request.url.path
        if not wanted or len(self.seen) >= self.times:
            return send()
        request.read()
        self.seen.append(request)
        return self.act(request, send)


def twice(_request: httpx.Request, send: Send) -> httpx.Response:
    """Send a request twice, as HTTP allows for a PUT; the second answer is told."""
    send()
    return send()


def lost(request: httpx.Request, send: Send) -> httpx.Response:
    """Send a request, and lose its answer."""
    send()
    message = "the connection broke"
    raise httpx.ReadError(message, request=request)


class Late(Gateway):
    """Breaks the connection of the first request that rents, which takes effect later.

    Parameters
    ----------
    by_s : simulated seconds from the break to the effect
    clock : of the market
    """

    def __init__(self, by_s: float, clock: Any) -> None:
        super().__init__("PUT", "/asks/", self._broken, times=1)
        self._by_s, self._clock = by_s, clock
        self._due: float | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.arrive()
        return super().handle_request(request)

    def arrive(self) -> None:
        """Let the request take effect if it is time."""
        if self._due is None or self._clock.now() < self._due:
            return
        self._due = None
        (sent,) = self.seen
        httpx.request(
            sent.method,
            sent.url,
            content=sent.content,
            headers=sent.headers,
            trust_env=False,
        )

    def _broken(self, request: httpx.Request, _send: Send) -> httpx.Response:
        self._due = self._clock.now() + self._by_s
        message = "the connection broke"
        raise httpx.ReadError(message, request=request)


def edited(change: Callable[[dict[str, Any]], None]) -> Act:
    """Change the JSON of an answer."""

    def act(_request: httpx.Request, send: Send) -> httpx.Response:
        response = send()
        document = response.json()
        change(document)
        body = json.dumps(document).encode()
        return httpx.Response(response.status_code, json=json.loads(body))

    return act


def instead(document: Any) -> Act:
    """Answer in the market's place, as it would."""

    def act(_request: httpx.Request, send: Send) -> httpx.Response:
        date = send().headers["Date"]
        return httpx.Response(200, json=document, headers={"Date": date})

    return act


MakeStreet = Callable[..., Street]


@pytest.fixture
def make_street(tmp_path: Path, run_command: Callable[..., Any]) -> Iterator[MakeStreet]:
    """Return a maker of markets that are closed when the test ends.

    Time stands still on them until somebody waits. Where machines are there it passes
    by itself, too: who looks at them again and again counts on that.
    """
    servers: list[Any] = []

    def make(**options: Any) -> Street:
        clock = SimClock(1.0 if "host" in options else 0.0, START.timestamp())
        world = World(
            **{"offers": 60, "seed": 3, "clock": clock, "calm": True, **options}
        )
        server = serve(world)
        servers.append(server)
        running = server.__enter__()
        return Street(world, running.url, tmp_path, run_command)

    yield make
    for server in servers:
        server.__exit__(None, None, None)


@pytest.fixture
def launching(tmp_path: Path) -> Iterator[Callable[[Any], Any]]:
    """Return what launches command lines on a market in processes of their own.

    They may get signals, see `signaled.py`; ``launcher.pid`` names the one that runs.
    """
    script = Path(__file__).with_name("signaled.py")
    folder = tmp_path / "here"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as forker:
        stdin, stdout = forker.stdin, forker.stdout
        assert stdin is not None
        assert stdout is not None

        def launcher(street: Any) -> Any:
            def run(*words: str, signals: tuple[int, ...] = (), **more: Any) -> Any:
                order = {"url": street.url, "key": KEY, "folder": str(folder)}
                order |= {"words": words, "signals": signals, **more}
                stdin.write(json.dumps(order) + "\n")
                stdin.flush()
                done = json.loads(stdout.readline())
                assert KEY not in done["stdout"] + done["stderr"]
                assert "Traceback" not in done["stderr"], done["stderr"]
                return done

            return run

        yield launcher
        stdin.close()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[LocalContainers]:
    """Return what plays the machines of a market here, with a real ssh server."""
    made = LocalContainers(tmp_path / "machines")
    yield made
    made.close()


@pytest.fixture
def inhabited(make_street: MakeStreet, host: LocalContainers) -> Street:
    """Return a calm market whose machines are there; skip where they cannot be."""
    missing = LocalContainers.missing()
    if not missing and shutil.which("rsync") is None:
        missing = "rsync is not installed"
    if missing:
        pytest.skip(missing)
    return make_street(host=host)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder that is to be run."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "data.txt").write_text("input")
    return folder


@pytest.fixture
def street(make_street: MakeStreet) -> Street:
    """Return a calm market: nothing happens there by itself."""
    return make_street()


def wait_for(done: Callable[[], bool], within_s: float = 60.0) -> None:
    """Wait until something is so; fail if it does not come to that."""
    end = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.05)


@dataclass
class Begun:
    """A launcher of `run` that is a process of its own.

    Attributes
    ----------
    folder : its home
    line : its command line
    """

    street: Street
    folder: Path
    line: Sequence[str]
    start: Callable[..., Any]
    _ended: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        launcher = self.start(self.street)

        def launch() -> None:
            self._ended.append(launcher(*self.line))

        self._thread = threading.Thread(target=launch)
        self._thread.start()

    def work(self, name: str) -> None:
        """Wait until it has a machine at work, where a file has been written."""
        machines = self.street.folder / "machines"
        wait_for(lambda: any(machines.glob(f"*/home/work/{name}")))
        wait_for(lambda: self.street.entries()[-1].state == "working")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(int((self.folder / "launcher.pid").read_text()), number)

    def end(self) -> dict[str, Any]:
        """Wait for its end; return code, stdout and stderr."""
        self._thread.join(60.0)
        assert self._ended, "it does not end"
        return dict(self._ended[0])


@pytest.fixture
def begin(launching: Any, project: Path) -> Callable[..., Begun]:
    """Return what begins to run a shell script on a machine of a market."""

    def run(street: Street, script: str, *words: str) -> Begun:
        line = [*RUN, "--sync", str(project), *words, "--", "sh", "-c", script]
        return Begun(street, street.folder / "here", line, launching)

    return run


@pytest.fixture
def sending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what has the machines' rsync do something else when it is to send.

    That is so from the first call on, for machines that are rented later.
    """
    rsync, programs = shutil.which("rsync"), tmp_path / "bin"

    def instead(script: str) -> None:
        if not programs.exists():
            programs.mkdir()
            monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        line = f'case "$*" in *--sender*) {script} ;; esac\nexec {rsync} "$@"'
        (programs / "rsync.new").write_text(f"#!/bin/sh\n{line}\n")
        (programs / "rsync.new").chmod(0o755)
        (programs / "rsync.new").rename(programs / "rsync")

    return instead
