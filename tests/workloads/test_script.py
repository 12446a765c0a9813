"""Functions of users' files and modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from advisor.base.errors import UsageError
from advisor.workloads.script import load_function


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script, a module beside it and a package; the path is restored."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "beside_advisor.py").write_text("ANSWER = 42\n")
    (tmp_path / "script_advisor.py").write_text(
        "from dataclasses import dataclass\n"
        "from beside_advisor import ANSWER\n"
        "@dataclass\nclass Kept:\n    answer: 'int'\n"
        "def make():\n    return Kept(ANSWER).answer\n"
        "number = 3\n"
    )
    package = tmp_path / "package_advisor"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "data.py").write_text("def make():\n    return 7\n")
    (tmp_path / "exits_advisor.py").write_text("raise SystemExit(2)\n")
    return tmp_path


@pytest.mark.parametrize(
    ("target", "made"),
    [("script_advisor.py:make", 42), ("package_advisor.data:make", 7)],
)
def test_a_function_is_found(folder: Path, target: str, made: int) -> None:
    """In a file, which finds what lies beside it, or in a module of the folder."""
    assert load_function(target, folder)() == made


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("script_advisor.py", "script.py:function"),
        ("absent.py:make", "script.py:function"),
        ("script_advisor.py:number", "no function number"),
        ("script_advisor.py:absent", "no function absent"),
        ("exits_advisor.py:make", "SystemExit"),
        ("package_advisor.absent:make", "ModuleNotFoundError"),
    ],
)
def test_a_function_is_not_there(folder: Path, target: str, words: str) -> None:
    """One line says what is."""
    with pytest.raises(UsageError, match=words):
        load_function(target, folder)
