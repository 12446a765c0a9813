"""The project's table of published training throughputs.

One row is the median of the figures for one workload, series, GPU model, number
of GPUs and precision; ``tools/compile_benchmarks.py`` writes it. A *series* is a
set of figures within which ratios hold (same scripts, same container). Levels of
different series differ, by a quarter for the same net on the same card, so each
series gets an intercept of its own.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from advisor.base.arrays import BoolArray, FloatArray, IntArray, StrArray
from advisor.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """The benchmark table as columns, one entry a row of the table.

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

    def __len__(self) -> int:
        return len(self.workload)

    def select(self, rows: npt.NDArray[Any]) -> Benchmarks:
        """Return the rows of a mask or of an array of indices."""
        return Benchmarks(
            **{field.name: getattr(self, field.name)[rows] for field in fields(self)}
        )

    def __add__(self, other: Benchmarks) -> Benchmarks:
        """Return the rows of both."""
        return Benchmarks(
            **{
                field.name: np.concatenate(
                    [getattr(self, field.name), getattr(other, field.name)]
                )
                for field in fields(self)
            }
        )

    @property
    def cell(self) -> StrArray:
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
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = list(csv.DictReader(file))
        if not records:
            message = f"{path}: the benchmark table is empty; compile it again"
            raise UsageError(message)
        return Benchmarks(
            **{
                field.name: _READERS.get(field.name, _texts)(
                    [record[field.name] for record in records]
                )
                for field in fields(Benchmarks)
            }
        )
    except (OSError, KeyError, ValueError) as error:
        message = f"{path}: not a benchmark table ({error}); compile it again"
        raise UsageError(message) from error


def table_hash(path: Path) -> str:
    """Return the first 16 hexadecimal digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _texts(values: list[str]) -> StrArray:
    return np.array(values, dtype=np.str_)


def _floats(values: list[str]) -> FloatArray:
    return np.array([float(v) if v else np.nan for v in values], dtype=np.float64)


def _integers(values: list[str]) -> IntArray:
    return np.array([int(v) for v in values], dtype=np.int64)


def _flags(values: list[str]) -> BoolArray:
    return np.array([{"true": True, "false": False}[v] for v in values], dtype=np.bool_)


_READERS: dict[str, Callable[[list[str]], npt.NDArray[Any]]] = {
    "num_gpus": _integers,
    "reports": _integers,
    "host_bound": _flags,
    **dict.fromkeys(
        ("year", "batch_size", "throughput", "log_spread", "params_m", "gmacs"), _floats
    ),
}
