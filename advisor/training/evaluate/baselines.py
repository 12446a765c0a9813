"""What people scale throughput by today, evaluated on the same rows as the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from advisor.base.arrays import BoolArray, FloatArray, IntArray, StrArray
from advisor.training.fit.design import table_features
from advisor.training.fit.tables import Columns, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks


def baseline_rates(
    rows: Benchmarks, gpus: Mapping[str, Gpu], dlperf: Mapping[str, float]
) -> dict[str, FloatArray]:
    """Return name -> (N,) ln of what throughput is taken to be in proportion to.

    Parameters
    ----------
    rows : N rows of the table
    gpus : canonical name -> GPU
    dlperf : canonical name -> median DLPerf of one GPU on the market
    """
    features = table_features(rows, gpus)
    tflops = np.log(features.matrix_tflops)
    bandwidth = np.log(features.memory_bandwidth_gb_s)
    scores = [dlperf.get(str(name), np.nan) for name in rows.gpu]
    return {
        "tflops": tflops,
        "bandwidth": bandwidth,
        "geometric_mean": 0.5 * (tflops + bandwidth),
        "dlperf": np.log(np.array(scores, dtype=np.float64)),
    }


def ratio_errors(
    log_rate: FloatArray,
    log_measured: FloatArray,
    comparison_group: IntArray,
    folds: IntArray,
    is_training: BoolArray,
) -> FloatArray:
    """Return (N,) ln(predicted / measured) of a baseline; NaN where it has no figure.

    The intercept of a comparison group is the mean over its rows outside the fold of
    the row.

    Parameters
    ----------
    log_rate : (N,) what the throughput is in proportion to
    log_measured : (N,) ln throughput
    comparison_group, folds : (N,) codes
    is_training : (N,) whether a row sets intercepts
    """
    left = log_measured - log_rate
    frame = pd.DataFrame({"group": comparison_group, "fold": folds, "left": left})
    frame.loc[~is_training, "left"] = np.nan  # counts for nothing
    parts = frame.groupby(["group", "fold"])["left"].agg(["sum", "count"])
    whole = parts.groupby("group").sum()
    here = pd.MultiIndex.from_arrays([comparison_group, folds])
    others = whole.loc[comparison_group].to_numpy() - parts.loc[here].to_numpy()
    with np.errstate(invalid="ignore", divide="ignore"):
        intercept: FloatArray = np.where(
            others[:, 1], others[:, 0] / others[:, 1], np.nan
        )
    return intercept - left


@dataclass(frozen=True, slots=True)
class Dlperf(Columns):
    """Scores of the offers on the market, by GPU and number of GPUs.

    Attributes
    ----------
    gpu : canonical names
    num_gpus : of the offers
    machines : that have such offers
    dlperf_per_gpu_median : median over them
    """

    gpu: StrArray
    num_gpus: IntArray
    machines: IntArray
    dlperf_per_gpu_median: FloatArray


def load_dlperf(path: Path) -> dict[str, float]:
    """Return canonical name -> median DLPerf of one GPU on the market.

    Of the offers with the fewest GPUs: with more, the score of each falls.
    """
    frame = read_table(path, Dlperf, "table of DLPerf").frame().sort_values("num_gpus")
    first = frame.drop_duplicates("gpu").set_index("gpu")["dlperf_per_gpu_median"]
    scores: dict[str, float] = first.to_dict()  # type: ignore[assignment]
    return scores
