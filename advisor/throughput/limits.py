"""The limits of a training's throughput, one record each: adding one touches this file.

A record says what the limit allows, how well that is known, and in which words it is
shown; prediction, interval, ranking, advice and reports take what they need from it.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.base.units import BYTES_PER_GB, BYTES_PER_MB
from advisor.hardware.machines import Machines
from advisor.throughput.limit import Asked, HostConstants, Lacking, Lifts, Limit
from advisor.workloads.profile import Workload

_ROUND_TO = 4  # machines are sold with threads in fours
_FASTER = 1.25  # speed of the faster core that is tried, over this one's
_LINKED = "nvlink"
COMPILED_KERNELS = 0.5
"""Kernels of a compiled net, of those that it launches eagerly (assumption: elementwise
operations, half of a transformer's, are fused into their neighbors)."""

_ONE_THREAD = "(a faster core helps, more do not)"


def input_rate(
    cores: FloatArray,
    core_speed: FloatArray,
    core_ms: FloatArray | float,
    gpu_rate: FloatArray,
    *,
    core_exponent: float,
    driver_cores: float,
) -> FloatArray:
    """Return samples/s that the cores of one GPU feed it with.

    Of c cores, ``c^a / (t / speed + k / G)``: t is the reference core's time for a
    sample, k the cores that drive the GPU at its rate G.

    Parameters
    ----------
    cores : of one GPU, shape (N,)
    core_speed : of each, 1 at a PassMark single-thread score of 2,100, shape (N,)
    core_ms : milliseconds that the reference core spends on a sample
    gpu_rate : samples/s of one GPU with nothing else limiting, shape (N,)
    """
    per_sample_s = core_ms / 1000.0 / core_speed + driver_cores / gpu_rate
    rate: FloatArray = cores**core_exponent / per_sample_s
    return rate


def _gpu_rate(asked: Asked) -> FloatArray:
    """Return what the GPUs compute, as far as several of them keep in step."""
    rate: FloatArray = asked.machines.num_gpus * asked.gpu_rate * asked.ceiling
    return rate


def _gpu_log_sd(asked: Asked) -> FloatArray:
    return asked.gpu_log_sd


def _cpu_rate(asked: Asked) -> FloatArray:
    """Return what the CPU's input pipeline and the driving processes sustain."""
    machines, host, workload = asked.machines, asked.host, asked.workload
    return machines.num_gpus * input_rate(
        machines.cores / machines.num_gpus,
        machines.core_speed,
        workload.cpu_ms_per_sample if workload.loader == "real" else 0.0,
        asked.gpu_rate,
        core_exponent=host.core_exponent,
        driver_cores=host.driver_cores,
    )


def _cpu_log_sd(asked: Asked) -> FloatArray:
    machines, host = asked.machines, asked.host
    log_sd: FloatArray = np.sqrt(
        (host.core_exponent * machines.cores_log_sd) ** 2
        + machines.core_speed_log_sd**2
        + asked.workload.cpu_ms_log_sd**2
        + (np.log(machines.cores / machines.num_gpus) * host.core_exponent_sd) ** 2
    )
    return log_sd


def _faster_cores(lacking: Lacking) -> Lifts:
    here = lacking.machine
    yield "cores a quarter faster", replace(here, core_speed=_FASTER * here.core_speed)


def _more_or_faster_cores(lacking: Lacking) -> Lifts:
    yield from _faster_cores(lacking)
    here, has, enough = lacking.machine, lacking.threads, lacking.enough_threads
    if enough is not None and enough > has:
        more = math.ceil((enough - has) / _ROUND_TO) * _ROUND_TO
        grown = here.cores * (has + more) / has
        yield f"{more} more threads", replace(here, cores=grown)


def _kernel_launch_rate(asked: Asked) -> FloatArray:
    """Return what the thread that launches kernels sustains, one per GPU.

    A step launches the same kernels whatever its micro-batch; processes that
    have less than a core each take turns, and so do the threads of one process.
    """
    machines, launch_us = asked.machines, asked.host.launch_us
    kernels = asked.workload.kernels_per_step
    if asked.workload.compiled:
        kernels = kernels * COMPILED_KERNELS
    step_s = kernels * launch_us * 1e-6 / (machines.core_speed * machines.launch_factor)
    return _processes(asked) * asked.micro_batch / step_s


def _processes(asked: Asked) -> FloatArray:
    """Return how many processes run Python at once, (N,): one per GPU and core.

    `torch.nn.DataParallel` has one process, whose threads share the interpreter's lock
    (PyTorch, "Use nn.parallel.DistributedDataParallel instead of ... nn.DataParallel").
    """
    machines = asked.machines
    if asked.workload.distributed == "data-parallel":
        return np.minimum(np.ones_like(machines.cores), machines.cores)
    return np.minimum(machines.num_gpus, machines.cores)


def _kernel_launch_log_sd(asked: Asked) -> FloatArray:
    return np.hypot(asked.machines.core_speed_log_sd, asked.host.launch_log_sd)


def _worker_ipc_rate(asked: Asked) -> FloatArray:
    """Return what worker IPC sustains: samples that processes receive from workers.

    Each GPU has one process, and one thread of it receives every sample that the
    workers make, however many they are: so bytes/s of that thread, in proportion to
    the speed of its core. Processes with less than a core each take turns. Synthetic
    data come from no worker.
    """
    machines, workload = asked.machines, asked.workload
    if workload.loader == "synthetic":
        return np.full_like(machines.cores, np.inf)
    bytes_per_s = asked.host.handoff_gb_s * BYTES_PER_GB * machines.core_speed
    return _processes(asked) * bytes_per_s / workload.gpu_bytes_per_sample


def _worker_ipc_log_sd(asked: Asked) -> FloatArray:
    return np.hypot(asked.machines.core_speed_log_sd, asked.host.handoff_log_sd)


def _h2d_rate(asked: Asked) -> FloatArray:
    """Return what the host-to-device links carry."""
    machines, sample = asked.machines, asked.workload.gpu_bytes_per_sample
    per_gpu = machines.host_to_gpu_gb_s * BYTES_PER_GB / sample
    return machines.num_gpus * per_gpu


def _h2d_log_sd(asked: Asked) -> FloatArray:
    return np.full_like(asked.gpu_log_sd, asked.host.transfer_log_sd)


def _faster_link(lacking: Lacking) -> Lifts:
    here = lacking.machine
    twice = 2.0 * here.host_to_gpu_gb_s
    yield "a link to the GPU twice as fast", replace(here, host_to_gpu_gb_s=twice)


def _disk_rate(asked: Asked) -> FloatArray:
    """Return what the disk delivers once the page cache is warm.

    Samples are drawn in random order, so the share of reads that miss the cache
    is the share of the data set that does not fit in it. Where the memory is
    unknown nothing counts as cached; where the disk is unknown it does not
    limit, which the offer's flags say.
    """
    machines, dataset_gb = asked.machines, asked.workload.dataset_gb
    if not _reads_disk(asked.workload):
        return np.full_like(machines.disk_mb_s, np.inf)
    cache_gb = np.nan_to_num(machines.ram_gb, nan=0.0) * asked.host.page_cache_share
    cached = np.minimum(cache_gb, dataset_gb) / dataset_gb
    with np.errstate(divide="ignore", over="ignore"):
        rate: FloatArray = _cold_disk_rate(asked) / (1.0 - cached)
    return rate


def _cold_disk_rate(asked: Asked) -> FloatArray:
    """Return what the disk delivers while nothing of the data is cached."""
    workload, host = asked.workload, asked.host
    bytes_per_s = asked.machines.disk_mb_s * BYTES_PER_MB * host.disk_random_share
    rate: FloatArray = bytes_per_s / workload.disk_bytes_per_sample
    return np.where(np.isnan(rate) | (not _reads_disk(workload)), np.inf, rate)


def _reads_disk(workload: Workload) -> bool:
    """Return whether the training reads data: synthetic ones are on no disk."""
    return workload.dataset_gb > 0.0 and workload.loader == "real"


def _disk_log_sd(asked: Asked) -> FloatArray:
    return np.full_like(asked.gpu_log_sd, asked.host.disk_log_sd)


def _faster_disk_or_memory(lacking: Lacking) -> Lifts:
    here = lacking.machine
    yield "a disk twice as fast", replace(here, disk_mb_s=2.0 * here.disk_mb_s)
    needed_gb = lacking.workload.dataset_gb / lacking.host.page_cache_share
    if needed_gb > float(np.nan_to_num(here.ram_gb[0])):
        held = np.array([needed_gb])
        yield f"{needed_gb:,.0f} GB of memory", replace(here, ram_gb=held)


def exchange_gb(workload: Workload, steps: FloatArray, host: HostConstants) -> FloatArray:
    """Return the 10^9 bytes whose all-reduce is an optimizer step's exchange, shape (N,).

    Plain data parallel training, and sharding without the weights, all-reduces the
    gradients. Sharded weights are gathered in every forward and every backward pass and
    the gradients only scattered (ZeRO stage 3; Rajbhandari et al., SC 2020): a gather or
    a scatter moves half of what an all-reduce does, and frozen weights are moved too.

    Parameters
    ----------
    steps : micro-batches of an optimizer step, shape (N,)
    """
    each_bytes = 2.0 if workload.half_weights else host.gradient_bytes
    gradients = workload.trainable_parameters_m * each_bytes * 1e-3
    if workload.sharding != "fsdp":
        return np.full_like(steps, gradients)
    weight_bytes = 4.0 if workload.precision in {"fp32", "tf32"} else 2.0
    weights = workload.parameters_m * weight_bytes * 1e-3
    moved: FloatArray = 0.5 * gradients + steps * weights
    return moved


def _all_reduce_rate(asked: Asked) -> FloatArray:
    """Return what the all-reduce between GPUs allows; infinite for one GPU."""
    with np.errstate(divide="ignore"):
        steps_per_s = asked.bus_gb_s / asked.moved_gb
    limit: FloatArray = asked.machines.num_gpus * asked.batch * steps_per_s
    return limit * asked.ceiling


def _all_reduce_log_sd(asked: Asked) -> FloatArray:
    """Return nothing: the efficiency of several GPUs has a spread of its own."""
    return np.zeros_like(asked.gpu_log_sd)


def _linked_gpus(lacking: Lacking) -> Lifts:
    """Yield NVLink where the GPUs could have it, and have it not."""
    here, (gpu,) = lacking.machine, lacking.machine.gpu
    has_it_not = str(here.interconnect[0]).startswith("pcie")
    whole = not here.flags["gpu_slice"][0]
    can = gpu is not None and gpu.has_nvlink(int(here.num_gpus[0]))
    if can and whole and has_it_not:
        linked = np.array([_LINKED], dtype=np.object_)
        yield "NVLink between the GPUs", replace(here, interconnect=linked)


def cpu_is_known(machine: Machines, workload: Workload) -> bool:  # noqa: ARG001  (see `Limit.is_known`)
    """Say whether the CPU is known by name or family, or its threads are."""
    flags = machine.flags
    return not (flags["cpu_unknown"][0] and flags["cores_unknown"][0])


def _disk_is_known(machine: Machines, workload: Workload) -> bool:
    return workload.dataset_gb == 0.0 or bool(np.isfinite(machine.disk_mb_s[0]))


GPU = Limit("gpu", "gpu", _gpu_rate, _gpu_log_sd, "the GPU", "the GPU")
CPU = Limit(
    "cpu",
    "cpu",
    _cpu_rate,
    _cpu_log_sd,
    "the input pipeline",
    "its input pipeline",
    _more_or_faster_cores,
    is_known=cpu_is_known,
)
KERNEL_LAUNCH = Limit(
    "launch",
    "cpu",
    _kernel_launch_rate,
    _kernel_launch_log_sd,
    "kernel launches",
    f"the one thread that launches kernels {_ONE_THREAD}",
    _faster_cores,
    is_known=cpu_is_known,
)
WORKER_IPC = Limit(
    "handoff",
    "cpu",
    _worker_ipc_rate,
    _worker_ipc_log_sd,
    "worker IPC",
    f"the one thread that receives samples from the workers {_ONE_THREAD}",
    _faster_cores,
    is_known=cpu_is_known,
)
H2D = Limit(
    "transfer",
    "link",
    _h2d_rate,
    _h2d_log_sd,
    "host-to-device copies",
    "host-to-device copies",
    _faster_link,
)
DISK = Limit(
    "disk",
    "disk",
    _disk_rate,
    _disk_log_sd,
    "the disk",
    "the disk",
    _faster_disk_or_memory,
    cold_rate=_cold_disk_rate,
    is_known=_disk_is_known,
)
ALL_REDUCE = Limit(
    "gradients",
    "link",
    _all_reduce_rate,
    _all_reduce_log_sd,
    "the all-reduce of gradients",
    "the all-reduce of gradients",
    _linked_gpus,
    after_gpu=True,
)

LIMITS = (GPU, CPU, KERNEL_LAUNCH, WORKER_IPC, H2D, DISK, ALL_REDUCE)
"""The limits, in the order of the output."""
