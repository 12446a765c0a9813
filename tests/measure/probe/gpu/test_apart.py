"""What runs apart costs nobody else anything, whatever becomes of it."""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.measure.probe.gpu.apart import one_line, run_apart
from tests.living import is_alive

LONG_S = 60.0


@pytest.fixture
def ends(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module `ends`, where a fresh process finds it, too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("ends")


def run(function: Callable[..., None], *arguments: Any, seconds: float = LONG_S) -> Any:
    got: list[Any] = []
    return run_apart(function, arguments, time.monotonic() + seconds, got.append), got


def test_messages_come_in_order(ends: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Messages come as they were sent; what is printed does not."""
    assert run(ends.sends, 1, "two", (3.0,)) == ("", [1, "two", (3.0,)])
    assert capfd.readouterr() == ("", "")


def test_an_error_is_one_line(ends: Any) -> None:
    """What it failed of names neither the host, nor a path, nor an address."""
    words, got = run(ends.raises)
    assert got == ["before"]
    assert words == "ValueError: no .../data on this host at an address"


def test_a_crash_is_told(ends: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """A signal is named, and what was printed before is shown on stderr."""
    assert run(ends.dies) == ("it was ended by SIGSEGV", [])
    assert "what it printed last" in capfd.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_hang_ends_with_all_it_started(ends: Any) -> None:
    """At the deadline the process is ended, and so is what it has started."""
    words, [(process, child)] = run(ends.hangs, seconds=3.0)
    assert words == "its time was up"
    assert not is_alive(process)
    for _ in range(100):  # the kernel takes a moment
        if not is_alive(child):
            break
        time.sleep(0.05)
    assert not is_alive(child)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_ends_it(ends: Any) -> None:
    """Who interrupts us leaves nothing running."""
    seen = []

    def interrupted(message: tuple[int, int]) -> None:
        seen.append(message)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_apart(ends.hangs, (), time.monotonic() + LONG_S, interrupted)
    assert not is_alive(seen[0][0])


def test_long_errors_are_cut() -> None:
    """An error of a page becomes a line of 300 characters."""
    words = one_line(RuntimeError("a\n" * 1000 + "\x1b[2J"))
    assert len(words) == 300
    assert "\n" not in words


def test_temporary_files_go(ends: Any) -> None:
    """What it has written to the folder for temporary files goes with it."""
    words, [path] = run(ends.writes)
    assert words == ""
    assert not Path(path).exists()
