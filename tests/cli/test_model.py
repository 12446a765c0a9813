"""`advisor model evaluate --plot` draws each split beside the table of its errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Advisor = Callable[..., Any]


def test_an_evaluation_is_drawn_split_by_split(advisor: Advisor, tmp_path: Path) -> None:
    """As many marks as rows are counted, and the figures that are printed, too."""
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    path = tmp_path / "cpu.svg"
    words = ("model", "evaluate", "--split", "cpu", "--jobs", "1", "--json")
    outcome = advisor(*words, "--plot", str(path))
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stderr.splitlines() == [f"plot written to {path}"]
    splits, svg = outcome.document["splits"], path.read_text(encoding="utf-8")
    drawn = re.findall(r'<g id="split-(\w+)">(.*?)</g>\s*</g>', svg, re.DOTALL)
    assert [name for name, _ in drawn] == list(splits)
    for name, marks in drawn:
        assert marks.count("<use ") == splits[name]["n"]
        assert f"{splits[name]['n']:,} rows, mean error" in svg
