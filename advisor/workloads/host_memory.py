"""How much memory of the host a training needs, and how likely a machine has too little.

By formula, each part in 10^9 bytes::

    need = system                            kernel and services of the host
         + GPUs x process                    Python, framework and CUDA of one process
         + GPUs x workers x worker           the data loader's
         + GPUs x (2 workers + 1) x batch    what they prefetch, and the batch under way
         + the last two once more            the loader of the validation, beside it
         + weights                           on their way to the GPUs
         + checkpoint                        read whole before it goes to the GPUs
         + page cache                        what a mapped file must keep in memory

Who loads the weights *whole* holds all of them at once: in every process, or, where they
are sharded among the GPUs, in the one that distributes them. Who maps the file holds one
shard of it. None of these parts was measured on many machines: each is marked.

What is *surely* too little, and leaves a machine out, rests on what is known: weights
that are held whole by arithmetic, the other parts only where the need is far beyond the
memory; whoever runs out of it in the first validation can do without one. The batches of
a fitted batch size are nobody's wish: who sees them not fit takes a smaller one, so that
they make a machine a risk and no more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from advisor.base.arrays import BoolArray, FloatArray
from advisor.base.assumption import Range, stated
from advisor.base.units import BYTES_PER_GB
from advisor.workloads.memory import USABLE_SHARE, frozen_mb, too_little_probability
from advisor.workloads.profile import Workload

SYSTEM_GB = 1.0
"""Of the host's kernel, services and container runtime: assumption."""

PROCESS_GB = 2.0
"""Of a process that has set up CUDA: 2.06 GB (pytorch/pytorch issue 113326) and 1.96 GB
after a first convolution (issue 12873), one machine each."""

WORKER_GB = 0.4
"""Of one data loader worker: assumption. PyTorch alone takes 0.32 GB (pytorch/pytorch
issue 113326), a part of which a forked process shares until it writes to it."""

WORKERS = 4
"""Workers per GPU: assumption (PyTorch's ImageNet example takes four in all). A script
states them, whatever the machine has: a machine with more threads never needs more."""

PREFETCH_FACTOR = 2
"""Batches that each worker prepares ahead (default of PyTorch's ``DataLoader``)."""

VALIDATION_LOADERS = 1.0
"""Loaders of the training's size that are alive beside it during a validation:
assumption. Workers live on between epochs (``persistent_workers`` is timm's default), and
Ultralytics validates with twice the workers. Jobs are killed for memory as the first
validation runs (open-mmlab/mmpretrain issue 1939, facebookresearch/fastMRI issue 80)."""

SHARD_GB = 5.0
"""Largest file of a checkpoint in shards (Hugging Face Transformers, default of
``max_shard_size`` up to version 4)."""

NEED_LOG_SD = 0.36
"""Standard deviation of the logarithm of the need: assumption, a factor of 1.8 either
way in nine of ten cases."""

SURELY_TOO_SMALL = 0.95
"""Probability from which a machine counts as too small rather than as a risk."""

MORE_PER_TRY = 2.0
"""Memory of the machine that is tried next over that of one that had too little:
assumption, memory comes in powers of two. A launcher takes none with as much or less."""

_TRIES = 4
"""Machines that are tried at most, each with `MORE_PER_TRY` times the memory: beyond
these, what is not surely too small leaves less than 0.001 of a start."""


@dataclass(frozen=True, slots=True)
class MemoryFigures:
    """What is assumed of the memory of GPUs and hosts, and of what fills it."""

    usable_gpu_memory: float = stated(
        USABLE_SHARE,
        "share",
        "1.5 % is the driver's, the rest an assumption",
        Range(0.88, 0.985, "assumption: half as much again is lost, or the driver's"),
    )
    host_memory_log_sd: float = stated(
        NEED_LOG_SD,
        "1",
        "assumption: log-sd of the host memory that a job needs, see "
        "advisor.workloads.host_memory",
    )
    host_memory_of_next_try: float = stated(
        MORE_PER_TRY,
        "1",
        "assumption: memory of the machine that is tried where one had too little, over "
        "that one's; it costs and trains the same",
    )
    loader_workers_per_gpu: float = stated(
        WORKERS,
        "1",
        f"assumption, of {WORKER_GB} GB each: counted in the host memory alone",
        Range(1.0, 8.0, "assumption: one, and twice as many"),
    )


@dataclass(frozen=True, slots=True)
class HostMemory:
    """What a training needs of the host's memory, 10^9 bytes, shape (N,) each.

    Attributes
    ----------
    system, processes, workers, prefetch, validation, weights, checkpoint, page_cache :
        the parts; weights and checkpoint are not held at the same time, the larger counts
    total : their sum, or what the profile states
    reckoned : what of the total counts where a machine is left out: not what is
        prefetched of a fitted batch, nor the validation, nor a checkpoint, which who
        resumes alone reads
    least : what cannot be done without, whatever a loader does: whole weights, unless
        the profile states the total
    """

    system: FloatArray
    processes: FloatArray
    workers: FloatArray
    prefetch: FloatArray
    validation: FloatArray
    weights: FloatArray
    checkpoint: FloatArray
    page_cache: FloatArray
    total: FloatArray
    reckoned: FloatArray
    least: FloatArray


def host_memory(
    workload: Workload,
    num_gpus: npt.ArrayLike,
    micro_batch: npt.ArrayLike,
    *,
    fitted: bool = False,
    loader_workers: float = WORKERS,
) -> HostMemory:
    """Return what a training needs of the host's memory on N machines.

    Parameters
    ----------
    workload : the profile
    num_gpus : GPUs, a process each, shape (N,)
    micro_batch : samples that a GPU takes at once, shape (N,)
    fitted : the batch is as large as the GPU holds, not one that was asked for
    loader_workers : of the data loader of one GPU
    """
    gpus = np.asarray(num_gpus, dtype=np.float64)
    batch_gb = np.asarray(micro_batch) * workload.gpu_bytes_per_sample / BYTES_PER_GB
    held_gb = _weights_gb(workload)
    whole = workload.loading == "whole"
    holders = np.ones_like(gpus) if workload.sharding == "fsdp" else gpus
    processes = gpus * PROCESS_GB
    workers = gpus * loader_workers * WORKER_GB
    prefetch = gpus * (PREFETCH_FACTOR * loader_workers + 1.0) * batch_gb
    weights = holders * held_gb if whole else np.zeros_like(gpus)
    page_cache = np.full_like(gpus, 0.0 if whole else min(held_gb, SHARD_GB))
    system = np.full_like(gpus, SYSTEM_GB)
    checkpoint = holders * workload.checkpoint_gb
    begun = system + processes + workers + weights + page_cache
    validation = VALIDATION_LOADERS * (workers + prefetch)
    total = begun + prefetch + validation + np.maximum(checkpoint - weights, 0.0)
    reckoned, least = begun if fitted else begun + prefetch, weights
    if workload.host_ram_gb > 0.0:
        total = reckoned = np.full_like(gpus, workload.host_ram_gb)
        least = np.zeros_like(gpus)
    return HostMemory(
        system,
        processes,
        workers,
        prefetch,
        validation,
        weights,
        checkpoint,
        page_cache,
        total,
        reckoned,
        least,
    )


def host_risk(
    need_gb: FloatArray, ram_gb: FloatArray, log_sd: float = NEED_LOG_SD
) -> FloatArray:
    """Return how likely a host's memory does not suffice, shape (N,); NaN if unknown.

    `log_sd` is the spread of the logarithm of the need.
    """
    return too_little_probability(need_gb, ram_gb, log_sd)


def surely_too_small(
    need: HostMemory, ram_gb: FloatArray, log_sd: float = NEED_LOG_SD
) -> BoolArray:
    """Return which hosts surely have too little memory, shape (N,); unknown is not."""
    risk = np.nan_to_num(host_risk(need.reckoned, ram_gb, log_sd))
    surely: BoolArray = (risk >= SURELY_TOO_SMALL) | (need.least > ram_gb)
    return surely


def failed_starts(
    need_gb: FloatArray,
    ram_gb: FloatArray,
    log_sd: float = NEED_LOG_SD,
    more_per_try: float = MORE_PER_TRY,
) -> FloatArray:
    """Return how many starts are expected to fail for want of memory, shape (N,).

    The need is the job's and does not vary between machines: where one host had too
    little, no other with as much suffices, and the next to be tried has `more_per_try`
    times the memory. As many starts fail as tries have less than the need: the
    expectation is the sum of their probabilities, ``sum of P(need > more_per_try^k x
    ram)``. It is never more than the tries, and 0 where the memory is unknown.
    """
    tries = more_per_try ** np.arange(_TRIES)[:, None]
    each = host_risk(need_gb, tries * ram_gb, log_sd)
    total: FloatArray = np.nan_to_num(each).sum(axis=0)
    return total


def _weights_gb(workload: Workload) -> float:
    """Return 10^9 bytes of the weights as they are held while they are loaded.

    Trained ones in single precision, or in half where the model is; frozen ones as they
    are kept on the GPU.
    """
    trained_bytes = 2.0 if workload.half_weights else 4.0
    trained_gb = workload.trainable_parameters_m * trained_bytes / 1e3
    return trained_gb + frozen_mb(workload) / 1e3
