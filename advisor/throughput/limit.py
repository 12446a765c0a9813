"""What a limit of a training's throughput is, and what several of them allow together.

The limits that there are stand in `advisor.throughput.limits`, one record each.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

import numpy as np

from advisor.base.arrays import FloatArray, ObjectArray
from advisor.base.columns import SHARED, Columns
from advisor.hardware.constants import SPREAD_OF, read_constants
from advisor.hardware.machines import Machines
from advisor.throughput.spread import Z90, Spread
from advisor.workloads.profile import Workload

Side = Literal["gpu", "cpu", "link", "disk"]
"""What a limit is of: the GPUs, the host's cores, the links to and between the GPUs, or
what the data come from."""


@dataclass(frozen=True, slots=True)
class HostConstants:
    """Constants of the limits outside the GPU; values live in the artifact.

    Attributes
    ----------
    core_exponent : throughput of an input pipeline grows as cores to this power
    core_exponent_sd : standard deviation of it
    driver_cores : cores that the process driving one GPU keeps busy
    launch_us : microseconds of a kernel launch on the reference core
    launch_log_sd : standard deviation of the logarithm of `launch_us`
    handoff_gb_s : 10^9 bytes/s of worker IPC: what one process receives from its
        loader's workers, on the reference core
    handoff_log_sd : standard deviation of the logarithm of `handoff_gb_s`
    transfer_log_sd : the same for the host-to-device bandwidth
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


@dataclass(frozen=True, slots=True)
class Asked:
    """What limits are functions of: N machines and what each of them is asked to do.

    Attributes
    ----------
    machines, workload : N machines and the profile
    host : constants of the limits outside the GPU
    gpu_rate, gpu_log_sd : samples/s of one GPU with nothing else limiting, and the log-sd
        of it, shape (N,)
    micro_batch, batch : samples that a GPU holds at once, and that it sees in an
        optimizer step, shape (N,)
    moved_gb : 10^9 bytes through each link between GPUs in one (`scaling.moved_gb`),
        shape (N,)
    bus_gb_s : all-reduce bus bandwidth, GB/s, shape (N,)
    ceiling : share of n times one GPU's rate that is left if the exchange costs nothing,
        shape (N,)
    """

    machines: Machines
    workload: Workload
    host: HostConstants
    gpu_rate: FloatArray
    gpu_log_sd: FloatArray
    micro_batch: FloatArray
    batch: FloatArray
    moved_gb: FloatArray
    bus_gb_s: FloatArray
    ceiling: FloatArray


@dataclass(frozen=True, slots=True)
class Lacking:
    """One machine that a limit holds back, for the question what would lift it.

    Attributes
    ----------
    machine : it alone (N = 1)
    threads, enough_threads : hardware threads that it has, and that would do; None where
        no number of them does
    workload, host : as in `Asked`
    """

    machine: Machines
    threads: float
    enough_threads: int | None
    workload: Workload
    host: HostConstants


Lifts = Iterable[tuple[str, Machines]]
"""Changes of a machine in words, and the machine with each of them."""


def always_known(machine: Machines, workload: Workload) -> bool:  # noqa: ARG001  (the default of `Limit`)
    """Say that what a limit follows from is known of any machine."""
    return True


def _nothing_lifts(lacking: Lacking) -> Lifts:  # noqa: ARG001  (the default of `Limit`)
    return ()


@dataclass(frozen=True, slots=True)
class Limit:
    """One thing that a training's throughput cannot go beyond.

    None may fall when a machine gets more cores, a faster core, or more PCIe or disk
    bandwidth.

    Attributes
    ----------
    name : in the output
    side : what it is of
    rate : samples/s of all GPUs together if it alone held, shape (N,)
    log_sd : standard deviation of the logarithm of that, shape (N,)
    title : what it is, as in "the disk bound it"
    waits_for : what a GPU waits for where it binds, and what would not help
    lifts : what would lift it
    cold_rate : `rate` while nothing of the data is cached; None: the same
    after_gpu : its time comes after the GPUs' own work and adds to it; what else there
        is overlaps
    is_known : whether somebody says of one machine (N = 1) what the limit follows from
    """

    name: str
    side: Side
    rate: Callable[[Asked], FloatArray]
    log_sd: Callable[[Asked], FloatArray]
    title: str
    waits_for: str
    lifts: Callable[[Lacking], Lifts] = _nothing_lifts
    cold_rate: Callable[[Asked], FloatArray] | None = None
    after_gpu: bool = False
    is_known: Callable[[Machines, Workload], bool] = always_known


@dataclass(frozen=True, slots=True)
class LimitRates(Columns):
    """What each limit allows on N machines.

    One limit, named ``"gpu"``, is that of the GPUs' own work. The GPUs wait for what
    comes after it (`Limit.after_gpu`), so their times add up (a near-minimum of order 1);
    the rest overlaps.

    Attributes
    ----------
    limits : the L limits
    rates : samples/s of all GPUs together, shape (L, N)
    order : of the near-minimum of what overlaps
    """

    limits: Sequence[Limit] = field(metadata=SHARED)
    rates: FloatArray
    order: float

    @classmethod
    def of(cls, limits: Sequence[Limit], asked: Asked) -> Self:
        """Return what limits allow."""
        rates = np.stack([one.rate(asked) for one in limits])
        return cls(limits, rates, asked.host.norm_order)

    @classmethod
    def named(
        cls, limits: Sequence[Limit], rates: Mapping[str, FloatArray], order: float
    ) -> Self:
        """Return those of `limits` that have rates, by name, shape (N,) each."""
        there = [one for one in limits if one.name in rates]
        return cls(there, np.stack([rates[one.name] for one in there]), order)

    @property
    def names(self) -> list[str]:
        """Name of each limit."""
        return [one.name for one in self.limits]

    @property
    def by_name(self) -> dict[str, FloatArray]:
        """Name of a limit -> samples/s, shape (N,)."""
        return dict(zip(self.names, self.rates, strict=True))

    def row(self, name: str) -> int:
        """Return the row of a limit."""
        return self.names.index(name)

    def cold(self, asked: Asked) -> Self:
        """Return them while nothing of the data is cached."""
        rates = self.rates.copy()
        for row, one in enumerate(self.limits):
            if one.cold_rate is not None:
                rates[row] = one.cold_rate(asked)
        return replace(self, rates=rates)

    def moved(self, name: str, factor: float) -> Self:
        """Return them with one limit so many times as high."""
        rates = self.rates.copy()
        rates[self.row(name)] *= factor
        return replace(self, rates=rates)

    def without(self, names: Collection[str]) -> Self:
        """Return them with some limits lifted altogether."""
        rates = self.rates.copy()
        rates[[self.row(name) for name in names]] = np.inf
        return replace(self, rates=rates)

    def joined(self) -> FloatArray:
        """Return what all limits together allow, samples/s, shape (N,)."""
        return near_minimum(self._overlapping(self.rates)[0], self.order)

    def _serial(self) -> list[int]:
        """Return the rows of the GPUs' own work and of what they wait for after it."""
        gpu = self.row("gpu")
        return [gpu, *(at for at, one in enumerate(self.limits) if one.after_gpu)]

    def _overlapping(self, rates: FloatArray) -> tuple[FloatArray, list[int]]:
        """Return what overlaps, and which row of that each limit is in.

        The GPUs' row is that of their own work and of what comes after it.
        """
        gpu, *after = serial = self._serial()
        joined = np.delete(rates, after, axis=0)
        rows = [at for at in range(len(rates)) if at not in after]
        place = [rows.index(gpu if at in serial else at) for at in range(len(rates))]
        joined[place[gpu]] = near_minimum(rates[serial], 1.0)
        return joined, place

    def binding(self) -> ObjectArray:
        """Return the name of the limit that holds the rate down most, shape (N,).

        The least one; but the GPUs' own work and what comes after it are one after the
        other, so they bind together where they allow less than any other limit, and then
        it is the one of them that takes longest.
        """
        serial = self._serial()
        known = np.nan_to_num(self.rates, nan=np.inf)
        with np.errstate(invalid="ignore"):
            joined, place = self._overlapping(known)
            least = np.argmin(np.nan_to_num(joined, nan=np.inf), axis=0)
        longest = np.array(serial)[np.argmin(known[serial], axis=0)]
        rows = [place.index(at) for at in range(len(joined))]
        rows[place[serial[0]]] = serial[0]
        names = np.array(self.names, dtype=np.object_)
        of_gpus = least == place[serial[0]]
        bound: ObjectArray = names[np.where(of_gpus, longest, np.array(rows)[least])]
        return bound

    def shares(self) -> FloatArray:
        """Return how much each limit moves the rate that all allow, shape (L, N).

        The derivative of the log of what they allow by the log of each; what comes after
        the GPUs' work counts with the GPUs that wait for it.
        """
        with np.errstate(divide="ignore"):
            slowness = 1.0 / self.rates
        gpu, *after = self._serial()
        for row in after:
            slowness[gpu] += slowness[row]
            slowness[row] = 0.0
        powers = (slowness / slowness.max(axis=0)) ** self.order
        shares: FloatArray = powers / powers.sum(axis=0)
        return shares

    def interval(
        self, spreads: FloatArray, efficiency: Spread | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Return the 90 % interval of what uncertain limits allow together.

        Each limit alone is moved to its own 5 % and 95 % point; the changes of the
        result, in logarithms, add up as independent errors do (root of the sum of
        squares). Unlike a derivative at the median this sees a limit that does not bind
        but might. The efficiency of several GPUs moves their own rate and what comes
        after it together.

        Parameters
        ----------
        spreads : standard deviations of the limits' logarithms, shape (L, N)
        efficiency : how uncertain that of several GPUs is, None: not at all

        Returns
        -------
        low, high : samples/s, shape (N,)
        """
        joined, place = self._overlapping(self.rates)
        gpu, *after = serial = self._serial()
        least, powers = powers_of(joined, self.order)
        total = powers.sum(axis=0)
        work = joined[place[gpu]] / self.rates[gpu]  # share of a step that is GPUs' own

        def moved(row: int, by: FloatArray) -> FloatArray:
            grown: FloatArray = np.exp(-by)
            if row == gpu:
                grown = work * grown + 1.0 - work
            elif row in after:
                others = [other for other in serial if other != row]
                rest = (joined[place[gpu]] / self.rates[others]).sum(axis=0)
                grown = rest + (1.0 - rest) * grown
            shifted: FloatArray = powers[place[row]] * grown**self.order
            return shifted

        def change(row: int, power: FloatArray) -> FloatArray:
            others = np.delete(powers, place[row], axis=0).sum(axis=0)
            log_ratio: FloatArray = np.log((others + power) / total) / -self.order
            return log_ratio

        fall, rise = np.zeros_like(least), np.zeros_like(least)
        for row, spread in enumerate(spreads):
            fall += change(row, moved(row, -Z90 * spread)) ** 2
            rise += change(row, moved(row, Z90 * spread)) ** 2
        if efficiency is not None:
            slower, faster = (np.exp(self.order * Z90 * side) for side in efficiency)
            fall += change(gpu, powers[place[gpu]] * slower) ** 2
            rise += change(gpu, powers[place[gpu]] / faster) ** 2
        middle = np.log(least) - np.log(total) / self.order
        return np.exp(middle - np.sqrt(fall)), np.exp(middle + np.sqrt(rise))


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
