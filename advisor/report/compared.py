"""Several offers of a ranking side by side, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from advisor.base.figures import duration, figure
from advisor.base.units import SECONDS_PER_HOUR
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.report.answer import hardware
from advisor.report.cells import wrapped
from advisor.report.entries import Entry, entry
from advisor.report.explained import cost_breakdown, host_memory
from advisor.report.flags import flags_in_words
from advisor.report.tables import Column, Fitted, fitted


def compared_text(offers: Sequence[RankedOffer], width: int | None = None) -> str:
    """Return several offers of a ranking side by side for a terminal.

    As many stand beside one another as there is room for, the others below.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
    titles = [_title(one) for one in offers]
    lines = [*titles, _job(offers[0].ranking)]
    if width is not None:
        lines = [part for line in lines for part in wrapped(line, width)]
    return "\n\n".join(["\n".join(lines), *_parts(offers, width)])


def _parts(offers: Sequence[RankedOffer], width: int | None) -> Iterator[str]:
    """Yield the tables of as many offers as fit, then those of the others."""
    rest = list(offers)
    while rest:
        for count in range(len(rest), 0, -1):
            tables = _tables(rest[:count], width)
            if count == 1 or not any(one.missing for one in tables):
                break
        yield from (one.text for one in tables)
        rest = rest[count:]


def _tables(offers: Sequence[RankedOffer], width: int | None) -> list[Fitted]:
    shown = [entry(one) for one in offers]
    return [
        _side_by_side(shown, width),
        _breakdown([cost_breakdown(one) for one in offers], shown, width),
        _limits(shown, width),
    ]


def _title(offer: RankedOffer) -> str:
    threads = f"{figure(offer.cpu_cores, 3)} threads"
    price = f"${figure(offer.price_usd_per_h, 3)}/h"
    return f"offer {offer.offer_id}: {hardware(offer)}, {threads}, {price}"


def _job(ranking: Ranking) -> str:
    job = ranking.job
    name, disk = job.workload.name, figure(job.disk_gb, 3)
    return f"{name}, {job.epochs} epochs, {job.rental}, {disk} GB of disk"


_FACTS: Mapping[str, Callable[[Entry], str]] = {
    "bound by": lambda one: one["bound_by"],
    "samples/s": lambda one: figure(one["samples_per_s"], 3),
    "time/epoch": lambda one: duration(one["epoch_hours"] * SECONDS_PER_HOUR, 3),
    "$/epoch": lambda one: figure(one["epoch_usd"], 3),
    "90 % interval": lambda one: (
        f"{figure(one['epoch_usd_low'], 3)} - {figure(one['epoch_usd_high'], 3)}"
    ),
    "failures": lambda one: figure(one["expected_failures"], 2),
    "image": lambda one: one["image"] or "none",
    "host memory": host_memory,
    "reliability": lambda one: figure(one["reliability"], 4),
    "flags": lambda one: flags_in_words(one["flags"]) or "none",
}
"""What is told of an offer -> what it is."""


def _side_by_side(shown: Sequence[Entry], width: int | None) -> Fitted:
    columns = [
        Column(""),
        *(Column(f"offer {one['offer_id']}", least=20, breaks=True) for one in shown),
    ]
    rows = [(name, *(read(one) for one in shown)) for name, read in _FACTS.items()]
    return fitted(columns, rows, width)


def _breakdown(
    several: Sequence[Sequence[Mapping[str, Any]]],
    shown: Sequence[Entry],
    width: int | None,
) -> Fitted:
    """Return the cost breakdowns, items without a figure left out."""
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
    columns = [Column("item"), *(Column(head, "right") for head in heads)]
    return fitted(columns, [*rows, total], width)


def _limits(shown: Sequence[Entry], width: int | None) -> Fitted:
    rows = [
        (name, *(_cell(one["limits"][name], 3) or "none" for one in shown))
        for name in shown[0]["limits"]
    ]
    columns = [Column("limit"), *(Column("samples/s", "right") for _ in shown)]
    return fitted(columns, rows, width)


def _cell(value: float | None, digits: int) -> str:
    return "" if value is None else figure(value, digits)


def _usd(value: float | None) -> str:
    if value is None:
        return "?"
    return f"{value:,.4f}" if 0.0 < value < 1.0 else f"{value:,.2f}"
