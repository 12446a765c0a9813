"""What could not be seen of a training, and why, in sentences."""

from __future__ import annotations

import sys
from typing import Iterator

from .observation import Observation

_PAST_THE_DISPATCHER = (
    *(
        "flash_attn_2_cuda",
        "flash_attn_cuda",
        "selective_scan_cuda",
        "causal_conv1d_cuda",
    ),
    *("transformer_engine_torch", "spconv", "MinkowskiEngine", "dgl"),
)
"""Modules whose kernels are called without PyTorch's dispatcher."""


def unpatched() -> list[str]:
    """Return the modules in use that compute where no count of operators sees it."""
    return [name for name in _PAST_THE_DISPATCHER if name in sys.modules]


def remarks(observation: Observation, *, is_threaded: bool) -> Iterator[str]:
    """Yield what a reader should know of what was not seen.

    Parameters
    ----------
    is_threaded : batches are fetched by a thread of the program's own
    """
    steps, counted = observation.steps, observation.counted
    if not steps.seen:
        return
    if steps.timed and not counted.steps:
        yield "No step could be counted: each held an evaluation, or counting failed."
    loaders = [one for one in observation.loaders if one.is_training]
    if not loaders:
        yield "No DataLoader feeds the training: what loading costs was not seen."
    for one in loaders:
        if one.workers and not one.seen_workers:
            yield "The workers left no counters: their CPU time was not seen."
    if is_threaded:
        yield "A thread of the program fetches the batches: waits for it were not seen."
    if counted.unpatched:
        names = ", ".join(counted.unpatched)
        yield f"Kernels of {names} are called past PyTorch: they were not counted."
    if observation.distributed.wrapper == "deepspeed":
        yield "DeepSpeed moves work between steps: a counted step may hold less of it."
