"""Which rows of the tables train the GPU model, and which are evaluated.

`choose` applies the rules, none of which looks at a prediction. Outliers are found
afterwards, one at a time, by `advisor.training.fit.outliers`. The result is frozen
in ``models/row_use.csv``, every row with its use and, where it is left out, the reason;
training and evaluation read the file and nothing else.

Some rules were written after the largest errors of trial fits had been looked at: NVIDIA
cards alone, half precision slower than single is a faulty run, one GPU slower than its
share of several is a faulty run, rates of which the unit cannot be as stated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from advisor.base.arrays import BoolArray, ObjectArray, StrArray
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
MIN_GPUS_EVALUATED = 3

SUPERLINEAR = 1.15
"""Several GPUs do not run faster each than one alone: above this ratio the row of one
GPU is at fault."""

UNIT_FACTOR = 20.0
"""No two sources' intercepts of one workload differ by this much if their units agree."""

INFERENCE = "inference"
"""Task of the auxiliary rows: they train the model, but are no training themselves and
are never evaluated."""

EVALUATED, TRAINING, LEFT_OUT = "scored", "taught", "left out"
"""Uses of a row, as the file spells them."""

_KEYS = ["workload", "series", "precision", "gpu", "unit"]
"""What tells the rows of one GPU from each other."""

_EVALUATED_MARK = " (scored)"
"""Ends the use of a row that would be evaluated if it were not left out."""


@dataclass(frozen=True, slots=True)
class RowUse:
    """What becomes of each row of the tables.

    Attributes
    ----------
    use : (N,) `EVALUATED`, `TRAINING`, `LEFT_OUT`, or empty: never considered
    reason : (N,) why a row is left out; ``left out`` rows with a reason would be
        evaluated or trained on without it
    would_be_evaluated : (N,) whether the row is evaluated, left out or not
    """

    use: ObjectArray
    reason: ObjectArray
    would_be_evaluated: BoolArray

    def select(self, rows: BoolArray) -> RowUse:
        """Return the use of the rows of a mask."""
        return RowUse(self.use[rows], self.reason[rows], self.would_be_evaluated[rows])

    @property
    def training(self) -> BoolArray:
        """(N,) whether the row trains the model."""
        return np.isin(self.use, (EVALUATED, TRAINING))

    @property
    def left_out(self) -> BoolArray:
        """(N,) whether the row is left out for a reason."""
        out: BoolArray = self.use == LEFT_OUT
        return out

    @property
    def evaluated(self) -> BoolArray:
        """(N,) whether the row is evaluated."""
        evaluated: BoolArray = self.use == EVALUATED
        return evaluated


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


def choose(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> RowUse:
    """Apply the rules.

    Training: one covered GPU, not known to be limited by its host, since 2018, of a
    workload that at least two GPUs ran. Evaluated, of these: a stated precision, a unit
    that counts work, training, in a comparison group (series, workload, precision) with
    at least three such GPUs, and not of ``pytorch-gpu-benchmark``, whose design measures
    something else (batches of 12, launch-bound).
    """
    usable = on_one_gpu(benchmarks, gpus) & ~benchmarks.host_bound
    usable &= ~(benchmarks.year < FIRST_YEAR)
    training = usable & _has_gpus(
        benchmarks.workload, benchmarks, usable, MIN_GPUS_TRAINED
    )
    other = np.char.find(benchmarks.series, "pytorch-gpu-benchmark") >= 0
    evaluated = training & ~other & (benchmarks.precision != "")
    evaluated &= np.isin(benchmarks.unit, UNITS) & (benchmarks.task != INFERENCE)
    evaluated &= _has_gpus(
        benchmarks.comparison_group, benchmarks, evaluated, MIN_GPUS_EVALUATED
    )
    reason = np.full(len(benchmarks), "", dtype=np.object_)
    for rows, words in (
        (
            _superlinear(benchmarks),
            "faulty: of several GPUs each ran {:.2f} times as fast",
        ),
        (
            _wrong_units(benchmarks, gpus, training),
            "unit not as stated: {:,.0f} times off other sources",
        ),
    ):
        reason[rows.index] = rows.map(words.format)
    use = np.full(len(benchmarks), "", dtype=np.object_)
    use[training] = TRAINING
    use[evaluated] = EVALUATED
    use[training & (reason != "")] = LEFT_OUT
    reason[~training] = ""
    return RowUse(use, reason, evaluated)


def _superlinear(benchmarks: Benchmarks) -> pd.Series[float]:
    """Return the rows of one GPU that several GPUs beat, each, and by how much."""
    keys = ["comparison_group", "gpu", "unit"]
    frame = benchmarks.frame().assign(comparison_group=benchmarks.comparison_group)
    frame["each"] = frame["throughput"] / frame["num_gpus"]
    several = frame["num_gpus"] > 1
    best = frame[several].groupby(keys)["each"].max().rename("best")
    ones = frame[~several].join(best, on=keys)
    ratio: pd.Series[float] = ones["best"] / ones["each"]
    return ratio[ratio > SUPERLINEAR]


def _wrong_units(
    benchmarks: Benchmarks, gpus: Mapping[str, Gpu], training: BoolArray
) -> pd.Series[float]:
    """Return the rows whose intercept is far from that of each of the other series.

    Of the same workload and unit, of which there must be two others at least.
    """
    keys = ["workload", "unit"]
    rows = benchmarks.select(training)
    frame = rows.frame()[[*keys, "series"]]
    frame["intercept"] = log_efficiency(rows, gpus)
    means = frame.groupby([*keys, "series"], as_index=False)["intercept"].mean()
    beside = frame.assign(row=np.flatnonzero(training)).merge(
        means, on=keys, suffixes=("", "_other")
    )
    beside = beside[beside["series"] != beside["series_other"]]
    off = (beside["intercept"] - beside["intercept_other"]).abs().groupby(beside["row"])
    nearest: pd.Series[float] = off.min()[off.size() > 1]
    far: pd.Series[float] = np.exp(nearest[nearest > np.log(UNIT_FACTOR)])
    return far


def _has_gpus(
    key: StrArray, benchmarks: Benchmarks, rows: BoolArray, least: int
) -> BoolArray:
    """Mark the rows whose key has at least `least` GPUs among `rows`."""
    frame = pd.DataFrame({"key": key, "gpu": benchmarks.gpu})
    counts = frame[rows].groupby("key")["gpu"].nunique()
    enough: BoolArray = (frame["key"].map(counts) >= least).to_numpy(dtype=bool)
    return enough


def save_row_use(row_use: RowUse, benchmarks: Benchmarks, path: Path) -> None:
    """Write the rows that were considered, in the tables' order."""
    evaluated = (row_use.use == LEFT_OUT) & row_use.would_be_evaluated
    use = np.where(evaluated, row_use.use + _EVALUATED_MARK, row_use.use)
    frame = benchmarks.frame()[_KEYS].assign(use=use, reason=row_use.reason)
    frame[row_use.use != ""].to_csv(path, index=False, lineterminator="\n")


def load_row_use(path: Path, benchmarks: Benchmarks) -> RowUse:
    """Read what `save_row_use` wrote and lay it beside the tables' rows.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read or names rows that the tables lack
    """
    try:
        frozen = pd.read_csv(path, dtype=str, keep_default_na=False)
        frozen = frozen[[*_KEYS, "use", "reason"]]
    except (OSError, KeyError, ValueError) as error:
        message = f"{path}: not a list of the use of rows ({error}); freeze it again"
        raise UsageError(message) from error
    table = benchmarks.frame()[_KEYS].reset_index(names="row")
    ones = table[benchmarks.num_gpus == 1].drop_duplicates(_KEYS)
    placed = frozen.merge(ones, on=_KEYS, how="left")
    lost = placed[placed["row"].isna()]
    if len(lost):
        message = (
            f"{path}: {len(lost)} of its rows are in no table, such as "
            f"{'|'.join(lost.iloc[0][_KEYS])}; freeze it again"
        )
        raise UsageError(message)
    use = np.full(len(benchmarks), "", dtype=np.object_)
    reason, would_be_evaluated = use.copy(), np.zeros(len(benchmarks), dtype=bool)
    rows = placed["row"].to_numpy(dtype=np.int64)
    use[rows] = placed["use"].str.removesuffix(_EVALUATED_MARK)
    reason[rows] = placed["reason"]
    would_be_evaluated[rows] = placed["use"].str.contains(EVALUATED)
    return RowUse(use, reason, would_be_evaluated)
