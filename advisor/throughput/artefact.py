"""The trained artefact as the ranking uses it: GPU side, host side, where from."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from advisor.arrays import FloatArray
from advisor.errors import UsageError
from advisor.hardware.machines import Machines
from advisor.throughput.features import UNKNOWN, GpuFeatures, WorkloadKey
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.limits import HostConstants
from advisor.workloads.profile import Precision, Workload

ARTEFACT = "throughput.json"
"""Name of the artefact's file in the folder of models."""

MODELLED = "NVIDIA"
"""Maker whose cards the model is trained on; others run through other software."""

GUESSED_LOG_SD = 0.21
"""Added log-sd where the matrix rate is guessed from FP32: a card of one compute
capability may have twice the rate of another (GeForce and professional), which moves
the baseline by sqrt 2; taken as the half width of a 90 % interval (assumption)."""

STANDS_IN = {"nvlink": "pcie-p2p"}
"""Interconnect class without measurements of its own -> the class it is at least."""

FARTHEST_BATCH = float(np.log(4.0))
"""Farthest that the slope against the batch is followed, ln(batch / usual batch): 95 %
of the rows that it is fitted on are within a factor of four of their cell's median."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the exchange of gradients of N machines is like, shape (N,) each.

    Attributes
    ----------
    bus_gb_s : all-reduce bus bandwidth, GB/s
    ceiling : share of n times one GPU's rate that is left if it costs nothing
    log_sd : standard deviation of the logarithm of the efficiency
    """

    bus_gb_s: FloatArray
    ceiling: FloatArray
    log_sd: FloatArray


@dataclass(frozen=True, slots=True)
class ThroughputModel:
    """Everything that was learned or assumed about throughput.

    Attributes
    ----------
    gpu : rate of one GPU with nothing else limiting
    host : constants of the other limits
    identity : name, hash and training facts, for the output
    """

    gpu: GpuModel
    host: HostConstants
    identity: Mapping[str, Any]

    def gpu_rate(
        self, machines: Machines, workload: Workload, micro_batch: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return samples/s of one GPU and the log-sd of it, shape (N,) each.

        The rate is NaN where neither table nor market knows what a GPU can do; the
        spread is wider where its matrix rate was guessed, and wide where the model
        has learnt from no card of its maker.
        """
        features = gpu_features(machines, workload.precision)
        key = WorkloadKey.of(workload)
        if key.name and key.name not in self.gpu.levels:
            raise UsageError(_no_benchmark(key.name, self.gpu.levels))
        usual = self.gpu.usual_batch(key)
        reference = workload.batch_size if np.isnan(usual) else usual
        batch = np.clip(np.log(micro_batch / reference), -FARTHEST_BATCH, FARTHEST_BATCH)
        log_rate, log_sd = self.gpu.predict(features, key, batch)
        known = np.isfinite(features.tensor_tflops * features.memory_bandwidth_gb_s)
        log_sd = np.hypot(log_sd, self._guess_log_sd(machines))
        return np.where(known, np.exp(log_rate), np.nan), log_sd

    def peak_rate(self, machines: Machines, workload: Workload) -> FloatArray:
        """Return samples/s if all matrix units of all GPUs were busy all the time."""
        rate = gpu_features(machines, workload.precision).tensor_tflops * 1e3
        return machines.num_gpus * rate / workload.training_gflops_per_sample

    def _guess_log_sd(self, machines: Machines) -> FloatArray:
        """Return what is added to the spread of GPUs that the model never saw."""
        foreign = self.gpu.spreads["gpu_unknown"]
        added = [
            GUESSED_LOG_SD if gpu is None else 0.0 if gpu.vendor == MODELLED else foreign
            for gpu in machines.gpu
        ]
        return np.array(added, dtype=np.float64)

    def exchange(self, machines: Machines) -> Exchange:
        """Return the exchange of each machine; of all classes where one is new."""
        classes = self.gpu.scaling
        rows = [
            classes.get(STANDS_IN.get(name, name), classes[""])
            for name in machines.interconnect
        ]

        def column(name: str) -> FloatArray:
            return np.array([row[name] for row in rows], dtype=np.float64)

        several = machines.num_gpus > 1
        return Exchange(
            bus_gb_s=column("bus_gb_s"),
            ceiling=np.where(several, column("ceiling"), 1.0),
            log_sd=np.where(several, column("log_sd"), 0.0),
        )

    def rests_on(self, workload: Workload) -> dict[str, Any]:
        """Return what the level of a workload rests on, for the output."""
        key = WorkloadKey.of(workload)
        nothing = gpu_features_of_none()
        evidence = self.gpu.what_it_rests_on(nothing, key)
        return {
            "level": evidence.level,
            "series": list(evidence.series),
            "workload_measurements": evidence.workload_rows,
        }

    @property
    def assumptions(self) -> dict[str, tuple[float, str, str]]:
        """Name -> value, unit and source of each constant of the host side."""
        return {
            name: (float(row["value"]), str(row["unit"]), str(row["source"]))
            for name, row in self.gpu.cpu.items()
        }


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
    return GpuFeatures(
        tensor_tflops=rates[precision],
        memory_bandwidth_gb_s=machines.memory_bandwidth_gb_s,
        fp32_tflops=machines.fp32_tflops,
        tdp_w=machines.tdp_w,
        sm_count=machines.sm_count,
        boost_mhz=machines.boost_mhz,
        year=machines.year,
        gpu=np.array(names, dtype=np.str_),
    )


def gpu_features_of_none() -> GpuFeatures:
    """Return the features of no GPU at all."""
    return GpuFeatures.of([], "fp32")


def _no_benchmark(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, known, 3)
    hint = f"did you mean {', '.join(close)}?" if close else "leave it empty"
    return f"the benchmark table has no workload {name!r} (reference.benchmark): {hint}"


def load_model(folder: Path) -> ThroughputModel:
    """Load the artefact of a folder of models.

    Raises
    ------
    advisor.errors.UsageError
        if there is none, or none of this version
    """
    path = folder / ARTEFACT
    gpu = GpuModel.load(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    identity = {"name": path.stem, "sha256": digest, **gpu.about, "interval": 0.9}
    return ThroughputModel(gpu, HostConstants.from_dict(gpu.cpu), identity)
