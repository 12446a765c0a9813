"""A program that runs with the hooks, and what they say of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.measure.hooks import SITE, observation

LIMIT_S = 240.0


@dataclass(frozen=True, slots=True)
class Watched:
    """How a program ended, and the documents of its processes with steps, by rank."""

    status: int
    stdout: str
    stderr: str
    seen: list[dict[str, Any]]
    every: list[dict[str, Any]]

    @property
    def trainer(self) -> dict[str, Any]:
        assert len(self.seen) == 1, self.stderr
        return self.seen[0]


def watch(
    tmp_path: Path,
    script: str,
    *arguments: str,
    steps: int | None = None,
    seconds: float | None = None,
    redirect: bool = False,
    first: tuple[str, ...] = (),
    path: str = "",
) -> Watched:
    """Run a script, written out, with the hooks."""
    folder = tmp_path / "seen"
    folder.mkdir()
    program = tmp_path / "train.py"
    program.write_text(textwrap.dedent(script))
    asked = {
        observation.FOLDER: str(folder),
        observation.STEPS: "" if steps is None else str(steps),
        observation.SECONDS: "" if seconds is None else str(seconds),
        observation.REDIRECT: "1" if redirect else "",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(SITE), path])),
    }
    done = subprocess.run(
        [sys.executable, *first, str(program), *arguments],
        cwd=tmp_path,
        env={**os.environ, **asked},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    paths = sorted(folder.glob("observation-*.json"))
    every = [json.loads(one.read_text()) for one in paths]
    seen = [one for one in every if one["steps"]["seen"]]
    seen.sort(key=lambda one: int(one["distributed"]["rank"]))
    return Watched(done.returncode, done.stdout, done.stderr, seen, every)
