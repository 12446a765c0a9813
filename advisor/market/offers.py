"""Offers as typed columns, parsed from a market's JSON records.

Nothing is invented here: a figure that is missing, null, not a finite number or
impossible (negative, beyond any unit; zero where zero only means "never measured") is
unknown, NaN in the column. What cannot be an offer at all is counted by reason.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np

from advisor.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from advisor.market.types import Record
from advisor.market.values import (
    UNKNOWN_ID,
    country_of,
    read_id,
    read_number,
    read_text,
    renamed,
)

HOURS_PER_MONTH = 720.0
"""Hours in the month that the market's storage price is for (Vast: 30 days)."""

MIB_PER_GIB = 1024.0

MOST_GPUS = 1024
"""GPUs in one offer; more is nonsense."""

MHZ_IF_ABOVE = 100.0
"""No CPU runs at 100 GHz: such a clock is in MHz."""

GB_IF_BELOW = 512.0
"""No GPU has 512 MB: such a memory is in GB."""

SLOWEST_GHZ = 0.3
"""What is slower once taken for MHz was no clock at all."""

_LARGEST = 1e12  # no figure of an offer is larger, in any unit that is used here


class _Column(NamedTuple):
    """Where a numeric column is found and what a zero in it means."""

    keys: tuple[str, ...]
    zero_is_unknown: bool = False


_NUMBERS: Mapping[str, _Column] = {
    "num_gpus": _Column(("num_gpus",), zero_is_unknown=True),
    "gpu_frac": _Column(("gpu_frac",), zero_is_unknown=True),
    "gpu_ram_mb": _Column(("gpu_ram",), zero_is_unknown=True),
    "gpu_total_ram_mb": _Column(("gpu_total_ram",), zero_is_unknown=True),
    "gpu_mem_bw_gb_s": _Column(("gpu_mem_bw",), zero_is_unknown=True),
    "gpu_max_power_w": _Column(("gpu_max_power",), zero_is_unknown=True),
    "total_flops_tflops": _Column(("total_flops",), zero_is_unknown=True),
    "compute_cap": _Column(("compute_cap",), zero_is_unknown=True),
    "bw_nvlink_gb_s": _Column(("bw_nvlink",)),
    "pcie_gb_s": _Column(("pcie_bw",), zero_is_unknown=True),
    "pci_gen": _Column(("pci_gen",), zero_is_unknown=True),
    "gpu_lanes": _Column(("gpu_lanes",), zero_is_unknown=True),
    "dlperf": _Column(("dlperf",), zero_is_unknown=True),
    "cpu_cores": _Column(("cpu_cores",), zero_is_unknown=True),
    "cpu_threads": _Column(("cpu_cores_effective",), zero_is_unknown=True),
    "cpu_ghz": _Column(("cpu_ghz",), zero_is_unknown=True),
    "cpu_ram_mb": _Column(("cpu_ram",), zero_is_unknown=True),
    "disk_space_gb": _Column(("disk_space",)),
    "disk_bw_mb_s": _Column(("disk_bw",), zero_is_unknown=True),
    "inet_up_mbit_s": _Column(("inet_up",), zero_is_unknown=True),
    "inet_down_mbit_s": _Column(("inet_down",), zero_is_unknown=True),
    "inet_up_usd_per_gb": _Column(("inet_up_cost",)),
    "inet_down_usd_per_gb": _Column(("inet_down_cost",)),
    "storage_usd_per_gb_month": _Column(("storage_cost",)),
    "dph_base": _Column(("dph_base",), zero_is_unknown=True),
    "dph_total": _Column(("dph_total", "dph"), zero_is_unknown=True),
    "discounted_dph_total": _Column(("discounted_dph_total",), zero_is_unknown=True),
    "min_bid": _Column(("min_bid",), zero_is_unknown=True),
    "reliability": _Column(("reliability", "reliability2")),
    "duration_s": _Column(("duration",)),
    "end_unix_s": _Column(("end_date",), zero_is_unknown=True),
    "hosting_type": _Column(("hosting_type",)),
    "direct_port_count": _Column(("direct_port_count",)),
    "cuda_max_good": _Column(("cuda_max_good",), zero_is_unknown=True),
    "score": _Column(("score",)),
}

_TEXTS: Mapping[str, str] = {
    "gpu_name": "gpu_name",
    "cpu_name": "cpu_name",
    "geolocation": "geolocation",
    "verification": "verification",
    "driver_version": "driver_version",
    "cpu_arch": "cpu_arch",
    "gpu_arch": "gpu_arch",
}


@dataclass(frozen=True, slots=True)
class Offers:
    """What the market says of N offers, one array entry an offer.

    Unknown numbers are NaN, unknown texts ``""``, unknown ids `UNKNOWN_ID`.

    Attributes
    ----------
    offer_id, machine_id, host_id : what to rent, the box it is on, its owner
    gpu_ids : the exact GPUs, a tuple of integers each; offers that share one
        cannot both be rented
    gpu_name : the market's spelling
    num_gpus : GPUs in the offer
    gpu_frac : the offer's share of the machine's GPUs
    gpu_ram_mb : MiB per GPU
    gpu_total_ram_mb : MiB of all GPUs together
    gpu_mem_bw_gb_s : measured GPU memory bandwidth, GB/s
    gpu_max_power_w : power limit of a GPU, W
    total_flops_tflops : FP32 TFLOPS of all GPUs
    compute_cap : CUDA compute capability x 100
    bw_nvlink_gb_s : NVLink bandwidth, GB/s, 0 where there is none
    pcie_gb_s : measured host-to-GPU bandwidth, GB/s
    pci_gen, gpu_lanes : PCIe generation and lanes of a GPU
    dlperf : the market's score, all GPUs together
    cpu_name : as the machine reports it
    cpu_cores : hardware threads of the whole machine
    cpu_threads : hardware threads that the offer grants, may be fractional
    cpu_ghz : GHz; base, boost or an instant reading, nobody says which
    cpu_ram_mb : host memory of the offer, MB
    disk_space_gb : disk that can be had, GB
    disk_bw_mb_s : measured disk bandwidth, MB/s
    inet_up_mbit_s, inet_down_mbit_s : advertised, Mbit/s
    inet_up_usd_per_gb, inet_down_usd_per_gb : traffic prices, $/GB
    storage_usd_per_gb_month : disk price, $/GB per `HOURS_PER_MONTH`
    dph_base : $/h of the GPU part
    dph_total : $/h with the disk that was searched for
    discounted_dph_total : $/h of the same when paid ahead
    min_bid : least bid for the GPU part, $/h
    reliability : the market's score, 0 to 1
    duration_s : seconds that the offer still stood when it was fetched
    end_unix_s : when the offer ends, seconds since 1970
    hosting_type : 1 for a data centre
    direct_port_count : open ports
    cuda_max_good : newest CUDA version that the driver runs
    score : the market's own ranking score
    geolocation, country : free text, and the 2-letter country at its end
    verification : ``"verified"``, ``"unverified"``, ``"deverified"``
    driver_version : of the GPUs, such as ``"570.124.06"``
    cpu_arch : ``"amd64"`` or ``"arm64"``
    gpu_arch : ``"nvidia"`` or ``"amd"``
    rentable : False where the market says that it cannot be rented now
    """

    offer_id: IntArray
    machine_id: IntArray
    host_id: IntArray
    gpu_ids: tuple[tuple[int, ...], ...]
    gpu_name: ObjectArray
    num_gpus: FloatArray
    gpu_frac: FloatArray
    gpu_ram_mb: FloatArray
    gpu_total_ram_mb: FloatArray
    gpu_mem_bw_gb_s: FloatArray
    gpu_max_power_w: FloatArray
    total_flops_tflops: FloatArray
    compute_cap: FloatArray
    bw_nvlink_gb_s: FloatArray
    pcie_gb_s: FloatArray
    pci_gen: FloatArray
    gpu_lanes: FloatArray
    dlperf: FloatArray
    cpu_name: ObjectArray
    cpu_cores: FloatArray
    cpu_threads: FloatArray
    cpu_ghz: FloatArray
    cpu_ram_mb: FloatArray
    disk_space_gb: FloatArray
    disk_bw_mb_s: FloatArray
    inet_up_mbit_s: FloatArray
    inet_down_mbit_s: FloatArray
    inet_up_usd_per_gb: FloatArray
    inet_down_usd_per_gb: FloatArray
    storage_usd_per_gb_month: FloatArray
    dph_base: FloatArray
    dph_total: FloatArray
    discounted_dph_total: FloatArray
    min_bid: FloatArray
    reliability: FloatArray
    duration_s: FloatArray
    end_unix_s: FloatArray
    hosting_type: FloatArray
    direct_port_count: FloatArray
    cuda_max_good: FloatArray
    score: FloatArray
    geolocation: ObjectArray
    country: ObjectArray
    verification: ObjectArray
    driver_version: ObjectArray
    cpu_arch: ObjectArray
    gpu_arch: ObjectArray
    rentable: BoolArray

    def __len__(self) -> int:
        return len(self.offer_id)

    def take(self, index: IntArray | BoolArray) -> Offers:
        """Return the offers that `index` (positions or a mask) selects."""
        positions = np.arange(len(self))[index]
        columns = {
            field.name: getattr(self, field.name)[positions]
            for field in fields(self)
            if field.name != "gpu_ids"
        }
        gpu_ids = tuple(self.gpu_ids[position] for position in positions)
        return Offers(gpu_ids=gpu_ids, **columns)

    def usd_per_hour(self, disk_gb: float) -> tuple[FloatArray, BoolArray]:
        """Return the $/h of each offer with `disk_gb` GB of disk.

        The market's identity ``dph_total = dph_base + storage_cost x GB / 720``
        is solved for the disk asked for. Where `dph_base` or the storage price
        is missing the market's `dph_total` stands, whatever disk it is for.

        Returns
        -------
        price : $/h, shape (N,)
        not_repriced : True where the price is `dph_total` as it came
        """
        storage = self.storage_usd_per_gb_month * disk_gb / HOURS_PER_MONTH
        repriced = self.dph_base + storage
        not_repriced = np.isnan(repriced)
        return np.where(not_repriced, self.dph_total, repriced), not_repriced


def parse_offers(records: Iterable[Any]) -> tuple[Offers, Counter[str]]:
    """Parse a market's records; also count what could not be an offer, by reason.

    Reasons: ``malformed`` (no JSON object, or no usable id), ``duplicate`` (an
    id that comes again; the record with the higher score stays),
    ``unknown_num_gpus``, ``no_price``.
    """
    excluded: Counter[str] = Counter()
    unique = _unique(records, excluded)
    offers = _columns(list(unique.values()), np.array(list(unique), dtype=np.int64))
    with np.errstate(invalid="ignore"):
        counted = (offers.num_gpus >= 1) & (offers.num_gpus <= MOST_GPUS)
        counted &= offers.num_gpus % 1 == 0
    repriced = offers.dph_base + offers.storage_usd_per_gb_month
    priced = np.isfinite(offers.dph_total) | np.isfinite(repriced)
    excluded["unknown_num_gpus"] = int(np.sum(~counted))
    excluded["no_price"] = int(np.sum(counted & ~priced))
    return offers.take(counted & priced), +excluded


def parse_machine(record: Record) -> Offers:
    """Parse one machine that nobody offers: it needs neither an id nor a price."""
    return _columns([record], np.array([UNKNOWN_ID], dtype=np.int64))


def _unique(records: Iterable[Any], excluded: Counter[str]) -> dict[int, Record]:
    """Return the records by offer id, the better scored one of each."""
    unique: dict[int, Record] = {}
    for record in records:
        if not isinstance(record, Mapping):
            excluded["malformed"] += 1
            continue
        named = renamed(record)
        offer_id = record_id(named)
        if offer_id == UNKNOWN_ID:
            excluded["malformed"] += 1
            continue
        if offer_id in unique:
            excluded["duplicate"] += 1
            if not _score(named) > _score(unique[offer_id]):
                continue
        unique[offer_id] = named
    return unique


def record_id(record: Record) -> int:
    """Return the id of a record's offer, `UNKNOWN_ID` where it has none."""
    named = renamed(record)
    return read_id(named.get("id", named.get("ask_contract_id")))


def _columns(records: Sequence[Record], offer_id: IntArray) -> Offers:
    """Turn records into columns."""
    numbers = {name: _numbers(records, column) for name, column in _NUMBERS.items()}
    texts = {name: _texts(records, key) for name, key in _TEXTS.items()}
    _mend_units(numbers)
    _derive(records, numbers, texts)
    columns: dict[str, Any] = {**numbers, **texts}
    return Offers(
        offer_id=offer_id,
        machine_id=_identifiers(records, "machine_id"),
        host_id=_identifiers(records, "host_id"),
        gpu_ids=tuple(_gpu_ids(record.get("gpu_ids")) for record in records),
        country=_objects([country_of(text) for text in texts["geolocation"]]),
        rentable=np.array(
            [
                record.get("rentable") is not False and record.get("rented") is not True
                for record in records
            ],
            dtype=bool,
        ),
        **columns,
    )


def _numbers(records: Sequence[Record], column: _Column) -> FloatArray:
    """Return one numeric column; what cannot be is NaN."""
    first, *others = column.keys
    values = [record.get(first) for record in records]
    for key in others:
        values = [
            record.get(key) if value is None else value
            for value, record in zip(values, records, strict=True)
        ]
    array = np.array([read_number(value) for value in values], dtype=np.float64)
    with np.errstate(invalid="ignore"):
        least_known = (array > 0) if column.zero_is_unknown else (array >= 0)
        array[~(least_known & (array <= _LARGEST))] = np.nan
    return array


def _identifiers(records: Sequence[Record], key: str) -> IntArray:
    return np.array([read_id(record.get(key)) for record in records], dtype=np.int64)


def _gpu_ids(value: object) -> tuple[int, ...]:
    """Return the ids of an offer's GPUs, none where they are not a list of ids."""
    if not isinstance(value, list):
        return ()
    ids = tuple(read_id(item) for item in value)
    return () if UNKNOWN_ID in ids else ids


def _texts(records: Sequence[Record], key: str) -> ObjectArray:
    return _objects([read_text(record.get(key)) for record in records])


def _objects(values: Sequence[str]) -> ObjectArray:
    array = np.empty(len(values), dtype=np.object_)
    array[:] = values
    return array


def _score(record: Record) -> float:
    score = read_number(record.get("score"))
    return -math.inf if math.isnan(score) else score


def _mend_units(numbers: dict[str, FloatArray]) -> None:
    """Bring figures that came in another unit to the column's."""
    with np.errstate(invalid="ignore"):
        clock = numbers["cpu_ghz"]
        in_mhz = clock > MHZ_IF_ABOVE
        clock[in_mhz] /= 1000.0
        clock[in_mhz & (clock < SLOWEST_GHZ)] = np.nan
        for name in ("gpu_ram_mb", "gpu_total_ram_mb"):
            memory = numbers[name]
            memory[memory < GB_IF_BELOW] *= MIB_PER_GIB
        reliability = numbers["reliability"]
        reliability[(reliability > 1) & (reliability <= 100)] /= 100.0  # per cent
        reliability[reliability > 1] = np.nan


def _derive(
    records: Sequence[Record],
    numbers: dict[str, FloatArray],
    texts: dict[str, ObjectArray],
) -> None:
    """Fill in what other fields of the same record say exactly."""
    threads = numbers["cpu_threads"]
    slice_of_machine = numbers["cpu_cores"] * numbers["gpu_frac"]
    numbers["cpu_threads"] = np.where(np.isnan(threads), slice_of_machine, threads)
    each = numbers["gpu_total_ram_mb"] / numbers["num_gpus"]
    memory = numbers["gpu_ram_mb"]
    numbers["gpu_ram_mb"] = np.where(np.isnan(memory), each, memory)
    for position, record in enumerate(records):
        if not texts["verification"][position]:
            texts["verification"][position] = _verification(record)


def _verification(record: Record) -> str:
    """Return what the older `verified` field, true or false, says."""
    value = record.get("verified")
    if not isinstance(value, bool):
        return ""
    return "verified" if value else "unverified"
