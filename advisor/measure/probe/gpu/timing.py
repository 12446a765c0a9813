"""Seconds on a device, which runs on while Python goes ahead."""

from __future__ import annotations

import math
import statistics
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.measure.probe.lines import Line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPEATS = 5
"""Readings of which the median is told; an odd number."""

_SHORTEST_S = 1e-7
"""No call is told as shorter: clocks are not finer."""

_WARM_CALLS = 2
_WARM_SHARE = 0.25
"""Of its time a thing runs before it is measured: clocks rise, caches fill."""


class Device(NamedTuple):
    """Where something runs.

    Attributes
    ----------
    torch : the module
    name : as PyTorch writes it: ``cuda:0``, ``cpu``
    """

    torch: Any
    name: str

    @property
    def is_cuda(self) -> bool:
        """Whether it is a GPU."""
        return self.name.startswith("cuda")

    @property
    def line(self) -> str:
        """What lines call it: ``gpu0``, ``cpu``."""
        return self.name.replace("cuda:", "gpu")

    def select(self) -> None:
        """Make it the one that events and streams belong to."""
        if self.is_cuda:
            self.torch.cuda.set_device(self.name)

    def wait(self) -> None:
        """Wait until all that it was given is done."""
        if self.is_cuda:
            self.torch.cuda.synchronize(self.name)

    def seconds(self, function: Callable[[], object], calls: int) -> float:
        """Return how long so many calls take, by the device's own clock."""
        if not self.is_cuda:
            began = time.perf_counter()
            for _ in range(calls):
                function()
            return time.perf_counter() - began
        begin, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        self.wait()
        begin.record()
        for _ in range(calls):
            function()
        end.record()
        self.wait()
        return float(begin.elapsed_time(end)) / 1e3

    def free_bytes(self) -> float:
        """Return what can be filled of its memory; of a host's nothing is said."""
        if not self.is_cuda:
            return math.inf
        free, _ = self.torch.cuda.mem_get_info(self.name)
        return float(free)


class Reading(NamedTuple):
    """How long something takes.

    Attributes
    ----------
    seconds : of one call, of each repeat
    """

    seconds: tuple[float, ...]

    def line(self, name: str, work: float, unit: str, note: str = "") -> Line:
        """Return the line of a rate: so much work a call."""
        return line_of([work / one for one in self.seconds], name, unit, note)


def measured(
    device: Device,
    function: Callable[[], object],
    budget_s: float,
    agreed: Callable[[int], int] = int,
) -> Reading:
    """Call something for so long, after a warm-up, and return how long a call takes.

    Parameters
    ----------
    agreed : turns a number of calls into the one of all processes that call together
    """
    for _ in range(_WARM_CALLS):
        function()
    device.wait()
    once = device.seconds(function, 1)
    calls = agreed(_times(_WARM_SHARE * budget_s, once))
    once = device.seconds(function, calls) / calls
    calls = agreed(_times((1.0 - _WARM_SHARE) * budget_s / REPEATS, once))
    taken = (device.seconds(function, calls) / calls for _ in range(REPEATS))
    return Reading(tuple(max(one, _SHORTEST_S) for one in taken))


def _times(budget_s: float, once_s: float) -> int:
    return max(round(budget_s / max(once_s, _SHORTEST_S)), 1)


def line_of(values: list[float], name: str, unit: str, note: str = "") -> Line:
    """Return the line of some readings of a figure, all above zero."""
    log_sd = None
    if len(values) > 1:
        log_sd = statistics.stdev(math.log(value) for value in values)
    return Line(name, statistics.median(values), unit, log_sd, len(values), note)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether a GPU, or the host, had no memory left.

    All releases of PyTorch say it in these words, whatever class the error has.
    """
    return isinstance(error, RuntimeError) and any(
        words in str(error)
        for words in ("out of memory", "can't allocate memory", "not enough memory")
    )


@contextmanager
def single_precision(torch: Any, *, tf32: bool) -> Iterator[None]:
    """Have products and convolutions of FP32 run as TF32, or exactly; then as before."""
    cudnn = torch.backends.cudnn
    before = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        cudnn.allow_tf32 = before[1]
