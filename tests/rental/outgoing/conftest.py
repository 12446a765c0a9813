"""A folder to be sent, a repository of git, and a user without settings of their own."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

Make = Callable[[Path, Mapping[str, str]], Path]
Git = Callable[..., bytes]


@pytest.fixture(autouse=True)
def users_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a test a home of its own, and git no settings from elsewhere."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")


@pytest.fixture(scope="session")
def make() -> Make:
    """Return what writes files, given by their names and texts, into a folder."""

    def made(folder: Path, files: Mapping[str, str]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    return made


@pytest.fixture(scope="session")
def git() -> Git:
    """Return what runs git in a folder, or skip where there is none."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def run(folder: Path, *words: str) -> bytes:
        folder.mkdir(parents=True, exist_ok=True)
        command = ["git", "-c", "user.name=n", "-c", "user.email=e", *words]
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True)
        return done.stdout

    return run
