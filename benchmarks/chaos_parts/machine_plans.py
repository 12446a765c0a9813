"""Schedules whose machines are there: an ssh server each, and what runs on them."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from dataclasses import replace

from chaos_parts.plans import Hit, Schedule, Step

_LINES = 14_000
"""Lines of `run` up to the moment when its command has ended, and some more."""

WORK = "echo s >>starts; sleep 2; mkdir -p results; cp starts results/; echo fin"
"""A command whose results tell how often it was begun on its machine."""

# Kills by what a process was started with: the market's other machines run here, too.
_END_WATCHDOG = """
for p in /proc/[0-9]*; do
  tr '\\0' '\\n' <$p/environ 2>/dev/null |
    grep -qxF "ADVISOR_SIMULATED_INSTANCE=$ADVISOR_SIMULATED_INSTANCE" || continue
  tr '\\0' ' ' <$p/cmdline | grep -q 'advisor/watchdog' && kill -9 ${p#/proc/}
done
"""

HOSTILE = {
    "fills the disk": "mkdir -p results; head -c 200000000 /dev/zero >results/big",
    "fills it with many": "mkdir -p results; for i in $(seq 40); do "
    "head -c 5000000 /dev/zero >results/$i; done",
    "floods the log": "yes 'a line of a log that nobody reads' | head -c 200000000",
    "links": "mkdir -p results/deep; ln -s /etc/passwd results/out; "
    "ln -s / results/root; ln -s ../../.. results/deep/up; ln -s . results/self; "
    "mkfifo results/pipe",
    "repositories": "mkdir -p results/a/.git results/b.git/objects results/b.git/refs "
    "results/c/.hg results/.vscode; printf '[core]\\nfsmonitor=touch /tmp/owned\\n' "
    "| tee results/a/.git/config >results/b.git/config; "
    "for d in a/.git b.git; do echo 'ref: refs/heads/main' >results/$d/HEAD; done; "
    "mkdir -p results/a/.git/objects results/a/.git/refs; "
    "printf '[hooks]\\npre-status=true\\n' >results/c/.hg/hgrc; "
    "echo 'export A=1' >results/.envrc; echo '{}' >results/.vscode/settings.json; "
    "ln -s b.git results/.git",
    "ends its watchdog": f"{_END_WATCHDOG}; {WORK}",
    "ends its own folder": f'rm -rf "$HOME/.advisor"; {WORK}',
    "names a file oddly": "mkdir -p results; cd results; touch -- -rf '--delete' "
    "\"$(printf 'a\\nb')\" '$(touch x)'",
}
"""What a machine may do to who rents it."""


def _run(draw: random.Random, schedule: Schedule) -> Schedule:
    """Let a job's launcher be killed, stopped or interrupted; it goes on at last."""
    job = f"k{schedule.number}-run"
    steps = []
    for _ in range(draw.choice((1, 2, 3))):
        signums = (signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP, signal.SIGINT)
        hit = Hit(draw.choice(signums), line=draw.randint(1, _LINES), stopped_s=90.0)
        steps += [
            Step("run", job, "A", hit=hit, script=WORK),
            Step("reconcile", "", "A", after_s=draw.choice((0.0, 70.0))),
        ]
    steps.append(Step("run", job, "A", script=WORK))
    return replace(schedule, lanes=(tuple(steps),))


def _owners(draw: random.Random, schedule: Schedule) -> Schedule:
    """One name for what the user rented and for a job."""
    job = f"k{schedule.number}-lab"
    steps = (
        Step("rent", job, "A", ("--max-lifetime", "20h")),
        Step("run", job, "A", script=WORK, after_s=draw.choice((0.0, 70.0))),
        Step("reconcile", "", "A"),
    )
    return replace(schedule, lanes=(steps,))


def _hostile(draw: random.Random, schedule: Schedule) -> Schedule:
    """Let a machine do harm to a computer with a small disk; its user gives up."""
    job = f"k{schedule.number}-hostile"
    name = draw.choice(sorted(HOSTILE))
    steps = (
        Step("run", job, "A", script=HOSTILE[name], small=True),
        Step("release", job, "A"),
    )
    return replace(schedule, lanes=(steps,))


def _rented(draw: random.Random, schedule: Schedule) -> Schedule:
    """Let a program use the Python face, and perhaps be interrupted or killed."""
    hit = None
    if draw.random() < 0.7:
        signum = draw.choice((signal.SIGINT, signal.SIGKILL))
        hit = Hit(signum, line=draw.randint(1, _LINES // 2))
    job = f"k{schedule.number}-rented"
    step = Step("rented", job, "A", hit=hit, script="echo hello")
    return replace(schedule, lanes=((step,),))


MACHINE_CLASSES: dict[str, Callable[[random.Random, Schedule], Schedule]] = {
    "run": _run,
    "owners": _owners,
    "hostile": _hostile,
    "rented": _rented,
}
