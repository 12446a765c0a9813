"""Renting is attacked: schedules of faults, drawn from a seed, on a simulated market.

    python benchmarks/chaos.py --schedules 1000 --seed 1  # prints what broke, and seeds
    python benchmarks/chaos.py --schedules 50 --only late
    python benchmarks/chaos.py --seed 1 --replay 17       # one of them, told in full
    python benchmarks/chaos.py --syscalls                 # faults in all that writes
    python benchmarks/chaos.py --signals --every 7        # at each 7th line of `rent`

Launchers are processes that run the whole command line, up to three at once, on one or
two computers; a proxy stands between them and the market. What must hold is judged by
what the market itself knows and has logged: nothing orphaned, nothing twice, nothing of
the user's ended, no cap passed, no secret told, exit codes that say what is (see
`chaos_parts.promises`). Exit code 1: a promise is broken. Needs the extra `simulator`.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import pprint
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from advisor.simulator.local import LocalContainers
from chaos_parts.disks import can_have_small_disks
from chaos_parts.drawing import ALL_CLASSES, draw_schedule
from chaos_parts.machine_plans import MACHINE_CLASSES
from chaos_parts.plans import Schedule
from chaos_parts.promises import Promises
from chaos_parts.scene import Scene
from chaos_parts.sweeps import file_schedules, signal_schedules, syscall_schedules
from chaos_parts.trap import can_trap
from chaos_parts.warm import WarmProcess

_TOLD_EVERY = 50


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
    began = time.monotonic()
    with _host(schedule) as host, Scene(schedule, warm, keys, host) as scene:
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
    counts[f"seconds of {schedule.kind}"] = round(time.monotonic() - began)
    return Played(schedule, tuple(promises.broken), tuple(promises.told), counts, log)


@contextlib.contextmanager
def _host(schedule: Schedule) -> Iterator[LocalContainers | None]:
    """Yield what plays the machines of a schedule, if they must be there."""
    if schedule.kind not in MACHINE_CLASSES:
        yield None
        return
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        host = LocalContainers(Path(folder))
        try:
            yield host
        finally:
            host.close()


def _log(scene: Scene) -> str:
    """Return all that happened in a scene."""
    lines = []
    for one in scene.launched:
        step = one.step
        what = f"lane {one.lane}: {step.kind} {step.job} at {step.place}"
        when = f"{one.began:.0f} to {one.ended:.0f}"
        lines += [
            f"--- {what}, {when}, exit {one.code}, signals {one.signals} {one.where}",
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
            if counts["schedules"] % _TOLD_EVERY == 0:
                print(f"{counts['schedules']:,} played", file=sys.stderr, flush=True)
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
    keygen = str(shutil.which("ssh-keygen"))
    subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", file], check=True)
    return folder


def _playable(schedules: Sequence[Schedule]) -> list[Schedule]:
    """Return the schedules that can be played here; tell of the others."""
    left_out: dict[str, str] = {}
    if not can_have_small_disks():
        left_out["disk"] = left_out["hostile"] = "to fill a disk of its own takes root"
    missing = LocalContainers.missing()
    if not missing and shutil.which("rsync") is None:
        missing = "rsync is not installed"
    if missing:
        left_out |= dict.fromkeys(MACHINE_CLASSES, missing)
    for kind in sorted(left_out.keys() & {one.kind for one in schedules}):
        print(f"class {kind!r} is left out: {left_out[kind]}")
    return [one for one in schedules if one.kind not in left_out]


def _asked(options: argparse.Namespace, keys: Path) -> list[Schedule]:
    """Return the schedules that the command line asks for."""
    if options.signals:
        return list(signal_schedules(options.every))
    if not options.syscalls:
        numbers = range(1, options.schedules + 1)
        if options.replay is not None:
            numbers = range(options.replay, options.replay + 1)
        return [draw_schedule(options.seed, n, options.only) for n in numbers]
    commits = list(file_schedules(options.every))
    if not can_trap():
        print("no fault inside a system call: strace is not installed")
        return commits
    with contextlib.closing(WarmProcess()) as warm:
        return commits + syscall_schedules(warm, keys, options.every, len(commits))


def main(argv: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; return 1 if a promise is broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--schedules", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--only", action="append", choices=sorted(ALL_CLASSES), default=[]
    )
    parser.add_argument("--syscalls", action="store_true")
    parser.add_argument("--signals", action="store_true")
    parser.add_argument("--every", type=int, default=1, metavar="K")
    parser.add_argument(
        "--part", type=int, nargs=2, default=(1, 1), metavar=("K", "N"), help="K-th of N"
    )
    parser.add_argument("--replay", type=int, metavar="N")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args(argv)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        keys = make_keys(Path(scratch) / "ssh")
        schedules = _playable(_asked(options, keys))
        if options.replay is not None:
            return _replay(
                [one for one in schedules if one.number == options.replay], keys
            )
        part, parts = options.part
        schedules = schedules[part - 1 :: parts]
        counts = play_all(schedules, keys, options.jobs)
    for name, count in sorted(counts.items()):
        print(f"{count:6,} {name}")
    broken = counts["broken schedules"]
    print(
        f"{len(schedules):,} schedules, seed {options.seed}: {broken} broken "
        f"({time.monotonic() - began:.0f} s)"
    )
    return 1 if broken else 0


def _replay(schedules: Sequence[Schedule], keys: Path) -> int:
    """Play one schedule and tell all of it."""
    broken = 0
    with contextlib.closing(WarmProcess()) as warm:
        for schedule in schedules:
            pprint.pprint(schedule)
            played = play(schedule, warm, keys, aloud=True)
            print(played.log)
            print(*(f"BROKEN: {line}" for line in played.broken), sep="\n")
            broken += len(played.broken)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
