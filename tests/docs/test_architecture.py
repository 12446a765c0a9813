"""The walk of an offer is the way through the code: modules, functions, their order."""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def rooms_in_order() -> list[str]:
    """Return the rooms as the import contract draws them, the lowest first."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = project["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["type"] == "layers")
    alike = [layer.split(" | ") for layer in reversed(layers)]
    return [room.removeprefix("advisor.") for several in alike for room in several]


def walk(docs: Path) -> list[tuple[str, str]]:
    """Return module and function of each step."""
    page = (docs / "architecture.md").read_text(encoding="utf-8")
    _, _, page = page.partition("## The walk of an offer\n")
    page, _, _ = page.partition("\n## ")
    return re.findall(r"^\| \d+ \| `([a-z_.]+)` \| `([a-z_]+)` \|", page, re.MULTILINE)


def test_every_step_is_in_the_code(docs: Path) -> None:
    """The modules exist and have the functions."""
    steps = walk(docs)
    assert len(steps) >= 10
    for module, function in steps:
        assert callable(getattr(importlib.import_module(module), function))


def test_no_room_is_entered_twice(docs: Path) -> None:
    """The rooms come in the order of the import contract, each of them once."""
    rooms = [module.split(".")[1] for module, _ in walk(docs)]
    entered = [room for at, room in enumerate(rooms) if rooms[at - 1 : at] != [room]]
    order = rooms_in_order()
    places = [order.index(room) for room in entered]
    assert places == sorted(set(places)), entered
    assert {"market", "hardware", "throughput", "cost", "ranking"} <= set(entered)


def test_every_room_is_drawn(docs: Path) -> None:
    """The page has the packages that there are, in the contract's order."""
    page = (docs / "architecture.md").read_text(encoding="utf-8")
    _, _, table = page.partition("## The rooms\n")
    table, _, beside = table.partition("\n\nFive packages")
    drawn = re.findall(r"^\| `([a-z]+)` \|", table, re.MULTILINE)
    next_to_it = ["training", "simulator", "fleet", "serve", "mcp"]
    assert all(f"`{name}`" in beside for name in next_to_it)
    assert drawn == [one for one in rooms_in_order() if one not in next_to_it]
    folders = {path.parent.name for path in (ROOT / "advisor").glob("*/__init__.py")}
    assert folders == {*drawn, *next_to_it}
