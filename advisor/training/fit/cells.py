"""Which rows of the tables teach the GPU model, and which are scored.

`choose` applies the rules, none of which looks at a prediction. Outliers are found
afterwards, one at a time, by `advisor.training.fit.outliers`. The result is frozen
in ``models/cells.csv``, every row with its use and, where it is left out, the reason;
training and evaluation read the file and nothing else.

Some rules were written after the largest errors of trial fits had been looked at: NVIDIA
cards alone, half precision slower than single is a faulty run, one GPU slower than its
share of several is a faulty run, rates of which the unit cannot be as stated.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import BoolArray, ObjectArray
from advisor.base.errors import UsageError
from advisor.training.fit.design import log_efficiency

if TYPE_CHECKING:
    from pathlib import Path

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks

NVIDIA = ("Pascal", "Volta", "Turing", "Ampere", "Ada", "Hopper", "Blackwell")
"""Architectures that the model covers; others run through other software."""

UNITS = ("samples/s", "tokens/s", "mel-frames/s", "audio-samples/s")
"""Units that count work done, so that a ratio of rates is one of speeds."""

FIRST_YEAR = 2018
"""Older software (Torch 7, cuDNN 5) says nothing about today's."""

MIN_GPUS_TRAINED = 2
MIN_GPUS_SCORED = 3

SUPERLINEAR = 1.15
"""Several GPUs do not run faster each than one alone: above this ratio the row of one
GPU is at fault."""

UNIT_FACTOR = 20.0
"""No two sources' levels of one workload differ by this much if their units agree."""

INFERENCE = "inference"
"""Task of the auxiliary rows: they teach, but are no training and are never scored."""

SCORED, TAUGHT, LEFT_OUT = "scored", "taught", "left out"

_COLUMNS = ("workload", "series", "precision", "gpu", "unit", "use", "reason")


@dataclass(frozen=True, slots=True)
class Cells:
    """What becomes of each row of the tables.

    Attributes
    ----------
    use : (N,) `SCORED`, `TAUGHT`, `LEFT_OUT`, or empty: never considered
    reason : (N,) why a row is left out; ``left out`` rows with a reason would be
        scored or taught without it
    would_score : (N,) whether the row is scored, left out or not
    """

    use: ObjectArray
    reason: ObjectArray
    would_score: BoolArray

    @property
    def taught(self) -> BoolArray:
        """(N,) whether the row teaches the model."""
        return np.isin(self.use, (SCORED, TAUGHT))

    @property
    def left_out(self) -> BoolArray:
        """(N,) whether the row is left out for a reason."""
        out: BoolArray = self.use == LEFT_OUT
        return out

    @property
    def scored(self) -> BoolArray:
        """(N,) whether the row is scored."""
        scored: BoolArray = self.use == SCORED
        return scored


def covered(gpus: Mapping[str, Gpu], name: str) -> bool:
    """Say whether the model covers a GPU: NVIDIA, with its two rates known."""
    gpu = gpus.get(name)
    if gpu is None or not gpu.architecture.startswith(NVIDIA):
        return False
    return bool(np.isfinite(gpu.fp32_tflops) and np.isfinite(gpu.memory_bandwidth_gb_s))


def on_one_gpu(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> BoolArray:
    """Mark the rows of one covered GPU."""
    known = np.array([covered(gpus, str(name)) for name in benchmarks.gpu], dtype=bool)
    one: BoolArray = known & (benchmarks.num_gpus == 1)
    return one


def choose(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> Cells:
    """Apply the rules.

    Taught: one covered GPU, not known to be limited by its host, since 2018, of a
    workload that at least two GPUs ran. Scored, of these: a stated precision, a unit
    that counts work, training, in a cell (series, workload, precision) with at least
    three such GPUs, and not of ``pytorch-gpu-benchmark``, whose design measures
    something else (batches of 12, launch-bound).
    """
    usable = on_one_gpu(benchmarks, gpus) & ~benchmarks.host_bound
    usable &= ~(benchmarks.year < FIRST_YEAR)
    taught = usable & _has_gpus(benchmarks.workload, benchmarks, usable, MIN_GPUS_TRAINED)
    other = np.char.find(benchmarks.series, "pytorch-gpu-benchmark") >= 0
    scored = taught & ~other & (benchmarks.precision != "")
    scored &= np.isin(benchmarks.unit, UNITS) & (benchmarks.task != INFERENCE)
    scored &= _has_gpus(benchmarks.cell, benchmarks, scored, MIN_GPUS_SCORED)
    reason = np.full(len(benchmarks), "", dtype=np.object_)
    for row, ratio in _superlinear(benchmarks):
        reason[row] = f"faulty: of several GPUs each ran {ratio:.2f} times as fast"
    for row, factor in _wrong_units(benchmarks, gpus, taught):
        reason[row] = f"unit not as stated: {factor:,.0f} times off other sources"
    use = np.full(len(benchmarks), "", dtype=np.object_)
    use[taught] = TAUGHT
    use[scored] = SCORED
    use[taught & (reason != "")] = LEFT_OUT
    reason[~taught] = ""
    return Cells(use, reason, scored)


def _superlinear(benchmarks: Benchmarks) -> Iterator[tuple[int, float]]:
    """Yield rows of one GPU that several GPUs beat, each, and by how much."""
    keys = list(zip(benchmarks.cell, benchmarks.gpu, benchmarks.unit, strict=True))
    each = benchmarks.throughput / benchmarks.num_gpus
    best: dict[tuple[str, ...], float] = {}
    for row in np.flatnonzero(benchmarks.num_gpus > 1):
        best[keys[row]] = max(best.get(keys[row], 0.0), float(each[row]))
    for row in np.flatnonzero(benchmarks.num_gpus == 1):
        ratio = best.get(keys[row], 0.0) / float(each[row])
        if ratio > SUPERLINEAR:
            yield int(row), ratio


def _wrong_units(
    benchmarks: Benchmarks, gpus: Mapping[str, Gpu], taught: BoolArray
) -> Iterator[tuple[int, float]]:
    """Yield rows whose level is far from that of each of the workload's other series."""
    rows = np.flatnonzero(taught)
    level = np.full(len(benchmarks), np.nan)
    level[rows] = log_efficiency(benchmarks.select(rows), gpus)
    keys = np.char.add(np.char.add(benchmarks.workload, "|"), benchmarks.unit)
    for key in np.unique(keys[rows]):
        here = rows[keys[rows] == key]
        means = {
            s: float(level[here[benchmarks.series[here] == s]].mean())
            for s in np.unique(benchmarks.series[here])
        }
        for row in here:
            others = [m for s, m in means.items() if s != benchmarks.series[row]]
            off = min((abs(level[row] - other) for other in others), default=0.0)
            if len(others) > 1 and off > np.log(UNIT_FACTOR):
                yield int(row), float(np.exp(off))


def _has_gpus(
    key: np.ndarray, benchmarks: Benchmarks, rows: BoolArray, least: int
) -> BoolArray:
    """Mark the rows whose key has at least `least` GPUs among `rows`."""
    gpus: dict[str, set[str]] = {}
    for name, gpu in zip(key[rows], benchmarks.gpu[rows], strict=True):
        gpus.setdefault(str(name), set()).add(str(gpu))
    return np.array([len(gpus.get(str(k), ())) >= least for k in key], dtype=bool)


def save_cells(cells: Cells, benchmarks: Benchmarks, path: Path) -> None:
    """Write the rows that were considered, in the tables' order."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for row in np.flatnonzero(cells.use != ""):
            scored = " (scored)" if cells.would_score[row] else ""
            use = cells.use[row]
            mark = use + scored if use == LEFT_OUT else use
            writer.writerow([*_key(benchmarks, int(row)), mark, cells.reason[row]])


def load_cells(path: Path, benchmarks: Benchmarks) -> Cells:
    """Read what `save_cells` wrote and lay it beside the tables' rows.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read or names rows that the tables lack
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            records = {
                tuple(record[name] for name in _COLUMNS[:5]): record
                for record in csv.DictReader(file)
            }
    except (OSError, KeyError) as error:
        message = f"{path}: not a list of cells ({error}); freeze it again"
        raise UsageError(message) from error
    use = np.full(len(benchmarks), "", dtype=np.object_)
    reason = np.full(len(benchmarks), "", dtype=np.object_)
    would_score = np.zeros(len(benchmarks), dtype=bool)
    for row in np.flatnonzero(benchmarks.num_gpus == 1):
        record = records.pop(_key(benchmarks, int(row)), None)
        if record is not None:
            use[row] = record["use"].removesuffix(" (scored)")
            reason[row] = record["reason"]
            would_score[row] = "scored" in record["use"]
    if records:
        message = (
            f"{path}: {len(records)} of its rows are in no table, such as "
            f"{'|'.join(next(iter(records)))}; freeze it again"
        )
        raise UsageError(message)
    return Cells(use, reason, would_score)


def _key(benchmarks: Benchmarks, row: int) -> tuple[str, ...]:
    columns = (getattr(benchmarks, name) for name in _COLUMNS[:5])
    return tuple(str(column[row]) for column in columns)
