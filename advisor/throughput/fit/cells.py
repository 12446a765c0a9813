"""Which rows of the benchmark table teach the GPU model, and which are scored.

No rule looks at a prediction. Three were added after the largest errors of a first
trial fit had been looked at, and all are frozen since: NVIDIA cards alone (MI50 and
Arc stood out), rows in half precision slower than in single left out of the table, and
NVIDIA's own "fp32" on Ampere read as TF32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from advisor.arrays import BoolArray

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.throughput.fit.benchmarks import Benchmarks

NVIDIA = ("Pascal", "Volta", "Turing", "Ampere", "Ada", "Hopper", "Blackwell")
"""Architectures that the model covers; others run through other software."""

UNITS = ("samples/s", "tokens/s", "mel-frames/s", "audio-samples/s")
"""Units that count work done, so that a ratio of rates is one of speeds."""

MIN_GPUS_TRAINED = 2
MIN_GPUS_SCORED = 3


def covered(gpus: Mapping[str, Gpu], name: str) -> bool:
    """Say whether the model covers a GPU: NVIDIA, with its two rates known."""
    gpu = gpus.get(name)
    if gpu is None or not gpu.architecture.startswith(NVIDIA):
        return False
    return bool(np.isfinite(gpu.fp32_tflops) and np.isfinite(gpu.memory_bandwidth_gb_s))


def usable_rows(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> BoolArray:
    """Mark the rows that say something about a GPU alone.

    One GPU, covered, and not known to be limited by its host.
    """
    known = np.array([covered(gpus, str(name)) for name in benchmarks.gpu], dtype=bool)
    usable: BoolArray = known & (benchmarks.num_gpus == 1) & ~benchmarks.host_bound
    return usable


def training_rows(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> BoolArray:
    """Mark the rows that the response is fitted on.

    Usable, in a cell (series, workload, precision) with at least two GPUs: one
    alone says nothing about ratios.
    """
    usable = usable_rows(benchmarks, gpus)
    trained: BoolArray = usable & _has_gpus(benchmarks, usable, MIN_GPUS_TRAINED)
    return trained


def scored_rows(benchmarks: Benchmarks, gpus: Mapping[str, Gpu]) -> BoolArray:
    """Mark the rows that the evaluation scores.

    Of the training rows those with a stated precision, a unit that counts work,
    and not of the two families of scripts whose design measures something else:
    ``pytorch-gpu-benchmark`` (batches of 12, launch-bound) and
    ``jcjohnson/cnn-benchmarks`` (Torch 7, 2016); in cells with at least three
    such GPUs.
    """
    other = np.char.find(benchmarks.series, "pytorch-gpu-benchmark") >= 0
    other |= np.char.startswith(benchmarks.series, "jcjohnson/")
    stated = benchmarks.precision != ""
    rows = training_rows(benchmarks, gpus) & ~other & stated
    rows &= np.isin(benchmarks.unit, UNITS)
    scored: BoolArray = rows & _has_gpus(benchmarks, rows, MIN_GPUS_SCORED)
    return scored


def _has_gpus(benchmarks: Benchmarks, rows: BoolArray, least: int) -> BoolArray:
    """Mark the rows whose cell has at least `least` GPUs among `rows`."""
    gpus: dict[str, set[str]] = {}
    cells = benchmarks.cell
    for cell, gpu in zip(cells[rows], benchmarks.gpu[rows], strict=True):
        gpus.setdefault(str(cell), set()).add(str(gpu))
    return np.array([len(gpus.get(str(c), ())) >= least for c in cells], dtype=bool)
