"""Steps as stretches of time, and the plan of what is done in which."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

WARM_UP, COUNT, PROFILE, SETTLE, TIMED = "warm-up", "count", "profile", "settle", "timed"

_PATIENCE = 0.25
"""Share of the seconds that are given within which counting begins, and that it takes."""


class Plan(NamedTuple):
    """How many steps are for what; the rest is timed.

    Attributes
    ----------
    warm_up, counted, settle : steps, `settle` at least
    seconds : that are given for everything; infinite where no limit is
    """

    warm_up: int = 3
    counted: int = 3
    settle: int = 2
    seconds: float = math.inf

    @classmethod
    def of(cls, steps: int | None, seconds: float | None) -> Plan:
        """Return the plan for a run of so many steps or seconds: half of it is timed."""
        limit = math.inf if seconds is None else seconds
        if steps is None or steps >= 16:
            return cls(seconds=limit)
        counted = 1 if steps < 10 else 2
        return cls(
            warm_up=1 if steps < 6 else 2, counted=counted, settle=1, seconds=limit
        )

    def is_warm(self, steps: int, spent_s: float) -> bool:
        """Say whether counting begins after so many steps, which took so long."""
        return steps >= self.warm_up or spent_s > _PATIENCE * self.seconds

    def is_counted(self, counted: int, spent_s: float) -> bool:
        """Say whether so many counted steps are enough, which took so long."""
        return counted >= self.counted or spent_s > _PATIENCE * self.seconds

    def is_settled(self, steps: int, queued: float, spent_s: float) -> bool:
        """Say whether queues that hold `queued` steps are as they usually are."""
        enough = max(float(self.settle), queued)
        return steps >= enough or spent_s > _PATIENCE * self.seconds


class Window:
    """What happened between two steps.

    Attributes
    ----------
    started : time of `time.perf_counter`
    wait_s : that the loop stood in ``next`` of a loader
    backwards : passes
    added : of these that add up to the step: those since another optimizer stepped, as
        one of a GAN does, and one for all that a closure makes, as that of LBFGS
    batches, samples : loader -> of it
    idle_arrivals, arrivals : batches at whose arrival the GPU had nothing left, and all
    first_call_s : from the start to the first call of a net; None: it was not seen
    """

    def __init__(self, started: float) -> None:
        self.started = started
        self.wait_s = 0.0
        self.backwards = self.added = 0
        self._is_over = self._is_in_closure = False
        self.batches: dict[Any, int] = {}
        self.samples: dict[Any, float] = {}
        self.idle_arrivals = self.arrivals = 0
        self.first_call_s: float | None = None

    def passed_back(self, *, in_closure: bool) -> None:
        """Add a backward pass, `in_closure`: that a step of an optimizer calls."""
        self.backwards += 1
        if self._is_over:
            self.added, self._is_over, self._is_in_closure = 0, False, False
        if not (in_closure and self._is_in_closure):
            self.added += 1
        self._is_in_closure = self._is_in_closure or in_closure

    def other_stepped(self) -> None:
        """Note a step of another optimizer: the passes until then were for that."""
        self._is_over = True

    def add(self, loader: Any, samples: float | None) -> None:
        """Add a batch of a loader."""
        self.batches[loader] = self.batches.get(loader, 0) + 1
        self.samples[loader] = self.samples.get(loader, 0.0) + (samples or 0.0)
