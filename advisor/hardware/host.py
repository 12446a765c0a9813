"""The cores of a host: how fast one is, how many there are, and what is assumed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, distinct
from advisor.hardware.core_speed import (
    MAX_CLOCK_GHZ,
    CoreSpeed,
    CpuConstants,
    is_desktop_brand,
    named_speed,
    unnamed_speed,
)
from advisor.hardware.cpus import Cpu, CpuTable, FamilyCpu, TypicalCpu
from advisor.market.facts import MachineFacts

THREADS_PER_GPU = 16.0
"""Threads per GPU where an offer says nothing: median of 1,447 published offers (June
to September 2026); their logarithms have a standard deviation of 0.71."""

THREADS_PER_GPU_LOG_SD = 0.71

_SERVER_SOCKETS = 2.0
"""Sockets that a host of server CPUs is taken to have at most where nobody counts its
threads; any other has one."""

_ROUNDED = 1.01  # threads of an offer over those of its machine, as markets round them


class Cores(NamedTuple):
    """The cores of N offers, shape (N,) each.

    Attributes
    ----------
    speed, speed_log_sd : of one core, and the log-sd of it
    threads : hardware threads of the offer, assumed where the market does not say
    cores, cores_log_sd : those threads weighted by what they add, and the log-sd of it
    flags : ``cpu_unknown``, ``cpu_family``, ``cores_unknown``, ``clock_capped``,
        ``threads_contradictory``, see `Machines`
    """

    speed: FloatArray
    speed_log_sd: FloatArray
    threads: FloatArray
    cores: FloatArray
    cores_log_sd: FloatArray
    flags: Mapping[str, BoolArray]


class _Named(NamedTuple):
    """What the names of the CPUs say of each offer, shape (N,); NaN where nothing.

    Attributes
    ----------
    known, of_family : whether the CPU is known, and whether by its family alone
    one_each : whether each thread has a core of its own
    threads, threads_log_sd : of one socket
    one_socket, most : most threads of a machine of one socket, which any but a server
        is, and of one whose sockets are unknown
    """

    known: BoolArray
    of_family: BoolArray
    one_each: BoolArray
    threads: FloatArray
    threads_log_sd: FloatArray
    one_socket: FloatArray
    most: FloatArray


def describe_cores(
    facts: MachineFacts,
    cpus: CpuTable,
    constants: CpuConstants,
    *,
    threads_per_gpu: float = THREADS_PER_GPU,
) -> Cores:
    """Say what the cores of `offers` are.

    Threads that the market does not count are those of one CPU where the offer is the
    whole machine and the CPU's name states them, else a usual number; never more than the
    name allows.

    Parameters
    ----------
    constants : of core speeds and of hardware threads
    threads_per_gpu : threads where nothing says how many there are
    """
    names, code = distinct(facts.cpu_name.tolist())
    cpu = [cpus.identify(name) for name in names]
    named = _named(cpu, code)
    speed, speed_log_sd = _core_speeds(cpu, code, facts, constants)
    threads, threads_log_sd, flags = _threads(facts, named, threads_per_gpu)
    share = np.where(named.one_each, 1.0, constants.core_per_thread)
    share_log_sd = np.where(
        named.one_each, constants.whole_core_log_sd, constants.core_per_thread_log_sd
    )
    with np.errstate(invalid="ignore"):
        clock_capped = facts.cpu_ghz > MAX_CLOCK_GHZ
    return Cores(
        speed,
        speed_log_sd,
        threads,
        threads * share,
        np.hypot(share_log_sd, threads_log_sd),
        {
            "cpu_unknown": ~named.known,
            "cpu_family": named.of_family,
            "clock_capped": clock_capped,
            **flags,
        },
    )


def _named(cpu: Sequence[Cpu | None], code: IntArray) -> _Named:
    """Return what CPUs say, of which each offer has the one that `code` says."""
    rows = [_of_one(one) for one in cpu]
    columns: FloatArray = np.array(rows, dtype=np.float64).reshape(-1, 7)[code]
    known, of_family, one_each, *numbers = columns.T
    return _Named(known > 0, of_family > 0, one_each > 0, *numbers)


def _of_one(cpu: Cpu | None) -> tuple[float, ...]:
    """Return the row of `_Named` for one CPU."""
    if cpu is None:
        return (0.0, 0.0, 0.0, math.nan, 0.0, math.nan, math.nan)
    log_sd, most, is_server = 0.0, cpu.threads, cpu.segment in {"server", ""}
    sockets = _SERVER_SOCKETS if is_server else 1.0
    of_family = isinstance(cpu, FamilyCpu)
    if isinstance(cpu, TypicalCpu):
        log_sd, most = cpu.threads_log_sd, cpu.most_threads
        sockets = min(sockets, cpu.sockets)
    one_socket = math.nan if is_server and sockets > 1.0 else most
    one_each = cpu.threads == cpu.cores
    return (1.0, of_family, one_each, cpu.threads, log_sd, one_socket, sockets * most)


def _threads(
    facts: MachineFacts, named: _Named, per_gpu: float
) -> tuple[FloatArray, FloatArray, dict[str, BoolArray]]:
    """Return the threads of each offer, the log-sd of them, and what to know of them.

    Where the market counts more threads than the machine or its one CPU has, the fewer
    are taken; half of the factor between them is their log-sd.
    """
    stated = facts.cpu_threads
    unknown = np.isnan(stated)
    by_name = unknown & (facts.gpu_frac == 1.0) & np.isfinite(named.threads)
    usual = np.fmin(per_gpu * facts.num_gpus, named.most)
    assumed = np.where(by_name, named.threads, usual)
    assumed_log_sd = np.where(by_name, named.threads_log_sd, THREADS_PER_GPU_LOG_SD)
    most = np.fmin(named.one_socket, facts.cpu_cores)
    with np.errstate(invalid="ignore"):
        beyond = stated > _ROUNDED * most
    fewer = np.fmin(stated, most)
    beyond_log_sd = np.where(beyond, 0.5 * np.log(stated / fewer), 0.0)
    return (
        np.where(unknown, assumed, fewer),
        np.where(unknown, assumed_log_sd, beyond_log_sd),
        {"cores_unknown": unknown & ~by_name, "threads_contradictory": beyond},
    )


def _core_speeds(
    cpu: Sequence[Cpu | None],
    named: IntArray,
    facts: MachineFacts,
    constants: CpuConstants,
) -> tuple[FloatArray, FloatArray]:
    """Return the speed of one core and the log-sd of it, shape (N,) each.

    Parameters
    ----------
    cpu : the distinct CPUs
    named : which of them each offer has, shape (N,)
    """
    nothing = (np.nan, np.nan)
    speeds = [nothing if one is None else named_speed(one, constants) for one in cpu]
    both: FloatArray = np.array(speeds, dtype=np.float64).reshape(-1, 2)[named]
    (places,) = np.nonzero(np.isnan(both[:, 0]))
    stated = zip(
        facts.cpu_ghz[places].tolist(),
        facts.pci_gen[places].tolist(),
        facts.cpu_name[places].tolist(),
        strict=True,
    )
    seen: dict[tuple[float, float, str], CoreSpeed] = {}
    for place, (ghz, generation, name) in zip(places.tolist(), stated, strict=True):
        key = (ghz, generation, name)
        if key not in seen:
            desktop = is_desktop_brand(name)
            seen[key] = unnamed_speed(ghz, generation, desktop, constants)
        both[place] = seen[key]
    return both[:, 0], both[:, 1]
