"""What a schedule does: drawn from its seed and number, written down before it is played.

A schedule has up to three lanes, each with commands one after the other on one of two
computers of the user, and what goes wrong meanwhile.
"""

from __future__ import annotations

import random
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from chaos_parts.faults import BROKEN, HARD, LATE, TIME
from chaos_parts.trap import Trap

Kind = Literal["rent", "release", "reconcile", "run", "rented"]

DAY_S = 86400.0
PLACES = ("A", "B")


@dataclass(frozen=True, slots=True)
class Hit:
    """A signal to a launcher, at the first of these that is set.

    Attributes
    ----------
    signum : which; SIGSTOP is followed by SIGCONT after `stopped_s`
    line : the n-th line that the launcher runs
    request : kind of request at which it comes, and whether before that or after
    after_s : simulated seconds from the launcher's start
    stopped_s : simulated seconds that a stopped launcher stays so
    """

    signum: int
    line: int | None = None
    request: tuple[str, Literal["before", "after"]] | None = None
    after_s: float | None = None
    stopped_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FileFault:
    """A fault of the user's file in one launcher, see `launcher.FailingFile`."""

    point: Literal["begin", "write", "commit"]
    at: int
    what: Literal["full", "io", "locked", "kill"]
    lasting: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One command.

    Attributes
    ----------
    kind, words : command, and what is beside the usual options
    job : for which; of a release, ``""`` for all
    place : computer
    after_s : simulated seconds after the one before it
    skew_s : error of the computer's clock meanwhile
    hit, file : what happens to it
    full_at : kind of request at which the computer's disk is full from then on
    damage : what happens to the computer's ledger before: "torn", "newer" or "lost"
    trap : a system call that fails
    watch : system calls to count
    script : what the machine is to run
    small : whether the computer's disk is a small one
    """

    kind: Kind
    job: str
    place: str
    words: tuple[str, ...] = ()
    after_s: float = 0.0
    skew_s: float = 0.0
    hit: Hit | None = None
    file: FileFault | None = None
    full_at: str | None = None
    damage: str = ""
    trap: Trap | None = None
    watch: tuple[str, ...] = ()
    script: str = ""
    small: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule.

    Attributes
    ----------
    seed, number : what it is drawn from
    kind : class
    lanes : commands
    faults, rate : of the market's answers, and the share of requests that meet one
    market_seed : of the offers
    console_label : of the instance that the user has from the console
    copied_after_s : when data of computer A are copied to B, None for never
    forgets : when the market shows no instance, and for how long, s; None for never
    caps_usd : what the one job of a schedule about caps may cost; None elsewhere
    """

    seed: int
    number: int
    kind: str
    lanes: tuple[tuple[Step, ...], ...]
    faults: tuple[str, ...] = ()
    rate: float = 0.0
    market_seed: int = 1
    console_label: str = ""
    copied_after_s: float | None = None
    forgets: tuple[float, float] | None = None
    caps_usd: float | None = None

    @property
    def steps(self) -> list[Step]:
        """All commands."""
        return [step for lane in self.lanes for step in lane]

    @property
    def places(self) -> list[str]:
        """The computers that take part."""
        copied = {"A", "B"} if self.copied_after_s is not None else set()
        return sorted({step.place for step in self.steps} | copied)


_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL, signal.SIGSTOP)
_REQUESTS: dict[Kind, tuple[str, ...]] = {
    "rent": ("account", "list", "search", "rent", "rent", "rent", "show", "destroy"),
    "release": ("account", "list", "show", "destroy", "destroy"),
    "reconcile": ("account", "list", "show", "destroy"),
}
"""Requests of each command; the more often named is the more often met."""

_LIFETIMES = ("1h", "2h", "20h")
_LINES: dict[Kind, int] = {"rent": 7000, "release": 1200, "reconcile": 1200}
"""More lines than a command runs when nothing goes wrong (6,000 and 1,000)."""


def plain_lanes(draw: random.Random, number: int) -> tuple[tuple[Step, ...], ...]:
    """Return commands without anything that goes wrong."""
    jobs: list[str] = []
    lanes = []
    for lane, place in enumerate(draw.sample(("A", "A", "B"), draw.choice((1, 2, 3)))):
        steps = []
        for turn in range(draw.choice((1, 2, 2, 3))):
            kind: Kind = draw.choice(("rent", "rent", "rent", "release", "reconcile"))
            kind = kind if lane or turn else "rent"
            job = f"k{number}-{lane}-{turn}"
            words: tuple[str, ...] = ()
            if kind == "rent":
                jobs.append(job)
                words = ("--max-lifetime", draw.choice(_LIFETIMES))
            elif kind == "release":
                job = draw.choice([*jobs, ""]) if jobs else ""
            after_s = draw.choice((0.0, 0.0, 5.0, 40.0, 200.0))
            steps.append(Step(kind, job, place, words, after_s))
        lanes.append(tuple(steps))
    return tuple(lanes)


def _hit(draw: random.Random, kind: Kind, signums: Sequence[int] = _SIGNALS) -> Hit:
    """Draw a signal to a command, and its moment."""
    signum = draw.choice(signums)
    stopped_s = draw.choice((3.0, 60.0, 400.0, 3 * DAY_S))
    way = draw.choice(("line", "request", "moment"))
    if way == "line":
        line = draw.randint(1, _LINES[kind])
        return Hit(signum, line=line, stopped_s=stopped_s)
    if way == "request":
        request = draw.choice(_REQUESTS[kind])
        when: Literal["before", "after"] = draw.choice(("before", "after"))
        return Hit(signum, request=(request, when), stopped_s=stopped_s)
    return Hit(signum, after_s=draw.uniform(0.0, 200.0), stopped_s=stopped_s)


def _changed(
    schedule: Schedule, change: Callable[[Step], Step], kinds: Sequence[str] = ()
) -> Schedule:
    """Return a schedule with its commands changed, those of some kinds alone."""
    lanes = tuple(
        tuple(change(one) if not kinds or one.kind in kinds else one for one in lane)
        for lane in schedule.lanes
    )
    return replace(schedule, lanes=lanes)


def _with_hits(draw: random.Random, schedule: Schedule, share: float) -> Schedule:
    def change(step: Step) -> Step:
        return replace(step, hit=_hit(draw, step.kind)) if draw.random() < share else step

    return _changed(schedule, change)


def _calm(draw: random.Random, schedule: Schedule) -> Schedule:
    return _with_hits(draw, schedule, 0.4)


def _faulty(names: Sequence[Sequence[str]]) -> Callable[..., Schedule]:
    """Return what draws faults of the market: one or more of each row of names."""

    def faulty(draw: random.Random, schedule: Schedule) -> Schedule:
        chosen = [name for row in names for name in draw.sample(row, min(3, len(row)))]
        rate = draw.choice((0.05, 0.12, 0.3))
        schedule = replace(schedule, faults=tuple(chosen), rate=rate)
        return _with_hits(draw, schedule, draw.choice((0.0, 0.3)))

    return faulty


def _late(draw: random.Random, schedule: Schedule) -> Schedule:
    schedule = replace(schedule, faults=tuple(draw.sample(LATE, 2)), rate=0.6)
    return _with_hits(draw, schedule, draw.choice((0.0, 0.3)))


def _twice(draw: random.Random, schedule: Schedule) -> Schedule:
    """Let one request make two contracts, or its answer name another's."""
    names = ("doubled", "twin", "repeated60", "other-id", "lost")
    schedule = replace(schedule, faults=names, rate=draw.choice((0.2, 0.5)))
    return _with_hits(draw, schedule, draw.choice((0.0, 0.3)))


def _signals(draw: random.Random, schedule: Schedule) -> Schedule:
    signums = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    return _changed(
        schedule, lambda step: replace(step, hit=_hit(draw, step.kind, signums))
    )


def _files(draw: random.Random, schedule: Schedule) -> Schedule:
    """Faults of the ledger in one command, or a ledger that is damaged before it."""

    def change(step: Step) -> Step:
        if draw.random() < 0.4:
            return step
        if step.kind != "rent" and draw.random() < 0.4:
            return replace(step, damage=draw.choice(("torn", "newer", "lost")))
        fault = FileFault(
            point=draw.choice(("begin", "write", "commit", "commit")),
            at=draw.randint(1, 9),
            what=draw.choice(("full", "io", "locked", "kill")),
            lasting=draw.random() < 0.5,
        )
        return replace(step, file=fault)

    return _changed(schedule, change)


def _disk(draw: random.Random, schedule: Schedule) -> Schedule:
    """Let a disk get full at some request, and stay so."""
    at = draw.choice(("account", "rent", "rent", "show", "destroy"))
    return _changed(schedule, lambda step: replace(step, full_at=at), ("rent", "release"))


def _clocks(draw: random.Random, schedule: Schedule) -> Schedule:
    errors = (0.0, DAY_S, -DAY_S, 900.0, -900.0)
    schedule = replace(schedule, faults=TIME, rate=draw.choice((0.0, 0.1, 0.3)))
    return _changed(schedule, lambda step: replace(step, skew_s=draw.choice(errors)))


def _copies(draw: random.Random, schedule: Schedule) -> Schedule:
    """Copy a data folder while a launcher is at work; who has the copy reconciles."""
    first = tuple(
        replace(step, place="A", after_s=0.0 if not turn else step.after_s)
        for turn, step in enumerate(schedule.lanes[0])
    )
    at = draw.uniform(1.0, 60.0)
    pause_s = draw.choice((5.0, 70.0))
    second = tuple(
        Step("reconcile", "", "B", after_s=after_s) for after_s in (at + 1.0, pause_s)
    )
    return replace(schedule, lanes=(first, second), copied_after_s=at)


def _caps(draw: random.Random, schedule: Schedule) -> Schedule:
    """Launchers that share one job's budget, at the same time and here and there."""
    budget = draw.choice((0.5, 1.0, 3.0))
    job = f"k{schedule.number}-caps"
    words = ("--budget", str(budget), "--max-lifetime", "20h")
    schedule = _changed(
        schedule,
        lambda step: replace(step, kind="rent", job=job, words=words, after_s=0.0),
    )
    return replace(schedule, caps_usd=budget)


def _forgetful(draw: random.Random, schedule: Schedule) -> Schedule:
    """Let the market show no instance for a while, beside cron."""
    start_s, for_s = draw.uniform(0.0, 200.0), draw.choice((40.0, 130.0, 280.0))
    cron = tuple(Step("reconcile", "", "A", after_s=61.0) for _ in range(8))
    lanes = (*schedule.lanes[:2], cron)
    return replace(schedule, lanes=lanes, forgets=(start_s, for_s))


def _hung(draw: random.Random, schedule: Schedule) -> Schedule:
    """Stop a launcher for days, past its machine's end, beside cron."""
    hit = Hit(signal.SIGSTOP, after_s=draw.uniform(1.0, 50.0), stopped_s=3 * DAY_S)
    if draw.random() < 0.5:
        when = (draw.choice(("rent", "show")), draw.choice(("before", "after")))
        hit = replace(hit, after_s=None, request=when)
    rent = Step(
        "rent",
        f"k{schedule.number}-hung",
        "A",
        ("--max-lifetime", draw.choice(("1h", "2h"))),
        hit=hit,
    )
    place = draw.choice(PLACES)
    cron = tuple(
        Step("reconcile", "", place, after_s=after_s)
        for after_s in (100.0, 3600.0, 3 * 3600.0, 600.0)
    )
    return replace(schedule, lanes=((rent,), cron))


CLASSES: dict[str, Callable[[random.Random, Schedule], Schedule]] = {
    "calm": _calm,
    "broken": _faulty((BROKEN,)),
    "hard": _faulty((BROKEN, HARD)),
    "late": _late,
    "twice": _twice,
    "signals": _signals,
    "files": _files,
    "disk": _disk,
    "clocks": _clocks,
    "copies": _copies,
    "caps": _caps,
    "forgetful": _forgetful,
    "hung": _hung,
}
"""What a class adds to plain commands, where no machine need be there."""
