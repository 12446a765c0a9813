"""The columns of a market's records as they came, before anything is judged or mended.

Most columns hold plain numbers or texts that come again and again, and are converted
whole; one odd value (a word, a list, an integer beyond 64 bits) sends its column through
`advisor.market.values`, value by value, to the same result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray, ObjectArray
from advisor.market.types import Record
from advisor.market.values import UNKNOWN_ID, read_figure, read_id, read_text, renamed


class Column(NamedTuple):
    """Where a numeric column is found and what a zero in it means."""

    keys: tuple[str, ...]
    zero_is_unknown: bool = False


NUMBERS: Mapping[str, Column] = {
    "num_gpus": Column(("num_gpus",), zero_is_unknown=True),
    "gpu_frac": Column(("gpu_frac",), zero_is_unknown=True),
    "gpu_ram_mb": Column(("gpu_ram",), zero_is_unknown=True),
    "gpu_total_ram_mb": Column(("gpu_total_ram",), zero_is_unknown=True),
    "gpu_mem_bw_gb_s": Column(("gpu_mem_bw",), zero_is_unknown=True),
    "gpu_max_power_w": Column(("gpu_max_power",), zero_is_unknown=True),
    "total_flops_tflops": Column(("total_flops",), zero_is_unknown=True),
    "compute_cap": Column(("compute_cap",), zero_is_unknown=True),
    "bw_nvlink_gb_s": Column(("bw_nvlink",)),
    "pcie_gb_s": Column(("pcie_bw",), zero_is_unknown=True),
    "pci_gen": Column(("pci_gen",), zero_is_unknown=True),
    "gpu_lanes": Column(("gpu_lanes",), zero_is_unknown=True),
    "dlperf": Column(("dlperf",), zero_is_unknown=True),
    "cpu_cores": Column(("cpu_cores",), zero_is_unknown=True),
    "cpu_threads": Column(("cpu_cores_effective",), zero_is_unknown=True),
    "cpu_ghz": Column(("cpu_ghz",), zero_is_unknown=True),
    "cpu_ram_mb": Column(("cpu_ram",), zero_is_unknown=True),
    "disk_space_gb": Column(("disk_space",)),
    "disk_bw_mb_s": Column(("disk_bw",), zero_is_unknown=True),
    "inet_up_mbit_s": Column(("inet_up",), zero_is_unknown=True),
    "inet_down_mbit_s": Column(("inet_down",), zero_is_unknown=True),
    "inet_up_usd_per_gb": Column(("inet_up_cost",)),
    "inet_down_usd_per_gb": Column(("inet_down_cost",)),
    "storage_usd_per_gb_month": Column(("storage_cost",)),
    "dph_base": Column(("dph_base",), zero_is_unknown=True),
    "dph_total": Column(("dph_total", "dph"), zero_is_unknown=True),
    "discounted_dph_total": Column(("discounted_dph_total",), zero_is_unknown=True),
    "min_bid": Column(("min_bid",), zero_is_unknown=True),
    "reliability": Column(("reliability", "reliability2")),
    "duration_s": Column(("duration",)),
    "end_unix_s": Column(("end_date",), zero_is_unknown=True),
    "hosting_type": Column(("hosting_type",)),
    "direct_port_count": Column(("direct_port_count",)),
    "cuda_max_good": Column(("cuda_max_good",), zero_is_unknown=True),
    "score": Column(("score",)),
    "inet_up_usd_per_tb": Column(("internet_up_cost_per_tb",)),
    "inet_down_usd_per_tb": Column(("internet_down_cost_per_tb",)),
}
"""Column -> where it is found; the last two only where others are missing."""

_TEXTS = (
    "gpu_name",
    "cpu_name",
    "geolocation",
    "verification",
    "driver_version",
    "cpu_arch",
    "gpu_arch",
)

Values = Callable[[str], Sequence[Any]]
"""Returns the values of a key of some records, None where one has it not."""

_OTHER_KEYS = ("machine_id", "host_id", "gpu_ids", "rentable", "rented", "verified")

KEYS = tuple(
    dict.fromkeys(
        ["id", *chain(*(one.keys for one in NUMBERS.values())), *_TEXTS, *_OTHER_KEYS]
    )
)
"""All keys that columns are made of; not those that only stand in for an id."""

CHUNK = 96
"""Records that are read together: half a MB or so, about what a core's cache holds."""

_IDS_END = 2**63  # ids fit 64 bits

_PLAIN = frozenset({float, int, type(None)})
"""Types that NumPy converts as `read_figure` does; of a truth value it makes a number."""


def values_of(records: Sequence[Record], key: str) -> list[Any]:
    """Return the value of a key of each record, None where it is not there."""
    try:
        return [record[key] for record in records]
    except KeyError:
        return [record.get(key) for record in records]


def number_column(
    values_of_key: Values, keys: Sequence[str], *, plain: bool = False
) -> FloatArray:
    """Return a number of each record; of several keys the first that is not null.

    NaN where there is none, `NO_FIGURE` where it is something else than a number; no
    limits: see `advisor.market.offers`.

    Parameters
    ----------
    values_of_key : of the records
    keys : the market's names of the number
    plain : all values are known to be numbers or null
    """
    first, *others = keys
    values = values_of_key(first)
    for key in others:
        if None in values:
            values = [
                other if value is None else value
                for value, other in zip(values, values_of_key(key), strict=True)
            ]
    if plain or _PLAIN.issuperset(map(type, values)):
        try:
            return np.array(values, dtype=np.float64)
        except OverflowError:  # an integer beyond all floats
            pass
    return np.array([read_figure(value) for value in values], dtype=np.float64)


def id_column(values: Sequence[Any]) -> IntArray:
    """Return JSON values as ids, `UNKNOWN_ID` where one is none."""
    if set(map(type, values)) == {int}:
        try:
            ids = np.array(values, dtype=np.int64)
        except OverflowError:  # beyond 64 bits
            pass
        else:
            ids[ids < 0] = UNKNOWN_ID
            return ids
    return np.array([read_id(value) for value in values], dtype=np.int64)


def id_tuples(values: Sequence[Any]) -> list[tuple[int, ...]]:
    """Return JSON values as tuples of ids, empty ones where one is no list of ids."""
    if set(map(type, values)) == {list}:
        ids = list(chain.from_iterable(values))
        plain = set(map(type, ids)) == {int}
        if plain and min(ids) >= 0 and max(ids) < _IDS_END:
            return list(map(tuple, values))
    return [_id_tuple(value) for value in values]


def _id_tuple(value: object) -> tuple[int, ...]:
    if not isinstance(value, list):
        return ()
    ids = tuple(map(read_id, value))
    return () if UNKNOWN_ID in ids else ids


class Texts(dict[Any, str]):
    """JSON values as texts fit for a terminal; what comes again is one object.

    It grows by each text that is new: meant for one listing.
    """

    def __missing__(self, value: object) -> str:
        """Read a value that has not come yet; what is no text is not noted."""
        text = read_text(value)
        if isinstance(value, str):
            self[value] = text
        return text

    def column(self, values: Sequence[Any]) -> ObjectArray:
        """Return the texts of JSON values."""
        try:
            return objects([self[value] for value in values])
        except TypeError:  # a list or an object cannot be looked up
            return objects([read_text(value) for value in values])


def objects(values: Iterable[str]) -> ObjectArray:
    """Return texts as an array of Python's strings."""
    texts = list(values)
    array = np.empty(len(texts), dtype=np.object_)
    array[:] = texts
    return array


def record_id(record: Record) -> int:
    """Return the id of a record's offer, `UNKNOWN_ID` where it has none."""
    return read_id(_id_of(renamed(record)))


def _id_of(named: Record) -> object:
    return named.get("id", named.get("ask_contract_id"))


def identified(records: Sequence[Any]) -> tuple[Values, IntArray]:
    """Return the values of records that are offers, by key, and their ids."""
    named, offer_id = _named(records)
    return partial(values_of, named), offer_id


def _named(records: Sequence[Any]) -> tuple[Sequence[Record], IntArray]:
    """Return the records that are offers, under the market's names, and their ids."""
    if set(map(type, records)) == {dict}:
        try:
            offer_id = id_column([record["id"] for record in records])
        except KeyError:
            pass
        else:
            if UNKNOWN_ID not in offer_id:
                return records, offer_id
    named = [renamed(record) for record in records if isinstance(record, Mapping)]
    offer_id = id_column([_id_of(record) for record in named])
    (known,) = np.nonzero(offer_id != UNKNOWN_ID)
    return [named[at] for at in known.tolist()], offer_id[known]


class Reader:
    """Reads records into columns, chunk by chunk.

    Chunks are best small enough that their records are still in the processor's cache
    when the last column asks for them, see `CHUNK`.
    """

    def __init__(self) -> None:
        self._texts = Texts({None: ""})
        self._arrays: dict[str, Any] = {}
        self._gpu_ids: list[tuple[int, ...]] = []

    def read(self, values: Values, offer_id: IntArray, *, plain: bool = False) -> None:
        """Read the records with these ids, under the market's names.

        `plain` says that all numbers are numbers or null, see `number_column`.
        """
        self._gpu_ids += id_tuples(values("gpu_ids"))
        self._add("offer_id", offer_id)
        for name, column in NUMBERS.items():
            self._add(name, number_column(values, column.keys, plain=plain))
        for name in ("machine_id", "host_id"):
            self._add(name, id_column(values(name)))
        texts = {name: self._texts.column(values(name)) for name in _TEXTS}
        (silent,) = np.nonzero(texts["verification"] == "")
        older = values("verified") if len(silent) else ()
        for at in silent.tolist():
            texts["verification"][at] = _verification(older[at])
        for name, text in texts.items():
            self._add(name, text)
        told = zip(values("rentable"), values("rented"), strict=True)
        rentable = [yes is not False and rented is not True for yes, rented in told]
        self._add("rentable", np.array(rentable, dtype=bool))

    def _add(self, name: str, values: np.ndarray) -> None:
        """Put values behind those that a column has; it grows by doubling.

        Room that was never written to takes no memory, and columns of small arrays, each
        freed on its own, would leave their room to nobody.
        """
        end = len(self._gpu_ids)
        start = end - len(values)
        array = self._arrays.get(name)
        if array is None or len(array) < end:
            grown = np.empty(max(2 * end, CHUNK), dtype=values.dtype)
            if array is not None:
                grown[:start] = array[:start]
            self._arrays[name] = array = grown
        array[start:end] = values

    def columns(self) -> dict[str, Any]:
        """Return the columns of all that was read, as it came, and forget them."""
        if not self._arrays:
            self.read(partial(values_of, []), np.empty(0, dtype=np.int64))
        count, arrays = len(self._gpu_ids), self._arrays
        columns = {name: array[:count] for name, array in arrays.items()}
        columns["gpu_ids"] = self._gpu_ids
        self._arrays, self._gpu_ids = {}, []
        return columns


def _verification(verified: object) -> str:
    """Return what the older `verified` field, true or false, says."""
    if not isinstance(verified, bool):
        return ""
    return "verified" if verified else "unverified"
