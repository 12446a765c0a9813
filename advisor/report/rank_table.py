"""The table of a ranking: its columns, what stands in them, what makes room for what."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from advisor.base.errors import ArgumentError, Given
from advisor.base.figures import duration, figure
from advisor.base.units import SECONDS_PER_HOUR
from advisor.report.answer import short_cpu
from advisor.report.entries import ENTRY_KEYS, Entry
from advisor.report.formats import as_sold
from advisor.report.styles import Meaning, Style, unstyled
from advisor.report.tables import Align, Column, Fitted, fitted

_NOTES: Mapping[str, str] = {
    "gpu_unknown": "GPU guessed",
    "gpu_not_modelled": "GPU not modelled",
    "cpu_unknown": "CPU unknown",
    "cpu_family": "CPU by family",
    "cores_unknown": "cores unknown",
    "clock_capped": "clock capped",
    "gpu_power_capped": "power-capped",
    "gpu_measured_slow": "measured slower than usual",
    "core_measured": "you measured its cores",
    "gpu_measured": "you measured its GPUs",
    "memory_modded": "memory differs",
    "gpu_slice": "part of a GPU",
    "mixed_gpus": "mixed GPUs",
    "memory_contradictory": "memory contradictory",
    "flops_contradictory": "TFLOPS of another card",
    "bandwidth_contradictory": "bandwidth of another card",
    "threads_contradictory": "threads contradictory",
    "bf16_lacking": "no BF16 units",
    "dlperf_low": "low DLPerf",
    "dlperf_high": "high DLPerf",
    "dlperf_broken": "DLPerf broken",
    "image_unknown": "image unknown",
    "driver_unknown": "driver unknown",
    "capability_unknown": "capability unknown",
    "ptx_only": "GPU code as PTX alone",
    "gpu_code_doubtful": "GPU code doubtful",
    "forward_compat": "driver by forward compatibility",
    "forward_compat_doubtful": "driver perhaps by forward compatibility",
    "demand_unknown": "driver may be refused",
    "host_ram_tight": "RAM tight",
    "disk_not_repriced": "disk not repriced",
    "price_contradictory": "price contradictory",
    "no_reserved_discount": "no discount",
    "forced_move": "ends before the job",
    "on_demand_cheaper": "on demand is cheaper",
    "start_doubtful": "may fail to run",
    "deverified": "deverified",
    "unverified": "unverified",
}
"""Flags that the table spells out; the others are in the JSON and CSV."""


_DANGERS = frozenset({"start_doubtful", "deverified", "on_demand_cheaper"})
_REMARKS_ALONE = frozenset({"dlperf_high", "cpu_family", "unverified"})
"""Flags of no consequence for who rents: the others are to be thought of."""


class _Shown(NamedTuple):
    """A column of a ranking.

    Attributes
    ----------
    column : how it is shown
    keys : of an entry, that it shows
    cell : returns what stands in it
    """

    column: Column
    keys: tuple[str, ...]
    cell: Callable[[Entry], str]


def _shown(
    name: str,
    keys: str,
    cell: Callable[[Entry], str],
    dispensable: int = 0,
    *,
    least: int | None = None,
    text: bool = False,
) -> _Shown:
    """Return a column; `keys` are separated by blanks, a `text` stands on the left."""
    align: Align = "left" if text else "right"
    column = Column(name, align, least, dispensable=dispensable)
    return _Shown(column, tuple(keys.split()), cell)


def _place(entry: Entry) -> str:
    return f"{entry['rank']}{'' if entry['tied_with'] is None else '~'}"


def _gpu(entry: Entry) -> str:
    return f"{entry['num_gpus']} x {entry['gpu_name'] or 'unknown'}"


def _cpu(entry: Entry) -> str:
    return short_cpu(entry["cpu_name"] or "unknown")


def _time(hours: float) -> str:
    return duration(hours * SECONDS_PER_HOUR)


def _own(entry: Entry) -> str:
    """Return the interval without what moves all offers together, in percent."""
    usd = entry["epoch_usd"]
    low, high = (
        100.0 * (entry[f"epoch_usd_own_{side}"] / usd - 1.0) for side in ("low", "high")
    )
    return f"{low:+.0f} {high:+.0f} %"


def _rates(entry: Entry) -> str:
    low, high = entry["samples_per_s_low"], entry["samples_per_s_high"]
    return f"{figure(low, 3)} - {figure(high, 3)}"


def _free(entry: Entry) -> str:
    margin_gb = entry["memory_margin_gb"]
    return "?" if margin_gb is None else f"{as_sold(margin_gb):.1f}"


def _usd(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


def _epoch_usd(entry: Entry) -> str:
    return _usd(entry["epoch_usd"], 4 if entry["epoch_usd"] < 1 else 2)


def _joined_notes(entry: Entry) -> str:
    return ", ".join(notes(entry))


def notes(entry: Entry) -> list[str]:
    """Return what to know of an offer beside its figures, in words."""
    told = [_NOTES[flag] for flag in entry["flags"] if flag in _NOTES]
    if entry["bid_usd_per_hour"] is not None:
        told.append(f"bid {_usd(entry['bid_usd_per_hour'], 3)}")
    if "gpu_memory_tight" in entry["flags"]:
        margin_gb, need_gb = entry["memory_margin_gb"], entry["memory_gb"]
        told.append(f"tight: {margin_gb / (margin_gb + need_gb):.0%} free")
    if entry["accumulation_steps"] > 1:
        told.append(f"batch {entry['micro_batch']} x {entry['accumulation_steps']}")
    elif "batch_fitted" in entry["flags"]:
        told.append(f"batch {entry['micro_batch']}")
    return told


_PLACE = _shown("#", "rank", _place, text=True)
_OFFER = _shown("offer", "offer_id", lambda one: str(one["offer_id"]))
_GPU = _shown("GPU", "num_gpus gpu_name", _gpu, least=24, text=True)
_THREADS = _shown("threads", "cpu_cores", lambda one: figure(one["cpu_cores"], 3), 5)
_GHZ = _shown("GHz", "cpu_ghz", lambda one: figure(one["cpu_ghz"], 2), 12)
_PRICE = _shown("$/h", "usd_per_hour", lambda one: _usd(one["usd_per_hour"], 3), 2)
_RATE = _shown(
    "samples/s", "samples_per_s", lambda one: figure(one["samples_per_s"], 3), 8
)
_BOUND = _shown("bound by", "bound_by", lambda one: one["bound_by"], 3, text=True)
_FREE = _shown("GB free", "memory_margin_gb", _free, 11)
_COST = _shown("$/epoch", "epoch_usd", _epoch_usd)
_JOB_USD = _shown("job $", "job_usd", lambda one: _usd(one["job_usd"], 2), 9)
_REMARKS = _shown("notes", "flags", _joined_notes, 7, least=12, text=True)

_IN_FULL: Sequence[_Shown] = (
    _PLACE,
    _OFFER,
    _GPU,
    _shown("CPU", "cpu_name", lambda one: one["cpu_name"] or "unknown", text=True),
    _THREADS,
    _GHZ,
    _PRICE,
    _RATE,
    _shown("90 % interval", "samples_per_s_low samples_per_s_high", _rates),
    _BOUND,
    _FREE,
    _shown("h/epoch", "epoch_hours", lambda one: figure(one["epoch_hours"], 3)),
    _COST,
    _shown("job h", "job_hours", lambda one: figure(one["job_hours"], 3)),
    _JOB_USD,
    _REMARKS,
)
"""What is shown where any width will do."""

_ON_A_TERMINAL: Sequence[_Shown] = (
    _PLACE,
    _OFFER,
    _GPU,
    _COST,
    _shown("epoch", "epoch_hours", lambda one: _time(one["epoch_hours"]), 1),
    _PRICE,
    _BOUND,
    _Shown(
        Column("CPU", least=10, cut_at_start=True, dispensable=4), ("cpu_name",), _cpu
    ),
    _THREADS,
    _shown("interval", "epoch_usd_own_low epoch_usd_own_high", _own, 6),
    _RATE,
    _JOB_USD,
    _shown("job time", "job_hours", lambda one: _time(one["job_hours"]), 10),
    _FREE,
    _GHZ,
    _REMARKS,
)
"""What is shown within a width, as far as there is room."""


def chosen_columns(names: Sequence[str], *, in_full: bool) -> Sequence[_Shown]:
    """Return the columns that somebody names, as they are named.

    A name is the head of a column, in any case, or a key of the JSON.

    Parameters
    ----------
    in_full : names and times are wanted whole, whatever their width

    Raises
    ------
    ArgumentError
        if there is no such column
    """
    both = (_ON_A_TERMINAL, _IN_FULL) if in_full else (_IN_FULL, _ON_A_TERMINAL)
    heads = {_plain(one.column.name): one for columns in both for one in columns}
    return [_named(name, heads) for name in names]


def _named(name: str, heads: Mapping[str, _Shown]) -> _Shown:
    if found := heads.get(_plain(name)):
        return found
    keys = {_plain(key): key for key in ENTRY_KEYS}
    if key := keys.get(_plain(name)):
        return _shown(key, key, lambda one: _cell(one[key]), least=12)
    known = {plain: one.column.name for plain, one in heads.items()} | keys
    close = difflib.get_close_matches(_plain(name), known, n=3, cutoff=0.5)
    hint = ", ".join(known[one] for one in close)
    advice = f"did you mean {hint}?" if hint else f"there are {', '.join(known.values())}"
    raise ArgumentError(Given("columns"), f": no column is called {name!r}; {advice}")


def _plain(name: str) -> str:
    return "".join(name.lower().replace("_", " ").split())


def _cell(value: Any) -> str:
    """Return a value of an entry as it is."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_cell(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return figure(value, 4) if value is None or isinstance(value, float) else str(value)


def chosen_rows(shown: Iterable[Entry], names: Sequence[str]) -> list[dict[str, Any]]:
    """Return of each entry the keys that the named columns show."""
    columns = chosen_columns(names, in_full=True)
    keys = list(dict.fromkeys(key for one in columns for key in one.keys))
    return [{key: entry[key] for key in keys} for entry in shown]


def table(
    shown: Sequence[Entry],
    width: int | None = None,
    names: Sequence[str] = (),
    style: Style = unstyled,
) -> Fitted:
    """Return the ranked table for a terminal.

    Parameters
    ----------
    shown : the entries to show
    width : cells that a line has room for; None: as many as it takes
    names : of the columns; empty: the usual ones
    style : how what a cell means looks
    """
    columns = _columns(width, names)

    def paint(number: int, column: Column, cell: str) -> str:
        meaning = _meaning(shown[number], column.name)
        return cell if meaning is None else style(meaning, cell)

    return fitted(
        [one.column for one in columns],
        [[one.cell(entry) for one in columns] for entry in shown],
        width,
        paint=paint,
        breaks_heads=False,
    )


def heads_of(made: Fitted, width: int | None, names: Sequence[str]) -> set[str]:
    """Return the heads of the columns for which a table of this width has had room."""
    return {one.column.name for one in _columns(width, names)} - set(made.missing)


def _columns(width: int | None, names: Sequence[str]) -> Sequence[_Shown]:
    """Return the columns of a table: those that are named, else the usual ones."""
    if not names:
        return _IN_FULL if width is None else _ON_A_TERMINAL
    return [
        one._replace(column=replace(one.column, dispensable=0))
        for one in chosen_columns(names, in_full=width is None)
    ]


def _meaning(entry: Entry, head: str) -> Meaning | None:
    """Return what a cell is to who looks for a machine; None: nothing of its own."""
    if head == "notes":
        flags = {flag for flag in entry["flags"] if flag in _NOTES}
        if flags & _DANGERS:
            return "danger"
        return "caution" if flags - _REMARKS_ALONE else "faint"
    if head == "bound by" and entry["bound_by"] != "gpu":
        return "caution"
    if head == "#" and entry["tied_with"] is not None:
        return "faint"
    return "answer" if entry["rank"] == 1 and head in {"offer", "$/epoch"} else None
