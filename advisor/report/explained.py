"""The whole cost estimate of one offer, or of several, as a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from advisor.base.figures import figure
from advisor.ranking.offer import RankedOffer
from advisor.report.advised import advice_document
from advisor.report.assumed import effects_document
from advisor.report.entries import Entry, basis, entry, number
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


def host_memory(one: Entry) -> str:
    """Return what the job needs of the host's memory, and whether that is there."""
    need = f"about {figure(one['host_ram_needed_gb'], 2)} GB needed"
    if one["host_ram_gb"] is None:
        return f"unknown; {need}"
    risk = f"a chance of {100 * one['host_ram_risk']:.0f} % that it is too little"
    return f"{figure(one['host_ram_gb'], 3)} GB; {need}, {risk}"
