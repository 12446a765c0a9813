"""Figures that rise from step to step."""

from __future__ import annotations

import time
from collections import deque
from statistics import median
from typing import Any

from .counting import Tally
from .observation import Attention, Compiled, Counted, Loop, Precision, Steps
from .windows import Window

_MOST_STEPS = 1000


class Record:
    """What the steps so far add up to."""

    def __init__(self) -> None:
        self.steps = self.warm_up = self.skipped = 0
        self.scaler = self.is_threaded = False
        self.samples_from: str | None = None
        self.rows: float | None = None
        self.counted = Counted()
        self.attention = Attention()
        self.compiled = Compiled()
        self.flops_by_dtype: dict[str, float] = {}
        self.autocast: tuple[str, str] | None = None
        self.device = "cpu"
        self.cuda_asked = self.redirected = 0
        self.stopped_after: str | None = None
        self.before_forward: list[float] = []
        self.timed_from: float | None = None
        self.timed_until: float | None = None
        self.not_timed = 0.0
        self._timed = 0
        self._timed_samples = 0.0
        self._idle = self._arrivals = 0
        self._step_s: deque[float] = deque(maxlen=_MOST_STEPS)
        self._wait_s: deque[float] = deque(maxlen=_MOST_STEPS)
        self._samples: deque[float] = deque(maxlen=_MOST_STEPS)
        self._of_steps: deque[tuple[int, int, float]] = deque(maxlen=_MOST_STEPS)
        self._first: tuple[int, int, float] | None = None
        self._is_fed = False

    def add(self, window: Window, training: Any, *, is_first: bool) -> None:
        """Add what went into a step. The first may have drawn a batch ahead."""
        of_step = (
            window.added,
            window.batches.get(training, 0),
            window.samples.get(training, 0.0),
        )
        if is_first:
            self._first = of_step
        else:
            self._of_steps.append(of_step)

    def time(self, window: Window, training: Any, seconds: float) -> None:
        """Add a timed step."""
        self._timed += 1
        samples = window.samples.get(training, 0.0)
        if training is None and self.rows is not None:
            samples = self.rows * max(window.added, 1)
        self._timed_samples += samples
        self._is_fed = self._is_fed or bool(window.batches)
        self._step_s.append(seconds)
        self._wait_s.append(window.wait_s)
        self._samples.append(samples)
        self._idle += window.idle_arrivals
        self._arrivals += window.arrivals
        self.timed_until = time.perf_counter()

    def count(
        self, tally: Tally, window: Window, batches: int, samples: float | None
    ) -> None:
        """Add a counted step."""
        counted, attention = self.counted, self.attention
        counted.steps += 1
        counted.batches += batches
        counted.backwards += window.backwards
        if samples is not None:
            counted.samples = (counted.samples or 0.0) + samples
        for mine, theirs in (
            (counted.flops, tally.flops),
            (counted.kernels, tally.kernels),
            (counted.uncounted, tally.uncounted),
            (self.flops_by_dtype, tally.flops_by_dtype),
            (attention.kernels, tally.attention_kernels),
        ):
            _add(mine, theirs)
        tally.passed_back()
        if tally.activation_bytes == tally.activation_bytes:
            kept = (counted.activation_bytes or 0.0) + tally.activation_bytes
            counted.activation_bytes = kept
        counted.h2d_bytes = (counted.h2d_bytes or 0.0) + tally.h2d_bytes
        counted.h2d_copies = (counted.h2d_copies or 0) + tally.h2d_copies
        counted.recurrent_calls += tally.recurrent_calls
        counted.recurrent_kernels += tally.recurrent_kernels
        attention.fused_calls += tally.fused_calls
        attention.eager_calls += tally.eager_calls
        attention.flash_calls += tally.flash_calls

    def steps_seen(self) -> Steps:
        """Return what a step is made of."""
        of_steps = list(self._of_steps) or ([self._first] if self._first else [])
        fed = [one for one in of_steps if one[1]]
        steps = Steps(
            seen=self.steps,
            warm_up=self.warm_up or self.steps,
            counted=self.counted.steps,
            timed=self._timed,
            skipped_by_scaler=self.skipped,
        )
        if of_steps:
            steps.backwards_per_step = float(median(one[0] for one in of_steps))
        steps.samples_from = self.samples_from
        if fed and self.samples_from is not None:
            steps.batches_per_step = float(median(one[1] for one in fed))
            steps.samples_per_step = float(median(one[2] for one in fed))
            steps.samples_per_batch = float(median(one[2] / one[1] for one in fed))
            if self.is_threaded:  # which fetches some batches in one step, none in others
                steps.batches_per_step = max(steps.backwards_per_step or 1.0, 1.0)
                of_step = steps.batches_per_step * steps.samples_per_batch
                steps.samples_per_step = of_step
        elif self.rows is not None:
            steps.samples_per_batch = self.rows
            steps.samples_per_step = self.rows * max(steps.backwards_per_step or 1.0, 1.0)
        return steps

    def loop(self, *, is_gpu: bool) -> Loop:
        """Return the times of the timed steps."""
        loop = Loop(step_s=list(self._step_s))
        is_known = self._timed_samples > 0.0
        if self._timed:
            is_seen = self._is_fed and not self.is_threaded
            loop.wait_s = list(self._wait_s) if is_seen else None
            loop.samples = list(self._samples) if is_known else None
            total = (self.timed_until or 0.0) - (self.timed_from or 0.0)
            loop.seconds = max(total - self.not_timed, 0.0)
            loop.total_samples = self._timed_samples if is_known else None
        if is_gpu and self._arrivals:
            loop.gpu_idle_waits = self._idle / self._arrivals
        if self.before_forward:
            loop.before_forward_s = median(self.before_forward)
        return loop

    def precision(self) -> Precision:
        """Return in what the net computes."""
        samples = self.counted.samples
        by_dtype = {
            dtype: flops / samples if samples else flops
            for dtype, flops in self.flops_by_dtype.items()
        }
        precision = Precision(scaler=self.scaler, flops_by_dtype=by_dtype)
        if self.autocast is not None:
            precision.autocast_device, precision.autocast = self.autocast
        return precision


def _add(mine: dict[str, Any], theirs: dict[str, Any]) -> None:
    for key, value in theirs.items():
        mine[key] = mine.get(key, 0) + value
