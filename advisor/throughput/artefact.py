"""The trained artefact as the ranking uses it: GPU side, host side, where from."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from advisor.arrays import FloatArray
from advisor.errors import UsageError
from advisor.hardware.constants import read_constants
from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.machines import Machines
from advisor.throughput.features import UNKNOWN, GpuFeatures, WorkloadKey
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.gpu_store import load_gpu_model
from advisor.throughput.limits import HostConstants
from advisor.throughput.scaling import Scaling, efficiency, limit_bus, links_gb_s
from advisor.workloads.profile import Precision, Workload

ARTEFACT = "throughput.npz"
"""Name of the artefact's file in the folder of models."""

MODELLED = "NVIDIA"
"""Maker whose cards the model is trained on; others run through other software."""

GUESSED_LOG_SD = 0.21
"""Added log-sd where the matrix rate is guessed from FP32: a card of one compute
capability may have twice the rate of another (GeForce and professional), which moves
the baseline by sqrt 2; taken as the half width of a 90 % interval (assumption)."""


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
    cpu : constants of core speeds and hardware threads, for `describe`
    identity : name, hash and training facts, for the output
    """

    gpu: GpuModel
    host: HostConstants
    cpu: CpuConstants
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
        if key.name and key.name not in self.gpu.workload_rows:
            raise UsageError(_no_benchmark(key.name, self.gpu.workload_rows))
        # Without a usual batch nothing says what the level's batch was: no effect.
        batch = np.nan_to_num(np.log(micro_batch / self.gpu.usual_batch_of(key)), nan=0.0)
        log_rate, log_sd = self.gpu.predict(features, key, batch)
        known = np.isfinite(features.tensor_tflops * features.memory_bandwidth_gb_s)
        log_sd = np.hypot(log_sd, self._guess_log_sd(machines))
        return np.where(known, np.exp(log_rate), np.nan), log_sd

    def peak_rate(self, machines: Machines, workload: Workload) -> FloatArray:
        """Return samples/s if all tensor cores of all GPUs were busy all the time.

        Infinite without tensor cores, see `GpuModel.best_utilisation`.
        """
        features = gpu_features(machines, workload.precision)
        rate = np.where(features.on_tensor_cores, features.tensor_tflops * 1e3, np.inf)
        peak: FloatArray = machines.num_gpus * rate / workload.training_gflops_per_sample
        return peak

    def _guess_log_sd(self, machines: Machines) -> FloatArray:
        """Return what is added to the spread of GPUs that the model never saw."""
        foreign = self.gpu.unknown_log_sd
        added = [
            GUESSED_LOG_SD if gpu is None else 0.0 if gpu.vendor == MODELLED else foreign
            for gpu in machines.gpu
        ]
        return np.array(added, dtype=np.float64)

    def exchange(
        self,
        machines: Machines,
        workload: Workload,
        step_s: FloatArray,
        reduced_gb: FloatArray,
    ) -> Exchange:
        """Return what the exchange of gradients is like on each machine.

        Parameters
        ----------
        step_s : time of an optimiser step on the GPUs alone, shape (N,)
        reduced_gb : 10^9 bytes that one all-reduces, shape (N,)
        """
        scaling = Scaling.from_dict(self.gpu.scaling)
        name, number = workload.reference.benchmark, machines.num_gpus
        gpu = gpu_features(machines, workload.precision).gpu
        interconnect = machines.interconnect.astype(np.str_)
        built = ["" if card is None else card.architecture for card in machines.gpu]
        link = links_gb_s(
            interconnect, np.array(built, dtype=np.str_), machines.host_to_gpu_gb_s
        )
        ceiling = scaling.ceiling(interconnect, number)
        bus = scaling.bus_gb_s(interconnect, gpu, name, number, link)
        if workload.sharding != "fsdp":  # what is sharded may not fit one GPU
            bus = limit_bus(number, reduced_gb, step_s, bus, ceiling)
        share = efficiency(number, reduced_gb, step_s, bus, ceiling)
        log_sd = scaling.log_sd(interconnect, gpu, name, number, share)
        return Exchange(bus_gb_s=bus, ceiling=ceiling, log_sd=log_sd)

    def rests_on(self, workload: Workload) -> dict[str, Any]:
        """Return what the level of a workload rests on, for the output."""
        key = WorkloadKey.of(workload)
        return {
            "level": self.gpu.level_of(key),
            "series": list(self.gpu.workload_series.get(key.name, ())),
            "workload_measurements": self.gpu.workload_rows.get(key.name, 0),
        }

    @property
    def assumptions(self) -> dict[str, tuple[float, str, str]]:
        """Name -> value, unit and source of each constant that predictions use."""
        kinds = (HostConstants, CpuConstants)
        used = {field.name for kind in kinds for field in fields(kind)}
        return {
            name: (float(row["value"]), str(row["unit"]), str(row["source"]))
            for name, row in self.gpu.cpu.items()
            if name in used
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
    gpu = load_gpu_model(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    identity = {"name": path.stem, "sha256": digest, **gpu.about, "interval": 0.9}
    return ThroughputModel(
        gpu,
        HostConstants.from_dict(gpu.cpu),
        read_constants(CpuConstants, gpu.cpu),
        identity,
    )
