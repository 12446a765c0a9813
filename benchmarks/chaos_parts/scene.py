"""A schedule is played: a market, a proxy before it, computers, launchers, and after."""

from __future__ import annotations

import contextlib
import math
import random
import signal
import tempfile
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from advisor.base.errors import AdvisorError
from advisor.simulator.accounts import account_id_of
from advisor.simulator.clock import SimClock
from advisor.simulator.contract import Wish
from advisor.simulator.server import serve
from advisor.simulator.world import World
from advisor.store.ledger import Entry, Ledger
from advisor.store.place import place_of
from chaos_parts.computers import computer, copy, damage, words_of
from chaos_parts.disks import empty, fill
from chaos_parts.faults import FAULTS, FORGETS, Fault, Known
from chaos_parts.plans import Hit, Schedule, Step
from chaos_parts.proxy import Passing, Proxy
from chaos_parts.simtime import SimTime
from chaos_parts.trap import Strace
from chaos_parts.truth import Contract, Launched, contracts_of
from chaos_parts.warm import WarmProcess

START_UNIX_S = 1_763_650_000.0
KEY = "vk-chaos-SECRET-0123456789abcdef"
STRANGER = "vk-somebody-else-0123456789"
OFFERS = 60
KEPT = frozenset({"handed", "working"})
"""States of the ledger in which the user, or a job of theirs, has the machine."""

_RENTED = {"workload": "resnet50", "settings": {"dataset_gb": 1}, "epochs": 2}
_HANGS_AFTER_S = 90.0
_SIGNAL_ARRIVES_S = 0.05
_SETTLE_LANE = 1000
_ROUNDS_S = (61.0, 61.0, 122.0, 305.0, 610.0, 610.0, 1220.0, 0.0)
"""Pauses between one `reconcile` and the next, for what takes several looks."""


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
        self.calls: Counter[str] = Counter()
        self.ended_by: list[tuple[float, int, Launched]] = []
        self._warm = warm
        self._keys = keys
        self._host = host
        self._lock = threading.Lock()
        self._by_number: dict[int, Launched] = {}
        self._requests: Counter[tuple[int, str]] = Counter()
        self._calm = False
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
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
        self.proxy = Proxy(server.url, self.time, self)
        stack.callback(self.proxy.close)
        for place in self.schedule.places:
            steps = [step for step in self.schedule.steps if step.place == place]
            stack.enter_context(computer(self.folder / place, steps, self._keys))
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
            self.time.after(copied, lambda: copy(self.data("A"), self.data("B")))
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
            empty(self.data(place))
        damaged = self.damaged_places()
        for pause_s in _ROUNDS_S:
            is_settled = True
            for place in self.schedule.places:
                done = self.order(Step("reconcile", "", place))
                if done.code != 0 and not (place in damaged and done.code in (1, 2)):
                    is_settled = False
                is_settled = is_settled and self._is_settled(place)
            if is_settled:
                return True
            self.time.advance(pause_s)
        return False

    def _is_settled(self, place: str) -> bool:
        """Say whether all that a ledger has open is there, and is somebody's.

        What was copied from another computer's ledger is for that one to settle, up to
        its end.
        """
        alive = {one.number for one in self.ours() if one.ended == math.inf}
        here = place_of(self.data(place))
        return all(
            (one.instance_id in alive and one.state in KEPT)
            or (one.place != here and self.time.now < one.ends_at)
            for one in self.entries(place)
            if one.is_open
        )

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
        return contracts_of(self.world)

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
        damage(self.data(step.place), step.damage)
        files = {name: self.folder / f"{number}.{name}" for name in ("out", "err", "at")}
        pid = self._warm.start(number, self._order(step, files))
        strace = self._strace(step, pid, number)
        hit = step.hit
        if hit is not None and hit.after_s is not None:
            self.time.after(hit.after_s, lambda: self._send(done, hit))
        done.code = self._warm.wait(number, _HANGS_AFTER_S)
        if done.code is None:
            self._warm.signal(number, signal.SIGKILL)
            self._warm.wait(number, _HANGS_AFTER_S)
        if strace is not None:
            self.calls += strace.close()
        done.ended = self.time.now
        done.out, done.err, done.where = (_text(path) for path in files.values())
        return done

    def _strace(self, step: Step, pid: int, number: int) -> Strace | None:
        """Attach strace to a launcher that waits for it, and let that go."""
        calls = [step.trap.syscall] if step.trap else list(step.watch)
        if not calls:
            return None
        log = self.folder / f"{number}.strace"
        strace = Strace(pid, self.data(step.place), calls, log, step.trap)
        self._warm.signal(number, signal.SIGCONT)
        return strace

    def _order(self, step: Step, files: Mapping[str, Path]) -> dict[str, Any]:
        """Return what `launcher` is told of a step."""
        order: dict[str, Any] = {
            "url": self.proxy.url,
            "key": KEY,
            "clock": str(self.folder / "time"),
            "folder": str(self.folder / step.place),
            "skew_s": step.skew_s,
            "words": words_of(step, self.folder / step.place),
            "out": str(files["out"]),
            "err": str(files["err"]),
            "waits": step.trap is not None or bool(step.watch),
        }
        if step.kind == "rented":
            order["rented"] = {**_RENTED, "name": step.job, "script": step.script}
        if step.hit is not None and step.hit.line is not None:
            order["line"] = [step.hit.line, str(files["at"])]
        if step.file is not None:
            order["file"] = asdict(step.file)
        return order

    def _play_lane(self, lane: int, steps: Sequence[Step]) -> None:
        try:
            for step in steps:
                self.time.wait(lane, step.after_s)
                self.launch(step, lane)
        finally:
            self.time.end(lane)

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

    def lane_of(self, number: int) -> int | None:
        """Return the lane of a launch."""
        launched = self._by_number.get(number)
        return None if launched is None else launched.lane

    def knowing(self, passing: Passing) -> Known:
        """Return what faults need to know."""
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

    def decide(self, passing: Passing) -> Fault | None:
        """Return what befalls a request; send the signals that are due at it."""
        launched = self._by_number.get(passing.launch)
        if launched is None:
            return None
        with self._lock:
            self._requests[passing.launch, ""] += 1
            self._requests[passing.launch, passing.kind] += 1
            count = self._requests[passing.launch, passing.kind]
        step, hit = launched.step, launched.step.hit
        if passing.kind == "destroy":
            number = int(passing.handler.path.rstrip("/").rsplit("/", 1)[1])
            self.ended_by.append((self.time.now, number, launched))
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

    def at_line(self, number: int) -> None:
        """Send the signal that a launch gets at the line where it is now."""
        launched = self._by_number[number]
        if launched.step.hit is not None:
            self._send(launched, launched.step.hit)

    def _drawn(self, passing: Passing) -> str:
        schedule, kind = self.schedule, passing.kind
        if self._calm:
            return ""
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


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
