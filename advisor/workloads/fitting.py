"""What would make a training fit a GPU that cannot hold one sample of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations

from advisor.base.units import GB_PER_GIB
from advisor.workloads.memory import (
    USABLE_SHARE,
    largest_micro_batch,
    memory_gb,
)
from advisor.workloads.override import override
from advisor.workloads.profile import Workload

_CHANGES: Mapping[str, str | bool] = {
    "optimizer": "adam-8bit",
    "gradient_checkpointing": True,
    "base_weights": "nf4",
    "sharding": "fsdp",
}
"""Figures of a profile that take less memory, and what then stands there; weights are
quantized beside adapters alone."""

_MOST_GPUS = 8
_NOMINAL_GIB = (16, 24, 32, 40, 48, 80, 96, 141, 180, 288)
"""Memory of cards that are for rent, GiB."""


def what_would_fit(
    workload: Workload, gpu_memory_gb: float, num_gpus: int
) -> tuple[str, ...]:
    """Return what would make a training fit, each as settings or in plain words.

    Changes of the profile alone if they do, else with more GPUs to shard it among, and
    the least memory of a GPU that holds it as it is.

    Parameters
    ----------
    gpu_memory_gb : nominal memory of one GPU, 10^9 bytes
    num_gpus : GPUs that train together

    Examples
    --------
    >>> from advisor.workloads.load import load_workload
    >>> what_would_fit(load_workload("llama-1b-full"), 8 * GB_PER_GIB, 1)[-1]
    'a GPU of 24 GB or more'
    """
    names = tuple(
        name for name, value in _CHANGES.items() if getattr(workload, name) != value
    )
    if workload.technique != "lora" or workload.base_weights != "stated":
        names = tuple(name for name in names if name != "base_weights")
    found = [*_changes(workload, names, gpu_memory_gb, num_gpus)]
    if not found:
        found = [*_with_more_gpus(workload, names, gpu_memory_gb, num_gpus)]
    needs = float(memory_gb(workload, 1, num_gpus)) / USABLE_SHARE / GB_PER_GIB
    cards = [gib for gib in _NOMINAL_GIB if gib >= needs]
    return (*found, *(f"a GPU of {gib} GB or more" for gib in cards[:1]))


def _changes(
    workload: Workload, names: tuple[str, ...], memory: float, num_gpus: int
) -> Iterator[str]:
    """Yield the smallest sets of changes that make it fit."""
    if num_gpus == 1:  # there is nothing to share with
        names = tuple(name for name in names if name != "sharding")
    for number in range(1, len(names) + 1):
        found = [
            some
            for some in combinations(names, number)
            if _would_fit(workload, some, memory, num_gpus)
        ]
        yield from map(_typed, found)
        if found:
            return


def _with_more_gpus(
    workload: Workload, names: tuple[str, ...], memory: float, num_gpus: int
) -> Iterator[str]:
    """Yield the fewest GPUs among which it fits, all of it shared."""
    shared = tuple(name for name in names if name == "sharding")
    for number in range(num_gpus + 1, _MOST_GPUS + 1):
        for some in (shared, names):
            if _would_fit(workload, some, memory, number):
                yield f"{number} such GPUs with {_typed(some) or 'the same profile'}"
                return


def _typed(names: tuple[str, ...]) -> str:
    """Return changes as settings."""
    return " and ".join(f"{name}={_CHANGES[name]}".lower() for name in names)


def _would_fit(
    workload: Workload, names: tuple[str, ...], memory: float, num_gpus: int
) -> bool:
    """Say whether a training fits after changes."""
    changed = override(workload, {name: _CHANGES[name] for name in names})
    return bool(largest_micro_batch(changed, memory, num_gpus) >= 1)
