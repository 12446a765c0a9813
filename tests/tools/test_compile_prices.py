"""The compiler of the prices: what it keeps, what it counts, and that it repeats."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus

TOOL = Path(__file__).parents[2] / "tools" / "compile_prices.py"


@pytest.fixture(scope="module")
def tool() -> dict[str, Any]:
    """Return what the script defines."""
    return runpy.run_path(str(TOOL))


def test_every_offer_is_kept_or_counted(tool: dict[str, Any]) -> None:
    """Equal offers are one row; each offer that is left out has one reason."""
    august = "vast-2026-08-17.json"
    columns = ["id", "gpu_name", "gpu_ram", "num_gpus", "dph_total", "dlperf", "file"]
    plain = ["A100 SXM4", 40960, 1, 0.5, 90.0, august]
    offers = [
        [1, *plain],
        [2, *plain],
        [2, *plain],
        [3, "A100 SXM4", 81920, 1, 0.8, 0.0, august],
        [4, "A100 SXM4", 40960, 2, 1.0, 180.0, august],
        [5, "Matrox G200", 8, 1, 0.1, 0.1, august],
        [6, "A10", 23028, 1, None, 29.0, august],
        [7, "A10", 23028, 1, 0.2, 29.0, "vast-misc.json"],
    ]
    frame = pd.DataFrame(offers, columns=columns)
    table, counts = tool["compile_table"](frame, load_gpus())
    assert table["gpu"].tolist() == ["A100-SXM4-40GB", "A100-SXM4-80GB"]
    assert table["offers"].tolist() == [2, 1]
    assert table["dlperf"].isna().tolist() == [False, True]
    read, used = counts.pop("offers read"), counts.pop("offers used")
    assert (read, used) == (8, 3)
    assert sorted(counts.values()) == [1, 1, 1, 1, 1]
    assert used + sum(counts.values()) == read


def test_the_shipped_table_is_what_the_tool_writes(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the same offers come the same bytes."""
    output = tmp_path / "prices.csv"
    monkeypatch.setattr(sys, "argv", [str(TOOL), str(real_data), "-o", str(output)])
    runpy.run_path(str(TOOL), run_name="__main__")
    counts = output.with_suffix(".exclusions.json")
    shipped = models_folder() / "prices.csv"
    assert output.read_bytes() == shipped.read_bytes()
    assert json.loads(counts.read_text()) == json.loads(
        shipped.with_suffix(".exclusions.json").read_text()
    )
