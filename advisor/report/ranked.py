"""A ranking as a document for programs and as a table for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from advisor.base.figures import figure
from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from advisor.market.types import Answer
from advisor.ranking.ranking import Ranking
from advisor.report.entries import Entry, basis
from advisor.report.formats import as_sold, to_table
from advisor.throughput.user_runs import Calibration

SCHEMA_VERSION = 1
"""Version of the JSON envelope; it rises when a key changes meaning or goes."""

_COLUMNS: Mapping[str, str] = {
    "#": "left",
    "offer": "right",
    "GPU": "left",
    "CPU": "left",
    "threads": "right",
    "GHz": "right",
    "$/h": "right",
    "samples/s": "right",
    "90 % interval": "right",
    "bound by": "left",
    "GB free": "right",
    "h/epoch": "right",
    "$/epoch": "right",
    "job h": "right",
    "job $": "right",
    "notes": "left",
}

_LEAST_MISSED = (
    *("GHz", "GB free", "h/epoch", "threads"),
    *("CPU", "notes", "job h", "90 % interval", "job $"),
)
"""Columns in the order in which a table that is too wide does without them."""

_NOTES: Mapping[str, str] = {
    "gpu_unknown": "GPU guessed",
    "gpu_not_modelled": "GPU not modelled",
    "cpu_unknown": "CPU unknown",
    "cpu_family": "CPU by family",
    "cores_unknown": "cores unknown",
    "clock_capped": "clock capped",
    "gpu_power_capped": "power-capped",
    "gpu_measured_slow": "measured slower than usual",
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


def envelope(
    ranking: Ranking, shown: Sequence[Entry], generated_at: datetime
) -> dict[str, Any]:
    """Return the versioned JSON document of a ranking of a market's answer.

    Parameters
    ----------
    ranking : the ranking
    shown : the entries to show
    generated_at : now (UTC)
    """
    answer = _source(ranking)
    return {
        "schema_version": SCHEMA_VERSION,
        "generated_at": _utc(generated_at),
        "market": {
            "name": answer.market,
            "origin": answer.origin,
            "fetched_at": _utc(answer.fetched_at),
            "simulated": answer.simulated,
            "offers_read": ranking.read,
            "notes": list(answer.notes),
        },
        "complete": answer.complete,
        **basis(ranking),
        "sort": ranking.policy.sort,
        "excluded": dict(ranking.excluded),
        "offers": list(shown),
    }


def headline(ranking: Ranking, now: datetime) -> str:
    """Return one line: which market, how old, how many read and left out, why."""
    answer = _source(ranking)
    simulated = ", simulated" if answer.simulated else ""
    parts = [f"market {answer.market} ({answer.origin}{simulated}), {age(answer, now)}"]
    parts.append(f"{ranking.read:,} offers read")
    job = ranking.job
    epochs = f"{job.epochs:,} epoch{'s' * (job.epochs != 1)}"
    parts.insert(0, f"{job.workload.name}, {epochs}, {job.rental}")
    out = sum(ranking.excluded.values())
    reasons = ", ".join(f"{name} {n:,}" for name, n in ranking.excluded.items())
    parts.append(f"{out:,} left out" + (f" ({reasons})" if reasons else ""))
    if ranking.measured is not None:
        parts.append(calibrated(ranking.measured))
    waiting = job.assumptions.waiting_usd_per_h
    if ranking.policy.sort == "balanced" and waiting > 0.0:
        parts.append(f"each hour of waiting counts ${waiting:.2g} in the order")
    if answer.complete is False:
        parts.append("the market may hold back more offers")
    return "; ".join([*parts, *answer.notes])


def _source(ranking: Ranking) -> Answer:
    if ranking.source is None:
        message = "a ranking of no market's answer has no envelope and no headline"
        raise ValueError(message)
    return ranking.source


def calibrated(measured: Calibration) -> str:
    """Say how many runs of the user's own count, and why others do not."""
    own, others = measured.runs, measured.others
    runs = f"{own} run{'s' * (own != 1)}"
    of_others = f"{others} run{'s' * (others != 1)} of other workloads"
    parts = [of_others] if others and not own else [runs, *[of_others] * (others > 0)]
    return "; ".join([f"calibrated by {' and '.join(parts)}", *measured.silent])


def table(shown: Sequence[Entry], width: int | None = None) -> tuple[str, list[str]]:
    """Return the ranked table for a terminal.

    Parameters
    ----------
    shown : the entries to show
    width : characters that a line has room for; None: as many as it takes

    Returns
    -------
    the table, and the columns that it does without to fit
    """
    rows = [dict(zip(_COLUMNS, _row(entry), strict=True)) for entry in shown]
    for missed in range(len(_LEAST_MISSED) + 1):
        out = _LEAST_MISSED[:missed]
        names = [name for name in _COLUMNS if name not in out]
        cells = [[row[name] for name in names] for row in rows]
        text = to_table(cells, names, [_COLUMNS[name] for name in names])
        if width is None or max(map(len, text.splitlines())) <= width:
            break
    return text, [name for name in _COLUMNS if name in out]


def _row(entry: Entry) -> list[str]:
    low, high = entry["samples_per_s_low"], entry["samples_per_s_high"]
    return [
        f"{entry['rank']}{'' if entry['tied_with'] is None else '~'}",
        str(entry["offer_id"]),
        f"{entry['num_gpus']} x {entry['gpu_name'] or 'unknown'}",
        entry["cpu_name"] or "unknown",
        figure(entry["cpu_cores"], 3),
        figure(entry["cpu_ghz"], 2),
        _usd(entry["usd_per_hour"], 3),
        figure(entry["samples_per_s"], 3),
        f"{figure(low, 3)} - {figure(high, 3)}",
        entry["bound_by"],
        _free(entry["memory_margin_gb"]),
        figure(entry["epoch_hours"], 3),
        _usd(entry["epoch_usd"], 4 if entry["epoch_usd"] < 1 else 2),
        figure(entry["job_hours"], 3),
        _usd(entry["job_usd"], 2),
        ", ".join(notes(entry)),
    ]


def _free(margin_gb: float | None) -> str:
    return "?" if margin_gb is None else f"{as_sold(margin_gb):.1f}"


def _usd(value: float, decimals: int) -> str:
    return f"{value:,.{decimals}f}"


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


def _utc(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


_AGES = (
    ("days", SECONDS_PER_DAY),
    ("hours", SECONDS_PER_HOUR),
    ("minutes", SECONDS_PER_MINUTE),
)


def age(answer: Answer, now: datetime) -> str:
    """Return how old a market's answer is, in words."""
    if answer.fetched_at is None:
        return "age unknown"
    seconds = (now - answer.fetched_at).total_seconds()
    if seconds < 0:
        return "dated in the future"
    for unit, length in _AGES:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} old"
    return f"{seconds:.0f} seconds old"
