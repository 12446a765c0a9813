"""Sessions of the benchmark over real pipes."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SHORT = ("fails_alike", "needs_caps", "ends_with_an_open_question")
PARTS = {"agent", "agent_parts"}


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return the module of the benchmark."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("agent")
    for name in [one for one in sys.modules if one.partition(".")[0] in PARTS]:
        del sys.modules[name]


@pytest.mark.parametrize("name", SHORT)
def test_a_session_is_as_it_should_be(name: str, benchmark: Any) -> None:
    """Over a server of its own process and a market over a socket."""
    sessions = {one.__name__: (one, faults) for one, faults in benchmark.SESSIONS}
    played = benchmark.play(*sessions[name])
    assert played.failed == []
    assert played.held > 0


@pytest.mark.slow
def test_all_sessions_are_as_they_should_be(benchmark: Any) -> None:
    """Twenty at least, each of another name; the short ones are played above."""
    assert len({one.__name__ for one, _ in benchmark.SESSIONS}) >= 20
    others = (one for one in benchmark.SESSIONS if one[0].__name__ not in SHORT)
    for session, faults in others:
        assert benchmark.play(session, faults).failed == [], session.__name__
