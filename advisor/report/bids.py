"""What bids on one offer cost, as rows, a document and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from advisor.base.figures import figure
from advisor.cost.bids import BidCurve, hazard_of
from advisor.ranking.rank import Ranking
from advisor.report.entries import basis, entry, number
from advisor.report.formats import to_table

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""


def bid_rows(ranking: Ranking, at: int, curve: BidCurve) -> list[dict[str, Any]]:
    """Return a row for each bid that was tried on the offer, and which is advised.

    `curve` holds that offer alone.
    """
    epochs, lines = ranking.job.epochs, curve.lines
    best = float(curve.best()[0])
    least = float(ranking.offers.min_bid[at])
    return [
        {
            "bid_usd_per_hour": number(bid),
            "over_min_bid": number(bid / least),
            "losses_per_hour": number(curve.losses_per_h[row, 0]),
            "expected_preemptions": number(lines.preemptions[row, 0]),
            "paused_hours": number(lines.paused_h[row, 0]),
            "repeated_hours": number(lines.repeated_h[row, 0]),
            "job_hours": number(lines.wall_h[row, 0]),
            "epoch_usd": number(curve.usd[row, 0] / epochs),
            "epoch_usd_low": number(curve.usd_low[row, 0] / epochs),
            "epoch_usd_high": number(curve.usd_high[row, 0] / epochs),
            "advised": bool(bid == best),
        }
        for row, bid in enumerate(curve.bids[:, 0].tolist())
    ]


def bids_document(
    ranking: Ranking, at: int, rows: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Return the versioned JSON document of the bids on one offer."""
    return {
        "schema_version": SCHEMA_VERSION,
        "offer": entry(ranking, at, None),
        "on_demand_usd_per_hour": number(ranking.offers.dph_base[at]),
        "min_bid": number(ranking.offers.min_bid[at]),
        "hazard": hazard_of(ranking.job).source,
        "bids": list(rows),
        **basis(ranking),
    }


def bid_headline(ranking: Ranking, at: int) -> str:
    """Return one line: which offer, its least bid and its price on demand."""
    offers = ranking.offers
    gpus = f"{offers.num_gpus[at]:.0f} x {offers.gpu_name[at] or 'unknown'}"
    least, listed = figure(offers.min_bid[at], 3), figure(offers.dph_base[at], 3)
    source = hazard_of(ranking.job).source
    return (
        f"offer {offers.offer_id[at]} ({gpus}): least bid ${least}/h, on demand "
        f"${listed}/h; rate of losses: {source}; interval: least and most likely rate"
    )


def bids_table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the bids as a table for a terminal, the advised one marked."""
    cells = [
        (
            "*" if row["advised"] else "",
            f"{row['bid_usd_per_hour']:.4f}",
            figure(row["over_min_bid"], 3),
            figure(row["losses_per_hour"], 2),
            figure(row["expected_preemptions"], 2),
            figure(row["paused_hours"], 2),
            figure(row["repeated_hours"], 2),
            figure(row["job_hours"], 3),
            f"{row['epoch_usd']:.4f}",
            f"{row['epoch_usd_low']:.4f} - {row['epoch_usd_high']:.4f}",
        )
        for row in rows
    ]
    heads = (
        *("", "bid $/h", "x min bid", "losses/h", "losses", "paused h", "lost h"),
        *("job h", "$/epoch", "interval"),
    )
    return to_table(cells, heads, ["left", *("right" for _ in heads[1:])])
