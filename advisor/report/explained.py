"""The whole bill of one offer, as a document and as text, and two side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from advisor.base.arrays import FloatArray
from advisor.base.figures import figure
from advisor.cost.expected import Lines
from advisor.ranking.rank import Ranking, advice_of
from advisor.report.advised import advice_document, advice_lines
from advisor.report.entries import Entry, basis, entry, number
from advisor.report.formats import lines_of, to_table
from advisor.report.ranked import calibrated

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""


class _Line(NamedTuple):
    """One line of the bill: its hours and whether they bill rent."""

    label: str
    hours: Callable[[Lines], FloatArray]
    bills_rent: bool


_LINES: Mapping[str, _Line] = {
    "pull": _Line("image pull and boot", lambda b: b.pull_h, bills_rent=False),
    "begin": _Line("data, start, cold cache", lambda b: b.begin_h, bills_rent=True),
    "failed": _Line("starts that fail", lambda b: b.failed_h, bills_rent=True),
    "training": _Line("training", lambda b: b.training_h, bills_rent=True),
    "checkpoints": _Line("checkpoints", lambda b: b.checkpoint_h, bills_rent=True),
    "send": _Line("last checkpoint home", lambda b: b.send_h, bills_rent=True),
    "repeated": _Line("lost work and restarts", lambda b: b.repeated_h, bills_rent=True),
    "offline": _Line("waiting: machine failed", lambda b: b.offline_h, bills_rent=False),
    "paused": _Line("waiting: outbid", lambda b: b.paused_h, bills_rent=False),
}
_DOLLARS: Mapping[str, tuple[str, Callable[[Lines], FloatArray]]] = {
    "storage": ("storage", lambda b: b.storage_usd),
    "download": ("traffic, down", lambda b: b.download_usd),
    "upload": ("traffic, up", lambda b: b.upload_usd),
    "dearer": ("dearer machines after it", lambda b: b.dearer_usd),
}


def bill_lines(ranking: Ranking, at: int) -> list[dict[str, Any]]:
    """Return the bill of one offer line by line: hours, and dollars of job and epoch.

    The dollars of all lines add up to the cost of the job. A line of hours bills the
    rent of the GPUs; storage and traffic are lines of their own.
    """
    bill, epochs = ranking.bill, ranking.job.epochs
    price = float(bill.terms.gpu_usd_per_h[at])
    rows: list[tuple[str, str, float | None, float]] = []
    for key, line in _LINES.items():
        hours = float(line.hours(bill.job)[at])
        usd = price * hours if line.bills_rent else 0.0
        rows.append((key, line.label, hours, usd))
    for key, (label, dollars) in _DOLLARS.items():
        rows.append((key, label, None, float(dollars(bill.job)[at])))
    return [
        {
            "line": key,
            "label": label,
            "hours": None if hours is None else number(hours),
            "usd": number(usd),
            "epoch_usd": number(usd / epochs),
        }
        for key, label, hours, usd in rows
    ]


def explained_document(ranking: Ranking, at: int, rank: int | None) -> dict[str, Any]:
    """Return the versioned JSON document of one offer: its entry, bill, assumptions."""
    return {
        "schema_version": SCHEMA_VERSION,
        "offer": entry(ranking, at, rank),
        "bill": bill_lines(ranking, at),
        "advice": advice_document(advice_of(ranking, at), _epoch_hours(ranking, at)),
        **basis(ranking),
    }


def compared_document(ranking: Ranking, places: Sequence[int]) -> dict[str, Any]:
    """Return the versioned JSON document of several offers side by side."""
    documents = [explained_document(ranking, at, None) for at in places]
    own = ("offer", "bill", "advice")
    offers = [{key: one[key] for key in own} for one in documents]
    return {"schema_version": SCHEMA_VERSION, "offers": offers, **basis(ranking)}


def explained_text(ranking: Ranking, at: int, rank: int | None) -> str:
    """Return the whole bill of one offer for a terminal."""
    one = entry(ranking, at, rank)
    return "\n\n".join(
        [
            f"{_title(one)}\n{_job(ranking)}",
            _facts(ranking, at, one),
            _bill([bill_lines(ranking, at)], [one]),
            _limits([one]),
            lines_of(advice_lines(advice_of(ranking, at), _epoch_hours(ranking, at))),
            _assumptions(ranking),
        ]
    )


def compared_text(ranking: Ranking, places: Sequence[int]) -> str:
    """Return several offers side by side for a terminal."""
    shown = [entry(ranking, at, None) for at in places]
    titles = "\n".join(_title(one) for one in shown)
    bills = [bill_lines(ranking, at) for at in places]
    parts = [
        f"{titles}\n{_job(ranking)}",
        _side_by_side(shown),
        _bill(bills, shown),
        _limits(shown),
    ]
    return "\n\n".join(parts)


def _epoch_hours(ranking: Ranking, at: int) -> float:
    return float(ranking.bill.epoch_hours[at])


def _title(one: Entry) -> str:
    gpus = f"{one['num_gpus']} x {one['gpu_name'] or 'unknown'}"
    host = one["cpu_name"] or "unknown CPU"
    threads = f"{figure(one['cpu_cores'], 3)} threads"
    price = f"${figure(one['usd_per_hour'], 3)}/h"
    return f"offer {one['offer_id']}: {gpus}, {host}, {threads}, {price}"


def _job(ranking: Ranking) -> str:
    job = ranking.job
    name, disk = job.workload.name, figure(job.disk_gb, 3)
    return f"{name}, {job.epochs} epochs, {job.rental}, {disk} GB of disk"


def _facts(ranking: Ranking, at: int, one: Entry) -> str:
    bill = ranking.bill
    waiting_usd = one["epoch_waiting_usd"] * ranking.job.epochs
    rows = [
        ("rank", "not ranked" if one["rank"] is None else str(one["rank"])),
        ("throughput", _interval(one, "samples_per_s", " samples/s")),
        ("bound by", str(one["bound_by"])),
        ("epoch", _interval(one, "epoch_hours", " h") + " of training"),
        ("cost", _interval(one, "epoch_usd", " $") + " an epoch"),
        ("job", f"${figure(one['job_usd'], 3)} in {figure(one['job_hours'], 3)} h"),
        ("waiting", f"worth ${figure(waiting_usd, 3)} in the order; on no bill"),
        ("failures", _failures(one, float(bill.failures_per_h[at]))),
        ("checkpoint", _checkpoint(one)),
        ("image", one["image"] or "none of the job's runs there"),
        ("host memory", _host_memory(one)),
    ]
    if one["bid_usd_per_hour"] is not None:
        losses = f"{figure(one['expected_preemptions'], 2)} losses expected"
        rows.append(("bid", f"${figure(one['bid_usd_per_hour'], 3)}/h, {losses}"))
    if bill.planned_moves[at] > 0:
        stands = figure(float(bill.terms.stands_h[at]), 3)
        moves = figure(float(bill.planned_moves[at]), 3)
        rows.append(("offer's end", f"stands {stands} h: {moves} planned moves"))
    if ranking.measured is not None:
        rows.append(("your runs", calibrated(ranking.measured)))
    if one["flags"]:
        rows.append(("flags", ", ".join(one["flags"])))
    return lines_of(rows)


def _host_memory(one: Entry) -> str:
    need = f"about {figure(one['host_ram_needed_gb'], 2)} GB needed"
    if one["host_ram_gb"] is None:
        return f"unknown; {need}"
    risk = f"a chance of {one['host_ram_risk']:.0%} that it is too little"
    return f"{figure(one['host_ram_gb'], 3)} GB; {need}, {risk}"


def _checkpoint(one: Entry) -> str:
    hours = one["checkpoint_hours"]
    return "at the end" if hours is None else f"every {figure(hours, 2)} h of work"


def _failures(one: Entry, per_h: float) -> str:
    between = "never" if per_h == 0.0 else f"one in {figure(1.0 / per_h, 2)} h"
    count = figure(one["expected_failures"], 2)
    return f"{between} of running; {count} and {figure(one['expected_moves'], 2)} moves"


def _interval(one: Entry, key: str, unit: str) -> str:
    low, high = one[f"{key}_low"], one[f"{key}_high"]
    interval = f"90 % interval {figure(low, 3)} - {figure(high, 3)}"
    return f"{figure(one[key], 3)}{unit} ({interval})"


def _bill(bills: Sequence[Sequence[Mapping[str, Any]]], shown: Sequence[Entry]) -> str:
    """Return the lines of one or several bills, lines without a figure left out."""
    rows = []
    for lines in zip(*bills, strict=True):
        if not any(line["hours"] or line["usd"] for line in lines):
            continue
        row = [lines[0]["label"]]
        for line in lines:
            row += [_cell(line["hours"], 3), _usd(line["usd"]), _usd(line["epoch_usd"])]
        rows.append(row)
    total = ["total"]
    for one in shown:
        total += [figure(one["job_hours"], 3)]
        total += [_usd(one["job_usd"]), _usd(one["epoch_usd"])]
    heads = [head for _ in shown for head in ("hours", "$", "$/epoch")]
    return to_table([*rows, total], ["line", *heads], ["left", *("right" for _ in heads)])


def _limits(shown: Sequence[Entry]) -> str:
    rows = [
        (name, *(_cell(one["limits"][name], 3) or "none" for one in shown))
        for name in shown[0]["limits"]
    ]
    heads = ["limit", *("samples/s" for _ in shown)]
    return to_table(rows, heads, ["left", *("right" for _ in shown)])


def _side_by_side(shown: Sequence[Entry]) -> str:
    keys: Mapping[str, Callable[[Entry], str]] = {
        "bound by": lambda one: one["bound_by"],
        "samples/s": lambda one: figure(one["samples_per_s"], 3),
        "h/epoch": lambda one: figure(one["epoch_hours"], 3),
        "$/epoch": lambda one: figure(one["epoch_usd"], 3),
        "90 % interval": lambda one: (
            f"{figure(one['epoch_usd_low'], 3)} - {figure(one['epoch_usd_high'], 3)}"
        ),
        "failures": lambda one: figure(one["expected_failures"], 2),
        "image": lambda one: one["image"] or "none",
        "host memory": _host_memory,
        "reliability": lambda one: figure(one["reliability"], 4),
        "flags": lambda one: ", ".join(one["flags"]) or "none",
    }
    rows = [(name, *(read(one) for one in shown)) for name, read in keys.items()]
    heads = ["", *(f"offer {one['offer_id']}" for one in shown)]
    return to_table(rows, heads, ["left", *("left" for _ in shown)])


def _assumptions(ranking: Ranking) -> str:
    """Return all that is assumed, what the user can change first."""
    changeable = ranking.job.assumptions.listed()
    fixed = {
        name: one for name, one in ranking.assumptions.items() if name not in changeable
    }
    heads = ("value", "unit", "source")
    return "\n\n".join(
        to_table(
            [
                (name, f"{one.value:g}", one.unit, one.source)
                for name, one in group.items()
            ],
            (title, *heads),
            ("left", "right", "left", "left"),
        )
        for title, group in (
            ("assumed; change with --assume NAME=VALUE", changeable),
            ("of the model; see models/README.md", fixed),
        )
    )


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else figure(value, digits)


def _usd(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.4f}" if 0.0 < value < 1.0 else f"{value:,.2f}"
