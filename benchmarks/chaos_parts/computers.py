"""A user's computers: what is on them, what becomes of it, and what is typed there."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from chaos_parts.disks import small_disk
from chaos_parts.plans import Step

_RENT = ("rent", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
_OPTIONS = ("--yes", "--json", "--start-timeout", "10m", "--job")
_SMALL_DISK = "160m"  # no rental begins with less than 100 MB to write in
_NEWER = 9999  # than any version of the ledger's schema


@contextlib.contextmanager
def computer(home: Path, steps: Sequence[Step], keys: Path) -> Iterator[None]:
    """Have a computer with all that its steps need.

    Parameters
    ----------
    home : its user's home, with the data folder in it
    steps : that are done on it
    keys : pair of ssh keys that are there already
    """
    data = home / "data"
    with contextlib.ExitStack() as stack:
        home.mkdir()
        if any(step.small for step in steps):
            stack.enter_context(small_disk(home, _SMALL_DISK))
        data.mkdir()
        if any(step.full_at for step in steps):
            stack.enter_context(small_disk(data, _SMALL_DISK))
        shutil.copytree(keys, data / "ssh")
        if any(step.kind == "run" for step in steps):
            (home / "project").mkdir()
            (home / "project" / "input").write_text("x", encoding="ascii")
        yield


def words_of(step: Step, home: Path) -> list[str]:
    """Return the command line of a step; a job that is known goes on."""
    if step.kind == "rent":
        return [*_RENT, *_OPTIONS, step.job, *step.words]
    if step.kind == "release":
        which = ("--job", step.job) if step.job else ("--all",)
        return ["release", *which, "--yes"]
    if step.kind == "reconcile":
        return ["reconcile"]
    if (home / "data" / "jobs" / step.job / "job.json").exists():
        return ["run", "--yes", "--resume", step.job]
    words = ["run", *_RENT[1:], "--yes", "--job", step.job]
    return [*words, "--sync", str(home / "project"), "--", "sh", "-c", step.script]


def copy(data: Path, other: Path) -> None:
    """Copy the data of one computer to another one, as a synced home does."""
    with contextlib.suppress(shutil.Error, OSError):  # files come and go meanwhile
        shutil.copytree(data, other, dirs_exist_ok=True)


def damage(data: Path, what: str) -> None:
    """Let a ledger be torn, of a newer version or lost; ``""`` for nothing of it."""
    path = data / "advisor.sqlite3"
    if not what or not path.exists():
        return
    for extra in ("-wal", "-shm"):
        path.with_name(path.name + extra).unlink(missing_ok=True)
    if what == "lost":
        path.unlink()
    elif what == "torn":
        with path.open("r+b") as file:
            file.write(b"torn" * 256)
    else:
        with contextlib.closing(sqlite3.connect(path)) as store:
            store.execute(f"PRAGMA user_version = {_NEWER}")
