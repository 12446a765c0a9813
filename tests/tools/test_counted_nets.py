"""Nets whose operations were counted: the rows that take them are credible."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest

from advisor.hardware.gpus import load_gpus
from advisor.training.fit.benchmarks import Benchmarks, load_benchmarks
from advisor.training.fit.design import table_features
from advisor.training.fit.intercepts import training_gflops
from advisor.workloads.load import list_workloads

if TYPE_CHECKING:
    import pandas as pd

Tool = Callable[[str], ModuleType]


@pytest.fixture(scope="module")
def tables() -> Benchmarks:
    return load_benchmarks(Path(__file__).parents[2] / "models" / "benchmarks.csv")


@pytest.fixture(name="nets")
def nets_(tool: Tool) -> pd.DataFrame:
    nets: pd.DataFrame = tool("sources").read("counted_nets.csv").set_index("workload")
    return nets


def test_every_counted_net_is_in_the_table(
    nets: pd.DataFrame, tables: Benchmarks
) -> None:
    """Its rows have its operations; each says how it was counted, and from what."""
    frame = tables.frame().set_index("workload")
    assert nets.index.is_unique
    assert nets[["trained_at", "how", "source"]].notna().all().all()
    for name, gmacs in nets["gmacs"].items():
        assert frame.loc[[name], "gmacs"].to_numpy() == pytest.approx(gmacs, rel=1e-5)


def test_no_row_computes_faster_than_its_gpu(
    nets: pd.DataFrame, tables: Benchmarks
) -> None:
    """A step's operations by its rate are below half of the data sheet's matrix rate.

    Nothing that is computed again counts. A size that was misread gives more.
    """
    known = np.isin(tables.workload, nets.index) & ~tables.host_bound
    rows = tables.select(known & (tables.precision != ""))
    features = table_features(rows, load_gpus())
    reached = training_gflops(rows) * 1e-3 * rows.throughput / rows.num_gpus
    share = reached / features.matrix_tflops
    assert len(share) > 80
    assert share.max() < 0.5
    assert share.min() > 0.01


def test_formulas_agree_with_what_was_counted(tool: Tool, nets: pd.DataFrame) -> None:
    """FLUX.1 by its blocks is within 0.5 % of its count; counted nets within 1 %.

    Wan's attention to its text, 1.5 % of it, goes by the tokens, not by their square.
    """
    parts = tool("fine_tuned_profiles")
    at_1024 = 57 * 3072 * (12 * 3072 * 4608 + 2 * 4608**2)
    at_512 = 57 * 3072 * (12 * 3072 * 1536 + 2 * 1536**2)
    macs = nets["gmacs"]
    flux, short = macs["flux.1-dev lora 1024x1024"], macs["flux.1-dev lora 512x512"]
    assert at_1024 / 1e9 == pytest.approx(flux, rel=5e-3)
    assert at_512 / 1e9 == pytest.approx(short, rel=1e-4)
    for name, net in (
        ("flux.1-dev lora 1024x1024", parts.FLUX_LORA),
        ("sdxl lora 1024x1024", parts.SDXL_LORA),
        ("sdxl full 1024x1024", parts.SDXL_FULL),
        ("wan 2.1 t2v 1.3b lora 832x480x81", parts.WAN_MEASURED),
    ):
        assert net.forward_gflops / 2.0 == pytest.approx(macs[name], rel=1e-2), name


def test_profiles_name_measurements_that_a_gpu_bounds(tables: Benchmarks) -> None:
    """Each benchmark of a built-in profile has a row on one GPU that no host limits."""
    alone = (tables.num_gpus == 1) & ~tables.host_bound
    measured = set(tables.workload[alone].tolist())
    named = {
        workload.name: workload.reference.benchmark
        for workload in list_workloads()
        if workload.reference.benchmark
    }
    assert {name: of for name, of in named.items() if of not in measured} == {}
