"""What several GPUs of one machine lose to the exchange of gradients.

A ring all-reduce moves 2 (n - 1) / n times the gradients through every GPU
(Patarasuk and Yuan 2009). Its time adds to that of the step, whatever overlap there
is goes into the bus; and a share is lost that scales with nothing:

    efficiency = ceiling / (1 + exchange / step)
    exchange = 2 (n - 1) / n x gradient bytes / bus

That the times add was chosen among p-norms of order 1, 1.5, 2, 4 and 8: on the table
they err alike (within 0.6 points), but the table's batches are large, and only with
order 1 is the bus what all-reduce measurements show (20 to 50 GB/s among professional
cards, more over NVLink), so that short steps, which it lacks, are not slandered.

`bus` and `ceiling` are fitted for each interconnect class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.arrays import BoolArray, FloatArray, StrArray
from advisor.throughput.fit.constants import INPUT_PIPELINE
from advisor.throughput.spread import spread90

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.throughput.fit.benchmarks import Benchmarks

_GRADIENT_BYTES = float(INPUT_PIPELINE["gradient_bytes"]["value"])

MAX_EFFICIENCY = 1.1
"""Above it a pair is two different runs, not a gain."""

MIN_ROWS = 6
"""Rows that a class needs for a fit of its own; else all classes stand in."""

_BUS_GRID = np.exp(np.linspace(np.log(0.3), np.log(300.0), 70))
_CEILING_GRID = np.linspace(0.80, 1.0, 21)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Rows on several GPUs beside the same row on one.

    Attributes
    ----------
    interconnect : (N,) class
    gpu, workload : (N,) names
    num_gpus : (N,)
    efficiency : (N,) rate of n GPUs over n times that of one, batch for batch
    step_s : (N,) seconds of a step on one GPU, with the batch of the row
    gradient_gb : (N,) 10^9 bytes of gradients; NaN where parameters are unknown
    """

    interconnect: StrArray
    gpu: StrArray
    workload: StrArray
    num_gpus: FloatArray
    efficiency: FloatArray
    step_s: FloatArray
    gradient_gb: FloatArray


def scaling_pairs(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> Pairs:
    """Find the rows on 2 to 8 GPUs that have a twin on one, same cell and card.

    Host-bound rows are left out: they say nothing about the exchange. So are units
    other than samples, in which a batch has no length in time.
    """
    known = np.isin(benchmarks.gpu, list(gpus)) & ~benchmarks.host_bound
    known &= benchmarks.unit == "samples/s"
    table = benchmarks.select(known & np.isfinite(benchmarks.batch_size))
    cells = list(zip(table.cell, table.gpu, table.unit, strict=True))
    ones = {cells[i]: i for i in np.flatnonzero(table.num_gpus == 1)}
    several = [i for i in np.flatnonzero(table.num_gpus > 1) if cells[i] in ones]
    rows = np.array(several, dtype=np.int64)
    one = np.array([ones[cells[i]] for i in several], dtype=np.int64)
    single = table.throughput[one]
    return Pairs(
        interconnect=np.array(
            [gpus[str(g)].interconnect for g in table.gpu[rows]], dtype=np.str_
        ),
        gpu=table.gpu[rows],
        workload=table.workload[rows],
        num_gpus=table.num_gpus[rows].astype(np.float64),
        efficiency=table.throughput[rows] / (table.num_gpus[rows] * single),
        step_s=table.batch_size[rows] / single,
        gradient_gb=table.params_m[rows] * _GRADIENT_BYTES * 1e-3,
    )


def efficiency(
    num_gpus: FloatArray,
    gradient_gb: FloatArray,
    step_s: FloatArray,
    bus_gb_s: float,
    ceiling: float,
) -> FloatArray:
    """Return (N,) rate of n GPUs over n times that of one.

    Parameters
    ----------
    num_gpus : (N,) GPUs that share a step
    gradient_gb : (N,) 10^9 bytes of gradients
    step_s : (N,) seconds of a step on one GPU
    bus_gb_s : 10^9 bytes/s of the exchange
    ceiling : what is reached when the exchange costs nothing
    """
    exchange_s = 2.0 * (num_gpus - 1.0) / num_gpus * gradient_gb / bus_gb_s
    kept = ceiling / (1.0 + exchange_s / step_s)
    share: FloatArray = np.where(num_gpus > 1, kept, 1.0)
    return share


def fit_scaling(
    benchmarks: Benchmarks, gpus: Mapping[str, Gpu]
) -> dict[str, dict[str, float]]:
    """Fit each interconnect class; ``""`` is all of them together.

    Returns
    -------
    class -> ``bus_gb_s``, ``ceiling``, ``log_sd`` (of the efficiency, 90 % interval
    over its normal width), ``rows``, ``mape`` and ``mape_linear`` (in sample)
    """
    pairs = scaling_pairs(benchmarks, gpus)
    usable = np.isfinite(pairs.gradient_gb) & (pairs.efficiency < MAX_EFFICIENCY)
    if not usable.any():
        return {}
    result = {"": _fit(pairs, usable)}
    for name in np.unique(pairs.interconnect[usable]):
        rows = usable & (pairs.interconnect == name)
        if rows.sum() >= MIN_ROWS:
            result[str(name)] = _fit(pairs, rows)
    return result


def _fit(pairs: Pairs, rows: BoolArray) -> dict[str, float]:
    """Fit bus and ceiling on a grid: least absolute error of ln efficiency."""
    observed = pairs.efficiency[rows]
    n, gradients, step = (
        pairs.num_gpus[rows],
        pairs.gradient_gb[rows],
        pairs.step_s[rows],
    )
    best, answer = np.inf, (1.0, 1.0)
    for bus in _BUS_GRID:
        shape = efficiency(n, gradients, step, bus, 1.0)
        for ceiling in _CEILING_GRID:
            loss = float(np.abs(np.log(observed / (ceiling * shape))).mean())
            if loss < best:
                best, answer = loss, (float(bus), float(ceiling))
    bus, ceiling = answer
    predicted = efficiency(n, gradients, step, bus, ceiling)
    errors = np.abs(np.log(observed / predicted))
    return {
        "bus_gb_s": bus,
        "ceiling": ceiling,
        "log_sd": spread90(errors),
        "rows": int(rows.sum()),
        "mape": float(np.mean(np.abs(predicted / observed - 1.0))),
        "mape_linear": float(np.mean(np.abs(1.0 / observed - 1.0))),
    }
