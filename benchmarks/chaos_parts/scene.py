"""A schedule is played: a market, a proxy before it, computers, launchers, and after."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.errors import AdvisorError
from advisor.rental.labels import read_label
from advisor.simulator import SimClock, World, serve
from advisor.simulator.accounts import account_id_of
from advisor.simulator.contract import Wish
from advisor.store.ledger import Entry, Ledger

from chaos_parts.faults import FAULTS, FORGETS, Fault, Known
from chaos_parts.plans import Hit, Schedule, Step
from chaos_parts.proxy import Passing, Proxy
from chaos_parts.simtime import SimTime
from chaos_parts.warm import WarmProcess

START_UNIX_S = 1_763_650_000.0
KEY = "vk-chaos-SECRET-0123456789abcdef"
STRANGER = "vk-somebody-else-0123456789"
OFFERS = 60
KEPT = frozenset({"handed", "working"})
"""States of the ledger in which the user, or a job of theirs, has the machine."""

_RENT = ("rent", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
_OPTIONS = ("--yes", "--json", "--start-timeout", "10m", "--job")
_HANGS_AFTER_S = 60.0
_SIGNAL_ARRIVES_S = 0.05
_SETTLE_LANE = 1000
_ROUNDS = 25
_ROUND_S = 61.0
_SMALL_DISK = "size=4m"


@dataclass(slots=True)
class Launched:
    """A launcher, from its start to its end; times are simulated, s since 1970.

    Attributes
    ----------
    step : what it was to do
    number : of the launch
    lane : of the schedule
    began, ended : when
    code : -9: killed; None: it hung, and was killed for that
    out, err : what it said
    where : line at which a signal came, ``""`` if none did
    stopped : when it was stopped, and until when
    signals : that were sent
    met : faults of the market that its requests met: when, kind of request, name
    """

    step: Step
    number: int
    lane: int
    began: float
    ended: float = 0.0
    code: int | None = None
    out: str = ""
    err: str = ""
    where: str = ""
    stopped: list[tuple[float, float]] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    met: list[tuple[float, str, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Contract:
    """A contract as the market itself knows it.

    Attributes
    ----------
    number, account_id : ids
    job : what its label said when it was rented, ``""`` if that was none of ours
    ends : when its label says that it must be gone; inf if that was none of ours
    created, ended : when; the end inf while it is there
    reason : why it ended
    usd : billed
    usd_per_hour : while it runs
    """

    number: int
    account_id: int
    job: str
    ends: float
    created: float
    ended: float
    reason: str
    usd: float
    usd_per_hour: float


class Scene:
    """One market with the computers of one user, for the time of a schedule.

    Parameters
    ----------
    schedule : to be played
    warm : forks its launchers
    keys : folder with a pair of ssh keys, copied to each computer
    host : plays the machines; None for none
    """

    def __init__(
        self, schedule: Schedule, warm: WarmProcess, keys: Path, host: Any = None
    ) -> None:
        self.schedule = schedule
        self.launched: list[Launched] = []
        self.met: Counter[str] = Counter()
        self._warm = warm
        self._keys = keys
        self._host = host
        self._lock = threading.Lock()
        self._by_number: dict[int, Launched] = {}
        self._requests: Counter[tuple[int, str]] = Counter()
        self._calm = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Scene:
        stack = self._stack
        self.world = World(
            offers=OFFERS,
            seed=self.schedule.market_seed,
            clock=SimClock.manual(START_UNIX_S),
            calm=True,
            credit_usd=1e6,
            host=self._host,
        )
        server = stack.enter_context(serve(self.world))
        prefix = f"chaos-{self.schedule.number}-"
        folder = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
        self.folder = Path(stack.enter_context(folder))
        self.time = SimTime(self.world, self.folder / "time")
        stack.callback(self.time.close)
        self.proxy = Proxy(server.url, self.time, self._decide, self._lane, self._known)
        stack.callback(self.proxy.close)
        for place in self.schedule.places:
            self._set_up(place)
        label = f"advisor:theirs:{int(START_UNIX_S - 3600):08x}-{'ab' * 8}"
        self.strangers_id = self._rented_by(STRANGER, label, 2)
        self.console_id = self._rented_by(KEY, self.schedule.console_label, 4)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def account_id(self) -> int:
        """The user's account."""
        return account_id_of(KEY)

    def data(self, place: str) -> Path:
        """Return the data folder of a computer."""
        return self.folder / place / "data"

    def play(self) -> None:
        """Play the lanes of the schedule, and what takes effect after them."""
        copied = self.schedule.copied_after_s
        if copied is not None:
            self.time.after(copied, self._copy)
        threads = [
            threading.Thread(target=self._play_lane, args=(lane, steps))
            for lane, steps in enumerate(self.schedule.lanes)
        ]
        for lane in range(len(threads)):  # all begin at the same moment
            self.time.begin(lane)
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.time.pass_all()

    def settle(self) -> bool:
        """Reconcile, on each computer, until nothing is open; say whether that came.

        The market is well by now, and the disks have room again.
        """
        self._calm = True
        for place in self.schedule.places:
            (self.folder / place / "data" / "ballast").unlink(missing_ok=True)
        damaged = self.damaged_places()
        for _ in range(_ROUNDS):
            is_settled = True
            for place in self.schedule.places:
                done = self.order(Step("reconcile", "", place))
                if done.code != 0 and not (place in damaged and done.code in (1, 2)):
                    is_settled = False
                left = [one for one in self.entries(place) if one.is_open]
                is_settled = is_settled and all(one.state in KEPT for one in left)
            if is_settled:
                return True
            self.time.advance(_ROUND_S)
        return False

    def damaged_places(self) -> set[str]:
        """Return the computers whose ledger tells no more what it told."""
        return {step.place for step in self.schedule.steps if step.damage}

    def entries(self, place: str) -> Sequence[Entry]:
        """Return what the ledger of a computer has, nothing if it cannot be read."""
        try:
            return Ledger(self.data(place)).entries()
        except AdvisorError:
            return ()

    def contracts(self) -> list[Contract]:
        """Return all contracts that ever were."""
        with self.world.looked_at():
            reasons = {
                one["instance_id"]: one["reason"]
                for one in self.world.log.entries
                if one["kind"] == "destroyed"
            }
            return [
                _contract(one, reasons.get(number, ""), self.time.now)
                for number, one in self.world.rentals.contracts.items()
            ]

    def ours(self) -> list[Contract]:
        """Return the contracts that the user's launchers made."""
        return [
            one
            for one in self.contracts()
            if one.account_id == self.account_id and one.number != self.console_id
        ]

    def order(self, step: Step) -> Launched:
        """Launch a command when no lane is at work, and wait for its end."""
        self.time.begin(_SETTLE_LANE)
        try:
            return self.launch(step, _SETTLE_LANE)
        finally:
            self.time.end(_SETTLE_LANE)

    def launch(self, step: Step, lane: int) -> Launched:
        """Launch a command of a lane and wait for its end."""
        number = self._warm.next_number()
        began = self.time.now
        done = Launched(step, number, lane, began)
        with self._lock:
            self.launched.append(done)
            self._by_number[number] = done
        self._damage(step)
        out, err, where = (self.folder / f"{number}.{name}" for name in ("out", "err", "at"))
        order = self._order(step, out, err, where)
        self._warm.start(number, order)
        hit = step.hit
        if hit is not None and hit.after_s is not None:
            self.time.after(hit.after_s, lambda: self._send(done, hit))
        done.code = self._warm.wait(number, _HANGS_AFTER_S)
        if done.code is None:
            self._warm.signal(number, signal.SIGKILL)
            self._warm.wait(number, _HANGS_AFTER_S)
        done.ended = self.time.now
        done.out, done.err = (_text(path) for path in (out, err))
        done.where = _text(where)
        return done

    def _order(self, step: Step, out: Path, err: Path, where: Path) -> dict[str, Any]:
        order: dict[str, Any] = {
            "url": self.proxy.url,
            "key": KEY,
            "clock": str(self.folder / "time"),
            "folder": str(self.folder / step.place),
            "skew_s": step.skew_s,
            "words": _words(step),
            "out": str(out),
            "err": str(err),
        }
        if step.hit is not None and step.hit.line is not None:
            order["line"] = [step.hit.line, step.hit.signum, str(where)]
        if step.file is not None:
            fault = step.file
            order["file"] = {
                "point": fault.point,
                "at": fault.at,
                "what": fault.what,
                "lasting": fault.lasting,
            }
        return order

    def _play_lane(self, lane: int, steps: Sequence[Step]) -> None:
        try:
            for step in steps:
                self.time.wait(lane, step.after_s)
                self.launch(step, lane)
        finally:
            self.time.end(lane)

    def _set_up(self, place: str) -> None:
        """Make a computer: a home with a data folder, and an ssh key in it."""
        data = self.data(place)
        data.mkdir(parents=True)
        fills = any(step.full_at for step in self.schedule.steps if step.place == place)
        if fills:
            self._stack.enter_context(small_disk(data))
        shutil.copytree(self._keys, data / "ssh")

    def _copy(self) -> None:
        """Copy the data of one computer to the other, as a synced home does."""
        with contextlib.suppress(shutil.Error, OSError):  # files come and go meanwhile
            shutil.copytree(self.data("A"), self.data("B"), dirs_exist_ok=True)

    def _damage(self, step: Step) -> None:
        path = self.data(step.place) / "advisor.sqlite3"
        if not step.damage or not path.exists():
            return
        for extra in ("-wal", "-shm"):
            path.with_name(path.name + extra).unlink(missing_ok=True)
        if step.damage == "lost":
            path.unlink()
        elif step.damage == "torn":
            with path.open("r+b") as file:
                file.write(b"torn" * 256)
        else:
            with contextlib.closing(sqlite3.connect(path)) as store:
                store.execute("PRAGMA user_version = 9999")

    def _rented_by(self, key: str, label: str, rank: int) -> int:
        """Rent one of the cheapest offers as a person would at the console."""
        with self.world.looked_at():
            account = self.world.account(key)
            offer = self._cheapest()[rank]
            wish = Wish("image", 10.0, label=label or None)
            return self.world.rent(account, offer, wish).instance_id

    def _cheapest(self) -> list[int]:
        records = [record for _, record in self.world.fleet.offers(self.world.now)]
        records = [one for one in records if one.get("rentable")]
        records.sort(key=lambda one: one["dph_total"])
        return [int(one["id"]) for one in records]

    def _lane(self, number: int) -> int | None:
        launched = self._by_number.get(number)
        return None if launched is None else launched.lane

    def _known(self, passing: Passing) -> Known:
        draw = random.Random(f"{self._seeded(passing)}/pick")  # noqa: S311
        with self.world.looked_at():
            other = draw.choice(self._cheapest()[:10])
        return Known(
            now=self.time.now,
            lists=list(self.proxy.lists),
            stranger=STRANGER,
            console_id=self.console_id,
            other_path=f"/api/v0/asks/{other}/",
            pick=draw.choice,
        )

    def _seeded(self, passing: Passing) -> str:
        """Return what the n-th request of a launch draws from."""
        launched = self._by_number.get(passing.launch)
        turn = (launched.lane, launched.step.job, launched.step.kind) if launched else ()
        count = self._requests[passing.launch, ""]
        return f"{self.schedule.seed}/{self.schedule.number}/{turn}/{count}"

    def _decide(self, passing: Passing) -> Fault | None:
        """Return what befalls a request; send the signals that are due at it."""
        launched = self._by_number.get(passing.launch)
        if launched is None or self._calm:
            return None
        with self._lock:
            self._requests[passing.launch, ""] += 1
            self._requests[passing.launch, passing.kind] += 1
            count = self._requests[passing.launch, passing.kind]
        step, hit = launched.step, launched.step.hit
        if step.full_at == passing.kind and count == 1:
            fill(self.data(step.place))
        if hit is not None and hit.request is not None and count == 1:
            kind, when = hit.request
            if kind == passing.kind and when == "before":
                self._send(launched, hit)
            elif kind == passing.kind:
                passing.forwarded = lambda: self._send(launched, hit)
        name = self._drawn(passing)
        if name == "":
            return None
        with self._lock:
            launched.met.append((self.time.now, passing.kind, name))
            self.met[name] += 1
        return FORGETS if name == "forgotten" else FAULTS[name][1]

    def _drawn(self, passing: Passing) -> str:
        schedule, kind = self.schedule, passing.kind
        if schedule.forgets is not None and kind in ("list", "show"):
            start, length = schedule.forgets
            if start <= self.time.now - START_UNIX_S < start + length:
                return "forgotten"
        fitting = [name for name in schedule.faults if kind in FAULTS[name][0]]
        draw = random.Random(self._seeded(passing))  # noqa: S311
        if not fitting or draw.random() >= schedule.rate:
            return ""
        return draw.choice(fitting)

    def _send(self, launched: Launched, hit: Hit) -> None:
        if not self._warm.signal(launched.number, hit.signum):
            return
        launched.signals.append(hit.signum)
        if hit.signum != signal.SIGSTOP:
            self.time.hold(_SIGNAL_ARRIVES_S)
            return
        number = launched.number
        until = self.time.now + hit.stopped_s
        launched.stopped.append((self.time.now, until))
        self.time.stop(
            launched.lane,
            hit.stopped_s,
            lambda: _go_on(self._warm, number),
        )


def _go_on(warm: WarmProcess, number: int) -> None:
    warm.signal(number, signal.SIGCONT)


def _words(step: Step) -> list[str]:
    """Return the command line of a step."""
    if step.kind == "rent":
        return [*_RENT, *_OPTIONS, step.job, *step.words]
    if step.kind == "release":
        return ["release", *(("--job", step.job) if step.job else ("--all",)), "--yes"]
    return ["reconcile", *step.words]


def _contract(one: Any, reason: str, now: float) -> Contract:
    label = read_label(one.wish.label or "")
    over = one.destroyed_unix_s
    return Contract(
        number=one.instance_id,
        account_id=one.account_id,
        job="" if label is None else label.job,
        ends=float("inf") if label is None else label.ends_unix_s,
        created=one.created_unix_s,
        ended=float("inf") if over is None else over,
        reason=reason,
        usd=one.meter.usd(now),
        usd_per_hour=one.gpu_usd_per_hour + one.disk_usd_per_hour,
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Let a folder be a small disk of its own; root alone can do that."""
    words = ["mount", "-t", "tmpfs", "-o", _SMALL_DISK, "tmpfs", str(folder)]
    subprocess.run(words, check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> None:
    """Fill the disk that a folder is on, to the last byte."""
    with (folder / "ballast").open("ab", buffering=0) as file:
        for size in (1 << 16, 512, 1):
            with contextlib.suppress(OSError):
                while True:
                    file.write(b"x" * size)


def can_have_small_disks() -> bool:
    """Say whether a disk can be filled here."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with small_disk(Path(folder)):
                return True
        except subprocess.CalledProcessError:
            return False
