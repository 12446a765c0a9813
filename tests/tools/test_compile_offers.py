"""The compiler of the prices: what it keeps and what it counts."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pandas as pd

from advisor.hardware.gpus import load_gpus


def test_every_offer_is_kept_or_counted(tool: Callable[[str], ModuleType]) -> None:
    """Equal offers are one row; each offer that is left out has one reason."""
    august = "vast-2026-08-17"
    columns = ["id", "gpu_name", "gpu_ram", "num_gpus", "dph_total", "dlperf", "snapshot"]
    plain = ["A100 SXM4", 40960, 1, 0.5, 90.0, august]
    offers = [
        [1, *plain],
        [2, *plain],
        [2, *plain],
        [3, "A100 SXM4", 81920, 1, 0.8, 0.0, august],
        [4, "A100 SXM4", 40960, 2, 1.0, 180.0, august],
        [5, "Matrox G200", 8, 1, 0.1, 0.1, august],
        [6, "A10", 23028, 1, None, 29.0, august],
        [7, "A10", 23028, 1, 0.2, 29.0, "vast-misc"],
    ]
    frame = pd.DataFrame(offers, columns=columns)
    module = tool("compile_offers")
    table, counts = module.prices(module.with_gpus(frame, load_gpus()))
    assert table["gpu"].tolist() == ["A100-SXM4-40GB", "A100-SXM4-80GB"]
    assert table["offers"].tolist() == [2, 1]
    assert table["dlperf"].isna().tolist() == [False, True]
    read, used = counts.pop("offers read"), counts.pop("offers used")
    assert (read, used) == (8, 3)
    assert sorted(counts.values()) == [1, 1, 1, 1, 1]
    assert used + sum(counts.values()) == read
