"""The whole cost estimate of one offer, as a document and as text."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from advisor.base.figures import figure
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.report.advised import advice_document
from advisor.report.assumed import effects_document
from advisor.report.entries import Entry, basis, entry, number
from advisor.report.formats import to_table
from advisor.report.sentences import offer_answer

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
    """Return the versioned JSON document of one offer: its entry, bill, assumptions.

    The effects are what each assumption changes of the cost.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "answer": {"text": offer_answer(offer)},
        **_document(offer),
        "effects": effects_document(offer.effects(), offer.ranking.job.epochs),
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


def compared_text(offers: Sequence[RankedOffer]) -> str:
    """Return several offers of a ranking side by side for a terminal."""
    shown = [entry(one) for one in offers]
    titles = "\n".join(_title(one) for one in shown)
    parts = [
        f"{titles}\n{_job(offers[0].ranking)}",
        _side_by_side(shown),
        _breakdown([cost_breakdown(one) for one in offers], shown),
        _limits(shown),
    ]
    return "\n\n".join(parts)


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


def host_memory(one: Entry) -> str:
    """Return what the job needs of the host's memory, and whether that is there."""
    need = f"about {figure(one['host_ram_needed_gb'], 2)} GB needed"
    if one["host_ram_gb"] is None:
        return f"unknown; {need}"
    risk = f"a chance of {one['host_ram_risk']:.0%} that it is too little"
    return f"{figure(one['host_ram_gb'], 3)} GB; {need}, {risk}"


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
        "host memory": host_memory,
        "reliability": lambda one: figure(one["reliability"], 4),
        "flags": lambda one: ", ".join(one["flags"]) or "none",
    }
    rows = [(name, *(read(one) for one in shown)) for name, read in keys.items()]
    heads = ["", *(f"offer {one['offer_id']}" for one in shown)]
    return to_table(rows, heads, ["left", *("left" for _ in shown)])


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else figure(value, digits)


def _usd(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.4f}" if 0.0 < value < 1.0 else f"{value:,.2f}"
