"""What bids on one offer cost, as rows, a document and a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from advisor.base.figures import figure
from advisor.cost.bid_table import Bid
from advisor.cost.bids import hazard_of
from advisor.ranking.offer import RankedOffer
from advisor.report.entries import basis, entry, number
from advisor.report.tables import Column, Fitted, fitted

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""


def bid_rows(bids: Sequence[Bid]) -> list[dict[str, Any]]:
    """Return a row for each bid that was tried, and which is advised."""
    return [
        {
            "bid_usd_per_hour": number(bid.usd_per_h),
            "over_min_bid": number(bid.over_min_bid),
            "losses_per_hour": number(bid.losses_per_h),
            "expected_preemptions": number(bid.preemptions),
            "paused_hours": number(bid.paused_h),
            "repeated_hours": number(bid.repeated_h),
            "job_hours": number(bid.job_h),
            "epoch_usd": number(bid.cost_usd_per_epoch),
            "epoch_usd_low": number(bid.cost_usd_per_epoch_low),
            "epoch_usd_high": number(bid.cost_usd_per_epoch_high),
            "advised": bid.is_advised,
        }
        for bid in bids
    ]


def bids_document(offer: RankedOffer, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the versioned JSON document of the bids on one offer."""
    return {
        "schema_version": SCHEMA_VERSION,
        "offer": {**entry(offer), "rank": None},
        "on_demand_usd_per_hour": number(offer.on_demand_usd_per_h),
        "min_bid": number(offer.min_bid_usd_per_h),
        "hazard": hazard_of(offer.ranking.job).source,
        "bids": list(rows),
        **basis(offer.ranking),
    }


def bid_headline(offer: RankedOffer) -> str:
    """Return one line: offer, least bid, price on demand, and whether that is better."""
    least = figure(offer.min_bid_usd_per_h, 3)
    listed = figure(offer.on_demand_usd_per_h, 3)
    source = hazard_of(offer.ranking.job).source
    better = ""
    if "on_demand_cheaper" in offer.flags:
        better = "; on demand the job costs less than with any bid"
    # A price that was not taken apart has the disk of a search in it.
    is_apart = not np.isnan(offer.ranking.offers.dph_base[offer.at])
    disk = "without its disk" if is_apart else "with some disk"
    return (
        f"offer {offer.offer_id} ({offer.name}): least bid ${least}/h, on demand "
        f"${listed}/h, {disk}{better}; rate of losses: {source}; interval: "
        "least and greatest rate"
    )


def bids_table(rows: Sequence[dict[str, Any]], width: int | None = None) -> Fitted:
    """Return the bids as a table for a terminal, the advised one marked.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
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
    columns = [
        Column(""),
        Column("bid $/h", "right"),
        Column("x min", "right", dispensable=2),
        Column("loss/h", "right", dispensable=1),
        Column("losses", "right"),
        Column("pause h", "right", dispensable=3),
        Column("lost h", "right", dispensable=4),
        Column("job h", "right"),
        Column("$/epoch", "right"),
        Column("interval", "right"),
    ]
    return fitted(columns, cells, width)
