"""What the user's own store has beside a ranking, as data of the page."""

from __future__ import annotations

from typing import Any

from advisor.app.kept import Kept, KeptRental
from advisor.base.units import SECONDS_PER_HOUR
from advisor.report.history import price_rows
from advisor.report.page.columns import dollars, rounded
from advisor.report.rental import entry_row


def kept_data(kept: Kept) -> dict[str, Any] | None:
    """Return what is kept; None where nothing is.

    ``runs`` are what was measured beside what was predicted, ``rentals`` the rows of
    ``advisor rentals`` with ``planned_hours``, ``training_hours`` (predicted of its job),
    ``held_hours`` and ``paid_usd`` (at most), ``prices`` rows of
    ``advisor history`` per GPU.
    """
    if not (kept.runs or kept.rentals or kept.prices):
        return None
    return {
        "runs": [
            {
                "workload": one.run.workload,
                "gpu": f"{one.run.num_gpus} x {one.run.gpu}",
                "measured": rounded(one.run.samples_per_s),
                "predicted": rounded(one.expected.samples_per_s),
                "low": rounded(one.expected.low),
                "high": rounded(one.expected.high),
                "at": one.at.strftime("%Y-%m-%d"),
            }
            for one in kept.runs
        ],
        "rentals": [_rental(one) for one in kept.rentals],
        "prices": [
            {"gpu": name, "rows": price_rows(buckets)}
            for name, buckets in kept.prices.items()
        ],
    }


def _rental(rental: KeptRental) -> dict[str, Any]:
    """Return a rental with the hours that it was there, and what these cost at most."""
    entry, hours = rental.entry, None
    if entry.closed_at is not None and entry.instance_id is not None:
        hours = max(entry.closed_at - entry.intended_at, 0.0) / SECONDS_PER_HOUR
    planned = (entry.ends_at - entry.intended_at) / SECONDS_PER_HOUR
    return {
        **entry_row(entry),
        "planned_hours": rounded(planned, 3),
        "training_hours": rounded(rental.training_h, 3),
        "held_hours": rounded(hours, 3),
        "paid_usd": None if hours is None else dollars(hours * entry.usd_per_hour),
    }
