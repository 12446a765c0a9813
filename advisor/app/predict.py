"""How fast a training runs on a machine that no market offers.

The machine goes the way that every offer's goes up to its throughput
(`advisor.throughput.performance`), so that both predictions are one; nothing is asked of
prices and nothing is ranked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from advisor.app.context import Context
from advisor.app.described import card_of, check_machine, meant_cpu
from advisor.app.given import job_of, profile_of, world_of
from advisor.app.own_data import measured_machines, user_runs
from advisor.base.assumption import Assumption
from advisor.base.errors import Given, NothingFitsError
from advisor.base.units import GB_PER_GIB
from advisor.cost.assumptions import Assumptions
from advisor.hardware.description import Description
from advisor.hardware.gpus import Gpu
from advisor.market.facts import MachineFacts
from advisor.software.known import images_of
from advisor.throughput.advice import Advice, advise
from advisor.throughput.nearest import nearest
from advisor.throughput.performance import Performance, performance
from advisor.throughput.predict import epoch_hours_at, measure
from advisor.throughput.tables import Tables, load_tables
from advisor.throughput.user_runs import Calibration, UserRun
from advisor.workloads.fitting import what_would_fit
from advisor.workloads.memory import memory_gb
from advisor.workloads.override import override
from advisor.workloads.parse import checked_workload
from advisor.workloads.profile import Workload


@dataclass(frozen=True, slots=True)
class Evidence:
    """Measurements behind a prediction.

    Attributes
    ----------
    level : what sets the level of the workload, see
        `GpuModel.intercept_evidence`
    series : the sets of measurements that set it
    workload_measurements : of this workload, on any GPU
    gpu_measurements : of this GPU, with any workload
    nearest : GPUs that are most like this one, the nearest first, of those that ran
        this workload (of all, where it was not measured)
    """

    level: str
    series: tuple[str, ...]
    workload_measurements: int
    gpu_measurements: int
    nearest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PredictedMachine:
    """The one machine that a prediction is of.

    Attributes
    ----------
    described : the machine as it was described, a table of one row
    performance : how the training runs there, arrays of one entry
    measured : what runs of the user's own say; None: there are none
    tables : hardware tables and throughput model
    """

    described: MachineFacts
    performance: Performance
    measured: Calibration | None
    tables: Tables


@dataclass(frozen=True, slots=True)
class Prediction:
    """How fast a training runs on one machine.

    Attributes
    ----------
    workload : the profile, with the user's own figures
    gpu : canonical name
    num_gpus : GPUs
    cpu : name as it was given, or that of the table it stands for; None where it was not
    threads : hardware threads, None where they are unknown
    samples_per_s : of all GPUs together, samples/s
    samples_per_s_low, samples_per_s_high : its 90 % interval, samples/s
    limits : name of a limit -> samples/s if it alone held, infinite where there is none
    bound_by : name of the least limit
    micro_batch : samples that a GPU holds at once
    memory_gb, memory_margin_gb : peak memory of one GPU, and what is left of what a
        training can fill, 10^9 bytes
    accumulation_steps : micro-batches per optimizer step
    fit_batch : the micro-batch is the largest that the GPU holds, not the workload's
    epoch_h : time per epoch, h
    epoch_h_low, epoch_h_high : its 90 % interval, h
    flags : what to know beside the figures, such as ``"cpu_unknown"``
    evidence : measurements behind it
    advice : what holds the machine back, and what would lift it
    assumptions : name -> figure that the answer rests on and nobody measured
    machine : all of the above and more, as arrays
    """

    workload: Workload
    gpu: str
    num_gpus: int
    cpu: str | None
    threads: float | None
    samples_per_s: float
    samples_per_s_low: float
    samples_per_s_high: float
    limits: Mapping[str, float]
    bound_by: str
    micro_batch: int
    memory_gb: float
    memory_margin_gb: float
    accumulation_steps: int
    fit_batch: bool
    epoch_h: float
    epoch_h_low: float
    epoch_h_high: float
    flags: tuple[str, ...]
    evidence: Evidence
    advice: Advice
    assumptions: Mapping[str, Assumption] = field(repr=False)
    machine: PredictedMachine = field(repr=False, compare=False)


def predict(
    workload: str | Workload,
    gpu: str,
    num_gpus: int = 1,
    *,
    cpu: str | None = None,
    threads: float | None = None,
    cpu_ghz: float | None = None,
    settings: Mapping[str, object] | None = None,
    fit_batch: bool = False,
    memory_margin: float = 0.0,
    runs: Sequence[UserRun] | None = None,
    tables: Tables | None = None,
    context: Context | None = None,
) -> Prediction:
    """Predict how fast a training runs on a machine.

    What is not known of the machine is taken as usual, widens the interval and is
    flagged.

    Parameters
    ----------
    workload : name of a profile (of the project, the user, or built in), path of one, or
        a profile
    gpu : any spelling of one GPU; a memory in it that the card is not sold with counts
    num_gpus : GPUs, 1 to 1,024
    cpu : name of the CPU, or enough of it ("7980X"). One that is in no table counts as
        its name's family does
    threads : hardware threads of the whole machine; None: all those of `cpu`
    cpu_ghz : clock, GHz; it counts only where the name of `cpu` says nothing
    settings : figures of the profile to replace, such as ``{"batch_size": 64}``
    fit_batch : each GPU takes the largest batch that it holds with nine chances in ten,
        not the profile's
    memory_margin : share of a GPU's memory that is to be left free, 0 to 0.9
    runs : of the workload that the user made and measured; None: those that
        ``advisor record`` and ``run`` have stored, of other workloads too, as every
        command takes them; and the machines that the user measured
    tables : hardware tables and model, for many calls; None: those that ship, or the
        user's own model (`advisor model use`)
    context : the outside world; None: this process's

    Raises
    ------
    advisor.base.errors.UsageError
        if there is no such workload, figure, GPU or CPU, or a number cannot be right
    advisor.base.errors.NothingFitsError
        if the GPUs cannot hold one sample of the workload

    Examples
    --------
    >>> import advisor
    >>> found = advisor.predict("resnet50", "RTX 4090", cpu="AMD EPYC 7702", threads=16)
    >>> found.gpu, found.num_gpus
    ('RTX 4090', 1)
    >>> found.samples_per_s_low < found.samples_per_s < found.samples_per_s_high
    True
    >>> found.samples_per_s <= min(found.limits.values())
    True
    """
    asked = job_of(
        workload, settings=settings, fit_batch=fit_batch, memory_margin=memory_margin
    )
    check_machine(num_gpus, threads, cpu_ghz)
    context = world_of(context)
    if tables is None:
        tables = load_tables(context.models)
    named = profile_of(workload)
    profile = context.library.load(asked.workload) if named is None else named
    profile = override(checked_workload(profile), dict(asked.settings))
    own, others = user_runs(context, profile.name) if runs is None else (runs, ())
    machines = measured_machines(context) if runs is None else ()
    tables = tables.knowing(machines)
    measured = measure(
        own,
        profile,
        tables.model,
        tables.gpus,
        tables.cpus,
        others=others,
        known=tables.known,
    )
    meant = tables.gpus.find(gpu)
    name, card_gb = card_of(meant, gpu)
    described = Description(
        name,
        num_gpus,
        gpu_memory_gb=card_gb,
        cpu=meant_cpu(tables.cpus, cpu, threads, cpu_ghz),
        threads=threads,
        cpu_ghz=cpu_ghz,
    ).facts()
    found = performance(
        described,
        profile,
        tables,
        images_of("", profile),
        fit_batch=asked.fit_batch,
        memory_margin=asked.memory_margin,
        measured=measured,
    )
    machine = PredictedMachine(described, found, measured, tables)
    if not found.throughput.fits[0]:
        raise _too_small(profile, machine, asked.memory_margin)
    advice = advise(
        found.machines,
        float(found.machines.threads[0]),
        profile,
        tables.model,
        found.adjustment,
        fit_batch=asked.fit_batch,
        memory_margin=asked.memory_margin,
        measured=measured,
        usable_share=tables.memory.usable_gpu_memory,
    )
    evidence = _evidence_of(profile, meant, tables)
    return _prediction(profile, machine, evidence, advice, fit_batch=asked.fit_batch)


def _too_small(
    workload: Workload, machine: PredictedMachine, memory_margin: float
) -> NothingFitsError:
    """Return the error of a GPU that holds not one sample, and what would fit."""
    has = float(machine.performance.machines.gpu_memory_gb[0])
    number = int(machine.described.num_gpus[0])
    needs = float(memory_gb(workload, 1, number)) / GB_PER_GIB
    usable = has * machine.tables.memory.usable_gpu_memory * (1.0 - memory_margin)
    hints = what_would_fit(workload, has * GB_PER_GIB, number)
    return NothingFitsError(
        f"{workload.name} does not fit: one sample needs {needs:.1f} GB of GPU memory, "
        f"{machine.described.gpu_name[0]} has {has:.4g}, of which a training can fill ",
        *(f"{usable:.1f}; what would fit (", Given("settings"), " NAME=VALUE): "),
        ", or ".join(hints) or "nothing that this project knows",
    )


def _prediction(
    workload: Workload,
    machine: PredictedMachine,
    evidence: Evidence,
    advice: Advice,
    *,
    fit_batch: bool,
) -> Prediction:
    """Read the one machine of the arrays."""
    described, here = machine.described, machine.performance
    throughput, threads = here.throughput, float(here.machines.threads[0])
    rates = (throughput.samples_per_s, throughput.low, throughput.high)
    rate, low, high = (float(one[0]) for one in rates)
    num_gpus = int(described.num_gpus[0])
    hours = epoch_hours_at(np.array([rate, high, low]), workload, num_gpus).tolist()
    # What a host tells of itself, of which there is none.
    flags = {
        **here.of_machine,
        **here.of_training,
        **here.of_fit,
        **here.software.reasons,
    }
    return Prediction(
        workload=workload,
        gpu=described.gpu_name[0],
        num_gpus=num_gpus,
        cpu=described.cpu_name[0] or None,
        threads=None if here.of_machine["cores_unknown"][0] else threads,
        samples_per_s=rate,
        samples_per_s_low=low,
        samples_per_s_high=high,
        limits={name: float(one[0]) for name, one in throughput.limits.items()},
        bound_by=throughput.bound_by[0],
        micro_batch=int(throughput.micro_batch[0]),
        memory_gb=float(throughput.memory_gb[0]),
        memory_margin_gb=float(throughput.memory_margin_gb[0]),
        accumulation_steps=int(throughput.accumulation_steps[0]),
        fit_batch=fit_batch,
        epoch_h=hours[0],
        epoch_h_low=hours[1],
        epoch_h_high=hours[2],
        flags=tuple(
            name
            for name, holds in flags.items()
            if holds[0] and name not in here.software.flags
        ),
        evidence=evidence,
        advice=advice,
        assumptions={**Assumptions().listed(), **machine.tables.assumptions()},
        machine=machine,
    )


def _evidence_of(workload: Workload, gpu: Gpu, tables: Tables) -> Evidence:
    """Count the measurements behind a prediction, and name the nearest GPUs."""
    model, coverage = tables.model.gpu, tables.model.coverage
    of_benchmark = coverage.workload_gpus.get(workload.reference.benchmark)
    names = of_benchmark or list(coverage.gpu_rows)
    measured = [tables.gpus[name] for name in names if name in tables.gpus]
    of_workload = tables.model.evidence(workload)
    return Evidence(
        level=of_workload["level"],
        series=tuple(of_workload["series"]),
        workload_measurements=of_workload["workload_measurements"],
        gpu_measurements=coverage.gpu_rows.get(gpu.name, 0),
        nearest=nearest(gpu, measured, workload.precision, model.center, model.scale),
    )
