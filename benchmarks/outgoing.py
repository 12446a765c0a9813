"""Time of deciding what leaves a folder, as a ratio to reading its files once.

A tree of small source files is made, and beside it an ignored folder with many more. In
turn: all files that go are read and nothing else is done; the list is decided with git,
without git, and with the ignored folder in place, which must cost nothing.

    python benchmarks/outgoing.py [--files 20000] [--ignored 100000] [--runs 5]
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from advisor.rental.outgoing.decide import Asked, Outgoing, Private, decide

WORDS = ("import", "def", "class", "return", "self", "torch", "model", "loss", "range")
KEY = "a-key-that-is-in-no-file-0123456789"
LINES = 60


def make(folder: Path, files: int) -> None:
    """Write so many files of a few kilobytes into folders of about 20."""
    draw = random.Random(0)  # noqa: S311  (the same tree each time, no secret)
    body = [" ".join(draw.choices(WORDS, k=7)) for _ in range(10 * LINES)]
    for at in range(files):
        place = folder / f"pkg{at % 40:02d}" / f"sub{at // 40 % (files // 800 + 1):03d}"
        place.mkdir(parents=True, exist_ok=True)
        text = "\n".join(draw.sample(body, LINES))
        (place / f"mod{at}.py").write_text(text)


def make_ignored(folder: Path, files: int) -> None:
    """Write so many empty files, a thousand to a folder."""
    for at in range(files):
        place = folder / f"{at // 1000}"
        if at % 1000 == 0:
            place.mkdir(parents=True)
        (place / f"{at}").touch()


def read(folder: Path) -> int:
    """Read all files; return their bytes."""
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(f"{parent}/{name}", "rb", buffering=0) as file:  # noqa: PTH123
                size += len(file.read())
    return size


def decided(folder: Path) -> Outgoing:
    """Decide what goes of the folder."""
    return decide(Asked(folder), Private(keys=(KEY,)), print)


def without_git(folder: Path) -> Outgoing:
    """Decide it where there is no git."""
    path = os.environ.pop("PATH")
    os.environ["PATH"] = "/nowhere"
    try:
        return decided(folder)
    finally:
        os.environ["PATH"] = path


def seconds(call: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--ignored", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        plain, both = Path(name, "plain"), Path(name, "both")
        for folder in (plain, both):
            make(folder, options.files)
            (folder / ".gitignore").write_text("data/\n*.log\n")
            git = str(shutil.which("git"))
            subprocess.run([git, "init", "-q", str(folder)], check=True)
        make_ignored(both / "data", options.ignored)
        ways: dict[str, Callable[[], object]] = {
            "read once": lambda: read(plain),
            "with git": lambda: decided(plain),
            "without git": lambda: without_git(plain),
            "with git, ignored folder": lambda: decided(both),
            "without git, ignored folder": lambda: without_git(both),
        }
        outgoing = decided(plain)
        print(f"{len(outgoing.files):,} files, {outgoing.bytes / 1e6:.0f} MB; "
              f"{options.ignored:,} ignored")  # fmt: skip
        for call in ways.values():
            call()
        took: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(options.runs):
            for way, call in ways.items():
                took[way].append(seconds(call))
        medians = {way: statistics.median(times) for way, times in took.items()}
        for way, median in medians.items():
            ratio = median / medians["read once"]
            print(f"{way:28}  {median:6.2f} s  {ratio:5.2f} times reading once")


if __name__ == "__main__":
    main()
