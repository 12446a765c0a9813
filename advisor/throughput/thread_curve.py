"""What a machine would reach with other numbers of threads, for many machines at once.

The answers are those of `advisor.throughput.advice`, which looks at one machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.hardware.machines import Machines
from advisor.throughput.advice import ENDLESS_CORES, ENOUGH, MOST_THREADS_PER_GPU
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.dlperf import DlperfAdjustment
from advisor.throughput.kinds import GpuMemo
from advisor.throughput.predict import predict
from advisor.throughput.user_runs import Calibration
from advisor.workloads.profile import Workload

_CHUNK = 8192
"""Machines that are predicted together: memory does not grow with their number."""


@dataclass(frozen=True, slots=True)
class ThreadCurves:
    """N machines, and the workload whose throughput is asked for.

    Attributes
    ----------
    machines : N machines on which it fits
    workload, model, fit_batch, memory_margin, measured : as in `predict`
    adjustment : what the machines' DLPerf scores change
    """

    machines: Machines
    workload: Workload
    model: ThroughputModel
    adjustment: DlperfAdjustment
    fit_batch: bool = False
    memory_margin: float = 0.0
    measured: Calibration | None = None
    _memo: GpuMemo = field(default_factory=GpuMemo)

    def at(self, threads: IntArray) -> FloatArray:
        """Return samples/s with each of T numbers of threads, shape (N, T)."""
        number = len(self.machines.num_gpus)
        every = np.repeat(np.arange(number), len(threads))
        rates = self._rates(every, np.tile(threads, number).astype(np.float64))
        return rates.reshape(number, len(threads))

    def enough(self) -> IntArray:
        """Return the least threads that are enough, 0 where none are, shape (N,).

        Enough is as `ENOUGH` says. More threads are never slower, so that halving finds
        the least number of each machine.
        """
        every = np.arange(len(self.machines.num_gpus))
        wanted = ENOUGH * self._rates(every, None)
        most = (MOST_THREADS_PER_GPU * self.machines.num_gpus).astype(np.int64)
        low, high = np.zeros_like(most), most + 1
        while np.any(high - low > 1):
            middle = np.maximum((low + high) // 2, 1)
            reached = self._rates(every, middle.astype(np.float64)) >= wanted
            open_ = high - low > 1
            high = np.where(open_ & reached, middle, high)
            low = np.where(open_ & ~reached, middle, low)
        return np.where(high <= most, high, 0)

    def _rates(self, at: IntArray, threads: FloatArray | None) -> FloatArray:
        """Return samples/s of the machines at positions, each with so many threads.

        `threads` is None for no end of them.
        """
        parts = [slice(start, start + _CHUNK) for start in range(0, len(at), _CHUNK)]
        rates = [
            self._rates_of(at[part], None if threads is None else threads[part])
            for part in parts
        ]
        return np.concatenate([np.empty(0), *rates])

    def _rates_of(self, at: IntArray, threads: FloatArray | None) -> FloatArray:
        machines = self.machines.take(at)
        cores = np.full(len(at), ENDLESS_CORES)
        if threads is not None:
            cores = threads * machines.cores / machines.threads
        found = predict(
            replace(machines, cores=cores),
            self.workload,
            self.model,
            self.adjustment.take(at),
            fit_batch=self.fit_batch,
            memory_margin=self.memory_margin,
            measured=self.measured,
            memo=self._memo,
        )
        return found.samples_per_s
