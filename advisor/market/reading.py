"""One field of a market's record, as the query language sees it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from advisor.base.units import MIB_PER_GIB
from advisor.market.columns import record_id
from advisor.market.fields import FIELDS, Kind
from advisor.market.offers import (
    GB_IF_BELOW,
    HOURS_PER_MONTH,
    MHZ_IF_ABOVE,
    SLOWEST_GHZ,
)
from advisor.market.types import Record, Scalar
from advisor.market.values import (
    UNKNOWN_ID,
    country_of,
    read_cpu_arch,
    read_number,
    read_text,
)

Reader = Callable[[Record], Scalar]
"""Returns what a record under the market's names has in a field, None where that is
not known: missing, null, not a finite number, an empty text."""

_SAME_PRICE = 1e-9  # relative; two ways to add up one price differ by less
_REMEMBERED = 4096  # texts: a market has some hundreds of places, GPUs and drivers
_WHOLE = 2**63  # JSON's whole numbers have no end; no id or figure is beyond this one
_VERSION_PARTS = 3
_FLAG_WORDS = {"true": True, "false": False, "1": True, "0": False}


def reader_of(field: str, disk_gb: float | None = None) -> Reader:
    """Return what reads a field of a record that has the market's names.

    Parameters
    ----------
    field : of the query language, or any key of a record
    disk_gb : GB of disk that prices shall contain; None: what they contain as they came
    """
    if field in _READERS:
        return _READERS[field]
    if field in _PRICED:
        return _PRICED[field](disk_gb)
    read = _BY_KIND[FIELDS[field].kind if field in FIELDS else "other"]

    def of_field(record: Record) -> Scalar:
        return read(record, field)

    return of_field


def as_flag(value: object) -> bool | None:
    """Return a value as true or false, None where it is neither."""
    if isinstance(value, str):
        return _FLAG_WORDS.get(value.lower())
    is_flag = isinstance(value, bool | int | float) and value in (0, 1)
    return bool(value) if is_flag else None


@lru_cache(maxsize=_REMEMBERED)
def version_number(text: str) -> int | None:
    """Return a version such as 535.86.05 as the market counts it, 535086005.

    Parts that are not written are zero; None where it is no version.
    """
    parts = text.strip().split(".")
    if len(parts) > _VERSION_PARTS or not all(
        part.isdecimal() and len(part) <= 3 for part in parts
    ):
        return None
    return int("".join(part.zfill(3) for part in parts).ljust(3 * _VERSION_PARTS, "0"))


def _number(record: Record, field: str) -> float | None:
    """Return a finite number, None where there is none."""
    value = record.get(field)
    if type(value) is int:
        return value if -_WHOLE <= value <= _WHOLE else None
    number = value if type(value) is float else read_number(value)
    return number if math.isfinite(number) else None


def _text(record: Record, field: str) -> str | None:
    value = record.get(field)
    return _tidy(value) if isinstance(value, str) else None


@lru_cache(maxsize=_REMEMBERED)
def _tidy(text: str) -> str | None:
    return read_text(text) or None


@lru_cache(maxsize=_REMEMBERED)
def _cpu_of(text: str) -> str | None:
    return read_cpu_arch(text) or None


def _cpu(record: Record, field: str) -> str | None:
    """Return a CPU architecture in the market's word for it."""
    value = record.get(field)
    return _cpu_of(value) if isinstance(value, str) else None


def _flag(record: Record, field: str) -> bool | None:
    """Return a flag, which the market leaves null where it is not set."""
    if field not in record:
        return None
    value = record[field]
    return False if value is None else as_flag(value)


def _other(record: Record, field: str) -> Scalar:
    """Return what a field has that the query language does not know."""
    value = record.get(field)
    if isinstance(value, str):
        return _tidy(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if isinstance(value, int) else None


def _country(record: Record) -> str | None:
    place = record.get("geolocation")
    return _country_of(place) if isinstance(place, str) else None


@lru_cache(maxsize=_REMEMBERED)
def _country_of(place: str) -> str | None:
    return country_of(read_text(place)) or None


def _memory(record: Record, field: str) -> float | None:
    """Return the memory of GPUs in MB, as `advisor.market.offers` reads it."""
    memory = _number(record, field)
    if memory is not None and memory < GB_IF_BELOW:
        return memory * MIB_PER_GIB
    return memory


def _clock(record: Record) -> float | None:
    """Return the clock in GHz, as `advisor.market.offers` reads it."""
    clock = _number(record, "cpu_ghz")
    if clock is None or clock <= MHZ_IF_ABOVE:
        return clock
    return clock / 1000.0 if clock / 1000.0 >= SLOWEST_GHZ else None


def _reliability(record: Record) -> float | None:
    """Return the reliability, 0 to 1, as `advisor.market.offers` reads it."""
    share = _number(record, "reliability")
    if share is None:
        share = _number(record, "reliability2")
    if share is not None and share > 1:
        return share / 100.0 if share <= 100 else None
    return share


def _offer_id(record: Record) -> int | None:
    number = record_id(record)
    return None if number == UNKNOWN_ID else number


def _verification(record: Record) -> str | None:
    """Return how far an offer is verified; an older field says true or false."""
    word = _text(record, "verification")
    older = record.get("verified")
    if word is None and isinstance(older, bool):
        return "verified" if older else "unverified"
    return word


def _verified(record: Record) -> bool | None:
    word = _verification(record)
    return None if word is None else word == "verified"


def _datacenter(record: Record) -> bool | None:
    hosting = _number(record, "hosting_type")
    return None if hosting is None else hosting == 1


def _driver_version(record: Record) -> float | None:
    number = version_number(_text(record, "driver_version") or "")
    return _number(record, "driver_vers") if number is None else number


def _price(record: Record, disk_gb: float | None) -> float | None:
    """Return $/h with the disk; as it came where it cannot be made anew."""
    listed = _number(record, "dph_total")
    if listed is None:
        listed = _number(record, "dph")
    base, storage = _number(record, "dph_base"), _number(record, "storage_cost")
    if disk_gb is None or base is None or storage is None:
        return listed
    price = base + storage * disk_gb / HOURS_PER_MONTH
    if listed is not None and math.isclose(listed, price, rel_tol=_SAME_PRICE):
        return listed
    return price


def _per_price(
    record: Record, disk_gb: float | None, figure: str, field: str
) -> float | None:
    """Return a figure per $/h with the disk; as it came where it cannot be made anew."""
    listed, price = _number(record, "dph_total"), _price(record, disk_gb)
    value = _number(record, figure)
    if price == listed or price is None or price <= 0 or value is None:
        return _number(record, field)
    return value / price


_BY_KIND: Mapping[Kind, Callable[[Record, str], Scalar]] = {
    "number": _number,
    "flag": _flag,
    "text": _text,
    "word": _text,
    "cpu": _cpu,
    "other": _other,
}

_READERS: Mapping[str, Reader] = {
    "cpu_ghz": _clock,
    "datacenter": _datacenter,
    "driver_version": _driver_version,
    "geolocation": _country,
    "gpu_ram": lambda record: _memory(record, "gpu_ram"),
    "gpu_total_ram": lambda record: _memory(record, "gpu_total_ram"),
    "id": _offer_id,
    "reliability": _reliability,
    "ubuntu_version": lambda record: _text(record, "os_version"),
    "verification": _verification,
    "verified": _verified,
}
"""Fields that are not read as their kind is."""

_PRICED: Mapping[str, Callable[[float | None], Reader]] = {
    "dph_total": lambda disk_gb: partial(_price, disk_gb=disk_gb),
    "dlperf_per_dphtotal": lambda disk_gb: partial(
        _per_price, disk_gb=disk_gb, figure="dlperf", field="dlperf_per_dphtotal"
    ),
    "flops_per_dphtotal": lambda disk_gb: partial(
        _per_price, disk_gb=disk_gb, figure="total_flops", field="flops_per_dphtotal"
    ),
}
"""Fields that contain the price of a disk, whose GB are given."""
