"""What runs of the user's own say of a workload on other machines.

A run tells how far the prediction was off where it ran. What it was off by is mostly the
set-up's: its code, its compiler, its framework (`advisor.throughput.set_up`). The errors
for two GPUs, and of two workloads of one user, vary together as the fitted process says
(`advisor.throughput.shared`), so the run conditions every other prediction, its interval
included.

A run that the GPU bound speaks of the GPU side, one that the input pipeline bound of the
time that a sample takes on a core; one that something else bound says nothing of others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.base.columns import concat
from advisor.hardware.cpus import CpuTable
from advisor.hardware.description import Description
from advisor.hardware.gpus import GpuTable
from advisor.hardware.machines import Machines
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.kinds import GpuKinds, GpuMemo, gpu_features, gpu_kinds
from advisor.throughput.limit import Limit, LimitRates
from advisor.throughput.set_up import Errors, differences, learn
from advisor.throughput.shared import gpu_errors
from advisor.workloads.profile import Loader, Precision, Workload

if TYPE_CHECKING:
    from advisor.throughput.known import Known

RUN_LOG_SD = 0.05
"""Log-sd of one measured throughput: what the same job differs by from day to day
(assumption)."""

LEAST_SHARE = 0.01
"""Least measured rate over the predicted one of a run that speaks of machines: below,
the job stood still most of the time, or the figure is of something else (assumption)."""

SPEAKS = 0.3
"""Least share of a limit in the rate for a run to speak of it (assumption)."""


_FARTHEST = 6.0  # log of the largest correction that is looked for
_HALVINGS = 60  # of that range: down to rounding


@dataclass(frozen=True, slots=True)
class UserRun:
    """One measured training of the user's.

    Attributes
    ----------
    workload : name of the profile
    gpu : canonical name
    num_gpus : GPUs
    samples_per_s : of the profile's samples, all GPUs together
    cpu : name of the CPU, None where it is unknown
    threads : hardware threads, None where they are unknown
    cpu_ghz : clock, GHz, None where it is unknown
    batch_size, precision : with which it ran
    loader : where its samples came from, None: from where the profile says
    bench : number of the record of the machine that it was on, None: it was not measured
    """

    workload: str
    gpu: str
    num_gpus: int
    samples_per_s: float
    cpu: str | None
    threads: float | None
    cpu_ghz: float | None
    batch_size: int
    precision: Precision
    loader: Loader | None = None
    bench: int | None = None

    def ran(self, profile: Workload) -> Workload:
        """Return the profile as it ran: with its batch and its loader."""
        loader = self.loader or profile.loader
        return replace(profile, batch_size=self.batch_size, loader=loader)


class OtherRun(NamedTuple):
    """A run of another workload than the one that is asked about, and its profile."""

    run: UserRun
    profile: Workload


@dataclass(frozen=True, slots=True)
class Calibration:
    """What R runs say of a workload.

    Attributes
    ----------
    features : of the GPUs of those that speak of the GPU side, R' of them
    keys : what ran, R' of them
    residual : ln(measured / predicted) of the rate of one GPU, shape (R',)
    noise : variance of it beside the model's, shape (R',)
    cpu_ms_per_sample, cpu_ms_log_sd : of the profile, corrected
    runs : how many of the runs of this workload count
    others : how many of the runs of other workloads count
    silent : why others of this workload do not
    """

    features: GpuFeatures
    keys: tuple[WorkloadKey, ...]
    residual: FloatArray
    noise: FloatArray
    cpu_ms_per_sample: float
    cpu_ms_log_sd: float
    runs: int
    others: int
    silent: tuple[str, ...]

    def corrected(self, workload: Workload) -> Workload:
        """Return the profile with the time of a sample on a core as it was measured."""
        return replace(
            workload,
            cpu_ms_per_sample=self.cpu_ms_per_sample,
            cpu_ms_log_sd=self.cpu_ms_log_sd,
        )


def calibration(
    kinds: GpuKinds,
    workload: Workload,
    model: ThroughputModel,
    measured: Calibration,
    memo: GpuMemo | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return what runs change of the GPU side on each of N machines.

    Parameters
    ----------
    kinds : GPUs of the machines
    memo : what was said before, and where this is noted; None: nothing

    Returns
    -------
    shift : to add to the log rate of one GPU, shape (N,)
    keep : factor on the log-sd of it, shape (N,); above 1 only after large surprises,
        which say that the set-up is no usual one
    """
    names = kinds.features.gpu.tolist()
    known = {} if memo is None else memo.runs
    if new := [at for at, name in enumerate(names) if name not in known]:
        features = kinds.features.take(np.array(new))
        found, code = _errors(features, workload, model, measured)
        ours = code[: len(new)]
        shift, sd = np.zeros(len(found.variance)), np.sqrt(found.variance)
        keep = np.ones(len(sd))
        if len(measured.residual):
            shift, after = learn(found, measured.residual, measured.noise)
            keep = after / sd[: len(after)]
        each = zip(shift[ours], keep[ours], strict=True)
        known.update(zip([names[at] for at in new], each, strict=True))
    both: FloatArray = np.array([known[name] for name in names]).reshape(-1, 2)
    return both[kinds.code, 0], both[kinds.code, 1]


class GpuCorrelation(NamedTuple):
    """How the errors of the GPU side correlate, of G kinds of GPU.

    Attributes
    ----------
    between : (G, G) of two machines with these GPUs; less than 1 on the diagonal
    level : (G,) with the level: the mean error over the cards that were measured
    code : (N,) which of the G each machine has
    """

    between: FloatArray
    level: FloatArray
    code: IntArray


def gpu_correlation(
    model: ThroughputModel,
    machines: Machines,
    workload: Workload,
    gpus: GpuTable,
    measured: Calibration | None = None,
) -> GpuCorrelation:
    """Return how the errors of the GPU side correlate between N machines, given runs.

    Parameters
    ----------
    gpus : table of GPUs; the level is that of the measured ones, so that it is the same
        whatever is for rent
    """
    kinds = gpu_kinds(machines, workload.precision)
    names = set(model.gpu.labels["gpu"])
    cards = [gpu for gpu in gpus.rows if gpu.name in names]
    features = [kinds.features, GpuFeatures.of(cards, workload.precision)]
    found, code = _errors(concat(features), workload, model, measured)
    if measured is None or not len(measured.residual):
        sd, shared = np.sqrt(found.variance), found.shared
    else:
        _, sd = learn(found, measured.residual, measured.noise)
        apart = differences(found, measured.residual, measured.noise)
        shared = 0.5 * (sd[:, None] ** 2 + sd[None, :] ** 2 - apart)
    between = np.clip(shared / np.outer(sd, sd), 0.0, 1.0)
    ours, theirs = np.split(code, [len(kinds.features)])
    weight = np.bincount(theirs, sd[theirs], minlength=len(sd))
    with_level = between @ weight
    level = np.clip(with_level / np.sqrt(weight @ with_level), 0.0, 1.0)
    here, code = np.unique(ours[kinds.code], return_inverse=True)
    return GpuCorrelation(between[np.ix_(here, here)], level[here], code.reshape(-1))


def _errors(
    features: GpuFeatures,
    workload: Workload,
    model: ThroughputModel,
    measured: Calibration | None,
) -> tuple[Errors, IntArray]:
    """Return the errors for the G distinct of N GPUs and for R runs, and (N,) codes."""
    keys = [WorkloadKey.of(workload)] * len(features)
    both = features
    if measured is not None:
        both = concat([features, measured.features])
        keys += measured.keys
    found = gpu_errors(model.gpu, both, keys)
    ours, theirs = np.split(found.code, [len(features)])
    distinct, code = np.unique(ours, return_inverse=True)
    return found.errors.take(np.append(distinct, theirs)), code.reshape(-1)


_CORRECTED = ("gpu", "cpu")
"""Limits that a run corrects: by the rate of a GPU, and by a sample's time on a core."""


@dataclass(frozen=True, slots=True)
class _Speech:
    """What one run says: of the GPU side, of the CPU side, or why nothing."""

    gpu: tuple[float, float] | None = None
    cpu: tuple[float, float] | None = None
    silent: str = ""


def interpret(run: UserRun, limits: LimitRates) -> _Speech:
    """Say what a run speaks of, given the limits that were predicted for it.

    Parameters
    ----------
    run : the run
    limits : of the machine that it was on alone (N = 1)
    """
    allowed = float(limits.joined()[0])
    if run.samples_per_s < LEAST_SHARE * allowed:
        return _Speech(silent=f"it is below a hundredth of the {allowed:.3g} predicted")
    order_of = np.argsort(-limits.shares()[:, 0])
    names = [limits.names[at] for at in order_of]
    for name in filter(_CORRECTED.__contains__, names):
        by = _solved(run.samples_per_s, limits, name)
        if by is None:
            continue
        moved = limits.moved(name, math.exp(by))
        share = float(moved.shares()[limits.row(name), 0])
        if share >= SPEAKS:
            correction = (by, (RUN_LOG_SD / share) ** 2)
            return _Speech(gpu=correction) if name == "gpu" else _Speech(cpu=correction)
    rates = {one.title: rate for one, rate in _uncorrected(limits)}
    held = min(rates, key=rates.__getitem__)
    if run.samples_per_s > rates[held]:
        return _Speech(silent=f"it is faster than {held} should allow")
    return _Speech(silent=f"{held} bound it")


def _uncorrected(limits: LimitRates) -> list[tuple[Limit, float]]:
    """Return the limits that no run corrects, with the samples/s of each."""
    each = zip(limits.limits, limits.rates[:, 0].tolist(), strict=True)
    return [(one, rate) for one, rate in each if one.name not in _CORRECTED]


def speech_of(run: UserRun, limits: LimitRates, workload: Workload) -> _Speech:
    """Say what a run speaks of, where it is of the workload as it is, see `interpret`."""
    if run.precision != workload.precision:
        return _Speech(silent=f"it was in {run.precision}, not {workload.precision}")
    return interpret(run, limits)


def _solved(rate: float, limits: LimitRates, name: str) -> float | None:
    """Return by how much a limit's log must move for all to allow `rate`, if it can."""

    def allowed(by: float) -> float:
        return float(limits.moved(name, math.exp(by)).joined()[0])

    low, high = -_FARTHEST, _FARTHEST
    if not allowed(low) < rate < allowed(high):
        return None
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if allowed(middle) < rate else (low, middle)
    return 0.5 * (low + high)


def machine_of(
    run: UserRun,
    gpus: GpuTable,
    cpus: CpuTable,
    model: ThroughputModel,
    known: Known | None = None,
) -> Machines:
    """Return the machine that a run was on, as physics, and as it was measured."""
    gpu = gpus[run.gpu]
    described = Description(
        gpu.name,
        run.num_gpus,
        gpu.memory_gb,
        run.cpu,
        run.threads,
        run.cpu_ghz,
    )
    machine = described.machine(gpus, cpus, model.cpu)
    return machine if known is None else known.on(machine, run.bench, run.cpu)


def measured_by(
    runs: Sequence[UserRun],
    profiles: Sequence[Workload],
    machines: Sequence[Machines],
    limits: Sequence[LimitRates],
    workload: Workload,
) -> Calibration:
    """Return what runs say of a workload.

    Parameters
    ----------
    runs : of the workload, and of others
    profiles : what ran in each; `workload` itself where it is that
    machines : that each was on
    limits : that were predicted for each
    workload : the profile as it is without them
    """
    of_gpu: list[tuple[Machines, Workload, tuple[float, float]]] = []
    of_cpu: list[tuple[Machines, tuple[float, float]]] = []
    silent: list[str] = []
    others = 0
    for run, ran, machine, predicted in zip(
        runs, profiles, machines, limits, strict=True
    ):
        said = speech_of(run, predicted, ran)
        if said.gpu is not None:
            of_gpu.append((machine, ran, said.gpu))
            others += ran is not workload
        elif ran is not workload:
            continue  # the time of its samples on a core is that workload's own
        elif said.cpu is not None:
            of_cpu.append((machine, said.cpu))
        else:
            where = f"{run.num_gpus} x {run.gpu}"
            silent.append(f"a run on {where} does not count: {said.silent}")
    cpu_ms, cpu_ms_log_sd = _core_time(of_cpu, workload)
    features = [gpu_features(machine, ran.precision) for machine, ran, _ in of_gpu]
    return Calibration(
        features=concat([GpuFeatures.of([], workload.precision), *features]),
        keys=tuple(WorkloadKey.of(ran) for _, ran, _ in of_gpu),
        residual=np.array([by for _, _, (by, _) in of_gpu], dtype=np.float64),
        noise=np.array([noise for _, _, (_, noise) in of_gpu], dtype=np.float64),
        cpu_ms_per_sample=cpu_ms,
        cpu_ms_log_sd=cpu_ms_log_sd,
        runs=len(of_gpu) + len(of_cpu) - others,
        others=others,
        silent=tuple(silent),
    )


def _core_time(
    runs: Sequence[tuple[Machines, tuple[float, float]]], workload: Workload
) -> tuple[float, float]:
    """Return the time of a sample on a core, ms, and its log-sd, given runs.

    Parameters
    ----------
    runs : the machine, by how much faster it was, ln, and the variance of that
    workload : the profile without them
    """
    weight, weighted = 0.0, 0.0
    for machine, (by, noise) in runs:
        # The core's speed on that machine is no better known than elsewhere.
        variance = noise + float(machine.core_speed_log_sd[0]) ** 2
        weight += 1.0 / variance
        weighted += by / variance
    prior = workload.cpu_ms_log_sd**2
    total = weight + (1.0 / prior if prior > 0.0 else math.inf)
    if not math.isfinite(total):
        return workload.cpu_ms_per_sample, 0.0
    return workload.cpu_ms_per_sample * math.exp(-weighted / total), total**-0.5
