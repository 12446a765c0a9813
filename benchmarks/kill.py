"""Launchers are killed at every point, and in random schedules with faults on.

    python benchmarks/kill.py                  # every point of rent, release, reconcile
    python benchmarks/kill.py --schedules 500  # and so many random schedules

After `advisor reconcile`, told again a minute later while it says that something is
unknown, the market must have what the user's ledger has, and no more: nothing orphaned,
nothing lost, never two machines for one intent. Needs the extra `simulator`.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from advisor.simulator import SCENARIOS, SimClock, World, serve
from advisor.store.ledger import Ledger

START_UNIX_S = 1_763_650_000.0
OFFERS = 60
PER_WORLD = 25
SETTLE_TRIES = 8
MOST_POINTS = (12, 40, 60, 130)
FAULTS = sorted(SCENARIOS.keys() - {"slow-drip"})  # that takes a real minute each time
RENT = ("rent", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
OPTIONS = ("--yes", "--json", "--start-timeout", "2m", "--job")


class DisagreementError(Exception):
    """Market and ledger disagree, or a launcher broke by itself."""


@dataclass
class DyingLauncher:
    """A process that launches and kills, see `dying_launcher`."""

    url: str
    folder: Path
    key: str = "kill-test-key-000001"
    _process: subprocess.Popen[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        script = Path(__file__).with_name("dying_launcher.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: str, kill_at: int | None = None) -> dict[str, Any]:
        """Launch; return code (-9: killed), points, stdout and stderr."""
        order = {
            "url": self.url,
            "key": self.key,
            "folder": str(self.folder),
            "words": words,
            "kill_at": kill_at,
        }
        orders, answers = self._process.stdin, self._process.stdout
        if orders is None or answers is None:
            raise BrokenPipeError
        orders.write(json.dumps(order) + "\n")
        orders.flush()
        answer: dict[str, Any] = json.loads(answers.readline())
        if "Traceback" in answer["stderr"]:
            raise DisagreementError(answer["stderr"])
        return answer

    def close(self) -> None:
        """End the process."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        self._process.wait()


@dataclass
class Scene:
    """A market, and a launcher of one account there."""

    world: World
    launch: DyingLauncher

    def rent(self, job: str, kill_at: int | None = None) -> dict[str, Any]:
        """Rent a machine for a job."""
        return self.launch(*RENT, *OPTIONS, job, kill_at=kill_at)

    def settle(self) -> int:
        """Reconcile until nothing is unknown; return how often that took."""
        for tries in range(1, SETTLE_TRIES + 1):
            if self.launch("reconcile")["code"] == 0:
                return tries
            self.world.advance(61.0)
        message = "reconcile does not come to an end"
        raise DisagreementError(message)

    def alive(self) -> list[str]:
        """Return the labels of what the market has, sorted."""
        rows = self.world.ledger()["instances"]
        return sorted(str(one["label"]) for one in rows if not one["destroyed"])

    def check(self) -> None:
        """Raise unless market and ledger agree, with one machine a job at most."""
        alive = self.alive()
        entries = Ledger(self.launch.folder / "data").entries()
        kept = sorted(one.label for one in entries if one.state == "handed")
        if alive != kept:
            message = f"market {alive}, ledger {kept}"
            raise DisagreementError(message)
        jobs = [label.split(":")[1] for label in alive]
        if len(jobs) != len(set(jobs)):
            message = f"two machines for one intent: {jobs}"
            raise DisagreementError(message)


@contextmanager
def scene() -> Iterator[Scene]:
    """Yield a market where nothing happens by itself, and a launcher."""
    clock = SimClock.manual(START_UNIX_S)
    world = World(offers=OFFERS, seed=3, clock=clock, calm=True, credit_usd=1e6)
    with tempfile.TemporaryDirectory() as scratch, serve(world) as server:
        launcher = DyingLauncher(server.url, Path(scratch))
        try:
            yield Scene(world, launcher)
        finally:
            launcher.close()


def every_point(step: int = 1) -> dict[str, int]:
    """Kill `rent`, `release` and `reconcile` at every point (of `step`); count them."""
    points: dict[str, int] = {}
    with scene() as on:
        for name, prepare in (
            ("rent, first machine broken", _rent_twice),
            ("release", _release),
            ("reconcile what a crash left", _reconcile),
        ):
            at = 1
            while True:
                on.world.set_faults()
                died = prepare(on, f"{name[:3]}{at}", at)
                on.world.set_faults()
                on.settle()
                on.check()
                on.launch("release", "--all", "--yes")
                on.check()
                if died["code"] != -9:
                    break
                points[name] = at
                at += step
            print(f"{name}: killed at {points[name] // step + 1} points", flush=True)
    return points


def _rent_twice(on: Scene, job: str, kill_at: int) -> dict[str, Any]:
    on.launch("hosts", "list")  # what is blocked stays blocked: the machine is another
    on.world.set_faults(*SCENARIOS["two-buyers"].faults)
    return on.rent(job, kill_at)


def _release(on: Scene, job: str, kill_at: int) -> dict[str, Any]:
    on.rent(job)
    return on.launch("release", "--job", job, "--yes", kill_at=kill_at)


def _reconcile(on: Scene, job: str, kill_at: int) -> dict[str, Any]:
    on.rent(job, kill_at=20)  # somewhere after the request
    return on.launch("reconcile", kill_at=kill_at)


def random_schedules(count: int, seed: int) -> dict[str, int]:
    """Play so many random schedules; count what happened in them."""
    draw = random.Random(seed)  # noqa: S311  (a schedule, no secret)
    told = {"schedules": 0, "launches": 0, "killed": 0, "kept": 0}
    while told["schedules"] < count:
        with scene() as on:
            for _ in range(min(PER_WORLD, count - told["schedules"])):
                _schedule(on, draw, told)
        print(", ".join(f"{n:,} {name}" for name, n in told.items()), flush=True)
    return told


def _schedule(on: Scene, draw: random.Random, told: dict[str, int]) -> None:
    """Play one schedule: faults, one to three launches that may die, then order."""
    number = told["schedules"] = told["schedules"] + 1
    names = draw.sample(FAULTS, draw.choice((0, 1, 1, 2)))
    plan: list[tuple[str, int | None]] = []
    on.world.set_faults(*(fault for name in names for fault in SCENARIOS[name].faults))
    for turn in range(draw.choice((1, 2, 3))):
        kill_at = draw.choice((None, *(draw.randint(1, most) for most in MOST_POINTS)))
        job = f"s{number}-{turn}"
        words: Sequence[str] = draw.choice(
            (
                (*RENT, *OPTIONS, job),
                (*RENT, *OPTIONS, job),
                ("release", "--all", "--yes"),
                ("reconcile",),
            )
        )
        plan.append((words[0], kill_at))
        done = on.launch(*words, kill_at=kill_at)
        told["launches"] += 1
        told["killed"] += done["code"] == -9
        if draw.random() < 0.3:
            on.world.advance(draw.choice((10.0, 61.0)))
    on.world.set_faults()
    try:
        on.settle()
        on.check()
    except DisagreementError as error:
        message = f"schedule {number}, faults {names}, {plan}: {error}"
        raise DisagreementError(message) from error
    told["kept"] += len(on.alive())
    on.launch("release", "--all", "--yes")
    on.check()


def main() -> None:
    """Print what was killed, and that nothing was lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    every_point(options.step)
    print("nothing orphaned, nothing lost, none twice")
    if options.schedules:
        random_schedules(options.schedules, options.seed)
        print("nothing orphaned, nothing lost, none twice")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
