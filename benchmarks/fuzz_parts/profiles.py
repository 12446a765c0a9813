"""Profiles and ``advisor.toml``, read where they are wrong."""

from __future__ import annotations

import random
from pathlib import Path

from advisor.base.errors import AdvisorError
from advisor.workloads.load import BUILTIN, PROJECT_FILE, Library, load_settings
from fuzz_parts.tally import Tally
from fuzz_parts.wild import wrong_lines

PROJECT = """\
market = "vast"
[rental]
image = "pytorch/pytorch:2.3.0"
job_budget_usd = 5.0
day_budget_usd = 20.0
max_lifetime_h = 24
[workloads.mine]
extends = "resnet50"
epochs = 3
batch_size = 64
[workloads.other]
extends = "mine"
precision = "amp"
"""


def fuzz_profiles(count: int, rnd: random.Random, folder: Path) -> Tally:
    """Wrong a profile, or an ``advisor.toml``, `count` times."""
    tally, texts = Tally(), [one.read_text() for one in sorted(BUILTIN.glob("*.toml"))]
    for text in texts:
        (folder / "mine.toml").write_text(text)
        Library().load(str(folder / "mine.toml"))
    (folder / PROJECT_FILE).write_text(PROJECT)
    Library(None, (folder / PROJECT_FILE,)).load("other")
    for number in range(count):
        is_project = number % 2 == 1
        path = folder / (PROJECT_FILE if is_project else "mine.toml")
        body = wrong_lines(rnd, PROJECT if is_project else rnd.choice(texts))
        path.write_bytes(body)
        tally.tried += 1
        _try(tally, path, f"{body!r:.160}", is_project=is_project)
        if path.read_bytes() != body:
            tally.fault(f"reading changed the file ({body!r:.160})")
    return tally


def _try(tally: Tally, path: Path, how: str, *, is_project: bool) -> None:
    library = Library(None, (path,) if is_project else ())
    names = ("mine", "other") if is_project else (str(path),)
    found = [
        tally.tell(f"load ({how})", lambda one=name: library.load(one)) for name in names
    ]
    if is_project:
        tally.tell(f"settings ({how})", lambda: load_settings((path,)))
        tally.tell(f"all ({how})", library.all)
    tally.refused += any(isinstance(one, AdvisorError) for one in found)
