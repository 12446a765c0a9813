"""What holds a machine back on a workload, and what would lift it.

Every answer is a prediction of the same machine with one thing changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.hardware.machines import Machines
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.health import Health
from advisor.throughput.own_runs import Measured
from advisor.throughput.predict import Throughput, predict
from advisor.workloads.profile import Workload

OF_CPU = ("cpu", "launch", "handoff")
"""Limits that are the CPU's: its input pipeline, the launch of kernels by one thread, and
the handing over of samples by one thread. More cores help the first alone."""

ENOUGH = 0.95
"""Threads are enough that reach this share of what any number of them would
(assumption)."""

WORTH = 0.02
"""A change that lifts the prediction by less is not worth naming (assumption)."""

WORKER_MARGIN = 1.25
"""Workers of a data loader beyond what the GPU's rate needs: they come in bursts
(assumption)."""

_MOST_THREADS_PER_GPU = 64  # how far the search for enough goes
_ROUND_TO = 4  # machines are sold with threads in fours
_ENDLESS_CORES = 1e6
_FASTER = 1.25  # speed of the faster core that is tried, over this one's
_LINKED = "nvlink"


@dataclass(frozen=True, slots=True)
class Improvement:
    """One change, and what the machine would reach with it.

    Attributes
    ----------
    change : what, in words
    samples_per_s : of all GPUs together
    """

    change: str
    samples_per_s: float


@dataclass(frozen=True, slots=True)
class Advice:
    """What holds a machine back.

    Attributes
    ----------
    bound_by : name of the limit that holds it back most
    cpu_is_bottleneck : whether that limit is the CPU's, see `OF_CPU`; None where nobody
        says which CPU it is, nor how many threads there are
    gpu_waits : share of the time in which the GPUs wait for the rest
    waits_for : name of the limit that they wait for most
    cpu_headroom : how many times what the machine reaches its input pipeline could feed;
        None likewise
    enough_threads : hardware threads of this CPU (of a usual one where nobody says which
        it is) that would do, see `ENOUGH`; None where no number of them does
    loader_workers : advised workers of each GPU's data loader
    improvements : what would lift it, the most effective first
    """

    bound_by: str
    cpu_is_bottleneck: bool | None
    gpu_waits: float
    waits_for: str
    cpu_headroom: float | None
    enough_threads: int | None
    loader_workers: int
    improvements: tuple[Improvement, ...]


def advise(
    machine: Machines,
    threads: float,
    workload: Workload,
    model: ThroughputModel,
    condition: Health | None = None,
    *,
    fit_batch: bool = False,
    memory_margin: float = 0.0,
    measured: Measured | None = None,
) -> Advice:
    """Say what holds one machine back, and what would lift it.

    Parameters
    ----------
    machine : it alone (N = 1)
    threads : hardware threads that it grants
    workload : the profile; it must fit
    model : the trained artefact
    condition : what is known of the machine's health; None: nothing
    fit_batch, memory_margin, measured : as in `predict`
    """
    asked = _Asked(
        machine, threads, workload, model, condition, fit_batch, memory_margin, measured
    )
    now = asked.predicted(machine)
    rate, limits = float(now.samples_per_s[0]), now.limits
    bound_by = str(now.bound_by[0])
    enough = asked.enough_threads()
    others = {name: float(limit[0]) for name, limit in limits.items() if name != "gpu"}
    return Advice(
        bound_by=bound_by,
        cpu_is_bottleneck=bound_by in OF_CPU if asked.cpu_is_told else None,
        gpu_waits=1.0 - rate / float(limits["gpu"][0]),
        waits_for=min(others, key=others.__getitem__),
        cpu_headroom=float(limits["cpu"][0]) / rate if asked.cpu_is_told else None,
        enough_threads=enough,
        loader_workers=_loader_workers(machine, threads, workload, limits["gpu"]),
        improvements=asked.improvements(rate, enough),
    )


def _loader_workers(
    machine: Machines, threads: float, workload: Workload, gpu_limit: FloatArray
) -> int:
    """Return the workers that feed one GPU at its own rate, within its threads.

    Rate x time of a sample on one core of this speed, and a margin.
    """
    number = float(machine.num_gpus[0])
    sample_s = workload.cpu_ms_per_sample / 1000.0 / float(machine.core_speed[0])
    needed = math.ceil(float(gpu_limit[0]) / number * sample_s * WORKER_MARGIN)
    return max(1, min(needed, math.floor(threads / number)))


@dataclass(frozen=True, slots=True)
class _Asked:
    """One machine and the question that its variants answer."""

    machine: Machines
    threads: float
    workload: Workload
    model: ThroughputModel
    condition: Health | None
    fit_batch: bool
    memory_margin: float
    measured: Measured | None

    @property
    def cpu_is_told(self) -> bool:
        """Whether the CPU is known by name or family, or its threads are."""
        flags = self.machine.flags
        return not (flags["cpu_unknown"][0] and flags["cores_unknown"][0])

    def enough_threads(self) -> int | None:
        """Return the least threads that are enough; None where none are."""
        number = int(self.machine.num_gpus[0])
        tried = np.arange(1.0, _MOST_THREADS_PER_GPU * number + 1.0)
        per_thread = float(self.machine.cores[0]) / self.threads
        cores = np.append(tried * per_thread, _ENDLESS_CORES)
        rates = self._rates(replace(self._copies(len(cores)), cores=cores))
        (enough,) = np.nonzero(rates[:-1] >= ENOUGH * rates[-1])
        return int(tried[enough[0]]) if len(enough) else None

    def improvements(self, rate: float, enough: int | None) -> tuple[Improvement, ...]:
        """Return the changes that are worth it, the most effective first."""
        variants = self._variants(enough)
        found = [
            Improvement(change, float(self._rates(machine)[0]))
            for change, machine in variants.items()
        ]
        worth = [one for one in found if one.samples_per_s >= rate * (1.0 + WORTH)]
        return tuple(sorted(worth, key=lambda one: -one.samples_per_s))

    def _variants(self, enough: int | None) -> dict[str, Machines]:
        """Return the machine with one thing better, by what that is."""
        here, host = self.machine, self.model.host
        variants = {
            "a disk twice as fast": replace(here, disk_mb_s=2.0 * here.disk_mb_s),
            "a link to the GPU twice as fast": replace(
                here, host_to_gpu_gb_s=2.0 * here.host_to_gpu_gb_s
            ),
        }
        if self.cpu_is_told:
            faster = replace(here, core_speed=_FASTER * here.core_speed)
            variants["cores a quarter faster"] = faster
        if self.cpu_is_told and enough is not None and enough > self.threads:
            more = math.ceil((enough - self.threads) / _ROUND_TO) * _ROUND_TO
            grown = here.cores * (self.threads + more) / self.threads
            variants[f"{more} more threads"] = replace(here, cores=grown)
        needed_gb = self.workload.dataset_gb / host.page_cache_share
        if needed_gb > float(np.nan_to_num(here.ram_gb[0])):
            held = np.array([needed_gb])
            variants[f"{needed_gb:,.0f} GB of memory"] = replace(here, ram_gb=held)
        if self._could_be_linked():
            linked = np.array([_LINKED], dtype=np.object_)
            variants["NVLink between the GPUs"] = replace(here, interconnect=linked)
        return variants

    def _could_be_linked(self) -> bool:
        """Say whether the GPUs could have NVLink, and have it not."""
        here, (gpu,) = self.machine, self.machine.gpu
        has_it_not = str(here.interconnect[0]).startswith("pcie")
        whole = not here.flags["gpu_slice"][0]
        can = gpu is not None and gpu.has_nvlink(int(here.num_gpus[0]))
        return bool(can and whole and has_it_not)

    def _copies(self, count: int) -> Machines:
        return self.machine.take(np.zeros(count, dtype=np.int64))

    def predicted(self, variants: Machines) -> Throughput:
        """Predict variants of the machine."""
        condition = self.condition
        if condition is not None:
            count = len(variants.num_gpus)
            condition = condition.take(np.zeros(count, dtype=np.int64))
        return predict(
            variants,
            self.workload,
            self.model,
            condition,
            fit_batch=self.fit_batch,
            memory_margin=self.memory_margin,
            measured=self.measured,
        )

    def _rates(self, variants: Machines) -> FloatArray:
        return self.predicted(variants).samples_per_s
