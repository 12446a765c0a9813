"""The data of a page: what `rank --json` and `explain --json` say, offers as columns.

The document has `VERSION`; within a version keys are added, never renamed, and no key
changes its meaning. A figure that is unknown is None. A column is a list with one value
per offer, the best offer first, or, where few values differ, an object: ``values`` has
each of them once, ``codes`` which one each offer has.

========== =========================================================================
key        what it holds
========== =========================================================================
version    `VERSION`
market     as in ``rank --json``, with ``age`` in words
generated_at, complete, sort, excluded, workload, model, assumptions, answer, level
           as in ``rank --json``
headline   what was asked, of which market, how old, how many are left out, in a line
next       command lines that people type next
changeable names of the assumptions that ``--assume`` changes
count      number of offers in the columns
more       number of offers that rank lower than these
columns    key of an offer in ``rank --json`` -> its column; and those that are made
           for the page: ``region``, ``cpu`` (its name, short), ``fit`` (``"surely"``,
           ``"perhaps"`` or ``"no"``: whether an image of the job runs there),
           ``gpu_waits`` (share of the time in which the GPUs wait),
           ``enough_threads`` (None: no number of them is), ``notes``
limits     of the throughput, in the order of the output: ``name``, ``title``,
           ``side``, ``rate`` (column, samples/s if it alone held)
bill       lines of the cost: ``line``, ``label``, ``part`` (which bar of the chart),
           ``hours`` and ``usd`` (columns, of the whole job)
parts      the bars of the chart of a bill, in their order
curve      ``threads`` (T numbers of hardware threads) and ``rate`` (per offer T
           rates, samples/s)
kept       what the user's own store has, see `advisor.report.page.kept`; None:
           nothing
card       figures of the model card, see `advisor.report.page.card`; None: no card
========== =========================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from advisor.app.kept import Kept
from advisor.market.places import REGIONS
from advisor.ranking.ranking import Ranking
from advisor.report.answer import short_cpu
from advisor.report.entries import Entry, entries
from advisor.report.explained import cost_breakdown
from advisor.report.page.card import model_card
from advisor.report.page.columns import coded, dollars, figures
from advisor.report.page.kept import kept_data
from advisor.report.page.specs import PARTS
from advisor.report.rank_table import notes
from advisor.report.ranked import age, envelope, headline
from advisor.software.fit import DOUBTS
from advisor.throughput.thread_curve import ThreadCurves

VERSION = 1

THREADS = (1, 2, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)
"""Hardware threads at which throughput is shown."""

_FIGURES = (
    *("bid_usd_per_hour", "usd_per_hour", "cpu_cores", "cpu_ghz"),
    *("samples_per_s", "samples_per_s_low", "samples_per_s_high"),
    *("epoch_hours", "epoch_hours_low", "epoch_hours_high"),
    *("first_cheaper", "job_hours", "checkpoint_hours", "expected_failures"),
    *("memory_gb", "memory_margin_gb", "host_ram_gb", "host_ram_needed_gb"),
    *("host_ram_risk", "inet_down_mbit_s", "disk_mb_s", "reliability", "duration_s"),
)
_DOLLARS = (
    *("epoch_usd", "epoch_usd_low", "epoch_usd_high", "job_usd"),
    *("epoch_usd_own_low", "epoch_usd_own_high"),
)
_EXACT = ("offer_id",)
_CODED = (
    *("gpu_name", "num_gpus", "cpu_name", "bound_by", "image", "geolocation"),
    *("verification", "micro_batch", "accumulation_steps", "tied_with", "driver_version"),
)

_PARTS: Mapping[str, str] = {
    "training": "training",
    "checkpoints": "checkpoints",
    "pull": "start and end",
    "begin": "start and end",
    "send": "start and end",
    "failed": "failures",
    "repeated": "failures",
    "offline": "failures",
    "paused": "failures",
    "storage": "storage",
    "download": "traffic",
    "upload": "traffic",
    "dearer": "dearer machines after it",
}
"""Line of the bill -> the bar that it is a part of."""

_UNSURE = {*DOUBTS, "image_unknown", "driver_unknown", "capability_unknown"}


def page_data(
    ranking: Ranking, now: datetime, kept: Kept, models: Path, steps: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the data of the page of a ranking of a market's answer.

    Parameters
    ----------
    now : the time (UTC)
    kept : what the user's own store has beside it
    models : folder of the artifact that predicted
    steps : command lines that people type next
    """
    shown = entries(ranking)
    document = envelope(ranking, (), now)
    del document["offers"], document["schema_version"]
    source = ranking.source
    return {
        "version": VERSION,
        **document,
        "market": {**document["market"], "age": source and age(source, now)},
        "headline": headline(ranking, now),
        "next": list(steps),
        "changeable": list(ranking.job.assumptions.listed()),
        "count": len(shown),
        "more": ranking.read - sum(ranking.excluded.values()) - len(shown),
        "columns": _columns(ranking, shown),
        "limits": _limits(ranking, shown),
        "bill": _bill(ranking),
        "parts": list(PARTS),
        "curve": _curve(ranking),
        "kept": kept_data(kept),
        "card": model_card(models),
    }


def _columns(ranking: Ranking, shown: Sequence[Entry]) -> dict[str, Any]:
    """Return the columns of what an offer has one of."""
    country = ranking.offers.country[ranking.order].tolist()
    enough = _curves(ranking).enough().tolist() if shown else []
    waits = [
        1.0 - one["samples_per_s"] / (one["limits"]["gpu"] or np.inf) for one in shown
    ]
    return {
        **{name: [one[name] for one in shown] for name in _EXACT},
        **{name: figures(one[name] for one in shown) for name in _FIGURES},
        **{name: [dollars(one[name]) for one in shown] for name in _DOLLARS},
        **{name: coded(one[name] for one in shown) for name in _CODED},
        "region": coded(map(_region, country)),
        "cpu": coded(one["cpu_name"] and short_cpu(one["cpu_name"]) for one in shown),
        "fit": coded(map(_fit, shown)),
        "gpu_waits": figures(waits, 3),
        "enough_threads": [one or None for one in enough],
        "notes": coded(", ".join(notes(one)) for one in shown),
    }


def _region(country: str) -> str:
    """Return the region of a country, ``""`` where nobody says which that is."""
    return next((name for name, inside in REGIONS.items() if country in inside), "")


def _fit(one: Entry) -> str:
    """Say whether an image of the job runs there."""
    if one["image"] is None:
        return "no"
    return "surely" if _UNSURE.isdisjoint(one["flags"]) else "perhaps"


def _limits(ranking: Ranking, shown: Sequence[Entry]) -> list[dict[str, Any]]:
    return [
        {
            "name": limit.name,
            "title": limit.title,
            "side": limit.side,
            "rate": figures((one["limits"][limit.name] for one in shown), 4),
        }
        for limit in ranking.tables.model.limits
    ]


def _bill(ranking: Ranking) -> list[dict[str, Any]]:
    """Return the lines of the bill that any offer has."""
    bills = [cost_breakdown(offer) for offer in ranking]
    lines = []
    for rows in zip(*bills, strict=True):
        hours = figures((row["hours"] for row in rows), 4)
        usd = [dollars(row["usd"], 4) for row in rows]
        name = rows[0]["line"]
        if any(hours) or any(usd):
            lines.append(
                {
                    "line": name,
                    "label": rows[0]["label"],
                    "part": _PARTS[name],
                    "hours": hours,
                    "usd": usd,
                }
            )
    return lines


def _curve(ranking: Ranking) -> dict[str, Any]:
    """Return what each offer would reach with other numbers of threads."""
    rates = _curves(ranking).at(np.array(THREADS)).tolist() if len(ranking) else []
    return {"threads": list(THREADS), "rate": [figures(row, 4) for row in rates]}


def _curves(ranking: Ranking) -> ThreadCurves:
    job, order = ranking.job, ranking.order
    return ThreadCurves(
        ranking.machines.take(order),
        job.workload,
        ranking.tables.model,
        ranking.adjustment.take(order),
        fit_batch=job.fit_batch,
        memory_margin=job.memory_margin,
        measured=ranking.measured,
    )
