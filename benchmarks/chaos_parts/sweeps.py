"""Schedules that take every point of a kind in turn: system calls, lines, commits."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from chaos_parts.plans import FileFault, Hit, Kind, Schedule, Step
from chaos_parts.scene import Scene
from chaos_parts.trap import Trap, What
from chaos_parts.warm import WarmProcess

_ERRORS: dict[str, tuple[tuple[What, bool], ...]] = {
    "pwrite64": (("kill", False), ("ENOSPC", False), ("ENOSPC", True), ("EIO", False)),
    "write": (("kill", False), ("ENOSPC", False), ("ENOSPC", True), ("EIO", False)),
    "fdatasync": (("kill", False), ("EIO", False), ("EIO", True)),
    "fsync": (("kill", False), ("EIO", False), ("EIO", True)),
    "ftruncate": (("kill", False), ("ENOSPC", False), ("EIO", False)),
    "rename": (("kill", False), ("ENOSPC", False)),
    "unlink": (("kill", False), ("EIO", False)),
    "openat": (("kill", False), ("ENOSPC", True), ("EIO", False), ("EIO", True)),
}
"""System calls that write, and what befalls them: once, or from then on."""

_COMMANDS: tuple[Kind, ...] = ("rent", "release", "reconcile")
_FILE_POINTS = {"begin": 12, "write": 12, "commit": 12}


def syscall_schedules(
    warm: WarmProcess, keys: Path, every: int, before: int
) -> list[Schedule]:
    """Return one schedule for each `every`-th system call of each command.

    How many there are is counted first, each command watched once. Their numbers come
    after `before`.
    """
    found: list[Schedule] = []
    for command in _COMMANDS:
        calls: Counter[str] = Counter()
        for names in (sorted(_ERRORS.keys() - {"openat"}), ["openat"]):
            watched = _schedule("syscalls", 0, command, watch=tuple(names))
            with Scene(watched, warm, keys) as scene:
                scene.play()
                calls += scene.calls
        for name, errors in _ERRORS.items():
            for what, lasting in errors:
                for at in range(1, calls[name] + 1, every):
                    trap = Trap(name, at, what, lasting)
                    number = before + len(found) + 1
                    found.append(_schedule("syscalls", number, command, trap=trap))
    return found


def signal_schedules(every: int, last: int = 9000) -> Iterator[Schedule]:
    """Yield schedules in which `rent` gets a signal at each `every`-th line."""
    number = 0
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        for line in range(1, last, every):
            number += 1
            yield _schedule("signals", number, "rent", hit=Hit(signum, line=line))


def file_schedules(every: int) -> Iterator[Schedule]:
    """Yield schedules in which a statement of the ledger fails: needs no strace."""
    number = 0
    for command in _COMMANDS:
        for point, most in _FILE_POINTS.items():
            for what in ("full", "io", "locked", "kill"):
                for lasting in (False, True):
                    if what == "kill" and lasting:
                        continue
                    for at in range(1, most + 1, every):
                        number += 1
                        fault = FileFault(point, at, what, lasting)  # type: ignore[arg-type]
                        yield _schedule("commits", number, command, file=fault)


def _schedule(
    kind: str,
    number: int,
    command: Kind,
    *,
    trap: Trap | None = None,
    watch: tuple[str, ...] = (),
    hit: Hit | None = None,
    file: FileFault | None = None,
) -> Schedule:
    """Return a schedule of a command with something for it to do, and the fault in it."""
    job = f"s{number}"
    steps = []
    if command == "release":
        steps.append(Step("rent", job, "A"))
    elif command == "reconcile":  # what a crash left
        killed = Hit(signal.SIGKILL, request=("rent", "after"))
        steps.append(Step("rent", job, "A", hit=killed))
    at = Step(command, job, "A", trap=trap, watch=watch, hit=hit, file=file)
    return Schedule(0, number, kind, ((*steps, at),))
