"""Throughput of a workload on machines: the limits, their minimum, an interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from advisor.base.columns import Columns
from advisor.base.units import GB_PER_GIB, SECONDS_PER_HOUR
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import GpuTable
from advisor.hardware.machines import Machines
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.dlperf import DlperfAdjustment
from advisor.throughput.kinds import GpuMemo, gpu_kinds
from advisor.throughput.limit import Asked, LimitRates
from advisor.throughput.limits import exchange_gb
from advisor.throughput.scaling import moved_gb
from advisor.throughput.technique import technique_effect
from advisor.throughput.user_runs import (
    Calibration,
    OtherRun,
    UserRun,
    calibration,
    machine_of,
    measured_by,
)
from advisor.workloads.memory import (
    PEAK_LOG_SD,
    USABLE_SHARE,
    fit_micro_batch,
    fitted_micro_batch,
    memory_gb,
    too_little_probability,
)
from advisor.workloads.profile import Workload

if TYPE_CHECKING:
    from advisor.throughput.known import Known


@dataclass(frozen=True, slots=True)
class Throughput(Columns):
    """Predicted throughput of a workload on N machines.

    Attributes
    ----------
    samples_per_s : all GPUs together, shape (N,); NaN where `fits` is False or
        the GPU is unknown
    low, high : bounds of the 90 % interval, samples/s, shape (N,)
    cold_samples_per_s : the same with all data on the disk, none of them cached
    limits : name of a limit -> samples/s if it alone held, shape (N,) each
    bound_by : name of the limit that holds it down most, shape (N,), see
        `LimitRates.binding`
    micro_batch : samples that a GPU holds at once, shape (N,); 0 where even one
        does not fit
    accumulation_steps : micro-batches per optimizer step, shape (N,)
    memory_gb : peak memory of one GPU, 10^9 bytes, shape (N,)
    memory_margin_gb : what is left of the memory that a training can fill, shape (N,)
    memory_risk : probability that the training needs more than it can fill, shape (N,)
    fits : whether the GPUs hold the workload at all, shape (N,)
    """

    samples_per_s: FloatArray
    low: FloatArray
    high: FloatArray
    cold_samples_per_s: FloatArray
    limits: Mapping[str, FloatArray]
    bound_by: ObjectArray
    micro_batch: IntArray
    accumulation_steps: IntArray
    memory_gb: FloatArray
    memory_margin_gb: FloatArray
    memory_risk: FloatArray
    fits: BoolArray

    def rates(self, model: ThroughputModel) -> LimitRates:
        """Return the limits as `model` joins them."""
        return LimitRates.named(model.limits, self.limits, model.host.norm_order)


def predict(
    machines: Machines,
    workload: Workload,
    model: ThroughputModel,
    adjustment: DlperfAdjustment | None = None,
    *,
    fit_batch: bool = False,
    memory_margin: float = 0.0,
    holds_batch: bool = False,
    measured: Calibration | None = None,
    memo: GpuMemo | None = None,
    usable_share: float = USABLE_SHARE,
) -> Throughput:
    """Predict the throughput of `workload` on each machine.

    Parameters
    ----------
    machines : N machines
    workload : the profile
    model : the trained artifact
    adjustment : what their DLPerf scores change; None: nothing
    fit_batch : each GPU takes the largest batch that it holds with `SAFE_ODDS`, not the
        profile's
    memory_margin : share of the memory that is to be left free
    holds_batch : each GPU is known to hold the profile's batch at once
    measured : what runs of the user's own say; None: there are none
    memo : what was said of GPUs before, for this workload, model and these runs
    usable_share : share of a GPU's nominal memory that a training can fill
    """
    if measured is not None:
        workload = measured.corrected(workload)
    memory_gb_ = machines.gpu_memory_gb * GB_PER_GIB
    usable_gb = memory_gb_ * usable_share
    fit = fitted_micro_batch if fit_batch else fit_micro_batch
    # As if it had so much, of which the usual share can be filled.
    had_gb = memory_gb_ * (usable_share / USABLE_SHARE)
    micro_batch = fit(workload, had_gb * (1.0 - memory_margin), machines.num_gpus)
    if holds_batch:
        micro_batch = np.full_like(micro_batch, workload.batch_size)
    fits = micro_batch > 0
    held = np.maximum(micro_batch, 1).astype(np.float64)
    batch = held if fit_batch else np.full_like(held, workload.batch_size)
    steps = np.ceil(batch / held)
    need_gb = memory_gb(workload, micro_batch, machines.num_gpus)
    kinds = gpu_kinds(machines, workload.precision)
    asked = np.maximum(micro_batch, 1)
    gpu_rate, gpu_log_sd = model.gpu_rate(kinds, workload, asked, memo)
    effect = technique_effect(workload)
    gpu_rate = gpu_rate * _beside_benchmark(workload) * np.exp(effect.log_factor)
    gpu_log_sd = np.hypot(gpu_log_sd, effect.log_sd)
    if measured is not None:
        shift, keep = calibration(kinds, workload, model, measured, memo)
        gpu_rate, gpu_log_sd = gpu_rate * np.exp(shift), gpu_log_sd * keep
    gpu_rate = gpu_rate * machines.slowest_share  # all wait for it at each step
    gpu_rate = gpu_rate * machines.gpu_state
    gpu_log_sd = np.hypot(gpu_log_sd, machines.gpu_log_sd)
    gpu_log_sd = np.hypot(gpu_log_sd, machines.gpu_state_log_sd)
    if adjustment is not None:
        gpu_rate = gpu_rate * adjustment.factor
        gpu_log_sd = np.hypot(gpu_log_sd, adjustment.log_sd)
    reduced_gb = exchange_gb(workload, steps, model.host)
    exchange = model.exchange(machines, kinds, workload, batch / gpu_rate, reduced_gb)
    limited = Asked(
        machines,
        workload,
        model.host,
        gpu_rate=gpu_rate,
        gpu_log_sd=gpu_log_sd,
        micro_batch=held,
        batch=batch,
        moved_gb=moved_gb(machines.num_gpus, reduced_gb),
        bus_gb_s=exchange.bus_gb_s,
        ceiling=exchange.ceiling,
    )
    limits = LimitRates.of(model.limits, limited)
    spreads = np.stack([one.log_sd(limited) for one in model.limits])
    rate = limits.joined()
    low, high = limits.interval(spreads, exchange.spread)
    peak = model.peak_rate(kinds, workload, machines.num_gpus)
    high = np.fmin(high, np.fmax(rate, peak))
    known = fits & np.isfinite(rate)
    return Throughput(
        samples_per_s=np.where(known, rate, np.nan),
        low=np.where(known, low, np.nan),
        high=np.where(known, high, np.nan),
        cold_samples_per_s=np.where(known, limits.cold(limited).joined(), np.nan),
        limits=limits.by_name,
        bound_by=limits.binding(),
        micro_batch=micro_batch,
        accumulation_steps=steps.astype(np.int64),
        memory_gb=need_gb,
        memory_margin_gb=usable_gb - need_gb,
        memory_risk=too_little_probability(need_gb, usable_gb, PEAK_LOG_SD),
        fits=fits,
    )


def _beside_benchmark(workload: Workload) -> float:
    """Return the rate over that of the benchmark, which may have checkpointed too."""
    done = workload.recomputation if workload.gradient_checkpointing else 1.0
    whole = workload.training_gflops_per_sample * done
    return workload.benchmarked_gflops_per_sample / whole


def epoch_hours_at(
    samples_per_s: FloatArray, workload: Workload, num_gpus: npt.ArrayLike
) -> FloatArray:
    """Return the hours of an epoch at a rate, of the shape of it.

    Each GPU takes as many samples as the others: of what cannot be dealt out evenly
    PyTorch's ``DistributedSampler`` repeats some, of 20 samples on 8 GPUs four.

    Parameters
    ----------
    samples_per_s : of all GPUs together
    num_gpus : that train together, of a shape that broadcasts
    """
    gpus = np.asarray(num_gpus, dtype=np.float64)
    samples = gpus * np.ceil(workload.samples_per_epoch / gpus)
    hours: FloatArray = samples / samples_per_s / SECONDS_PER_HOUR
    return hours


def measure(
    runs: Sequence[UserRun],
    workload: Workload,
    model: ThroughputModel,
    gpus: GpuTable,
    cpus: CpuTable,
    *,
    others: Sequence[OtherRun] = (),
    known: Known | None = None,
) -> Calibration | None:
    """Return what runs of the user's own say of a workload; None if there are none.

    Parameters
    ----------
    runs : of the workload
    workload : the profile
    model, gpus, cpus : tables
    others : of other workloads, which speak of what the user's set-up has of its own
    known : what measured machines say; None: there are none
    """
    ran = [*(OtherRun(run, workload) for run in runs), *others]
    if not ran:
        return None
    machines = [machine_of(run, gpus, cpus, model, known) for run, _ in ran]
    limits = list[LimitRates]()
    for (run, profile), machine in zip(ran, machines, strict=True):
        found = predict(machine, run.ran(profile), model, holds_batch=True)  # it ran
        limits.append(found.rates(model))
    each, profiles = zip(*ran, strict=True)
    return measured_by(each, profiles, machines, limits, workload)
