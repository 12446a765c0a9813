"""The cost breakdown of a job on one offer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from advisor.cost.bill import Bill

_RENTED = ("begin", "failed", "training", "checkpoint", "send", "repeated")
"""Lines of hours, by their names in `CostBreakdown`, that bill the rent of the GPUs."""

_HOURS = ("pull", *_RENTED, "offline", "paused")
_DOLLARS = ("storage", "download", "upload", "dearer")


@dataclass(frozen=True, slots=True)
class CostLine:
    """One line of the cost of a job.

    Attributes
    ----------
    name : of the figure in `advisor.cost.expected.CostBreakdown`, without its unit
    hours : expected hours; None where it is no time
    usd : expected dollars; of hours, the rent of the GPUs alone
    """

    name: str
    hours: float | None
    usd: float


def cost_lines(bill: Bill, at: int) -> tuple[CostLine, ...]:
    """Return the lines of the offer at a position; their dollars add up to the job's.

    A line of hours bills the rent of the GPUs; storage, traffic and what other machines
    cost more are lines of their own.
    """
    price = float(bill.terms.gpu_usd_per_h[at])
    hours = {name: float(getattr(bill.job, f"{name}_h")[at]) for name in _HOURS}
    dollars = {name: float(getattr(bill.job, f"{name}_usd")[at]) for name in _DOLLARS}
    return (
        *(
            CostLine(name, took, price * took if name in _RENTED else 0.0)
            for name, took in hours.items()
        ),
        *(CostLine(name, None, usd) for name, usd in dollars.items()),
    )
