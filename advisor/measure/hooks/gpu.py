"""What is asked of a GPU, and of processes that train together, while the training runs.

Nothing here makes PyTorch look for a GPU: where the program has not, there is none.
"""

from __future__ import annotations

import os
import sys
from typing import Any


class Gpu:
    """The GPUs of this process.

    Parameters
    ----------
    torch : PyTorch
    """

    def __init__(self, torch: Any) -> None:
        self._torch = torch
        self._mark: Any = None
        self._profiler: Any = None

    @property
    def is_used(self) -> bool:
        """Whether the program computes on CUDA."""
        cuda = getattr(self._torch, "cuda", None)
        return bool(cuda is not None and cuda.is_initialized())

    def synchronize(self) -> None:
        """Wait for the GPU, once, where time begins or ends to count."""
        if self.is_used:
            self._torch.cuda.synchronize()

    def mark(self) -> None:
        """Mark the end of the work of a step in the queue of the GPU."""
        if self.is_used:
            self._mark = self._mark or self._torch.cuda.Event()
            self._mark.record()

    def is_idle(self) -> bool:
        """Say whether all work up to the mark is done."""
        return bool(self._mark is not None and self._mark.query())

    def start_profiling(self) -> None:
        """Have PyTorch's profiler count kernels from now on."""
        profiler = self._torch.profiler
        started = profiler.profile(activities=[profiler.ProfilerActivity.CUDA])
        started.start()
        self._profiler = started

    def stop_profiling(self) -> float | None:
        """Return the kernels since; None: none were seen."""
        if self._profiler is None:
            return None
        self.synchronize()
        profiler, self._profiler = self._profiler, None
        profiler.stop()
        return float(sum(map(_is_kernel, profiler.events() or ()))) or None

    def rank_and_world(self) -> tuple[int, int]:
        """Return the number of this process and how many train together."""
        distributed = getattr(self._torch, "distributed", None)
        if distributed is None or not distributed.is_available():
            return 0, 1
        if not distributed.is_initialized():
            return 0, 1
        return distributed.get_rank(), distributed.get_world_size()


def _is_kernel(event: Any) -> bool:
    """Say whether an event of the profiler is a kernel: no copy, filling or remark."""
    is_gpu = str(getattr(event, "device_type", "")).endswith("CUDA")
    is_remark = getattr(event, "is_user_annotation", False)
    return is_gpu and not is_remark and not event.name.startswith(("Memcpy", "Memset"))


def gpu_names(torch: Any) -> list[str]:
    """Return the names of the GPUs that the process may use."""
    return [torch.cuda.get_device_name(at) for at in range(torch.cuda.device_count())]


def peaks(torch: Any) -> tuple[int, int]:
    """Return bytes allocated and reserved at most, of the GPU with the most."""
    ids = range(torch.cuda.device_count())
    return (
        max((torch.cuda.max_memory_allocated(at) for at in ids), default=0),
        max((torch.cuda.max_memory_reserved(at) for at in ids), default=0),
    )


def local_rank() -> int:
    """Return the number of this process on this machine."""
    try:
        return int(os.environ.get("LOCAL_RANK", "0"))
    except ValueError:
        return 0


def dynamo_counts() -> tuple[int | None, int | None]:
    """Return frames that Dynamo compiled and graph breaks; None: it is not in use."""
    utils = sys.modules.get("torch._dynamo.utils")
    counters = getattr(utils, "counters", None)
    if not counters:
        return None, None
    return int(counters["frames"]["ok"]), int(sum(counters["graph_break"].values()))
