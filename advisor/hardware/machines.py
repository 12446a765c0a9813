"""Machines as physics: what each machine's GPUs, cores, links and disk can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray, distinct
from advisor.base.assumption import Range, stated
from advisor.base.columns import SHARED, Columns
from advisor.base.units import MIB_PER_GB
from advisor.hardware.card_state import AS_USUAL, EXPONENT, card_state
from advisor.hardware.contradictions import weighed_cards
from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import Gpu, GpuTable
from advisor.hardware.host import THREADS_PER_GPU, describe_cores
from advisor.hardware.power import SPREAD, STATIC_SHARE
from advisor.market.facts import MachineFacts

PCIE_GB_S_PER_LANE = (0.25, 0.5, 0.985, 1.969, 3.938, 7.563)
"""10^9 bytes/s of one lane by generation, 1 to 6 (PCI-SIG, encoding included)."""

PCIE_EFFICIENCY = 0.8
"""Share of it that copies from pinned memory reach (published: 12 of 15.8 GB/s on
generation 3, 25 of 31.5 on generation 4)."""

HOST_TO_GPU_BOUNDS_GB_S = (0.2, 60.0)
"""Below and above it no working link of generation 1 to 5 has been measured."""

# A GPU whose limit is below this share of its nominal power is slowed on purpose: that is
# said. What it costs is counted from the first watt, see `power`.
_POWER_CAPPED = 0.9

_FIRST_BF16 = 8.0  # CUDA compute capability of the first cores with BF16 and TF32

_RATES = ("fp32_tflops", "tf32_tflops", "fp16_tflops", "bf16_tflops")


@dataclass(frozen=True, slots=True)
class Machines(Columns):
    """N machines as physics, one array entry each, in the order of the facts.

    Attributes
    ----------
    models : the rows of the GPU table, and None for a GPU that is in none
    model : which of them each machine has
    num_gpus : GPUs
    gpu_memory_gb : GiB of one GPU, NaN where unknown; of the smallest
    slowest_share : rate of the slowest GPU over that of the model, 1 where all are what
        the offer names and nothing speaks against it
    gpu_log_sd : what that adds to the standard deviation of the rate's logarithm
    gpu_state : what power limit and measured figures leave of the rate, at most 1, see
        `hardware.card_state`
    gpu_state_log_sd : standard deviation of its natural logarithm
    fp32_tflops, tf32_tflops, fp16_tflops, bf16_tflops : usable matrix rates of one
        GPU, 10^12 FLOP/s; a precision that it lacks runs at the FP32 rate, as in
        PyTorch; NaN where the GPU is unknown and the market does not describe it
    memory_bandwidth_gb_s : of one GPU, 10^9 bytes/s; NaN likewise
    tdp_w, sm_count, boost_mhz, year : of one GPU; NaN where unknown
    interconnect : class of the links between GPUs, see `Gpu`
    host_to_gpu_gb_s : host-to-GPU copies of one GPU, 10^9 bytes/s
    core_speed : speed of one core, 1 at a PassMark single-thread score of 2,100
    core_speed_log_sd : standard deviation of its natural logarithm
    launch_factor : how fast one core launches kernels beside `core_speed`, 1 where nobody
        measured it
    threads : hardware threads of the whole offer, assumed where nobody counts them
    cores : cores of the whole offer, hardware threads weighted by what they add
    cores_log_sd : standard deviation of its natural logarithm
    ram_gb : host memory of the offer, 10^9 bytes; NaN where unknown
    disk_mb_s : disk bandwidth, 10^6 bytes/s; NaN where unknown
    flags : name -> whether it holds, shape (N,) each: ``gpu_unknown`` (in no table,
        guessed from the market's figures), ``cpu_unknown``, ``cpu_family`` (in no table,
        taken as its name says), ``cores_unknown``, ``clock_capped`` (counts as 6.2 GHz),
        ``threads_contradictory`` (more than the machine or its CPU has),
        ``gpu_power_capped`` (limit below 90 % of the nominal power),
        ``gpu_measured_slow`` (bandwidth or FP32 rate below what is usual for the card),
        ``memory_modded`` (not the memory it was sold with), ``gpu_slice`` (a part of a
        card, or a lesser one), ``mixed_gpus`` (not all of them are what is named, see
        `hardware.mixed`),
        ``memory_contradictory`` (of one card and of all), ``flops_contradictory`` and
        ``bandwidth_contradictory`` (not those of the card that is named); where the user
        measured machines (`advisor.throughput.known`) also ``core_measured`` and
        ``gpu_measured``
    """

    models: tuple[Gpu | None, ...] = field(metadata=SHARED)
    model: IntArray
    num_gpus: FloatArray
    gpu_memory_gb: FloatArray
    slowest_share: FloatArray
    gpu_log_sd: FloatArray
    gpu_state: FloatArray
    gpu_state_log_sd: FloatArray
    fp32_tflops: FloatArray
    tf32_tflops: FloatArray
    fp16_tflops: FloatArray
    bf16_tflops: FloatArray
    memory_bandwidth_gb_s: FloatArray
    tdp_w: FloatArray
    sm_count: FloatArray
    boost_mhz: FloatArray
    year: FloatArray
    interconnect: ObjectArray
    host_to_gpu_gb_s: FloatArray
    core_speed: FloatArray
    core_speed_log_sd: FloatArray
    launch_factor: FloatArray
    threads: FloatArray
    cores: FloatArray
    cores_log_sd: FloatArray
    ram_gb: FloatArray
    disk_mb_s: FloatArray
    flags: Mapping[str, BoolArray]

    @property
    def gpu(self) -> tuple[Gpu | None, ...]:
        """The table's row of each, None where the GPU is in no table."""
        return tuple(map(self.models.__getitem__, self.model.tolist()))

    @property
    def lacks_bf16(self) -> BoolArray:
        """Whether the card is known to have no BF16 arithmetic, shape (N,)."""
        lacking = [gpu is not None and np.isnan(gpu.bf16_tflops) for gpu in self.models]
        return np.array(lacking, dtype=bool)[self.model]


@dataclass(frozen=True, slots=True)
class HardwareFigures:
    """Figures with which `describe` fills gaps."""

    threads_per_gpu_if_unknown: float = stated(
        THREADS_PER_GPU,
        "threads",
        "median of 1,447 Vast.ai offers of June to September 2026",
        Range(5.0, 51.0, "log-sd of 0.71 of the same offers, read as a 90 % interval"),
    )
    power_static_share: float = stated(
        STATIC_SHARE,
        "share",
        "fitted on 15 published points of six cards: below its own limit a card's rate "
        "follows the cube root of the power beyond this share (advisor.hardware.power)",
        Range(0.0, 0.15, "shares that do about as well on the same points"),
    )
    power_spread: float = stated(
        SPREAD,
        "1",
        "standard deviation of the exponents of these points over their mean: log-sd of "
        "what a power limit costs, over its logarithm",
    )
    measured_figures_exponent: float = stated(
        EXPONENT,
        "1",
        "assumption: power of a measured memory bandwidth or FP32 rate over "
        f"{AS_USUAL:g} of what is usual for the card (real offers of June to September "
        "2026) that its rate follows, where it is below that",
        Range(0.0, 1.0, "assumption: not at all, and in proportion"),
    )


USUAL = HardwareFigures()
"""What is assumed unless somebody asks what another figure would change."""


def describe(
    facts: MachineFacts,
    gpus: GpuTable,
    cpus: CpuTable,
    constants: CpuConstants,
    measured_speed: FloatArray | None = None,
    *,
    assumed: HardwareFigures = USUAL,
) -> Machines:
    """Say what machines are made of.

    Everything the market measured itself goes before the tables; what neither
    knows is guessed where that is said above, with a flag, and else unknown.

    Parameters
    ----------
    facts : what is known of N machines, by offers or by a description
    constants : of core speeds and of hardware threads
    measured_speed : speed of a core that the user measured, 1 at a PassMark
        single-thread score of 2,100, shape (N,); NaN where there is none
    assumed : what is taken where nobody measured
    """
    models: tuple[Gpu | None, ...] = (*gpus.rows, None)
    row = _gpu_rows(facts, gpus)
    figures = _nominal(models, row)
    unknown = row == len(gpus.rows)
    _guess(figures, unknown, facts, gpus)
    families = ["" if gpu is None else gpu.family for gpu in models]
    cards = weighed_cards(facts, figures, [families[at] for at in row.tolist()])
    names = ["" if gpu is None else gpu.name for gpu in models]
    state = card_state(
        facts,
        figures,
        [names[at] for at in row.tolist()],
        unknown,
        cards.flags,
        exponent=assumed.measured_figures_exponent,
        power_static_share=assumed.power_static_share,
        power_spread=assumed.power_spread,
    )
    host = describe_cores(
        facts, cpus, constants, threads_per_gpu=assumed.threads_per_gpu_if_unknown
    )
    speed, speed_log_sd = host.speed, host.speed_log_sd
    if measured_speed is not None:
        measured = np.isfinite(measured_speed)
        speed = np.where(measured, measured_speed, speed)
        speed_log_sd = np.where(measured, constants.measured_log_sd, speed_log_sd)
    with np.errstate(invalid="ignore"):
        capped = facts.gpu_max_power_w < _POWER_CAPPED * figures["tdp_w"]
    links = _interconnect(models, row, facts.bw_nvlink_gb_s)
    links[cards.flags["gpu_slice"]] = "pcie"  # slices do not see each other
    return Machines(
        models=models,
        model=row,
        num_gpus=facts.num_gpus,
        gpu_memory_gb=cards.memory_gb,
        slowest_share=cards.rate,
        gpu_log_sd=cards.log_sd,
        gpu_state=state.factor,
        gpu_state_log_sd=state.log_sd,
        interconnect=links,
        host_to_gpu_gb_s=_host_to_gpu(facts, figures),
        core_speed=speed,
        core_speed_log_sd=speed_log_sd,
        launch_factor=np.ones(len(facts)),
        threads=host.threads,
        cores=host.cores,
        cores_log_sd=host.cores_log_sd,
        ram_gb=facts.cpu_ram_mb / MIB_PER_GB,
        disk_mb_s=facts.disk_bw_mb_s,
        flags={
            "gpu_unknown": unknown,
            "gpu_power_capped": capped,
            "gpu_measured_slow": state.measured_slow,
            **host.flags,
            **cards.flags,
        },
        **{name: figures[name] for name in _OF_TABLE},
    )


_OF_TABLE = (*_RATES, "memory_bandwidth_gb_s", "tdp_w", "sm_count", "boost_mhz", "year")


def _gpu_rows(facts: MachineFacts, gpus: GpuTable) -> IntArray:
    """Return each offer's row of the GPU table, one beyond the last if it is in none."""
    memory = np.nan_to_num(facts.gpu_ram_mb, nan=-1.0)  # NaN is not equal to itself
    pairs, code = distinct(zip(facts.gpu_name.tolist(), memory.tolist(), strict=True))
    rows = [gpus.row_of(gpus.resolve(name, memory_mb)) for name, memory_mb in pairs]
    return np.array(rows, dtype=np.int64)[code]


def _nominal(models: Sequence[Gpu | None], row: IntArray) -> dict[str, FloatArray]:
    """Return the table's figures of each offer's GPU, NaN where it has none."""
    names = (*_OF_TABLE, "memory_gb", "pcie_gen", "pcie_lanes")
    present, place = np.unique(row, return_inverse=True)
    there = [models[at] for at in present.tolist()]
    figures = {
        name: np.array(
            [np.nan if gpu is None else getattr(gpu, name) for gpu in there],
            dtype=np.float64,
        )[place]
        for name in names
    }
    for name in ("tf32_tflops", "bf16_tflops"):
        lacking = np.isnan(figures[name])
        figures[name] = np.where(lacking, figures["fp32_tflops"], figures[name])
    return figures


def _guess(
    figures: dict[str, FloatArray],
    unknown: BoolArray,
    facts: MachineFacts,
    gpus: GpuTable,
) -> None:
    """Fill in what the market says of GPUs that are in no table.

    Vector rate and bandwidth are the market's; without both nothing is guessed. The
    tensor rate is the vector rate times the least ratio of the two that any known
    GPU of the same compute capability (else of the next lower one) has.
    """
    fp32 = facts.total_flops_tflops / facts.num_gpus
    bandwidth = facts.gpu_mem_bw_gb_s
    usable = unknown & np.isfinite(fp32) & np.isfinite(bandwidth)
    capabilities, place = np.unique(facts.compute_cap / 100.0, return_inverse=True)
    ratios = [
        _tensor_ratio(float(c), gpus) if usable.any() else 1.0 for c in capabilities
    ]
    fp16 = fp32 * np.array(ratios, dtype=np.float64)[place]
    with np.errstate(invalid="ignore"):
        has_bf16 = facts.compute_cap / 100.0 >= _FIRST_BF16
    guesses = {
        "fp32_tflops": fp32,
        "tf32_tflops": np.where(has_bf16, np.maximum(fp16 / 2.0, fp32), fp32),
        "fp16_tflops": fp16,
        "bf16_tflops": np.where(has_bf16, fp16, fp32),
        "memory_bandwidth_gb_s": bandwidth,
        "tdp_w": facts.gpu_max_power_w,
    }
    for name, guess in guesses.items():
        figures[name] = np.where(usable, guess, figures[name])


def _tensor_ratio(capability: float, gpus: GpuTable) -> float:
    """Return the least FP16 over FP32 rate of a compute capability, 1 if unknown."""
    ratios: dict[float, float] = {}
    for gpu in gpus.rows:
        if gpu.compute_capability <= capability:
            ratio = gpu.fp16_tflops / gpu.fp32_tflops
            least = ratios.get(gpu.compute_capability, ratio)
            ratios[gpu.compute_capability] = min(ratio, least)
    return ratios[max(ratios)] if ratios else 1.0


def _interconnect(
    models: Sequence[Gpu | None], row: IntArray, bw_nvlink_gb_s: FloatArray
) -> ObjectArray:
    """Return the class of the links between GPUs; the market's word goes first.

    NVLink that the market measured makes a PCIe card ``"nvlink"``; where it says
    that there is none, a card that is sold with NVLink is ``"pcie-p2p"``: its host
    does not pass it on. A GPU in no table counts as ``"pcie"``.
    """
    each = ["pcie" if gpu is None else gpu.interconnect for gpu in models]
    classes = np.array(each, dtype=np.object_)[row]
    linked = np.array([one in {"sxm", "nvlink"} for one in each], dtype=bool)[row]
    classes[~linked & (np.nan_to_num(bw_nvlink_gb_s) > 0)] = "nvlink"
    classes[linked & (bw_nvlink_gb_s == 0)] = "pcie-p2p"
    return classes


def _host_to_gpu(facts: MachineFacts, figures: Mapping[str, FloatArray]) -> FloatArray:
    """Return 10^9 bytes/s of host-to-GPU copies of one GPU.

    Measured; else of the PCIe generation and lanes that the market states; else of
    the GPU's own; else of generation 3 with 16 lanes, an assumption.
    """
    generation = np.where(np.isnan(facts.pci_gen), figures["pcie_gen"], facts.pci_gen)
    lanes = np.where(np.isnan(facts.gpu_lanes), figures["pcie_lanes"], facts.gpu_lanes)
    place = np.clip(np.nan_to_num(generation, nan=3.0), 1, len(PCIE_GB_S_PER_LANE))
    per_lane = np.array(PCIE_GB_S_PER_LANE)[place.astype(np.int64) - 1]
    stated = per_lane * np.nan_to_num(lanes, nan=16.0) * PCIE_EFFICIENCY
    measured = facts.pcie_gb_s
    rate = np.where(np.isnan(measured), stated, measured)
    bounded: FloatArray = np.clip(rate, *HOST_TO_GPU_BOUNDS_GB_S)
    return bounded
