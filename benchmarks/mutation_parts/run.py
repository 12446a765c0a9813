"""Tests are run on a module as it is, under coverage, and as mutants have it."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import coverage
import pytest

from mutation_parts.spots import Mutant

_STAYS = (
    *("click", "filelock", "httpx", "msgspec", "numpy", "pandas"),
    *("pathspec", "platformdirs", "starlette.applications", "tabulate"),
    *("starlette.requests", "starlette.responses", "tomlkit", "uvicorn"),
)
_LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "mutants")
_POLL_S = 0.02
_OPTIONS = (
    *("-q", "-p", "no:cacheprovider", "-p", "no:xdist"),
    *("-W", "ignore::pytest.PytestAssertRewriteWarning"),  # what is imported already
)


@dataclass(frozen=True, slots=True)
class Tested:
    """What the tests come by.

    Attributes
    ----------
    lines : module below the root -> line -> tests that run it, ``""`` for its import
    seconds : test -> how long it takes
    failed : tests that fail on the tree as it is; they tell nothing of a mutant
    """

    lines: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]
    failed: tuple[str, ...]


class Timer:
    """A plugin of pytest that tells coverage which test is run, and for how long.

    Parameters
    ----------
    measured : gets the context of each test
    """

    def __init__(self, measured: coverage.Coverage) -> None:
        self._measured = measured
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.failed: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that fails."""
        if report.failed:
            self.failed.add(report.nodeid)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        """Run a test in a context of its own."""
        self._measured.switch_context(item.nodeid)
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self.seconds[item.nodeid] = time.monotonic() - began
            self._measured.switch_context("")


def import_what_stays() -> None:
    """Import what no mutant changes: the processes forked from this one have it."""
    for name in _STAYS:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def run_with_coverage(
    root: Path, modules: Sequence[Path], tests: Sequence[str], kept: Path
) -> Tested:
    """Run tests on the tree as it is, or take what a file kept of an earlier run.

    One that fails there is left out: that may be coverage's own doing, such as with a
    test that traces its lines itself.

    Raises
    ------
    SystemExit
        if they cannot be run
    """
    if not kept.exists():
        tree = Tree(root)
        try:
            code = tree.run(lambda: _measure(modules, tests, kept), None)
            if code not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
                sys.exit(f"the tests cannot be run:\n{tree.said()}")
        finally:
            tree.close()
    document = json.loads(kept.read_text(encoding="utf-8"))
    failed = set(document["failed"])
    lines = {
        path: {int(line): set(names) - failed for line, names in found.items()}
        for path, found in document["lines"].items()
    }
    return Tested(lines, document["seconds"], tuple(sorted(failed)))


def _measure(modules: Sequence[Path], tests: Sequence[str], told: Path) -> int:
    """Run tests under coverage, and write what they came by."""
    include = [str(Path.cwd() / path) for path in modules]
    measured = coverage.Coverage(data_file=None, config_file=False, include=include)
    timer = Timer(measured)
    measured.start()
    code = pytest.main([*_OPTIONS, *tests], plugins=[timer])
    measured.stop()
    data = measured.get_data()
    lines = {
        str(path): data.contexts_by_lineno(str(Path.cwd() / path)) for path in modules
    }
    document = {"lines": lines, "seconds": timer.seconds, "failed": sorted(timer.failed)}
    told.write_text(json.dumps(document), encoding="utf-8")
    return int(code)


class Tree:
    """A copy of the tree in which one module at a time is changed.

    Parameters
    ----------
    root : the tree
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = Path(tempfile.mkdtemp(prefix="mutants-"))
        self._tree = self._folder / "tree"
        shutil.copytree(root, self._tree, ignore=_LEFT_OUT, symlinks=True)
        (self._folder / "shared").mkdir()  # tests that use it skip

    def failing(self, mutant: Mutant, tests: Sequence[str], limit_s: float) -> str | None:
        """Return the first of some tests that fails with a mutant, None if none does.

        ``""`` where they do not end, or cannot even be begun.
        """
        path = self._tree / mutant.path
        whole = path.read_bytes()
        try:
            path.write_text(mutant.source, encoding="utf-8")
            self._forget(path)
            return self._failing(tests, limit_s)
        finally:
            path.write_bytes(whole)
            self._forget(path)

    def fails_whole(self, tests: Sequence[str], limit_s: float) -> bool:
        """Say whether the last of some tests fails without any mutant."""
        return self._failing(tests, limit_s) is not None

    def _failing(self, tests: Sequence[str], limit_s: float) -> str | None:
        told = self._folder / "failing"
        told.write_text("", encoding="utf-8")
        code = self.run(lambda: _until_failure(tests, told), limit_s)
        return told.read_text(encoding="utf-8") if code else None

    def run(self, call: Callable[[], int], limit_s: float | None) -> int:
        """Return what a call returns in a process of its own here; -9: out of time."""
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            self._become(call)
        end = time.monotonic() + (limit_s or math.inf)
        try:
            while time.monotonic() < end:
                done, status = os.waitpid(child, os.WNOHANG)
                if done:
                    return os.waitstatus_to_exitcode(status)
                time.sleep(_POLL_S)
        finally:
            self._end_group(child)
        os.waitpid(child, 0)
        return -signal.SIGKILL

    def said(self) -> str:
        """Return the end of what the last run printed."""
        text = (self._folder / "said").read_text(encoding="utf-8", errors="replace")
        return text[-4000:]

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _become(self, call: Callable[[], int]) -> None:
        """Go on as a process that has only this tree; leaves with the call's result."""
        code = 1
        try:
            os.setsid()
            with (self._folder / "said").open("wb") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            os.chdir(self._tree)
            sys.path.insert(0, str(self._tree))
            os.environ["PYTHONPATH"] = str(self._tree)
            os.environ["TMPDIR"] = str(self._folder)
            tempfile.tempdir = None
            code = call()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)

    @staticmethod
    def _end_group(pid: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    @staticmethod
    def _forget(path: Path) -> None:
        """Remove a module's compiled form: it may be as old and as long as the next."""
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()


class _Told:
    """A plugin of pytest that writes down which test fails."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a test that fails."""
        if report.failed:
            self._path.write_text(report.nodeid, encoding="utf-8")


def _until_failure(tests: Sequence[str], told: Path) -> int:
    return int(pytest.main(["-x", *_OPTIONS, *tests], plugins=[_Told(told)]))
