"""The published statistics that the simulated market is drawn from.

The tables of ``advisor/simulator/generate/data`` are compiled by
``tools/compile_market.py``; each row names its source and how many machines
or offers it rests on.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from advisor.base.columns import read_records, typed

_FOLDER = Path(__file__).with_name("data")


@dataclass(frozen=True, slots=True)
class Quantiles:
    """A distribution given by quantiles, interpolated between them.

    Attributes
    ----------
    levels : 0 to 1, rising
    values : not falling; all positive ones are interpolated in their logs
    """

    levels: tuple[float, ...]
    values: tuple[float, ...]

    def at(self, level: float) -> float:
        """Return the quantile at a level from 0 to 1."""
        right = min(max(bisect_right(self.levels, level), 1), len(self.levels) - 1)
        low, high = self.levels[right - 1], self.levels[right]
        share = min(max((level - low) / (high - low), 0.0), 1.0)
        start, end = self.values[right - 1], self.values[right]
        if start > 0:
            return start * math.exp(share * math.log(end / start))
        return start + share * (end - start)


@dataclass(frozen=True, slots=True)
class GpuModel:
    """One GPU model and memory size: its physics and its market.

    Attributes
    ----------
    gpu_name : the market's spelling
    gpu_ram_mb : MiB
    kind : sxm, datacenter, pro or consumer
    machine_share : of all machines of the market
    price_usd_per_hour, price_log_sd : median per GPU, spread of its log
    dlperf, dlperf_log_sd : median of one GPU, spread of its log
    threads : hardware threads per GPU
    ram_gb, ram_gb_log_sd : host memory per GPU
    compute_cap : CUDA compute capability x 100
    year : of launch
    tflops_fp32, mem_bw_gb_s, tdp_w, pcie_gen, pcie_lanes, nvlink_gb_s : data sheet
    """

    gpu_name: str
    gpu_ram_mb: int
    kind: str
    machine_share: float
    price_usd_per_hour: float
    price_log_sd: float
    dlperf: float
    dlperf_log_sd: float
    threads: Quantiles
    ram_gb: float
    ram_gb_log_sd: float
    compute_cap: int
    year: int
    tflops_fp32: float
    mem_bw_gb_s: float
    tdp_w: int
    pcie_gen: int
    pcie_lanes: int
    nvlink_gb_s: int


@dataclass(frozen=True, slots=True)
class CpuModel:
    """One CPU that GPU hosts are built with.

    Attributes
    ----------
    cpu_name : the market's spelling
    platform : server, workstation or desktop
    socket, max_sockets : what boards it goes into
    cores, threads : of one CPU
    base_ghz, boost_ghz : clocks
    pcie_gen, pcie_lanes : of one CPU
    year : of the platform's launch
    hosts_seen : in the published offers
    """

    cpu_name: str
    platform: str
    socket: str
    max_sockets: int
    cores: int
    threads: int
    base_ghz: float
    boost_ghz: float
    pcie_gen: int
    pcie_lanes: int
    year: int
    hosts_seen: int


@dataclass(frozen=True, slots=True)
class DiskModel:
    """One disk: name, measured bandwidth (MB/s), size (GB), enterprise or not."""

    disk_name: str
    disk_bw_mb_s: float
    capacity_gb: int
    enterprise: bool


class Candidate(NamedTuple):
    """CPUs that machines of one kind can be built with.

    Attributes
    ----------
    cpu, sockets : model, and how many of it
    log_share : ln of how often its kind and it were seen
    log_threads : ln of the machine's hardware threads
    age : of the CPU less the GPU's, in standard deviations
    """

    cpu: CpuModel
    sockets: int
    log_share: float
    log_threads: float
    age: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """All tables.

    Attributes
    ----------
    gpus, cpus, disks : models
    boards : (socket, number of CPUs, whether for SXM GPUs) -> names
    quantiles : (quantity, group) -> distribution
    shares : (quantity, group) -> value -> share
    candidates : (GPU, number of them, whether a miner's CPU may be) -> CPUs; filled as
        machines are drawn
    """

    gpus: tuple[GpuModel, ...]
    cpus: tuple[CpuModel, ...]
    disks: tuple[DiskModel, ...]
    boards: Mapping[tuple[str, int, bool], tuple[str, ...]]
    quantiles: Mapping[tuple[str, str], Quantiles]
    shares: Mapping[tuple[str, str], Mapping[str, float]]
    candidates: dict[tuple[GpuModel, int, bool], tuple[Candidate, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def share(self, quantity: str, group: str, value: str) -> float:
        """Return one share, 0 where it was never seen."""
        return self.shares[quantity, group].get(value, 0.0)


@cache
def load_calibration() -> Calibration:
    """Read the tables that ship with the package, once per process."""
    boards: dict[tuple[str, int, bool], tuple[str, ...]] = {}
    for row in _rows("boards"):
        for sxm in (False, True):
            key = row["socket"], int(row["sockets"]), sxm
            if sxm or row["sxm_only"] == "0":
                boards[key] = (*boards.get(key, ()), row["mobo_name"])
    shares: dict[tuple[str, str], dict[str, float]] = {}
    for row in _rows("shares"):
        group = shares.setdefault((row["quantity"], row["group"]), {})
        group[row["value"]] = float(row["share"])
    return Calibration(
        gpus=tuple(_gpu(row) for row in _rows("gpus")),
        cpus=tuple(CpuModel(**typed(CpuModel, row)) for row in _rows("cpus")),
        disks=tuple(DiskModel(**typed(DiskModel, row)) for row in _rows("disks")),
        boards=boards,
        quantiles={
            (row["quantity"], row["group"]): _quantiles(row, "p")
            for row in _rows("quantiles")
        },
        shares=shares,
    )


def _rows(table: str) -> list[dict[str, str]]:
    return read_records(_FOLDER / f"{table}.csv")


def _quantiles(row: Mapping[str, str], prefix: str) -> Quantiles:
    """Return the columns ``<prefix>00`` to ``<prefix>100`` as a distribution."""
    columns = {
        int(name.removeprefix(prefix)): float(value)
        for name, value in row.items()
        if name.startswith(prefix) and name.removeprefix(prefix).isdigit()
    }
    levels = sorted(columns)
    return Quantiles(
        levels=tuple(level / 100 for level in levels),
        values=tuple(columns[level] for level in levels),
    )


def _gpu(row: Mapping[str, str]) -> GpuModel:
    threads = _quantiles(row, "threads_p")
    return GpuModel(threads=threads, **typed(GpuModel, row, "threads"))
