"""The first offers of a ranking run the image that they come with, by another reading."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from typing import Any

from advisor.market.snapshot import load_snapshot
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "image_fit.py"


def test_no_first_row_is_unrunnable(monkeypatch: Any) -> None:
    """Neither with large weights nor on new cards; one old image for all fails often."""
    # Its dataclass looks its module up by name.
    monkeypatch.setitem(sys.modules, "image_fit", sys.modules[__name__])
    benchmark = runpy.run_path(str(SCRIPT), run_name="image_fit")
    records = load_snapshot(benchmark["SAMPLE"]).records
    profiles = [load_workload(name) for name in ("resnet50", "llama-70b-lora")]
    chosen, fixed = benchmark["counted"](
        records, load_tables(), profiles, 20, benchmark["FIXED"]
    )
    assert (chosen["rows"], chosen["cannot"]) == (40, 0)
    assert fixed["cannot"] > 10
