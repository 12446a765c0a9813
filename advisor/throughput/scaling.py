"""What several GPUs of one machine lose to each other, as the ranking uses it.

A ring all-reduce moves 2 (n - 1) / n times the gradients through every GPU (Patarasuk
and Yuan 2009), once an optimizer step. Its time adds to that of the step, and a share
is lost that scales with nothing (waiting for the slowest):

    efficiency = ceiling / (1 + exchange / step)
    exchange = 2 (n - 1) / n x gradient bytes / bus
    bus = link x share x (n / 2)^-contention / exp(gpu + workload)
    ceiling = 1 / (1 + loss x log2 n)

``link`` is a property of the machine, without peer-to-peer `STAGED_GB_S` at most;
``share``, ``contention`` and ``loss`` belong to the interconnect class; the two effects
are zero for a GPU or workload that nobody measured. `advisor.training.fit.scaling` fits
them; here is NumPy alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np

from advisor.base.arrays import FloatArray, StrArray, among, ascending
from advisor.base.columns import Columns
from advisor.base.errors import AdvisorError
from advisor.hardware.gpus import Gpu
from advisor.hardware.machines import (
    HOST_TO_GPU_BOUNDS_GB_S,
    PCIE_EFFICIENCY,
    PCIE_GB_S_PER_LANE,
)
from advisor.throughput.spread import Spread

CLASSES = ("pcie", "pcie-p2p", "sxm")
"""Interconnect classes that have measurements."""

STANDS_IN = {"nvlink": "pcie-p2p"}
"""Class without measurements of its own -> the class it is at least."""

NVLINK_GB_S: Mapping[str, float] = {
    "Pascal": 80.0,
    "Volta": 150.0,
    "Ampere": 300.0,
    "Hopper": 450.0,
    "Blackwell": 900.0,
    "CDNA": 448.0,
}
"""Architecture -> 10^9 bytes/s that leave one GPU over the links of its board, all of
them together, one direction (data sheets of P100, V100, A100, H100, B200, MI300X)."""

STAGED_GB_S = 16 * PCIE_GB_S_PER_LANE[2] * PCIE_EFFICIENCY
"""What the link of a GPU without peer-to-peer counts as at most, 10^9 bytes/s: 16 lanes
of PCIe 3.0. Its gradients go through the host's memory, both ways at once, and that fills
no faster link: on 16 lanes of PCIe 4.0 pairs of A40 with peer-to-peer disabled copy at 19
to 21 GB/s, both directions together, at 39 to 50 with it (p2pBandwidthLatencyTest in
NVIDIA/nccl-tests issue 74). Below it the link counts. Any lower bound would fit the table
as well, in which all such cards have 16 lanes of PCIe 3.0 or 4.0."""

KINDS = ("pair", "gpu", "workload")
"""What was held out for a spread: the pair of GPU and workload, all of the GPU, all of
the workload."""


@dataclass(frozen=True, slots=True)
class Scaling:
    """Fitted numbers of the efficiency of several GPUs.

    Attributes
    ----------
    share : class -> bus over link, two GPUs
    contention : class -> exponent by which the bus falls with the number of GPUs
    loss : class -> time lost for each doubling of the GPUs, of a step's
    gpu, workload : name -> ln of how much longer its exchange takes; 0 if absent
    spread_floor, spread_growth, spread_slope : ``kind/class`` -> log-sd downwards of the
        efficiency of two GPUs where nothing is lost, its growth with each doubling of
        the GPUs, and with -ln efficiency
    spread_rise : ``kind/class`` -> log-sd upwards, of that downwards
    rows : class -> measurements behind it
    """

    share: Mapping[str, float]
    contention: Mapping[str, float]
    loss: Mapping[str, float]
    gpu: Mapping[str, float]
    workload: Mapping[str, float]
    spread_floor: Mapping[str, float]
    spread_growth: Mapping[str, float]
    spread_slope: Mapping[str, float]
    spread_rise: Mapping[str, float]
    rows: Mapping[str, float]

    @classmethod
    def from_dict(cls, section: Mapping[str, Mapping[str, float]]) -> Self:
        """Read the section of the artifact; an empty one is of a table without pairs.

        Raises
        ------
        advisor.base.errors.AdvisorError
            if it is of another version
        """
        try:
            return cls(**(section or {one.name: {} for one in fields(cls)}))
        except TypeError as error:
            message = f"the model artifact has another form of scaling: {error}"
            raise AdvisorError(message) from error

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return asdict(self)

    def of(
        self, interconnect: StrArray, gpu: StrArray, workload: StrArray | str
    ) -> Coefficients:
        """Return what holds for the links of N machines.

        A GPU or workload that was not measured has the spread of those that were held
        out, where that is larger.

        Parameters
        ----------
        interconnect : (N,) class
        gpu : (N,) name in the GPU table
        workload : name in the benchmark table, one for all or (N,); empty if it has none
        """
        workloads = np.broadcast_to(np.asarray(workload, dtype=np.str_), gpu.shape)
        of_class = measured_class(interconnect)
        counts = {
            "pair": np.ones(len(gpu), dtype=bool),
            "gpu": ~among(gpu, self.gpu),
            "workload": ~among(workloads, self.workload),
        }

        def spreads(values: Mapping[str, float], otherwise: float) -> FloatArray:
            rows = [
                np.where(
                    counts[kind],
                    look_up(values, np.char.add(f"{kind}/", of_class), np.nan),
                    otherwise,
                )
                for kind in KINDS
            ]
            return np.stack(rows)

        return Coefficients(
            share=look_up(self.share, of_class, np.nan),
            contention=look_up(self.contention, of_class, np.nan),
            loss=look_up(self.loss, of_class, np.nan),
            effect=look_up(self.gpu, gpu, 0.0) + look_up(self.workload, workloads, 0.0),
            floor=spreads(self.spread_floor, -np.inf),
            growth=spreads(self.spread_growth, 0.0),
            slope=spreads(self.spread_slope, 0.0),
            rise=spreads(self.spread_rise, 0.0),
        )

    def bus_gb_s(
        self,
        interconnect: StrArray,
        gpu: StrArray,
        workload: str,
        num_gpus: FloatArray,
        link_gb_s: FloatArray,
    ) -> FloatArray:
        """Return the (N,) bus of N machines, see `of` and `Coefficients.bus_gb_s`."""
        return self.of(interconnect, gpu, workload).bus_gb_s(num_gpus, link_gb_s)

    def ceiling(self, interconnect: StrArray, num_gpus: FloatArray) -> FloatArray:
        """Return the (N,) ceiling of N machines, see `Coefficients.ceiling`."""
        nameless = np.full(len(num_gpus), "")
        return self.of(interconnect, nameless, "").ceiling(num_gpus)

    def log_sd(
        self,
        interconnect: StrArray,
        gpu: StrArray,
        workload: str,
        num_gpus: FloatArray,
        share: FloatArray,
    ) -> Spread:
        """Return the spread of N machines, see `of` and `Coefficients.log_sd`."""
        return self.of(interconnect, gpu, workload).log_sd(num_gpus, share)


@dataclass(frozen=True, slots=True)
class Coefficients(Columns):
    """What holds for the links of N machines and one workload.

    Attributes
    ----------
    share, contention, loss : of the class of each, see `Scaling`, (N,)
    effect : ln of how much longer the exchange takes, (N,)
    floor, growth, slope, rise : of the spread of each kind that counts, (kinds, N)
    """

    share: FloatArray
    contention: FloatArray
    loss: FloatArray
    effect: FloatArray
    floor: FloatArray
    growth: FloatArray
    slope: FloatArray
    rise: FloatArray

    def bus_gb_s(self, num_gpus: FloatArray, link_gb_s: FloatArray) -> FloatArray:
        """Return the (N,) all-reduce bus bandwidth, 10^9 bytes/s.

        Parameters
        ----------
        num_gpus : (N,) GPUs that share a step
        link_gb_s : (N,) see `links_gb_s`
        """
        crowd = np.maximum(num_gpus / 2.0, 1.0) ** -self.contention
        bus: FloatArray = link_gb_s * self.share * crowd * np.exp(-self.effect)
        return bus

    def ceiling(self, num_gpus: FloatArray) -> FloatArray:
        """Return the (N,) efficiency that is left if the exchange costs nothing."""
        share: FloatArray = 1.0 / (1.0 + self.loss * np.log2(num_gpus))
        return share

    def log_sd(self, num_gpus: FloatArray, share: FloatArray) -> Spread:
        """Return the standard deviation of ln efficiency, 0 for one GPU.

        It grows with the GPUs and with what is lost; the largest of the kinds counts.

        Parameters
        ----------
        num_gpus : (N,) GPUs that share a step
        share : (N,) predicted efficiency
        """
        growth = self.growth * np.log2(num_gpus / 2.0)
        fall = self.floor + growth - self.slope * np.log(share)
        rise = np.where(np.isneginf(self.floor), 0.0, fall) * self.rise
        several = num_gpus > 1
        return Spread(*(np.where(several, s.max(axis=0), 0.0) for s in (fall, rise)))


def efficiency(
    num_gpus: FloatArray,
    gradient_gb: FloatArray | float,
    step_s: FloatArray,
    bus_gb_s: FloatArray,
    ceiling: FloatArray,
) -> FloatArray:
    """Return (N,) rate of n GPUs over n times that of one.

    Parameters
    ----------
    num_gpus : (N,) GPUs that share a step
    gradient_gb : 10^9 bytes of gradients, (N,) or one for all
    step_s : (N,) seconds of an optimizer step on one GPU
    bus_gb_s : (N,) 10^9 bytes/s of the exchange
    ceiling : (N,) what is reached when the exchange costs nothing
    """
    exchange_s = moved_gb(num_gpus, gradient_gb) / bus_gb_s
    share: FloatArray = ceiling / (1.0 + exchange_s / step_s)
    return share


def limit_bus(
    num_gpus: FloatArray,
    gradient_gb: FloatArray | float,
    step_s: FloatArray,
    bus_gb_s: FloatArray,
    ceiling: FloatArray,
) -> FloatArray:
    """Return the (N,) bus, raised to where n GPUs are as fast as one.

    A job that its exchange makes slower than on one GPU is run on one. Parameters as
    in `efficiency`.
    """
    spare_s = step_s * np.maximum(num_gpus * ceiling - 1.0, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        least = np.where(num_gpus > 1, moved_gb(num_gpus, gradient_gb) / spare_s, 0.0)
    return np.fmax(bus_gb_s, least)


def moved_gb(num_gpus: FloatArray, gradient_gb: FloatArray | float) -> FloatArray:
    """Return 10^9 bytes that a ring all-reduce moves through each GPU, shape (N,)."""
    return 2.0 * (num_gpus - 1.0) / num_gpus * gradient_gb


def links_gb_s(
    interconnect: StrArray, architecture: StrArray, host_to_gpu_gb_s: FloatArray
) -> FloatArray:
    """Return the (N,) bandwidth of the link that the exchange takes, 10^9 bytes/s.

    NVLink on the board for ``"sxm"`` (of an architecture in no list: the slowest that
    there is), else the GPU's link to its host, see `host_links_gb_s`.
    """
    least = min(NVLINK_GB_S.values())
    nvlink = {
        str(name): rate
        for name in ascending(architecture)
        for family, rate in NVLINK_GB_S.items()
        if str(name).startswith(family)
    }
    board = look_up(nvlink, architecture, least)
    hosts = host_links_gb_s(interconnect, host_to_gpu_gb_s)
    return np.where(interconnect == "sxm", board, hosts)


def host_links_gb_s(interconnect: StrArray, host_to_gpu_gb_s: FloatArray) -> FloatArray:
    """Return the (N,) bandwidth of an exchange over the hosts' links, 10^9 bytes/s.

    Without peer-to-peer `STAGED_GB_S` at most; NaN where that of the link is.
    """
    staged = measured_class(interconnect) == "pcie"
    links: FloatArray = np.minimum(
        host_to_gpu_gb_s, np.where(staged, STAGED_GB_S, np.inf)
    )
    return links


def nominal_host_to_gpu_gb_s(gpus: Iterable[Gpu]) -> FloatArray:
    """Return the (N,) host-to-GPU bandwidth that each GPU is built for, 10^9 bytes/s."""
    rates = [
        PCIE_GB_S_PER_LANE[int(gpu.pcie_gen) - 1] * gpu.pcie_lanes * PCIE_EFFICIENCY
        for gpu in gpus
    ]
    return np.clip(np.array(rates, dtype=np.float64), *HOST_TO_GPU_BOUNDS_GB_S)


def measured_class(interconnect: StrArray) -> StrArray:
    """Return the (N,) class that stands for each; the slowest where one is new."""
    names = ascending(interconnect)
    known = {str(n): STANDS_IN.get(str(n), str(n)) for n in names}
    known = {n: c if c in CLASSES else CLASSES[0] for n, c in known.items()}
    unique, code = np.unique(interconnect, return_inverse=True)
    return np.array([known[str(n)] for n in unique], dtype=np.str_)[code]


def look_up(values: Mapping[str, float], names: StrArray, otherwise: float) -> FloatArray:
    """Return the (N,) values of names, `otherwise` for a name without one."""
    unique, code = np.unique(names, return_inverse=True)
    found = [values.get(str(name), otherwise) for name in unique]
    return np.array(found, dtype=np.float64)[code]
