"""Offers as typed columns, parsed from a market's JSON records.

Nothing is invented here: a figure that is missing, null, not a finite number or
impossible (negative, beyond any unit; zero where zero only means "never measured") is
unknown, NaN in the column. What cannot be an offer at all is counted by reason, and so is
one whose price the market gives as something that is no price: what it would bill nobody
knows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from itertools import chain, islice
from typing import Any

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from advisor.base.units import GB_PER_TB, MIB_PER_GIB
from advisor.market.columns import (
    CHUNK,
    COLUMN,
    Column,
    Reader,
    RowSource,
    identified,
    identified_rows,
    identifier,
    made,
    number,
    objects,
    text,
    values_of,
)
from advisor.market.facts import MachineFacts
from advisor.market.types import Record
from advisor.market.values import UNKNOWN_ID, country_of

HOURS_PER_MONTH = 720.0
"""Hours in the month that the market's storage price is for (Vast: 30 days)."""

MOST_GPUS = 1024
"""GPUs in one offer; more is nonsense."""

MHZ_IF_ABOVE = 100.0
"""No CPU runs at 100 GHz: such a clock is in MHz."""

GB_IF_BELOW = 512.0
"""No GPU has 512 MB: such a memory is in GB."""

SLOWEST_GHZ = 0.3
"""What is slower once taken for MHz was no clock at all."""

LEAST_USD_PER_HOUR, MOST_USD_PER_GPU_HOUR = 1e-3, 1e3
"""No offer costs less than a tenth of a cent, no GPU more than a thousand dollars an hour
(assumption): the cheapest of 1,494 published offers costs 2.9 cents."""

_PRICES = ("dph_base", "dph_total", "discounted_dph_total", "min_bid")
_SAME_PRICE = 0.01  # by which prices of one offer differ by rounding
_DISK_SLACK_GB = 100.0  # of what a price of disk may be for beyond the disk itself
_LARGEST = 1e12  # no figure of an offer is larger, in any unit that is used here


@dataclass(frozen=True, slots=True)
class Offers(MachineFacts):
    """What the market says of N offers, one array entry an offer.

    Unknown numbers are NaN, unknown texts ``""``, unknown ids `UNKNOWN_ID`. Each column
    says itself what it is and where a record has it (`market.columns.Column`): the
    parser and the rows of JSON text follow from that.
    """

    offer_id: IntArray = field(metadata=made("id", doc="what to rent"))
    machine_id: IntArray = field(
        metadata=identifier("machine_id", doc="the box it is on")
    )
    host_id: IntArray = field(metadata=identifier("host_id", doc="the owner of the box"))
    gpu_ids: tuple[tuple[int, ...], ...] = field(
        metadata=made(
            "gpu_ids", doc="the exact GPUs: offers that share one cannot both be rented"
        )
    )
    disk_space_gb: FloatArray = field(
        metadata=number(
            "disk_space", unit="GB", doc="disk that can be had", zero_counts=True
        )
    )
    inet_up_mbit_s: FloatArray = field(
        metadata=number("inet_up", unit="Mbit/s", doc="advertised, upload")
    )
    inet_down_mbit_s: FloatArray = field(
        metadata=number("inet_down", unit="Mbit/s", doc="advertised, download")
    )
    inet_up_usd_per_gb: FloatArray = field(
        metadata=number(
            "inet_up_cost", unit="$/GB", doc="price of an upload", zero_counts=True
        )
    )
    inet_down_usd_per_gb: FloatArray = field(
        metadata=number(
            "inet_down_cost", unit="$/GB", doc="price of a download", zero_counts=True
        )
    )
    storage_usd_per_gb_month: FloatArray = field(
        metadata=number(
            "storage_cost",
            unit="$/GB per `HOURS_PER_MONTH`",
            doc="price of disk",
            zero_counts=True,
        )
    )
    dph_base: FloatArray = field(
        metadata=number("dph_base", unit="$/h", doc="price of the GPU part")
    )
    dph_total: FloatArray = field(
        metadata=number(
            "dph_total",
            "dph",
            unit="$/h",
            doc="price with the disk that was searched for",
        )
    )
    discounted_dph_total: FloatArray = field(
        metadata=number(
            "discounted_dph_total", unit="$/h", doc="the same when paid ahead"
        )
    )
    min_bid: FloatArray = field(
        metadata=number("min_bid", unit="$/h", doc="least bid for the GPU part")
    )
    reliability: FloatArray = field(
        metadata=number(
            "reliability",
            "reliability2",
            doc="the market's score, 0 to 1",
            zero_counts=True,
        )
    )
    duration_s: FloatArray = field(
        metadata=number(
            "duration",
            unit="s",
            doc="how long it still stood when it was fetched",
            zero_counts=True,
        )
    )
    end_unix_s: FloatArray = field(
        metadata=number("end_date", unit="s", doc="when it ends, since 1970")
    )
    hosting_type: FloatArray = field(
        metadata=number("hosting_type", doc="1 for a data center", zero_counts=True)
    )
    direct_port_count: FloatArray = field(
        metadata=number("direct_port_count", doc="open ports", zero_counts=True)
    )
    score: FloatArray = field(
        metadata=number("score", doc="the market's own ranking score", zero_counts=True)
    )
    geolocation: ObjectArray = field(metadata=text("geolocation", doc="free text"))
    country: ObjectArray = field(
        metadata=made("geolocation", doc="the 2-letter country at its end")
    )
    verification: ObjectArray = field(
        metadata=text(
            "verification",
            "verified",
            doc="``verified``, ``unverified`` or ``deverified``",
        )
    )
    rentable: BoolArray = field(
        metadata=made("rentable", "rented", doc="not said to be impossible to rent now")
    )
    price_contradictory: BoolArray = field(
        metadata=made(
            doc="`dph_total` is below `dph_base`, or beyond what any disk would "
            "make of it; `dph_base` is then the higher of the two"
        )
    )

    def usd_per_hour(self, disk_gb: float) -> FloatArray:
        """Return the $/h of each offer with `disk_gb` GB of disk, shape (N,).

        The market's identity ``dph_total = dph_base + storage_cost x GB / 720``
        is solved for the disk asked for. Where `dph_base` or the storage price
        is missing the market's `dph_total` stands, whatever disk it is for.
        """
        storage = self.storage_usd_per_gb_month * disk_gb / HOURS_PER_MONTH
        repriced = self.dph_base + storage
        price: FloatArray = np.where(np.isnan(repriced), self.dph_total, repriced)
        return price


_STAND_INS: Mapping[str, Column] = {
    "inet_up_usd_per_tb": Column(
        "number", ("internet_up_cost_per_tb",), "upload", "$/TB"
    ),
    "inet_down_usd_per_tb": Column(
        "number", ("internet_down_cost_per_tb",), "download", "$/TB"
    ),
}
"""What a record may say in place of a column; no columns themselves."""

_READ: Mapping[str, Column] = {
    **{one.name: one.metadata[COLUMN] for one in fields(Offers)},
    **_STAND_INS,
}

NUMBERS = {name: one for name, one in _READ.items() if one.kind == "number"}
"""Columns of numbers, and what may stand in for some."""

KEYS = tuple(dict.fromkeys(chain.from_iterable(one.keys for one in _READ.values())))
"""All keys that columns are made of; not those that only stand in for an id."""


def parse_offers(records: Iterable[Any]) -> tuple[Offers, Counter[str]]:
    """Parse a market's records; also count what could not be an offer, by reason.

    The records are looked at once, a hundred or so at a time: a stream of them is never
    in memory whole. Of a `RowSource` the rows are read, in less time.

    Reasons: ``malformed`` (no JSON object, or no usable id), ``duplicate`` (an
    id that comes again; the record with the higher score stays),
    ``unknown_num_gpus``, ``no_price`` (`dph_total` is something else, or neither it nor
    what it is made of is known).
    """
    reader, read = Reader(_READ), 0
    in_rows = isinstance(records, RowSource)
    stream = records.rows() if isinstance(records, RowSource) else iter(records)
    identify = identified_rows if in_rows else identified
    while chunk := list(islice(stream, CHUNK)):
        values, offer_id = identify(chunk)
        reader.read(values, offer_id, plain=in_rows)
        read += len(chunk)
    columns = reader.columns()
    found = len(columns["offer_id"])
    best = _best_of_each(columns["offer_id"], columns["score"])
    has_price = ~np.isnan(columns["dph_total"])
    _mend(columns)
    with np.errstate(invalid="ignore"):
        gpus = columns["num_gpus"]
        counted = (gpus >= 1) & (gpus <= MOST_GPUS) & (gpus % 1 == 0)
    repriced = columns["dph_base"] + columns["storage_usd_per_gb_month"]
    priced = np.isfinite(columns["dph_total"]) | (np.isfinite(repriced) & ~has_price)
    chosen = best[(counted & priced)[best]]
    excluded = Counter(
        malformed=read - found,
        duplicate=found - len(best),
        unknown_num_gpus=int(np.sum(~counted[best])),
        no_price=int(np.sum((counted & ~priced)[best])),
    )
    return _offers(columns, chosen), +excluded


def parse_machine(record: Record) -> Offers:
    """Parse one machine that nobody offers: it needs neither an id nor a price."""
    reader = Reader(_READ)
    unknown = np.array([UNKNOWN_ID], dtype=np.int64)
    reader.read(partial(values_of, [record]), unknown)
    columns = reader.columns()
    _mend(columns)
    return _offers(columns, np.array([0]))


def _best_of_each(offer_id: IntArray, score: FloatArray) -> IntArray:
    """Return which records stay: of those with one id the first with the best score.

    It takes the place of the first of them.
    """
    ids, first = np.unique(offer_id, return_index=True)
    if len(ids) == len(offer_id):
        return np.arange(len(offer_id))
    worst_first = np.where(np.isnan(score), -np.inf, score)
    by_id = np.lexsort((-worst_first, offer_id))  # equal ones stay in their order
    leads = np.diff(offer_id[by_id], prepend=UNKNOWN_ID) != 0  # ids are above it
    best: IntArray = by_id[leads][np.argsort(first)]
    return best


def _offers(columns: dict[str, Any], chosen: IntArray) -> Offers:
    """Return the offers at the positions `chosen` of columns, which are used up."""
    taken: dict[str, Any] = {}
    for name in (one.name for one in fields(Offers)):
        column = columns.pop(name)  # one at a time: no second copy of all of them
        if name == "gpu_ids":
            column = tuple(map(column.__getitem__, chosen.tolist()))
        elif len(chosen) < len(column):
            column = column[chosen]
        taken[name] = column
    return Offers(**taken)


def _mend(columns: dict[str, Any]) -> None:
    """Make of columns as they came those of offers: what is impossible is unknown.

    Of an offer that ended before it was fetched no time is left.
    """
    with np.errstate(invalid="ignore"):
        left = columns["duration_s"]
        left[(left < 0) & (left >= -_LARGEST)] = 0.0
    for name, column in NUMBERS.items():
        values = columns[name]
        with np.errstate(invalid="ignore"):
            least_known = (values > 0) if column.zero_is_unknown else (values >= 0)
            values[~(least_known & (values <= _LARGEST))] = np.nan
    _mend_units(columns)
    _mend_prices(columns)
    _derive(columns)
    places = columns["geolocation"].tolist()
    country = {place: country_of(place) for place in set(places)}
    columns["country"] = objects(map(country.__getitem__, places))


def _mend_units(columns: Mapping[str, FloatArray]) -> None:
    """Bring figures that came in another unit to the column's."""
    with np.errstate(invalid="ignore"):
        clock = columns["cpu_ghz"]
        in_mhz = clock > MHZ_IF_ABOVE
        clock[in_mhz] /= 1000.0
        clock[in_mhz & (clock < SLOWEST_GHZ)] = np.nan
        for name in ("gpu_ram_mb", "gpu_total_ram_mb"):
            memory = columns[name]
            memory[memory < GB_IF_BELOW] *= MIB_PER_GIB
        reliability = columns["reliability"]
        reliability[(reliability > 1) & (reliability <= 100)] /= 100.0  # per cent
        reliability[reliability > 1] = np.nan


def _mend_prices(columns: dict[str, Any]) -> None:
    """Make prices that cannot be unknown, and of two that contradict take the higher."""
    with np.errstate(invalid="ignore", divide="ignore"):
        most = MOST_USD_PER_GPU_HOUR * np.fmax(columns["num_gpus"], 1.0)
        for name in _PRICES:
            price = columns[name]
            price[(price < LEAST_USD_PER_HOUR) | (price > most)] = np.nan
        base, total = columns["dph_base"], columns["dph_total"]
        storage = columns["storage_usd_per_gb_month"]
        disk_gb = (total - base) * HOURS_PER_MONTH / storage
        beyond = disk_gb > columns["disk_space_gb"] + _DISK_SLACK_GB
        beyond &= (storage > 0) & (total > (1.0 + _SAME_PRICE) * base)
        lower = total < (1.0 - _SAME_PRICE) * base
    columns["price_contradictory"] = lower | beyond
    base[beyond] = total[beyond]


def _derive(columns: Mapping[str, FloatArray]) -> None:
    """Fill in what other fields of the same record say exactly."""
    for name, value in (
        ("cpu_threads", columns["cpu_cores"] * columns["gpu_frac"]),
        ("gpu_ram_mb", columns["gpu_total_ram_mb"] / columns["num_gpus"]),
        ("inet_up_usd_per_gb", columns["inet_up_usd_per_tb"] / GB_PER_TB),
        ("inet_down_usd_per_gb", columns["inet_down_usd_per_tb"] / GB_PER_TB),
    ):
        unknown = np.isnan(columns[name])
        columns[name][unknown] = value[unknown]
