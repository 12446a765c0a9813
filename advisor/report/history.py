"""What the user's record of a market shows, as a document and as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from advisor.base.figures import figure
from advisor.report.entries import number
from advisor.report.formats import lines_of
from advisor.report.tables import Column, Fitted, fitted
from advisor.store.market_statistics import (
    LIFETIME_HOURS,
    BidSurvival,
    Lifetimes,
    PriceBucket,
)

if TYPE_CHECKING:
    from advisor.store.archive.export import Exported

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""

_NAMES = ("p10", "p50", "p90")


def price_rows(buckets: Sequence[PriceBucket]) -> list[dict[str, Any]]:
    """Return a row per period, for CSV and JSON."""
    return [
        {
            "start": bucket.start.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "listings": bucket.listings,
            **_named("usd_per_gpu_hour", bucket.usd_per_gpu_hour),
            **_named("bid_usd_per_gpu_hour", bucket.bid_usd_per_gpu_hour),
        }
        for bucket in buckets
    ]


def history_document(
    rows: Sequence[dict[str, Any]], lifetimes: Lifetimes, bids: BidSurvival
) -> dict[str, Any]:
    """Return the versioned JSON document: prices, lifetimes, bids."""
    survival = zip(LIFETIME_HOURS, lifetimes.survival, strict=True)
    return {
        "schema_version": SCHEMA_VERSION,
        "prices": list(rows),
        "lives": {
            "number": lifetimes.number,
            "ends": lifetimes.ends,
            "median_hours": number(lifetimes.median_h),
            "survival": {f"{hours:g}h": number(share) for hours, share in survival},
        },
        "bids": _bid_rows(bids),
    }


def history_text(
    rows: Sequence[dict[str, Any]],
    lifetimes: Lifetimes,
    bids: BidSurvival,
    width: int | None = None,
) -> Fitted:
    """Return prices, lifetimes and bids for a terminal.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
    prices = [
        (
            row["start"][:16].replace("T", " "),
            f"{row['listings']:,}",
            *(figure(row[f"usd_per_gpu_hour_{name}"], 3) for name in _NAMES),
            *(figure(row[f"bid_usd_per_gpu_hour_{name}"], 3) for name in _NAMES),
        )
        for row in rows
    ]
    columns = [
        Column("from (UTC)"),
        Column("listings", "right", dispensable=1),
        *(Column(f"$/h {name}", "right") for name in _NAMES),
        *(Column(f"bid {name}", "right") for name in _NAMES),
    ]
    text, missing = fitted(columns, prices, width)
    others = _bids(bids, width)
    parts = [text, _lifetimes(lifetimes, width), others.text]
    return Fitted("\n\n".join(parts), [*missing, *others.missing])


def exported_document(folder: str, exported: Exported) -> dict[str, Any]:
    """Return the versioned JSON document of an export."""
    return {
        "schema_version": SCHEMA_VERSION,
        "folder": folder,
        "files": [
            {
                "market": one.market,
                "month": one.month,
                "file": str(one.file),
                "intervals": one.rows,
                "size_bytes": one.size_bytes,
                "written": one.written,
            }
            for one in exported.partitions
        ],
        "torn_listings": exported.torn_listings,
    }


def exported_text(exported: Exported, width: int | None = None) -> Fitted:
    """Return the files of an export for a terminal.

    Parameters
    ----------
    width : cells of a line; None: any number
    """
    columns = [
        Column("market"),
        Column("month"),
        Column("intervals", "right"),
        Column("MB", "right"),
        Column("state"),
    ]
    rows = [
        (
            one.market,
            one.month,
            f"{one.rows:,}",
            figure(one.size_bytes / 1e6, 2),
            "written" if one.written else "had all",
        )
        for one in exported.partitions
    ]
    return fitted(columns, rows, width)


def _named(key: str, values: Sequence[float]) -> dict[str, float | None]:
    return {
        f"{key}_{name}": number(value) for name, value in zip(_NAMES, values, strict=True)
    }


def _lifetimes(lifetimes: Lifetimes, width: int | None) -> str:
    shares = ", ".join(
        f"{share:.0%} outlive {hours:g} h"
        for hours, share in zip(LIFETIME_HOURS, lifetimes.survival, strict=True)
        if number(share) is not None
    )
    seen = f"{lifetimes.number:,} seen to begin, {lifetimes.ends:,} to end"
    median = number(lifetimes.median_h)
    half = "" if median is None else f"half of them within {figure(median, 2)} h; "
    return lines_of([("offer lifetimes", f"{seen}; {half}{shares}".rstrip("; "))], width)


def _bid_rows(bids: BidSurvival) -> list[dict[str, float | None]]:
    columns = zip(
        bids.ratios.tolist(),
        bids.outbid.tolist(),
        bids.gone.tolist(),
        bids.exposure_hours.tolist(),
        strict=True,
    )
    return [
        {
            "over_min_bid": ratio,
            "outbid": outbid,
            "gone": gone,
            "exposure_hours": hours,
            "losses_per_hour": (outbid + gone) / hours if hours > 0.0 else None,
        }
        for ratio, outbid, gone, hours in columns
    ]


def _bids(bids: BidSurvival, width: int | None) -> Fitted:
    rows = [
        (
            figure(row["over_min_bid"], 3),
            figure(row["exposure_hours"], 3),
            figure(row["outbid"], 3),
            figure(row["gone"], 3),
            figure(row["losses_per_hour"], 2),
        )
        for row in _bid_rows(bids)
    ]
    heads = ("bid / min bid", "hours", "outbid", "gone", "losses/h")
    return fitted([Column(head, "right") for head in heads], rows, width)
