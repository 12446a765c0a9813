"""The whole cost estimate of one offer, as a document and as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from advisor.base.assumption import Assumption
from advisor.base.figures import figure
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.report.advised import advice_document, advice_lines
from advisor.report.entries import Entry, basis, entry, number
from advisor.report.formats import lines_of, to_table, wrap
from advisor.report.ranked import calibrated

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""


_LABELS: Mapping[str, tuple[str, str]] = {
    "pull": ("pull", "image pull and boot"),
    "begin": ("begin", "data, start, cold cache"),
    "failed": ("failed", "starts that fail"),
    "training": ("training", "training"),
    "checkpoint": ("checkpoints", "checkpoints"),
    "send": ("send", "last checkpoint home"),
    "repeated": ("repeated", "lost work and restarts"),
    "offline": ("offline", "waiting: machine failed"),
    "paused": ("paused", "waiting: outbid"),
    "storage": ("storage", "storage"),
    "download": ("download", "traffic, down"),
    "upload": ("upload", "traffic, up"),
    "dearer": ("dearer", "dearer machines after it"),
}
"""Name of a `CostLine` -> its name in the JSON, and in words."""


def cost_breakdown(offer: RankedOffer) -> list[dict[str, Any]]:
    """Return the cost breakdown of one offer: hours, and dollars of job and epoch.

    The dollars of all lines add up to the cost of the job.
    """
    epochs = offer.ranking.job.epochs
    return [
        {
            "line": _LABELS[one.name][0],
            "label": _LABELS[one.name][1],
            "hours": number(one.hours),
            "usd": number(one.usd),
            "epoch_usd": number(one.usd / epochs),
        }
        for one in offer.cost_lines()
    ]


def explained_document(offer: RankedOffer) -> dict[str, Any]:
    """Return the versioned JSON document of one offer: its entry, bill, assumptions."""
    return {
        "schema_version": SCHEMA_VERSION,
        **_document(offer),
        **basis(offer.ranking),
    }


def _document(offer: RankedOffer) -> dict[str, Any]:
    return {
        "offer": entry(offer),
        "bill": cost_breakdown(offer),
        "advice": advice_document(offer.advice(), offer.epoch_h),
    }


def compared_document(offers: Sequence[RankedOffer]) -> dict[str, Any]:
    """Return the versioned JSON document of several offers of a ranking side by side."""
    documents = [_document(one) for one in offers]
    for one in documents:
        one["offer"]["rank"] = None
    return {
        "schema_version": SCHEMA_VERSION,
        "offers": documents,
        **basis(offers[0].ranking),
    }


def explained_text(
    offer: RankedOffer, called: Callable[[str], str] = str, width: int | None = None
) -> str:
    """Return all that is known of one offer for a terminal.

    Parameters
    ----------
    called : returns how the user's face calls a field
    width : characters of a line; None: any number
    """
    one = entry(offer)
    return "\n\n".join(
        [
            f"{_title(one)}\n{_job(offer.ranking)}",
            _facts(offer, one, width),
            _breakdown([cost_breakdown(offer)], [one]),
            _limits([one]),
            lines_of(advice_lines(offer.advice(), offer.epoch_h), width),
            _assumptions(offer.ranking, called, width),
        ]
    )


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


def _facts(offer: RankedOffer, one: Entry, width: int | None) -> str:
    ranking = offer.ranking
    bill, at = ranking.bill, offer.at
    waiting_usd = one["epoch_waiting_usd"] * ranking.job.epochs
    rows = [
        ("rank", "not ranked" if one["rank"] is None else str(one["rank"])),
        ("throughput", _interval(one, "samples_per_s", " samples/s")),
        ("bound by", str(one["bound_by"])),
        ("epoch", _interval(one, "epoch_hours", " h") + " of training"),
        ("cost", "$" + _interval(one, "epoch_usd", "") + " per epoch"),
        ("job", f"${figure(one['job_usd'], 3)} in {figure(one['job_hours'], 3)} h"),
        ("waiting", f"worth ${figure(waiting_usd, 3)} in the order; in no cost above"),
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
    return lines_of(rows, width)


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


def _breakdown(
    several: Sequence[Sequence[Mapping[str, Any]]], shown: Sequence[Entry]
) -> str:
    """Return one or several cost breakdowns, items without a figure left out."""
    rows = []
    for lines in zip(*several, strict=True):
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
    return to_table([*rows, total], ["item", *heads], ["left", *("right" for _ in heads)])


def _limits(shown: Sequence[Entry]) -> str:
    rows = [
        (name, *(_cell(one["limits"][name], 3) or "none" for one in shown))
        for name in shown[0]["limits"]
    ]
    heads = ["limit", *("samples/s" for _ in shown)]
    return to_table(rows, heads, ["left", *("right" for _ in shown)])


def _assumptions(
    ranking: Ranking, called: Callable[[str], str], width: int | None
) -> str:
    """Return all that is assumed, what the user can change first."""
    changeable = ranking.job.assumptions.listed()
    fixed = {
        name: one for name, one in ranking.assumptions.items() if name not in changeable
    }
    groups = (
        (f"assumed; change with {called('assumptions')} NAME=VALUE", changeable),
        ("of the model; see models/README.md", fixed),
    )
    return "\n\n".join(_sourced(title, group, width) for title, group in groups)


def _sourced(title: str, group: Mapping[str, Assumption], width: int | None) -> str:
    """Return figures with their sources: a table, or each with its source below it."""
    if width is None:
        rows = [
            (name, f"{one.value:g}", one.unit, one.source) for name, one in group.items()
        ]
        heads = (title, "value", "unit", "source")
        return to_table(rows, heads, ("left", "right", "left", "left"))
    lines = [title]
    for name, one in group.items():
        lines.append(f"  {name}  {one.value:g} {one.unit}")
        lines += [f"    {line}" for line in wrap(one.source, width - 4)]
    return "\n".join(lines)


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else figure(value, digits)


def _usd(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.4f}" if 0.0 < value < 1.0 else f"{value:,.2f}"
