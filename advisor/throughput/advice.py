"""What holds a machine back on a workload, and what would lift it.

Every answer is a prediction of the same machine with one thing changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.base.columns import concat
from advisor.hardware.machines import Machines
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.bottleneck import Bottleneck, bottlenecks
from advisor.throughput.dlperf import DlperfAdjustment
from advisor.throughput.kinds import GpuMemo
from advisor.throughput.limit import Lacking, Side
from advisor.throughput.limits import cpu_is_known
from advisor.throughput.predict import Throughput, epoch_hours_at, predict
from advisor.throughput.user_runs import Calibration
from advisor.workloads.memory import USABLE_SHARE
from advisor.workloads.profile import Workload

ENOUGH = 0.95
"""Threads are enough that reach this share of what any number of them would
(assumption)."""

WORTH = 0.02
"""A change that lifts the prediction by less is not worth naming (assumption)."""

WORKER_MARGIN = 1.25
"""Workers of a data loader beyond what the GPU's rate needs: they come in bursts
(assumption)."""

MOST_THREADS_PER_GPU = 64
"""How far the search for enough threads goes."""

ENDLESS_CORES = 1e6
"""As good as no end of them."""

_FIRST = np.array([0])


@dataclass(frozen=True, slots=True)
class Improvement:
    """One change, and what the machine would reach with it.

    Attributes
    ----------
    change : what, in words
    samples_per_s : of all GPUs together
    epoch_h : time per epoch, h
    epoch_usd : cost of the job per epoch at the same price, $; None where no price is
        asked for
    """

    change: str
    samples_per_s: float
    epoch_h: float
    epoch_usd: float | None = None


Costing = Callable[[Machines, Throughput], FloatArray]
"""Returns what an epoch costs on variants of one machine, $, shape (variants,)."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What holds a machine back.

    Attributes
    ----------
    bound_by : name of the limit that holds it back most
    bound_side, bound_by_in_words : what that limit is of, and what the GPUs wait for
    cpu_is_bottleneck : whether that limit is the CPU's (`Limit.side`); None where nobody
        says which CPU it is, nor how many threads there are
    gpu_waits : share of the time in which the GPUs wait for the rest
    waits_for, waits_for_in_words : the limit that they wait for most, and what that is
    cpu_headroom : how many times what the machine reaches its input pipeline could feed;
        None likewise
    threads : hardware threads that the machine has; None where nobody says
    enough_threads : hardware threads of this CPU (of a usual one where nobody says which
        it is) that would do, see `ENOUGH`; None where no number of them does
    loader_workers : advised workers of each GPU's data loader
    bottlenecks : the parts that the GPUs may wait for, and how much of one each is
    improvements : what would lift it, the most effective first
    """

    bound_by: str
    bound_side: Side
    bound_by_in_words: str
    cpu_is_bottleneck: bool | None
    gpu_waits: float
    waits_for: str
    waits_for_in_words: str
    cpu_headroom: float | None
    threads: float | None
    enough_threads: int | None
    loader_workers: int
    bottlenecks: tuple[Bottleneck, ...]
    improvements: tuple[Improvement, ...]


def advise(
    machine: Machines,
    threads: float,
    workload: Workload,
    model: ThroughputModel,
    adjustment: DlperfAdjustment | None = None,
    *,
    fit_batch: bool = False,
    memory_margin: float = 0.0,
    measured: Calibration | None = None,
    usable_share: float = USABLE_SHARE,
    costing: Costing | None = None,
) -> Advice:
    """Say what holds one machine back, and what would lift it.

    Parameters
    ----------
    machine : it alone (N = 1)
    threads : hardware threads that it grants
    workload : the profile; it must fit
    model : the trained artifact
    adjustment : what its DLPerf score changes; None: nothing
    fit_batch, memory_margin, measured, usable_share : as in `predict`
    costing : says what variants of the machine cost; None: no price is asked for
    """
    asked = _Asked(
        machine,
        threads,
        workload,
        model,
        adjustment,
        fit_batch,
        memory_margin,
        measured,
        usable_share,
        costing,
    )
    now = asked.predicted([machine, asked.with_other_cores()])
    rate, limits = float(now.samples_per_s[0]), now.limits
    bound_by = str(now.bound_by[0])
    of_name = {one.name: one for one in model.limits}
    side = of_name[bound_by].side
    enough = asked.enough_threads(now.samples_per_s[1:])
    others = {name: float(limit[0]) for name, limit in limits.items() if name != "gpu"}
    waits_for = min(others, key=others.__getitem__)
    return Advice(
        bound_by=bound_by,
        bound_side=side,
        bound_by_in_words=of_name[bound_by].waits_for,
        cpu_is_bottleneck=side == "cpu" if asked.cpu_is_known else None,
        gpu_waits=1.0 - rate / float(limits["gpu"][0]),
        waits_for=waits_for,
        waits_for_in_words=of_name[waits_for].waits_for,
        cpu_headroom=float(limits["cpu"][0]) / rate if asked.cpu_is_known else None,
        threads=None if machine.flags["cores_unknown"][0] else threads,
        enough_threads=enough,
        loader_workers=_loader_workers(machine, threads, workload, limits["gpu"]),
        bottlenecks=bottlenecks(now.rates(model).take(_FIRST), machine, workload),
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
    adjustment: DlperfAdjustment | None
    fit_batch: bool
    memory_margin: float
    measured: Calibration | None
    usable_share: float
    costing: Costing | None
    memo: GpuMemo = field(default_factory=GpuMemo)

    @property
    def cpu_is_known(self) -> bool:
        """Whether the CPU is known by name or family, or its threads are."""
        return cpu_is_known(self.machine, self.workload)

    def _tried_threads(self) -> FloatArray:
        """Return the numbers of threads among which enough are looked for."""
        number = int(self.machine.num_gpus[0])
        return np.arange(1.0, MOST_THREADS_PER_GPU * number + 1.0)

    def with_other_cores(self) -> Machines:
        """Return the machine with each of those numbers, and last with no end of them."""
        per_thread = float(self.machine.cores[0]) / self.threads
        cores = np.append(self._tried_threads() * per_thread, ENDLESS_CORES)
        copies = self.machine.take(np.zeros(len(cores), dtype=np.int64))
        return replace(copies, cores=cores)

    def enough_threads(self, rates: FloatArray) -> int | None:
        """Return the least threads that are enough; None where none are.

        `rates` are the samples/s of `with_other_cores`.
        """
        (enough,) = np.nonzero(rates[:-1] >= ENOUGH * rates[-1])
        return int(self._tried_threads()[enough[0]]) if len(enough) else None

    def improvements(self, rate: float, enough: int | None) -> tuple[Improvement, ...]:
        """Return the changes that are worth it, the most effective first."""
        variants = self._variants(enough)
        if not variants:
            return ()
        machines = list(variants.values())
        predicted = self.predicted(machines)
        num_gpus = [float(one.num_gpus[0]) for one in machines]
        hours = epoch_hours_at(predicted.samples_per_s, self.workload, num_gpus).tolist()
        usd: list[float | None] = [None] * len(variants)
        if self.costing is not None:
            usd = self.costing(concat(machines), predicted).tolist()
        rates = predicted.samples_per_s.tolist()
        each = zip(variants, rates, hours, usd, strict=True)
        found = [Improvement(*one) for one in each]
        worth = [one for one in found if one.samples_per_s >= rate * (1.0 + WORTH)]
        return tuple(sorted(worth, key=lambda one: -one.samples_per_s))

    def _variants(self, enough: int | None) -> dict[str, Machines]:
        """Return the machine with one thing better, by what that is."""
        lacking = Lacking(
            self.machine, self.threads, enough, self.workload, self.model.host
        )
        lifts = [
            one.lifts(lacking)
            for one in self.model.limits
            if self.cpu_is_known or one.side != "cpu"
        ]
        return dict(chain.from_iterable(lifts))

    def predicted(self, variants: Sequence[Machines]) -> Throughput:
        """Predict variants of the machine together; their GPUs are looked at once."""
        every = concat(variants)
        adjustment = self.adjustment
        if adjustment is not None:
            adjustment = adjustment.take(np.zeros(len(every.num_gpus), dtype=np.int64))
        return predict(
            every,
            self.workload,
            self.model,
            adjustment,
            fit_batch=self.fit_batch,
            memory_margin=self.memory_margin,
            measured=self.measured,
            memo=self.memo,
            usable_share=self.usable_share,
        )
