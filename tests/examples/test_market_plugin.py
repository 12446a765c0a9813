"""The example of a market in a package of its own: found, ranked, right by its tests."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from advisor.market.offers import KEYS

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "market-plugin"


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """Install the example: its package and what pip writes of it; no key, no network."""
    project = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    about = tmp_path / f"advisor_nimbus-{project['version']}.dist-info"
    about.mkdir()
    named = f"Name: {project['name']}\nVersion: {project['version']}\n"
    (about / "METADATA").write_text(named, encoding="utf-8")
    lines: list[str] = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {at}" for name, at in points.items()), ""]
    (about / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
    sites = (EXAMPLE, tmp_path, ROOT)
    return {
        **{name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ},
        "PYTHONPATH": os.pathsep.join(map(str, sites)),
        "PYTHONDONTWRITEBYTECODE": "1",
        "HOME": str(tmp_path),
        "ADVISOR_DATA_DIR": str(tmp_path / "data"),
        "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
    }


def test_it_is_ranked_by_its_name(variables: dict[str, str], tmp_path: Path) -> None:
    """`advisor rank --market nimbus` shows all of its offers."""
    words = ("rank", "--workload", "resnet50", "--market", "nimbus", "--json")
    command = [sys.executable, "-m", "advisor", *words]
    done = subprocess.run(
        command, capture_output=True, text=True, env=variables, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["market"]["name"] == "nimbus"
    assert len(document["offers"]) == 8
    assert {offer["gpu_name"] for offer in document["offers"]} >= {"RTX 4090", "L4"}


@pytest.mark.slow
def test_its_own_tests_pass(variables: dict[str, str], tmp_path: Path) -> None:
    """As its author runs them: the conformance suite, on what is installed."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        str(EXAMPLE),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, env=variables, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = done.stdout.rpartition(" passed")[0].rpartition("\n")[2]
    assert int(passed.rpartition(" ")[2]) > 15


@pytest.mark.slow
def test_the_suite_of_the_documentation_runs(
    variables: dict[str, str], tmp_path: Path
) -> None:
    """What docs/adding-a-market.md shows passes as it is written."""
    page = (ROOT / "docs" / "adding-a-market.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "test_shown.py").write_text(shown, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, capture_output=True, text=True, env=variables, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout


def test_the_documentation_names_what_there_is() -> None:
    """Every module, protocol and field on the page exists."""
    page = (ROOT / "docs" / "adding-a-market.md").read_text(encoding="utf-8")
    for module in set(re.findall(r"`(advisor(?:\.\w+)+)`", page)):
        importlib.import_module(module)
    rows = re.findall(r"^\| `(types|capabilities|lifecycle)\.(\w+)`", page, re.MULTILINE)
    assert len(rows) == 7
    for module, name in rows:
        assert hasattr(importlib.import_module(f"advisor.market.{module}"), name)
    fields = page.partition("| name | what | unit |")[2].partition("\n\n")[0]
    names = set(re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|[^|]*\|$)", fields, re.MULTILINE))
    assert len(names) > 20
    assert names - {"is_bid"} <= set(KEYS)
