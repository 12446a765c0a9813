"""The hooks beside a program's own ways of starting, without PyTorch."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from advisor.measure.hooks import SITE
from tests.measure.hooks.watched import watch


def test_a_program_without_pytorch_is_not_touched(tmp_path: Path) -> None:
    """Nothing is written, nothing is said, our folder is not on its path."""
    seen = watch(tmp_path, "import sys; print(*sys.path, sep='\\n')")
    assert (seen.status, seen.stderr, seen.every) == (0, "", [])
    assert str(SITE) not in seen.stdout.splitlines()


def test_a_sitecustomize_of_its_own_runs_too(tmp_path: Path) -> None:
    """It is the one that the program finds by that name; children have both."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("print('own')\nmark = 1\n")
    script = (
        "import subprocess, sys, sitecustomize\n"
        "print(sitecustomize.mark, '_advisor_hooks' in sys.modules, flush=True)\n"
        "if len(sys.argv) == 1: subprocess.run([sys.executable, __file__, 'child'])\n"
    )
    seen = watch(tmp_path, script, path=str(own))
    assert seen.stdout == "own\n1 True\nown\n1 True\n"


def test_one_that_fails_fails_as_without_us(tmp_path: Path) -> None:
    """Python tells of it, and the program runs."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    seen = watch(tmp_path, "print('runs')", path=str(own))
    assert seen.stdout == "runs\n"
    assert "theirs" in seen.stderr


def test_a_torch_that_cannot_be_hooked_is_told_and_runs(tmp_path: Path) -> None:
    """A module of that name without what we hook: one line, and on it goes."""
    (tmp_path / "torch.py").write_text("value = 3\n")
    seen = watch(tmp_path, "import torch; print(torch.value, torch.__spec__.name)")
    assert (seen.status, seen.stdout) == (0, "3 torch\n")
    assert seen.stderr.startswith("advisor profile: this PyTorch cannot be hooked")
    assert seen.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "path", sorted(SITE.parent.rglob("*.py")), ids=lambda one: one.name
)
def test_python_3_8_reads_it(path: Path) -> None:
    """The program may be run by an old Python, and so is what it loads."""
    ast.parse(path.read_text(), feature_version=(3, 8))


def test_the_formulas_are_read_by_python_3_8_too() -> None:
    """The hooks read them as a file from where they stand."""
    path = SITE.parents[2] / "workloads" / "operations.py"
    ast.parse(path.read_text(), feature_version=(3, 8))
    assert "import advisor" not in path.read_text()
    assert "from advisor" not in path.read_text()
