"""What is expected of a run that the user measured: to compare, and to believe it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import GpuTable
from advisor.hardware.machines import Machines
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.kinds import gpu_kinds
from advisor.throughput.predict import predict
from advisor.throughput.user_runs import UserRun, machine_of, speech_of
from advisor.workloads.profile import Workload

if TYPE_CHECKING:
    from advisor.throughput.known import Known

CLOCK_MARGIN = 1.15
"""How far a card's clock may be above the one that its table's rates are of: boards of
their makers, and boost (assumption)."""

WINOGRAD = 2.25
"""Products that are counted over those that Winograd's F(2x2, 3x3) takes (Lavin and Gray,
CVPR 2016); PyTorch uses it where there are no tensor cores."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of a run.

    Attributes
    ----------
    samples_per_s, low, high : predicted of all GPUs together without runs of the user's
        own, and the 90 % interval; NaN where the workload does not fit, as it is known
    most : samples/s that physics allows: every unit of every GPU busy all the time
    silent : why the run says nothing of other machines; empty if it does
    of_gpu : whether it speaks of the GPU, not of the input pipeline
    """

    samples_per_s: float
    low: float
    high: float
    most: float
    silent: str
    of_gpu: bool


def expected_of(
    run: UserRun,
    workload: Workload,
    stored: Workload,
    *,
    model: ThroughputModel,
    gpus: GpuTable,
    cpus: CpuTable,
    known: Known | None = None,
) -> Expected:
    """Return what is expected of a run.

    Parameters
    ----------
    run : the run
    workload : what ran: its profile with the figures that were set
    stored : the profile as it is stored, whose predictions the run is to correct
    model, gpus, cpus : tables
    known : what measured machines say; None: there are none
    """
    machine = machine_of(run, gpus, cpus, model, known)
    asked, held = run.ran(workload), run.ran(stored)
    found = predict(machine, asked, model)
    if found.fits[0]:  # whatever room is left: it ran at once
        found = predict(machine, asked, model, holds_batch=True)
    later = predict(machine, held, model, holds_batch=True)
    speech = speech_of(run, later.rates(model), stored)
    return Expected(
        samples_per_s=float(found.samples_per_s[0]),
        low=float(found.low[0]),
        high=float(found.high[0]),
        most=_most(machine, asked, model),
        silent=speech.silent,
        of_gpu=speech.gpu is not None,
    )


def _most(machine: Machines, workload: Workload, model: ThroughputModel) -> float:
    """Return samples/s that no run goes above; infinite where the GPU is unknown."""
    kinds = gpu_kinds(machine, workload.precision)
    peak = float(model.peak_rate(kinds, workload, machine.num_gpus)[0])
    if math.isfinite(peak):
        return CLOCK_MARGIN * peak
    tflops = float(kinds.features.matrix_tflops[0])
    if math.isnan(tflops):
        return math.inf
    per_gpu = WINOGRAD * tflops * 1e3 / workload.training_gflops_per_sample
    return CLOCK_MARGIN * float(machine.num_gpus[0]) * per_gpu
