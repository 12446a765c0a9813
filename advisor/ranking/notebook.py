"""A ranking as a notebook shows it."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from advisor.ranking.offer import RankedOffer, rate_text

if TYPE_CHECKING:
    from advisor.ranking.ranking import Ranking

_ROWS = 20

_HEADS = (
    *("rank", "offer", "GPU", "$/h", "samples/s", "bound by", "h/epoch", "$/epoch"),
    *("90 % interval", "flags"),
)


def html_of(ranking: Ranking) -> str:
    """Return the best offers as HTML; all that is a market's text in it is escaped."""
    from tabulate import tabulate  # noqa: PLC0415  (when it is shown)

    rows = [_row(offer) for offer in ranking[:_ROWS]]
    # Of its formats "unsafehtml" alone escapes nothing.
    table = str(tabulate(rows, _HEADS, tablefmt="html", disable_numparse=True))
    out = ", ".join(f"{name} {count:,}" for name, count in ranking.excluded.items())
    more = len(ranking) - len(rows)
    job = ranking.job
    notes = [
        f"{job.workload.name}, {job.epochs:,} epochs, {job.rental}",
        f"{len(ranking):,} offers{' of a simulated market' * ranking.is_simulated}",
        *([f"the best {len(rows)} are shown"] if more else []),
        f"left out: {out or 'none'}",
    ]
    return f"<p>{escape('; '.join(notes))}</p>\n{table if rows else ''}"


def _row(offer: RankedOffer) -> tuple[str, ...]:
    low, high = offer.cost_usd_per_epoch_low, offer.cost_usd_per_epoch_high
    return (
        str(offer.rank),
        str(offer.offer_id),
        offer.name,
        f"{offer.price_usd_per_h:.3f}",
        rate_text(offer.samples_per_s),
        str(offer.bound_by),
        f"{offer.epoch_h:.3g}",
        f"{offer.cost_usd_per_epoch:.4g}",
        f"{low:.3g} - {high:.3g}",
        ", ".join(offer.flags),
    )
