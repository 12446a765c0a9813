"""Healthy machines are kept and halved ones are found: dozens of the benchmark's 200."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "acceptance.py"


def test_drawn_machines_are_judged_as_they_are(monkeypatch: Any, capsys: Any) -> None:
    """Of recorded cards and drawn hosts none is refused; half a card is found."""
    # Its dataclass looks its module up by name.
    monkeypatch.setitem(sys.modules, "acceptance", sys.modules[__name__])
    benchmark = runpy.run_path(str(SCRIPT), run_name="acceptance")
    assert benchmark["plays"](30, 18)
    said = capsys.readouterr().out
    assert "healthy: 0 of 30 refused" in said
    assert "sick RTX 3080: refused" in said
