"""Renting is attacked: schedules of faults, drawn from a seed, against a simulated market.

    python benchmarks/chaos.py --schedules 1000 --seed 1  # prints what broke, and seeds
    python benchmarks/chaos.py --schedules 50 --only late
    python benchmarks/chaos.py --seed 1 --replay 17       # one of them, told in full

Launchers are processes that run the whole command line, up to three at once, on one or two
computers; a proxy stands between them and the market. What must hold is judged by what
the market itself knows and has logged: nothing orphaned, nothing twice, nothing of the
user's ended, no cap passed, no secret told, exit codes that say what is (see
`chaos_parts.promises`). Exit code 1: a promise is broken. Needs the extra `simulator`.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import pprint
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos_parts.plans import CLASSES, Schedule, draw_schedule
from chaos_parts.promises import Promises
from chaos_parts.scene import Scene, can_have_small_disks
from chaos_parts.warm import WarmProcess


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a schedule: `broken` promises, what is worth telling, counts."""

    schedule: Schedule
    broken: tuple[str, ...]
    told: tuple[str, ...]
    counts: Counter[str]
    log: str = ""


def play(
    schedule: Schedule, warm: WarmProcess, keys: Path, *, aloud: bool = False
) -> Played:
    """Play a schedule and look at what must hold."""
    with Scene(schedule, warm, keys) as scene:
        scene.play()
        promises = Promises(scene)
        played = list(scene.launched)
        promises.check()
        counts = Counter({f"class {schedule.kind}": 1, "schedules": 1})
        counts["launches"] = len(played)
        counts["contracts"] = len(scene.ours())
        counts["signals"] = sum(len(one.signals) for one in played)
        counts.update(f"exit {one.code}" for one in played)
        counts.update({f"fault {name}": n for name, n in scene.met.items()})
        log = _log(scene) if aloud else ""
    return Played(schedule, tuple(promises.broken), tuple(promises.told), counts, log)


def _log(scene: Scene) -> str:
    """Return all that happened in a scene."""
    lines = []
    for one in scene.launched:
        step = one.step
        lines += [
            f"--- lane {one.lane}: {step.kind} {step.job} at {step.place}, "
            f"{one.began:.0f} to {one.ended:.0f}, exit {one.code}, "
            f"signals {one.signals} {one.where}",
            *(f"    {at:.0f} {kind}: {name}" for at, kind, name in one.met),
            *(f"  | {line}" for line in (one.err + one.out).splitlines()),
        ]
    lines += [pprint.pformat(contract) for contract in scene.contracts()]
    for place in scene.schedule.places:
        lines += [f"{place}: {entry}" for entry in scene.entries(place)]
    return "\n".join(lines)


_warm: list[WarmProcess] = []


def _play_one(asked: tuple[Schedule, Path]) -> Played:
    """Play a schedule in a process that has a warm one beside it."""
    if not _warm:
        _warm.append(WarmProcess())
    schedule, keys = asked
    try:
        return play(schedule, _warm[0], keys)
    except Exception:  # a fault of this harness: told, and counted as broken
        return Played(schedule, (f"harness: {traceback.format_exc()}",), (), Counter())


def play_all(schedules: Iterable[Schedule], keys: Path, jobs: int) -> Counter[str]:
    """Play schedules, print what broke and return what was counted."""
    counts: Counter[str] = Counter()
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        orders = ((schedule, keys) for schedule in schedules)
        for played in pool.imap_unordered(_play_one, orders):
            counts += played.counts
            for line in played.told:
                print(f"told: schedule {played.schedule.number}: {line}", flush=True)
            counts["told"] += len(played.told)
            if played.broken:
                counts["broken schedules"] += 1
                counts.update(f"broken: {_class_of(line)}" for line in played.broken)
                print(f"BROKEN {played.schedule}", flush=True)
                print(*(f"    {line}" for line in played.broken), sep="\n", flush=True)
        pool.close()
        pool.join()
    return counts


def _class_of(line: str) -> str:
    """Return a line without its numbers and names."""
    words = [word for word in line.split() if not any(c.isdigit() for c in word)]
    return " ".join(words)[:60]


def make_keys(folder: Path) -> Path:
    """Make the pair of ssh keys that all computers of all schedules share."""
    folder.mkdir()
    file = str(folder / "id_ed25519")
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return folder


def main(argv: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", action="append", choices=sorted(CLASSES), default=[])
    parser.add_argument("--replay", type=int, metavar="N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(argv)
    kinds = list(options.only or CLASSES)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        keys = make_keys(Path(scratch) / "ssh")
        if options.replay is not None:
            schedule = draw_schedule(options.seed, options.replay, kinds)
            return _replay(schedule, keys)
        schedules = [
            draw_schedule(options.seed, number, kinds)
            for number in range(1, options.schedules + 1)
        ]
        if not can_have_small_disks():
            print("class 'disk' is left out: to fill a disk of its own takes root")
            schedules = [one for one in schedules if one.kind != "disk"]
        counts = play_all(schedules, keys, options.jobs)
    for name, count in sorted(counts.items()):
        print(f"{count:6,} {name}")
    broken = counts["broken schedules"]
    print(
        f"{len(schedules):,} schedules, seed {options.seed}: {broken} broken "
        f"({time.monotonic() - began:.0f} s)"
    )
    return 1 if broken else 0


def _replay(schedule: Schedule, keys: Path) -> int:
    """Play one schedule and tell all of it."""
    pprint.pprint(schedule)
    warm = WarmProcess()
    try:
        played = play(schedule, warm, keys, aloud=True)
    finally:
        warm.close()
    print(played.log)
    print(*(f"BROKEN: {line}" for line in played.broken), sep="\n")
    return 1 if played.broken else 0


if __name__ == "__main__":
    sys.exit(main())
