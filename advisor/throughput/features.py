"""What the GPU model sees of a GPU and of a workload."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, StrArray
from advisor.base.columns import Columns
from advisor.hardware.boards import TENSOR_CORES
from advisor.throughput.intercept import lineage_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.hardware.gpus import Gpu
    from advisor.workloads.profile import Workload

FEATURES = (
    "ln tensor TFLOPS",
    "ln memory bandwidth",
    "ln FP32 TFLOPS",
    "ln TDP",
    "ln boost clock",
    "year",
    "ln SMs",
    "ln TFLOPS / bandwidth",
    "ln measured / nominal matrix rate",
)
"""Names of the columns of `feature_matrix`."""

UNKNOWN = "unknown"
"""Name of a GPU that is not in the table."""


@dataclass(frozen=True, slots=True)
class GpuFeatures(Columns):
    """What the model needs of the GPUs of N offers; one GPU of each.

    Attributes
    ----------
    tensor_tflops : (N,) usable dense matrix rate, 10^12 FLOP/s, at the precision
        of the workload, with FP32 accumulation; NaN where unknown
    memory_bandwidth_gb_s : (N,) 10^9 bytes/s; NaN where unknown
    fp32_tflops : (N,) vector rate, 10^12 FLOP/s; NaN where unknown
    tdp_w : (N,) watts; NaN where unknown
    sm_count : (N,) multiprocessors; NaN where unknown
    boost_mhz : (N,) MHz; NaN where unknown
    year : (N,) of the launch; NaN where unknown
    matmul_share : (N,) measured over nominal matrix rate, see `Gpu`; NaN where unknown
    gpu : (N,) canonical names, `UNKNOWN` where the table has none
    """

    tensor_tflops: FloatArray
    memory_bandwidth_gb_s: FloatArray
    fp32_tflops: FloatArray
    tdp_w: FloatArray
    sm_count: FloatArray
    boost_mhz: FloatArray
    year: FloatArray
    matmul_share: FloatArray
    gpu: StrArray

    def known(self) -> GpuFeatures:
        """Return them without what a market guesses of GPUs that are in no table."""
        in_table = self.gpu != UNKNOWN
        columns = {
            one.name: np.where(in_table, getattr(self, one.name), np.nan)
            for one in fields(self)
            if one.name != "gpu"
        }
        return GpuFeatures(gpu=self.gpu, **columns)

    @classmethod
    def of(cls, gpus: Sequence[Gpu | None], precision: str) -> GpuFeatures:
        """Look up N GPUs (None: not in the table) for one precision."""
        return cls.mixed(gpus, [precision] * len(gpus))

    @classmethod
    def mixed(cls, gpus: Sequence[Gpu | None], precisions: Sequence[str]) -> GpuFeatures:
        """Look up N GPUs, each for a precision of its own."""

        def column(name: str) -> FloatArray:
            values = [np.nan if gpu is None else getattr(gpu, name) for gpu in gpus]
            return np.array(values, dtype=np.float64)

        rates = [
            np.nan if gpu is None else tensor_rate(gpu, precision)
            for gpu, precision in zip(gpus, precisions, strict=True)
        ]
        return cls(
            tensor_tflops=np.array(rates, dtype=np.float64),
            memory_bandwidth_gb_s=column("memory_bandwidth_gb_s"),
            fp32_tflops=column("fp32_tflops"),
            tdp_w=column("tdp_w"),
            sm_count=column("sm_count"),
            boost_mhz=column("boost_mhz"),
            year=column("year"),
            matmul_share=column("matmul_share"),
            gpu=np.array(
                [UNKNOWN if gpu is None else gpu.name for gpu in gpus], dtype=np.str_
            ),
        )

    @property
    def matrix_tflops(self) -> FloatArray:
        """(N,) matrix rate; a card without units for the precision uses FP32."""
        rate: FloatArray = np.fmax(self.tensor_tflops, self.fp32_tflops)
        return rate

    @property
    def sustained_tflops(self) -> FloatArray:
        """(N,) matrix rate that was measured; the nominal one where none was."""
        rate: FloatArray = self.matrix_tflops * np.nan_to_num(self.matmul_share, nan=1.0)
        return rate

    @property
    def on_tensor_cores(self) -> BoolArray:
        """(N,) whether the matrix products run on tensor cores, faster than on others."""
        with np.errstate(invalid="ignore"):
            fast: BoolArray = self.matrix_tflops > TENSOR_CORES * self.fp32_tflops
        return fast

    def precision(self, asked: str) -> StrArray:
        """Return the (N,) precision that the cards run: FP32 for one that they lack.

        Before Ampere there is neither TF32 nor BF16, and PyTorch computes in FP32.
        """
        with np.errstate(invalid="ignore"):
            lacks = ~(self.tensor_tflops > self.fp32_tflops)
        lacks &= asked in ("tf32", "bf16")
        return np.where(lacks & np.isfinite(self.fp32_tflops), "fp32", asked)

    def __len__(self) -> int:
        return len(self.gpu)


def tensor_rate(gpu: Gpu, precision: str) -> float:
    """Return the usable matrix rate, 10^12 FLOP/s, at a precision.

    NaN where the card has no units for it. An unstated precision (empty) is the
    frameworks' default for single precision: TF32 where the card has it.
    """
    rates = {
        "fp32": gpu.fp32_tflops,
        "tf32": gpu.tf32_tflops,
        "": gpu.tf32_tflops,
        "amp": gpu.fp16_tflops,
        "fp16": gpu.fp16_tflops,
        "bf16": gpu.bf16_tflops,
    }
    return float(rates[precision])


def feature_matrix(features: GpuFeatures) -> FloatArray:
    """Return the (N, 9) columns of `FEATURES`, NaN where unknown."""
    rate, bandwidth = features.matrix_tflops, features.memory_bandwidth_gb_s
    return np.column_stack(
        [
            np.log(rate),
            np.log(bandwidth),
            np.log(features.fp32_tflops),
            np.log(features.tdp_w),
            np.log(features.boost_mhz),
            features.year,
            np.log(features.sm_count),
            np.log(rate / bandwidth),
            np.log(features.matmul_share),
        ]
    )


def log_baseline(features: GpuFeatures) -> FloatArray:
    """Return ln sqrt(matrix rate x memory bandwidth), (N,), rates in 10^12 and 10^9.

    A training step is neither all arithmetic nor all memory traffic; the geometric
    mean of both rates is the physical baseline that the regression corrects.
    """
    return 0.5 * np.log(features.matrix_tflops * features.memory_bandwidth_gb_s)


def standardized(raw: FloatArray, center: FloatArray, scale: FloatArray) -> FloatArray:
    """Return the (N, 9) features in standard deviations.

    What is unknown counts as the mean of the training rows.
    """
    z: FloatArray = (np.where(np.isfinite(raw), raw, center) - center) / scale
    return z


OVERHEAD = 0.1
"""Share of a step at the usual batch, on a GPU of the middle rate, that does not grow
with the batch (assumption; from 0.03 to 0.3 the held-out errors are alike, for how much
of it counts is fitted workload by workload)."""

FARTHEST_LOG_BATCH = 5.0
"""ln ratio to the usual batch beyond which a batch counts as this far."""


def batch_effect(log_batch: FloatArray, log_rate: FloatArray) -> FloatArray:
    """Return (N,) ln of the rate that is left by what a step spends beside its samples.

    A step of b samples takes overhead + b / rate: the faster the GPU, the more samples
    it needs. Rises with the batch, falls with the rate, never above 0.

    Parameters
    ----------
    log_batch : (N,) ln(batch / usual batch)
    log_rate : (N,) ln(baseline of the GPU / middle one)
    """
    far = np.clip(log_batch, -FARTHEST_LOG_BATCH, FARTHEST_LOG_BATCH)
    effect: FloatArray = -np.log1p(OVERHEAD * np.exp(log_rate - far))
    return effect


CONVOLUTIONAL = ("cnn", "detection", "segmentation", "gan")
"""Families to whose speed the memory format of a batch matters."""

PRODUCTS = ("transformer", "llm", "llm-lora", "llm-qlora")
"""Families of matrix products alone, of which no card does more than its peak."""

HALF = ("amp", "fp16", "bf16")
"""Precisions whose tensor cores want channels-last convolutions."""


def format_label(memory_format: str, family: str, precision: str) -> str:
    """Return the label of a memory format; one for all where it does not matter."""
    if family not in CONVOLUTIONAL:
        return "n/a"
    width = "half" if precision in HALF else "single"
    return f"{memory_format} {width}"


@dataclass(frozen=True, slots=True)
class WorkloadKey:
    """What the model needs of a workload.

    Attributes
    ----------
    name : of the workload in the benchmark table; empty where it has none
    family, lineage : kind of net, and what its name begins with
        (`advisor.throughput.intercept.lineage_of`), for workloads that the table does
        not have
    precision : arithmetic of the matrix products
    training_gflops_per_sample : 10^9 FLOPs of a training step, per sample, those that
        the benchmark computed again among them
    parameters_m : 10^6 parameters; NaN where unknown
    units_per_sample : units of the table (such as tokens) in one sample
    framework : such as ``"pytorch"``; empty where the profile names none
    memory_format : ``"channels-last"``, ``"contiguous"`` or ``"n/a"``
    """

    name: str
    family: str
    precision: str
    training_gflops_per_sample: float
    lineage: str = ""
    parameters_m: float = float("nan")
    units_per_sample: float = 1.0
    framework: str = ""
    memory_format: str = "n/a"

    @classmethod
    def of(cls, workload: Workload) -> WorkloadKey:
        """Read the key off a profile."""
        reference = workload.reference
        word = re.match(r"[a-z]+", reference.framework.lower())
        return cls(
            name=reference.benchmark,
            family=family_of_profile(workload),
            precision=workload.precision,
            training_gflops_per_sample=workload.benchmarked_gflops_per_sample,
            lineage=lineage_of(reference.benchmark or workload.name),
            parameters_m=workload.parameters_m,
            units_per_sample=reference.benchmark_units_per_sample,
            framework=word.group() if word else "",
            memory_format=reference.memory_format,
        )


_FAMILY_WORDS: Mapping[str, str] = {
    "lora": "llm-lora",
    "diffusion": "diffusion",
    "detection": "detection",
    "instance": "detection",
    "segmentation": "segmentation",
    "speech": "speech",
    "recommendation": "recsys",
    "language model": "llm",
    "vit": "transformer",
    "question": "transformer",
    "translation": "transformer",
    "classification": "cnn",
}


def family_of_profile(workload: Workload) -> str:
    """Return the family that name, task and description point to.

    ``"other"`` where none of the known words occurs.
    """
    text = f"{workload.name} {workload.task} {workload.description}".lower()
    if re.search(r"\b(diffusion|sd15)\b", text):
        return "diffusion"
    found = (f for word, f in _FAMILY_WORDS.items() if re.search(rf"\b{word}\b", text))
    return next(found, "other")
