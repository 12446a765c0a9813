"""The container: its Dockerfile keeps the rules, its context has what a wheel needs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pathspec
import pytest

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


def instructions() -> Iterator[tuple[str, str]]:
    """Yield each instruction with its words; lines that go on are joined."""
    lines = DOCKERFILE.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, _, words = line.partition(" ")
            yield name, " ".join(words.split())


def of(name: str) -> list[str]:
    return [words for found, words in instructions() if found == name]


def test_every_base_has_a_version() -> None:
    """A slim Python of one minor version and one Debian; never the latest."""
    bases = [words.split()[0] for words in of("FROM")]
    assert len(bases) == 2
    for base in bases:
        assert re.fullmatch(
            r"python:3\.\d+(\.\d+)?-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base
        )
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version = re.findall(r"python:(3\.\d+)", bases[-1])[0]
    assert f"Programming Language :: Python :: {version}" in project["classifiers"]


def test_it_runs_as_a_user_without_rights() -> None:
    """Whose number says that it is not root's; its data outlive the container."""
    assert of("USER") == ["1000:1000"]
    assert of("ENTRYPOINT") == ['["advisor"]']
    (volume,) = of("VOLUME")
    (settings,) = of("ENV")
    assert f"ADVISOR_DATA_DIR={volume} " in settings
    names = [name for name, _ in instructions()]
    assert names.index("USER") < names.index("ENTRYPOINT")
    after = [words for name, words in instructions()][names.index("USER") :]
    assert not any("apt-get" in words or "pip" in words for words in after)


def test_no_secret_is_in_it_and_nothing_is_left_behind() -> None:
    """Neither as a variable nor as a file; lists of packages go with their layer."""
    text = DOCKERFILE.read_text(encoding="utf-8")
    assert not re.search(r"(?i)(key|token|password)\s*=", text)
    assert of("ADD") == []
    for words in of("RUN"):
        if "apt-get" in words:
            assert "--no-install-recommends" in words
            assert words.endswith("rm -rf /var/lib/apt/lists/*")
        assert "pip" not in words or "--no-cache-dir" in words


def ignored(path: str) -> bool:
    """Say whether the context lacks a file, by the rules of .gitignore, which agree."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [one for one in lines if one and not one.startswith("#")]
    # Docker's patterns begin at the root, and one of a folder is of all that is in it.
    rooted = [f"!/{one[1:]}" if one.startswith("!") else f"/{one}" for one in rules]
    found = False
    for rule in rooted:
        spec = pathspec.GitIgnoreSpec.from_lines([rule.lstrip("!")])
        if spec.match_file(path):
            found = not rule.startswith("!")
    return found


def test_the_context_has_all_that_the_wheel_is_made_of() -> None:
    """And neither what is tested with, nor what may hold a secret."""
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    wheel = tool["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["shared-data"], "pyproject.toml", "README.md", "LICENSE"]
    for folder in wheel["only-include"]:
        needed += [
            str(path.relative_to(ROOT))
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
    left_out = tuple(f"{one.strip('/')}/" for one in wheel["exclude"])
    lacking = [one for one in needed if ignored(one) and not one.startswith(left_out)]
    assert lacking == []
    for path in (".git/config", ".venv/bin/python", "tests/conftest.py", ".env", "a.pem"):
        assert ignored(path), path
    assert ignored("advisor/__pycache__/x.pyc")


def test_hadolint_finds_nothing() -> None:
    """Where it is installed; .ci/run installs it where it is to be had."""
    beside = Path(sys.executable).with_name("hadolint")
    program = str(beside) if beside.exists() else shutil.which("hadolint")
    if program is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [program, str(DOCKERFILE)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")
