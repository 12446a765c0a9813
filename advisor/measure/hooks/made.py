"""What a DataLoader was made with, and what that says of an epoch."""

from __future__ import annotations

from typing import Any

from .observation import Loader

_NO_SAMPLER = "_InfiniteConstantSampler"
"""PyTorch's sampler of a stream, which draws nothing."""


def made_with(loader: Any) -> tuple[Any, ...]:
    """Return what loaders have in common that are made for the same purpose."""
    dataset, sampler = loader.dataset, _sampler(loader)
    size = loader.batch_size or getattr(loader.batch_sampler, "batch_size", None)
    lengths = _length(dataset), _length(sampler)
    workers = loader.num_workers, loader.drop_last
    return (type(dataset), type(sampler), *lengths, size, *workers)


def _sampler(loader: Any) -> Any:
    """Return what draws samples for a DataLoader."""
    within = getattr(loader.batch_sampler, "sampler", None)
    return loader.sampler if within is None else within


def described(loader: Any) -> Loader:
    """Return what a DataLoader was made with."""
    dataset, batched, sampler = loader.dataset, loader.batch_sampler, _sampler(loader)
    size = loader.batch_size or getattr(batched, "batch_size", None)
    drawn = None if type(sampler).__name__ == _NO_SAMPLER else _length(sampler)
    drop_last = bool(loader.drop_last or getattr(batched, "drop_last", False))
    workers = int(loader.num_workers or 0)
    return Loader(
        dataset=type(dataset).__name__,
        dataset_samples=_length(dataset),
        sampler_samples=drawn,
        samples_per_epoch=_epoch(sampler, batched, drawn, size if drop_last else None),
        batches_per_epoch=_length(loader),
        batch_size=int(size) if size else None,
        drop_last=drop_last,
        workers=workers,
        start_method=_start_method(loader.multiprocessing_context) if workers else None,
        persistent=bool(getattr(loader, "persistent_workers", False)),
        pin_memory=bool(loader.pin_memory),
        prefetch=loader.prefetch_factor if workers else None,
    )


def _epoch(sampler: Any, batched: Any, drawn: int | None, whole: Any) -> float | None:
    """Return the samples of an epoch of all processes; None: nothing says it.

    Parameters
    ----------
    sampler, batched : sampler of samples and of batches
    drawn : what the sampler draws: of this process where it says how many share the data
        (PyTorch's ``num_replicas``), of all where batches are dealt out (accelerate's
        ``num_processes``)
    whole : samples of a batch, of which the last is dropped if it is not whole; None: it
        is kept
    """
    if drawn is None:
        return None
    if whole:
        drawn -= drawn % (int(whole) * _positive(batched, "num_processes"))
    return float(drawn * _positive(sampler, "num_replicas"))


def _positive(one: Any, name: str) -> int:
    """Return a number that something has; 1 where it has none."""
    found = getattr(one, name, None)
    return found if isinstance(found, int) and found > 0 else 1


def _length(one: Any) -> int | None:
    """Return how many things something holds; None: it does not say."""
    try:
        return len(one)
    except Exception:  # a stranger's method; the program goes on
        return None


def _start_method(context: Any) -> str | None:
    """Return how workers are started."""
    import multiprocessing

    try:
        return str((context or multiprocessing).get_start_method())
    except (AttributeError, RuntimeError, ValueError):
        return None
