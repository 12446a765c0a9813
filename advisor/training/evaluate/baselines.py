"""What people scale throughput by today, scored on the same rows as the model."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.training.fit.design import table_features

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
    cell: IntArray,
    folds: IntArray,
    teaches: BoolArray,
) -> FloatArray:
    """Return (N,) ln(predicted / measured) of a baseline; NaN where it has no figure.

    The level of a cell is the mean over its rows outside the fold of the row.

    Parameters
    ----------
    log_rate : (N,) what the throughput is in proportion to
    log_measured : (N,) ln throughput
    cell, folds : (N,) codes
    teaches : (N,) whether a row sets levels
    """
    left = log_measured - log_rate
    error = np.full(len(left), np.nan)
    usable = teaches & np.isfinite(left)
    for code in np.unique(cell):
        here = np.flatnonzero(cell == code)
        for row in here:
            others = here[(folds[here] != folds[row]) & usable[here]]
            if len(others) and np.isfinite(left[row]):
                error[row] = left[others].mean() - left[row]
    return error


def load_dlperf(path: Path) -> dict[str, float]:
    """Return canonical name -> median DLPerf of one GPU on the market.

    Of the offers with the fewest GPUs: with more, the score of each falls.
    """
    scores: dict[str, float] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):  # sorted by GPU, then number of GPUs
            scores.setdefault(row["gpu"], float(row["dlperf_per_gpu_median"]))
    return scores
