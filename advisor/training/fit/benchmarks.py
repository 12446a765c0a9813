"""The project's table of published training throughputs.

One row is the median of the figures for one workload, series, GPU model, number
of GPUs and precision; ``tools/compile_benchmarks.py`` writes it. A *series* is a
set of figures within which ratios hold (same scripts, same container). Levels of
different series differ, by a quarter for the same net on the same card, so each
series gets an intercept of its own.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, StrArray
from advisor.training.fit.tables import Columns, read_table


@dataclass(frozen=True, slots=True)
class Benchmarks(Columns):
    """The benchmark table as columns, one entry per row of the table.

    Attributes
    ----------
    workload, task, family : the net, what it is trained for, its kind
    series : name of the comparable set that the row belongs to
    framework, year : such as ``"pytorch"``; year of the figures (NaN unknown)
    gpu : canonical name, as in the GPU table
    num_gpus : GPUs together
    precision : see `advisor.workloads.profile.Precision`; empty where unknown
    batch_size : median samples per GPU and step (NaN unknown)
    unit : what `throughput` counts, such as ``"samples/s"``
    throughput : median of the figures, all GPUs together
    log_spread : standard deviation of the logarithms (NaN for one figure)
    reports : number of figures
    host_bound : whether input or launch is known to limit the row
    cpu_name : the hosts' CPU where it is the same for all figures
    params_m : 10^6 parameters (NaN unknown)
    gmacs : 10^9 multiply-accumulates of a forward pass per unit (NaN unknown)
    source : repository and path of the figures
    single_precision : ``"fp32"`` (plain: no TF32), ``"tf32"`` or ``"unknown"`` of what a
        source calls FP32; empty of other precisions
    """

    workload: StrArray
    task: StrArray
    family: StrArray
    series: StrArray
    framework: StrArray
    year: FloatArray
    gpu: StrArray
    num_gpus: IntArray
    precision: StrArray
    batch_size: FloatArray
    unit: StrArray
    throughput: FloatArray
    log_spread: FloatArray
    reports: IntArray
    host_bound: BoolArray
    cpu_name: StrArray
    params_m: FloatArray
    gmacs: FloatArray
    source: StrArray
    single_precision: StrArray

    @property
    def comparison_group(self) -> StrArray:
        """``series|workload|precision``: the rows that share one intercept."""
        keys = zip(self.series, self.workload, self.precision, strict=True)
        return np.array(["|".join(key) for key in keys], dtype=np.str_)


def load_benchmarks(path: Path) -> Benchmarks:
    """Read the table that ``tools/compile_benchmarks.py`` wrote.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read or is not such a table
    """
    return read_table(path, Benchmarks, "benchmark table")


def table_hash(path: Path) -> str:
    """Return the first 16 hexadecimal digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
