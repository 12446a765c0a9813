"""Nobody is told to install a package of our name, which anyone may put on an index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
OURS = {PROJECT["name"], *PROJECT["scripts"]}
FOLDERS = ("advisor", "benchmarks", "docs", "examples", "tests", "tools", ".ci")
SUFFIXES = {"", ".md", ".py", ".sh", ".toml", ".txt", ".yml", ".yaml", ".html"}
INSTALLS = re.compile(
    r"(?:\bpip3?|\bpipx|\buv|\buv tool|\buv pip)\s+(?:install|add|download)\b([^\n`#;|]*)"
    r"|\b(?:uvx|pipx run)\b([^\n`#;|]*)"
)
BARE = re.compile(
    r"[\"'(]*([A-Za-z][A-Za-z0-9._-]*)(?:\[[^\]]*\])?(?:[=<>~!].*)?[\"'),.]*"
)


def bare_names(text: str) -> set[str]:
    """Return the names, as indexes have them, that a text says to install."""
    words = [
        word
        for match in INSTALLS.finditer(text)
        for word in (match[1] or match[2] or "").split()
    ]
    names = {match[1] for word in words if (match := BARE.fullmatch(word))}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def texts() -> list[Path]:
    found = [path for path in ROOT.iterdir() if path.suffix in SUFFIXES - {""}]
    for folder in FOLDERS:
        found += (ROOT / folder).rglob("*")
    return [
        path
        for path in found
        if path.is_file() and path.suffix in SUFFIXES and path != Path(__file__)
    ]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("- run: pip install advisor", "advisor"),
        ("pip install 'advisor[simulator]'", "advisor"),
        ("python3 -m pip install -U gpu_advisor==0.1", "gpu-advisor"),
        ("uv tool install gpu-advisor", "gpu-advisor"),
        ("uvx advisor rank", "advisor"),
        ("pipx run advisor", "advisor"),
    ],
)
def test_a_bare_name_is_found(text: str, name: str) -> None:
    """However it is installed; so the test below can fail."""
    assert name in bare_names(text)


@pytest.mark.parametrize(
    "text",
    [
        "pip install -q . && .venv/bin/advisor rank",
        "pip install '.[simulator]' in the checkout of advisor",
        "pip install tools/gpu_advisor-*.whl",
    ],
)
def test_a_checkout_and_a_wheel_are_no_bare_name(text: str) -> None:
    """They are files of ours, whoever holds the name."""
    said = text.partition(" in the ")[0]
    assert not bare_names(said.partition("&&")[0]) & OURS


def test_no_text_installs_us_by_name() -> None:
    """Until it is registered, an index may have another package under the name."""
    said = {
        (str(path.relative_to(ROOT)), line.strip())
        for path in texts()
        for line in path.read_text(errors="replace").splitlines()
        if bare_names(line.partition(" in the checkout of ")[0].partition("&&")[0]) & OURS
    }
    assert said == set()
