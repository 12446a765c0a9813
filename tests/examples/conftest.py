"""A market where machines really run, and launchers that live in its fast time."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.app.context import Context
from advisor.simulator.clock import SimClock
from advisor.simulator.local import LocalContainers
from advisor.simulator.server import serve
from advisor.simulator.world import World

EXAMPLES = Path(__file__).parents[2] / "examples"
FAST = Path(__file__).with_name("fast.py")
KEY = "test-key-0123456789abcdef"
SPEED = 60.0


def module_at(path: Path) -> Any:
    """Return a file of Python as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Town:
    """A market, and the folder and variables of whoever rents there."""

    world: World
    variables: Mapping[str, str]
    folder: Path

    @property
    def context(self) -> Context:
        """The outside world of a launcher within this process."""
        made: Context = module_at(FAST).context_in(self.variables, self.folder)
        return made

    def run(self, *words: str | Path, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the folder."""
        return subprocess.run(
            [str(word) for word in words],
            cwd=self.folder,
            env={**self.variables, **more},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def machines(self) -> list[dict[str, Any]]:
        """Return every contract that was ever made."""
        return list(self.world.ledger()["instances"])

    def left(self) -> list[dict[str, Any]]:
        """Return the contracts that exist."""
        return [one for one in self.machines() if not one["destroyed"]]


@pytest.fixture(scope="session")
def examples() -> Path:
    """Return the folder of the examples."""
    return EXAMPLES


@pytest.fixture(scope="session")
def load() -> Callable[[Path], Any]:
    """Return what makes a module of a file."""
    return module_at


def _missing() -> str:
    """Return what keeps this machine from standing in for rented ones."""
    if missing := LocalContainers.missing():
        return missing
    for name in ("ssh", "rsync", "bash"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    return ""


@pytest.fixture
def town(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """Return a market with machines, or skip where none can run; nothing may be left."""
    if missing := _missing():
        pytest.skip(missing)
    programs = tmp_path / "programs"
    programs.mkdir()
    shim = programs / "advisor"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAST}" "$@"\n')
    shim.chmod(0o755)
    for name in ("python", "python3"):  # here, and on the machines
        (programs / name).symlink_to(sys.executable)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    sleep = tmp_path / "launchers" / "sleep"  # a shell knows no other time
    sleep.parent.mkdir()
    text = f'exec /bin/sleep "$(echo "$1" | awk \'{{ print $1 / {SPEED} }}\')"'
    sleep.write_text(f"#!/bin/sh\n{text}\n")
    sleep.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    start, began = time.time(), time.monotonic()
    host = LocalContainers(tmp_path / "machines")
    clock = SimClock(SPEED, start)
    try:
        world = World(60, 3, clock, calm=True, host=host)
        with serve(world) as running:
            variables = {
                "PATH": f"{sleep.parent}:{os.environ['PATH']}",
                "HOME": str(tmp_path),
                "VAST_URL": running.url,
                "VAST_API_KEY": KEY,
                "ADVISOR_DATA_DIR": str(tmp_path / "data"),
                "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
                "TEST_CLOCK": f"{SPEED} {start!r} {began!r}",
            }
            made = Town(world, variables, folder)
            yield made
            assert made.left() == []
    finally:
        host.close()
