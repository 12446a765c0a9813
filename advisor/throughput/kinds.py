"""The distinct GPUs of a listing: what is equal is computed once.

A listing of a million offers has a hundred kinds of GPU. What the model says of a GPU
depends on its kind, the workload and the batch alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.hardware.gpus import Gpu
from advisor.hardware.machines import Machines
from advisor.throughput.features import UNKNOWN, GpuFeatures
from advisor.workloads.profile import Precision

_FIGURES = (
    "fp32_tflops",
    "tf32_tflops",
    "fp16_tflops",
    "bf16_tflops",
    "memory_bandwidth_gb_s",
    "tdp_w",
    "sm_count",
    "boost_mhz",
    "year",
)


class GpuKinds(NamedTuple):
    """The G distinct GPUs of N machines.

    Attributes
    ----------
    features : of each kind, at one precision
    gpus : the table's row of each kind, None where it is in no table
    code : which kind each machine has, shape (N,)
    """

    features: GpuFeatures
    gpus: tuple[Gpu | None, ...]
    code: IntArray


@dataclass(frozen=True, slots=True)
class GpuMemo:
    """What was said of GPUs before, for one workload, model and set of runs.

    Of a GPU that is in no table nothing is noted: each may be another one.

    Attributes
    ----------
    rates : name and micro-batch -> ln samples/s of one GPU, and the log-sd of it
    runs : name -> what runs of the user's own change: shift and factor on the log-sd
    """

    rates: dict[tuple[str, int], tuple[float, float]] = field(default_factory=dict)
    runs: dict[str, tuple[float, float]] = field(default_factory=dict)


def gpu_kinds(machines: Machines, precision: Precision) -> GpuKinds:
    """Return the distinct GPUs of machines: the same model with the same figures."""
    figures = np.stack([getattr(machines, name) for name in _FIGURES])
    figures = np.nan_to_num(figures, nan=-1.0)  # NaN is not equal to itself
    _, first, code = np.unique(machines.model, return_index=True, return_inverse=True)
    odd = np.any(figures != figures[:, first[code]], axis=0)
    if odd.any():  # in no table, or a variant of what is in it
        (places,) = np.nonzero(odd)
        key = np.vstack([machines.model[places], figures[:, places]])
        _, lead, place = np.unique(key, axis=1, return_index=True, return_inverse=True)
        code[places] = len(first) + place.reshape(-1)
        first = np.append(first, places[lead])
    one_each = machines.take(first)
    return GpuKinds(gpu_features(one_each, precision), one_each.gpu, code)


def gpu_features(machines: Machines, precision: Precision) -> GpuFeatures:
    """Return what the GPU model sees of each machine, at one precision."""
    rates: Mapping[str, FloatArray] = {
        "fp32": machines.fp32_tflops,
        "tf32": machines.tf32_tflops,
        "amp": machines.fp16_tflops,
        "bf16": machines.bf16_tflops,
        "fp16": machines.fp16_tflops,
    }
    names = [UNKNOWN if gpu is None else gpu.name for gpu in machines.gpu]
    shares = [np.nan if gpu is None else gpu.matmul_share for gpu in machines.gpu]
    return GpuFeatures(
        tensor_tflops=rates[precision],
        memory_bandwidth_gb_s=machines.memory_bandwidth_gb_s,
        fp32_tflops=machines.fp32_tflops,
        tdp_w=machines.tdp_w,
        sm_count=machines.sm_count,
        boost_mhz=machines.boost_mhz,
        year=machines.year,
        matmul_share=np.array(shares, dtype=np.float64),
        gpu=np.array(names, dtype=np.str_),
    )
