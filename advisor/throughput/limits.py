"""The limits of a training's throughput, each in samples/s of all GPUs together.

Every limit is what the job would reach if nothing else held it back. None falls
when a machine gets more cores, a faster core, or more PCIe or disk bandwidth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from advisor.base.arrays import FloatArray, ObjectArray
from advisor.hardware.constants import SPREAD_OF, read_constants
from advisor.hardware.machines import Machines
from advisor.workloads.profile import Workload

LIMITS = ("gpu", "cpu", "launch", "handoff", "transfer", "disk", "gradients")
"""Names of the limits, in the order of the arrays' first axis."""


@dataclass(frozen=True, slots=True)
class HostConstants:
    """Constants of the limits outside the GPU; values live in the artefact.

    Attributes
    ----------
    core_exponent : throughput of an input pipeline grows as cores to this power
    core_exponent_sd : standard deviation of it
    driver_cores : cores that the process driving one GPU keeps busy
    launch_us : microseconds in which the reference core launches one kernel
    launch_log_sd : standard deviation of the logarithm of `launch_us`
    handoff_gb_s : 10^9 bytes/s that one process takes from its loader's workers, on
        the reference core
    handoff_log_sd : standard deviation of the logarithm of `handoff_gb_s`
    transfer_log_sd : the same for the host-to-GPU bandwidth
    disk_random_share : share of the measured disk bandwidth that reads of whole
        samples in random order get
    disk_log_sd : standard deviation of the logarithm of what a disk delivers
    page_cache_share : share of the host memory that caches the data set
    gradient_bytes : bytes a gradient of one parameter has on the wire
    norm_order : order of the p-norm that joins the limits
    """

    core_exponent: float
    core_exponent_sd: float = field(metadata={SPREAD_OF: "core_exponent"})
    driver_cores: float
    launch_us: float
    launch_log_sd: float = field(metadata={SPREAD_OF: "launch_us"})
    handoff_gb_s: float
    handoff_log_sd: float = field(metadata={SPREAD_OF: "handoff_gb_s"})
    transfer_log_sd: float
    disk_random_share: float
    disk_log_sd: float = field(metadata={SPREAD_OF: "disk_random_share"})
    page_cache_share: float
    gradient_bytes: float
    norm_order: float

    @classmethod
    def from_dict(cls, section: Mapping[str, Any]) -> Self:
        """Read the constants from ``{name: {"value": ..., "source": ...}}``."""
        return read_constants(cls, section)


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


def cpu_limit(
    machines: Machines, workload: Workload, gpu_rate: FloatArray, host: HostConstants
) -> FloatArray:
    """Return what the CPU's input pipeline and the driving processes sustain.

    Parameters
    ----------
    gpu_rate : samples/s of one GPU with nothing else limiting, shape (N,)

    Returns
    -------
    samples/s of all GPUs together, shape (N,)
    """
    return machines.num_gpus * input_rate(
        machines.cores / machines.num_gpus,
        machines.core_speed,
        workload.cpu_ms_per_sample,
        gpu_rate,
        core_exponent=host.core_exponent,
        driver_cores=host.driver_cores,
    )


def launch_limit(
    machines: Machines, workload: Workload, micro_batch: FloatArray, host: HostConstants
) -> FloatArray:
    """Return what one launching thread a GPU sustains, shape (N,).

    A step launches the same kernels whatever its micro-batch; processes that
    have less than a core each take turns.
    """
    step_s = workload.kernels_per_step * host.launch_us * 1e-6 / machines.core_speed
    threads = np.minimum(machines.num_gpus, machines.cores)
    return threads * micro_batch / step_s


def handoff_limit(
    machines: Machines, workload: Workload, host: HostConstants
) -> FloatArray:
    """Return what the processes take over from their loaders' workers, shape (N,).

    Each GPU has one process, and one thread of it receives every sample that the
    workers make, however many they are: so bytes/s of that thread, in proportion to
    the speed of its core. Processes with less than a core each take turns.
    """
    processes = np.minimum(machines.num_gpus, machines.cores)
    bytes_per_s = host.handoff_gb_s * 1e9 * machines.core_speed
    return processes * bytes_per_s / workload.gpu_bytes_per_sample


def transfer_limit(machines: Machines, workload: Workload) -> FloatArray:
    """Return what the host-to-GPU links carry, shape (N,)."""
    per_gpu = machines.host_to_gpu_gb_s * 1e9 / workload.gpu_bytes_per_sample
    return machines.num_gpus * per_gpu


def disk_limit(machines: Machines, workload: Workload, host: HostConstants) -> FloatArray:
    """Return what the disk delivers once the page cache is warm, shape (N,).

    Samples are drawn in random order, so the share of reads that miss the cache
    is the share of the data set that does not fit in it. Where the memory is
    unknown nothing counts as cached; where the disk is unknown it does not
    limit, which the offer's flags say.
    """
    if workload.dataset_gb == 0.0:
        return np.full_like(machines.disk_mb_s, np.inf)
    cache_gb = np.nan_to_num(machines.ram_gb, nan=0.0) * host.page_cache_share
    cached = np.minimum(cache_gb, workload.dataset_gb) / workload.dataset_gb
    with np.errstate(divide="ignore", over="ignore"):
        rate: FloatArray = cold_disk_limit(machines, workload, host) / (1.0 - cached)
    return rate


def cold_disk_limit(
    machines: Machines, workload: Workload, host: HostConstants
) -> FloatArray:
    """Return what the disk delivers while nothing of the data is cached, shape (N,)."""
    bytes_per_s = machines.disk_mb_s * 1e6 * host.disk_random_share
    rate: FloatArray = bytes_per_s / workload.disk_bytes_per_sample
    return np.where(np.isnan(rate) | (workload.dataset_gb == 0.0), np.inf, rate)


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
    gradients = workload.trainable_parameters_m * host.gradient_bytes * 1e-3
    if workload.sharding != "fsdp":
        return np.full_like(steps, gradients)
    weight_bytes = 4.0 if workload.precision in {"fp32", "tf32"} else 2.0
    weights = workload.parameters_m * weight_bytes * 1e-3
    moved: FloatArray = 0.5 * gradients + steps * weights
    return moved


def gradient_limit(
    machines: Machines, batch: FloatArray, moved: FloatArray, bus_gb_s: FloatArray
) -> FloatArray:
    """Return what the exchange between GPUs allows, shape (N,); infinite for one GPU.

    Parameters
    ----------
    batch : samples per GPU and optimizer step, shape (N,)
    moved : 10^9 bytes through each link in one (`scaling.moved_gb`), shape (N,)
    bus_gb_s : all-reduce bus bandwidth of each machine, GB/s, shape (N,)
    """
    with np.errstate(divide="ignore"):
        steps_per_s = bus_gb_s / moved
    limit: FloatArray = machines.num_gpus * batch * steps_per_s
    return limit


def join(limits: FloatArray, order: float) -> FloatArray:
    """Return what all limits together allow, samples/s, shape (N,).

    The exchange of gradients takes its time after the GPUs' own work, so these two
    add up (a near-minimum of order 1); the rest overlaps.

    Parameters
    ----------
    limits : samples/s, in the order of `LIMITS`, shape (limits, N)
    order : of the near-minimum of what overlaps
    """
    return near_minimum(with_exchange(limits), order)


def with_exchange(limits: FloatArray) -> FloatArray:
    """Return what overlaps, shape (limits - 1, N): the GPUs wait for their exchange."""
    gpu, gradients = LIMITS.index("gpu"), LIMITS.index("gradients")
    joined = np.delete(limits, gradients, axis=0)
    joined[gpu] = near_minimum(limits[[gpu, gradients]], 1.0)
    return joined


def binding(limits: FloatArray) -> ObjectArray:
    """Return the name of the limit that holds the rate down most, shape (N,).

    The least one; but the GPUs' own work and their exchange are one after the other, so
    they bind together where the two of them allow less than any other limit, and then it
    is the one of them that takes longer.

    Parameters
    ----------
    limits : samples/s, in the order of `LIMITS`, shape (limits, N)
    """
    gpu, gradients = LIMITS.index("gpu"), LIMITS.index("gradients")
    known = np.nan_to_num(limits, nan=np.inf)
    with np.errstate(invalid="ignore"):
        least = np.argmin(np.nan_to_num(with_exchange(known), nan=np.inf), axis=0)
    names = np.array([name for name in LIMITS if name != "gradients"], dtype=np.object_)
    bound: ObjectArray = names[least]
    bound[(least == gpu) & (known[gradients] < known[gpu])] = "gradients"
    return bound


def near_minimum(limits: FloatArray, order: float) -> FloatArray:
    """Return the p-norm minimum over the first axis: two equal limits cost a little.

    ``(sum of L^-p)^(-1/p)``, which is below the least limit and does not fall
    when any limit rises. Infinite limits do not count.
    """
    least, powers = powers_of(limits, order)
    joined: FloatArray = least * powers.sum(axis=0) ** (-1.0 / order)
    return joined


def powers_of(limits: FloatArray, order: float) -> tuple[FloatArray, FloatArray]:
    """Return the least limit L0, shape (N,), and (L / L0)^-p of each, (limits, N)."""
    least = limits.min(axis=0)
    with np.errstate(invalid="ignore"):
        shares = np.where(np.isinf(limits), 0.0, least / limits)
    powers: FloatArray = shares if order == 1.0 else shares**order
    return least, powers
