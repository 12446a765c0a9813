"""The bench program is one file that an old Python runs by itself."""

from __future__ import annotations

import ast
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import advisor.measure
from advisor.measure.bench import parse_output
from advisor.measure.program import program

ROOM = Path(advisor.measure.__file__).parent
TRAVELLING = sorted(
    path for name in ("probe", "hooks") for path in (ROOM / name).rglob("*.py")
)
"""Modules that run where advisor is not installed."""

GENERIC = {"list", "dict", "tuple", "set", "frozenset", "type", "Callable", "Iterator"}
GENERIC |= {"Iterable", "Sequence", "Mapping", "Generator", "Counter", "deque", "Popen"}
"""What Python 3.8 cannot subscript outside an annotation."""

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")


@pytest.mark.parametrize("path", TRAVELLING, ids=lambda path: path.stem)
def test_what_travels_is_written_for_python_3_8(path: Path) -> None:
    """Its grammar, and types that are not looked at when it runs."""
    module = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 8))
    body = [one for one in module.body if not isinstance(one, ast.Expr)]
    if body:
        first = body[0]
        assert isinstance(first, ast.ImportFrom)
        assert first.module == "__future__"
    at = {
        one.lineno
        for one in run_time_nodes(module)
        if isinstance(one, ast.Subscript)
        and isinstance(one.value, ast.Name)
        and one.value.id in GENERIC
    }
    assert not at


@pytest.mark.parametrize("path", TRAVELLING, ids=lambda path: path.stem)
def test_what_travels_uses_no_younger_argument(path: Path) -> None:
    """`zip` is strict and dataclasses have slots from Python 3.10 on only."""
    module = ast.parse(path.read_text(encoding="utf-8"))
    given = {
        (getattr(one.func, "id", ""), word.arg)
        for one in ast.walk(module)
        if isinstance(one, ast.Call)
        for word in one.keywords
    }
    assert not given & {
        ("zip", "strict"),
        ("dataclass", "slots"),
        ("dataclass", "kw_only"),
    }


def run_time_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what is evaluated when a module runs."""
    if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns"}:
            continue
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, ast.AST):
                yield from run_time_nodes(one)


def test_one_program_is_one_file() -> None:
    """The same bytes each time, without a date or what Python has compiled."""
    assert program() == program.__wrapped__()
    names = zipfile.ZipFile(io.BytesIO(program())).namelist()
    assert "__main__.py" in names
    assert "advisor/measure/probe/cores.py" in names
    assert not [one for one in names if not one.endswith(".py")]
    assert not [
        one
        for one in names
        if one.startswith("advisor/")
        and not one.startswith("advisor/measure/probe/")
        and not one.endswith("__init__.py")
    ]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the program as a file, in a folder without advisor."""
    path = tmp_path / "bench.pyz"
    path.write_bytes(program())
    return path


def run(python: str, file: Path, *words: str) -> subprocess.CompletedProcess[bytes]:
    """Run the program where nothing of advisor can be imported."""
    bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [python, str(file), *words]
    return subprocess.run(
        command, check=False, capture_output=True, cwd=file.parent, env=bare
    )


@pytest.mark.slow
@linux
@pytest.mark.parametrize("python", ["", "python3.8"])
def test_it_runs_by_itself(file: Path, python: str) -> None:
    """One document as the last line; what is not measured is told; nothing is left."""
    found = shutil.which(python) if python else sys.executable
    if found is None or run(found, file, "--help").returncode:
        pytest.skip(f"{python} is not installed")
    done = run(found, file, "--seconds", "60", "--bytes", "0")  # a busy machine is slow
    assert done.returncode == 0, done.stderr
    result = parse_output(done.stdout, "the program")
    assert result.by_name["core.zlib"].value > 0.0
    assert result.cores_granted == pytest.approx(result.value("cores.granted"))
    assert "disk" in {one.name for one in result.skipped}
    assert result.bytes_written == 0
    assert list(file.parent.iterdir()) == [file]


@linux
def test_what_it_says_names_nobody(file: Path) -> None:
    """No host name, no user, no path."""
    done = run(sys.executable, file, "--seconds", "6", "--bytes", "0")
    said = done.stdout.decode()
    assert str(file.parent) not in said
    assert f"{Path.home()}/" not in said
    assert f'"{os.uname().nodename}"' not in said


@linux
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_ends_cleanly_when_it_is_interrupted(
    file: Path, number: signal.Signals
) -> None:
    """What was measured is printed, its workers end, and the folder is as it was."""
    with subprocess.Popen(
        [sys.executable, str(file), "--seconds", "60", "--folder", str(file.parent)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=file.parent,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:  # workers run
            if line.startswith(b"cores delivered"):
                break
        process.send_signal(number)
        output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    result = parse_output(output, "the program")
    assert result.is_interrupted
    assert result.by_name["core.zlib"].repeats >= 1
    assert list(file.parent.iterdir()) == [file]
    assert not group_lives(process.pid)


@linux
def test_it_ends_when_who_started_it_has_ended(file: Path) -> None:
    """A launcher that is killed leaves no bench behind that nobody waits for."""
    starter = (
        "import subprocess, sys\n"
        f"subprocess.Popen([sys.executable, {str(file)!r}, '--seconds', '60'])\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=file.parent,
        start_new_session=True,
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()  # it has begun
        process.kill()
        process.stderr.read()  # until the bench, too, has closed it
    assert not group_lives(process.pid)


def group_lives(number: int) -> bool:
    """Say whether a process of a group still runs, a moment after its first has ended."""
    for _ in range(100):
        try:
            os.killpg(number, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.05)
    return True


@linux
@pytest.mark.parametrize(
    "words",
    [
        ("--seconds", "0"),
        ("--seconds", "nan"),
        ("--bytes", "-1"),
        ("--bytes", "inf"),
        ("--url", "file:///etc/passwd"),
        ("--mode", "other"),
    ],
)
def test_bad_words_are_refused(file: Path, words: tuple[str, ...]) -> None:
    """Before anything is measured."""
    done = run(sys.executable, file, *words)
    assert done.returncode == 2
    assert done.stdout == b""


def test_a_part_that_fails_is_left_out(tmp_path: Path) -> None:
    """A torn library is told, and the rest is measured."""
    (tmp_path / "PIL").mkdir()
    (tmp_path / "PIL/__init__.py").write_text("raise RuntimeError('/home/me is torn')")
    file = tmp_path / "bench.pyz"
    file.write_bytes(program())
    done = subprocess.run(
        [sys.executable, str(file), "--seconds", "6", "--bytes", "0"],
        check=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    document = json.loads(done.stdout.splitlines()[-1])
    (why,) = [one["why"] for one in document["skipped"] if one["name"] == "decode"]
    assert "torn" in why
    assert "/home/me" not in why
    assert "core.zlib" in done.stdout.decode()
