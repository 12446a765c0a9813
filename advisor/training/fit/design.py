"""Rows of the benchmark table as the covariance and the fit see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from advisor.base.arrays import FloatArray, IntArray, StrArray
from advisor.throughput.features import (
    GpuFeatures,
    batch_effect,
    feature_matrix,
    log_baseline,
    standardized,
)
from advisor.throughput.kernel import SHARED_KINDS, Inputs, Run, profile_labels

if TYPE_CHECKING:
    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks

NOISE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "lambda": ("lambda/",),
    "lambda-tf": ("lambda-tf/",),
    "nvidia": ("dle/",),
    "gpu-insights": ("gpu-insights/",),
    "timm-inference": ("timm-inference/",),
    "other-inference": ("sd-reports/", "llama.cpp", "serving/"),
    "correlated": (
        "siasosp23/",
        "ryujaehun/",
        "MatrixSP/",
        "yqtianust/",
        "lamikr/",
    ),
    "other": ("",),
}
"""Group of series with a noise of its own -> how their names start (first match)."""

CHANNELS_LAST_SERIES = (
    "dle/PyTorch/Classification",
    "dle/PyTorch/Detection",
    "dle/TensorFlow",
    "dle/MxNet",
    "dle/PaddlePaddle",
    "lambda-tf/",
)
"""Series whose convolutions run channels-last (NVIDIA's own recipes state NHWC for
mixed precision; TensorFlow's graph optimizer moves to it on tensor cores). timm's
files say it in their names; all others are taken for contiguous (assumption)."""


@dataclass(frozen=True, slots=True)
class Design:
    """Rows of the benchmark table, ready for the fit.

    Attributes
    ----------
    inputs : with the labels of `PARTS` and of `OWN_PARTS`
    names : kind -> the label of each code
    y : (N,) ln(units/s of one GPU / baseline)
    noise_group : (N,) place in `NOISE_GROUPS`
    center, scale : (D,) mean and standard deviation of the features before
    middle : mean of ln baseline
    usual_batch : workload -> median batch, samples per GPU
    """

    inputs: Inputs
    names: Mapping[str, Sequence[str]]
    y: FloatArray
    noise_group: IntArray
    center: FloatArray
    scale: FloatArray
    middle: float
    usual_batch: Mapping[str, float]

    def __len__(self) -> int:
        return len(self.y)

    @property
    def gpu(self) -> IntArray:
        """(N,) codes of the GPUs."""
        return self.inputs.labels["gpu"]

    @property
    def comparison_group(self) -> IntArray:
        """(N,) codes of the comparison groups."""
        return self.inputs.labels["comparison_group"]


def table_features(rows: Benchmarks, gpus: Mapping[str, Gpu]) -> GpuFeatures:
    """Return the features of the GPU of each row, at the row's precision."""
    return GpuFeatures.mixed(
        [gpus.get(str(name)) for name in rows.gpu], [str(p) for p in rows.precision]
    )


def log_efficiency(rows: Benchmarks, gpus: Mapping[str, Gpu]) -> FloatArray:
    """Return (N,) ln(units/s of one GPU / baseline)."""
    rate = np.log(rows.throughput / rows.num_gpus)
    efficiency: FloatArray = rate - log_baseline(table_features(rows, gpus))
    return efficiency


def design(rows: Benchmarks, gpus: Mapping[str, Gpu]) -> Design:
    """Describe rows for the covariance."""
    features = table_features(rows, gpus)
    raw, baseline = feature_matrix(features), log_baseline(features)
    usual = usual_batches(rows)
    middle = float(np.nanmean(baseline))
    batch = batch_effect(log_batch(rows, usual), baseline - middle)
    center, scale = np.nanmean(raw, axis=0), np.nanstd(raw, axis=0)
    scale[scale == 0.0] = 1.0
    names, labels = {}, {}
    for kind, texts in label_texts(rows).items():
        unique, labels[kind] = np.unique(texts, return_inverse=True)
        names[kind] = unique.tolist()
    return Design(
        inputs=Inputs(standardized(raw, center, scale), batch, labels),
        names=names,
        y=np.log(rows.throughput / rows.num_gpus) - baseline,
        noise_group=np.array([noise_group(str(s)) for s in rows.series], dtype=np.int64),
        center=center,
        scale=scale,
        middle=middle,
        usual_batch=usual,
    )


def as_new_inputs(rows: Benchmarks, of: Design, gpus: Mapping[str, Gpu]) -> Inputs:
    """Return rows as inputs beside a design, as if nobody knew their workloads.

    A label that the design lacks, and any that names the workload, is like no other.
    """
    features = table_features(rows, gpus)
    usual = {**usual_batches(rows), **of.usual_batch}
    effect = batch_effect(log_batch(rows, usual), log_baseline(features) - of.middle)
    labels = {}
    for kind, texts in label_texts(rows).items():
        code = {name: at for at, name in enumerate(of.names[kind])}
        shared = kind in SHARED_KINDS or kind == "gpu"
        labels[kind] = np.array([code.get(one, -1) if shared else -1 for one in texts])
    z = standardized(feature_matrix(features), of.center, of.scale)
    return Inputs(z, effect, labels)


def label_texts(rows: Benchmarks) -> dict[str, list[str]]:
    """Return kind -> the label of each row, for `PARTS` and `OWN_PARTS`."""
    source = [source_of(str(text)) for text in rows.source]
    texts: dict[str, list[str]] = {
        "series": _joined(rows.series),
        "source": source,
        "source_workload": _joined(source, rows.workload),
        "series_workload": _joined(rows.series, rows.workload),
        "comparison_group": _joined(rows.comparison_group),
    }
    for row in range(len(rows)):
        labels = profile_labels(
            str(rows.workload[row]),
            str(rows.family[row]),
            run_of(rows, row),
            str(rows.gpu[row]),
        )
        for kind, text in labels.items():
            texts.setdefault(kind, []).append(text)
    return texts


def source_of(text: str) -> str:
    """Return the repository of a row's ``source``, which goes on with a path."""
    return text.split(":", maxsplit=1)[0]


def run_of(rows: Benchmarks, row: int) -> Run:
    """Return how a row was measured."""
    memory_format = series_format(str(rows.series[row]))
    return Run(str(rows.precision[row]), str(rows.framework[row]), memory_format)


def series_format(series: str) -> str:
    """Return ``"channels-last"`` or ``"contiguous"`` for a series."""
    if "nhwc" in series or "nchw" in series:
        return "channels-last" if "nhwc" in series else "contiguous"
    last = series.startswith(CHANNELS_LAST_SERIES)
    return "channels-last" if last else "contiguous"


def noise_group(series: str) -> int:
    """Return the place of a series in `NOISE_GROUPS`."""
    return next(i for i, s in enumerate(NOISE_GROUPS.values()) if series.startswith(s))


def usual_batches(rows: Benchmarks) -> dict[str, float]:
    """Return workload -> median batch of the rows, where any is known."""
    frame = pd.DataFrame({"workload": rows.workload, "batch": rows.batch_size}).dropna()
    medians: dict[str, float] = frame.groupby("workload")["batch"].median().to_dict()  # type: ignore[assignment]
    return medians


def log_batch(rows: Benchmarks, usual: Mapping[str, float]) -> FloatArray:
    """Return (N,) ln(batch / usual batch of the workload), 0 where unknown."""
    reference = [usual.get(key, np.nan) for key in rows.workload.tolist()]
    ratio = np.log(rows.batch_size / np.array(reference, dtype=np.float64))
    return np.nan_to_num(ratio, nan=0.0)


def _joined(*columns: StrArray | Sequence[str]) -> list[str]:
    return ["|".join(map(str, row)) for row in zip(*columns, strict=True)]
