"""What rentals may cost at most, per job and per day; and how long one may run for that.

Nothing that runs is billed more than its price per hour, so that a rental which ends in
time keeps its cap whatever goes wrong. The cap is therefore kept by the *end* of each
rental: the latest moment by which it, and everything else that is rented, has not cost
more than the caps allow.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

from advisor.base.errors import OverBudgetError
from advisor.base.units import SECONDS_PER_DAY, SECONDS_PER_HOUR
from advisor.market.lifecycle import Instance
from advisor.rental.labels import read_label
from advisor.store.ledger import Entry

_DISK_ALONE = frozenset({"stopped", "exited", "offline"})
"""Statuses in which a machine surely bills no GPU (docs.vast.ai, November 2026)."""


@dataclass(frozen=True, slots=True)
class Caps:
    """Most dollars; None: no cap.

    Attributes
    ----------
    job_usd : all rentals of one job together
    day_usd : all rentals of the account in one day (UTC)
    """

    job_usd: float | None = None
    day_usd: float | None = None


@dataclass(frozen=True, slots=True)
class Commitment:
    """The most that one rental costs.

    Attributes
    ----------
    job : what it is for
    start_unix_s, end_unix_s : from when to when it may bill, seconds since 1970
    usd_per_hour : most that it bills, $/h
    traffic_usd : most that its traffic costs, $; taken to be due at the start
    """

    job: str
    start_unix_s: float
    end_unix_s: float
    usd_per_hour: float
    traffic_usd: float = 0.0

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """Return the most that a rental costs if it runs to its end."""
        return cls(
            entry.job,
            entry.intended_at,
            entry.ends_at,
            entry.usd_per_hour,
            entry.traffic_usd,
        )

    def usd_between(self, start: float, end: float) -> float:
        """Return the most that falls between two moments."""
        seconds = min(self.end_unix_s, end) - max(self.start_unix_s, start)
        traffic = self.traffic_usd if start <= self.start_unix_s < end else 0.0
        return self.usd_per_hour * max(seconds, 0.0) / SECONDS_PER_HOUR + traffic

    @property
    def usd(self) -> float:
        """The most of it all, $."""
        seconds = max(self.end_unix_s - self.start_unix_s, 0.0)
        return self.usd_per_hour * seconds / SECONDS_PER_HOUR + self.traffic_usd


def commitments(
    entries: Iterable[Entry], listed: Iterable[Instance], now: float
) -> list[Commitment]:
    """Return what is committed: by the ledger, and by whatever else the account has.

    A rental that was refused cost nothing. One that is over its end and still open bills
    until now. Of a rental elsewhere the market tells the price and the label the end; of
    one that was not made by us, as in the market's console, nobody knows an end.

    Parameters
    ----------
    entries : of the ledger, of one market
    listed : instances of the account
    now : seconds since 1970
    """
    instances = list(listed)
    shown = {instance.label for instance in instances}
    found: list[Commitment] = []
    ours: set[str] = set()
    for entry in entries:
        ours.add(entry.label)
        is_there = entry.is_open or entry.label in shown
        if entry.state == "refused" and not is_there:
            continue
        end = max(entry.ends_at, now) if is_there else entry.closed_at or now
        # Of what had a machine all may have been sent, unless it says otherwise.
        pays_traffic = is_there or entry.instance_id is not None
        found.append(
            replace(
                Commitment.of(entry),
                end_unix_s=end,
                traffic_usd=entry.traffic_usd if pays_traffic else 0.0,
            )
        )
    found += _elsewhere(instances, ours, now)
    return found


def _elsewhere(
    listed: Iterable[Instance], ours: set[str], now: float
) -> Iterator[Commitment]:
    """Yield what the account has beside the rentals of the ledger."""
    for instance in listed:
        if instance.label in ours:
            continue
        label = read_label(instance.label)
        start = now if instance.started_unix_s is None else instance.started_unix_s
        price = _bills_usd_per_hour(instance)
        if label is None:
            yield Commitment("", start, math.inf, price)
        else:
            yield Commitment(label.job, start, max(label.ends_unix_s, now), price)


def _bills_usd_per_hour(instance: Instance) -> float:
    """Return what a machine bills at most: one that is stopped its disk alone.

    Raises
    ------
    OverBudgetError
        if the market does not say: no cap can be kept then
    """
    price = instance.usd_per_hour
    if instance.status in _DISK_ALONE:
        price = instance.storage_usd_per_hour or price
    if price is None:
        message = (
            f"the market does not say what instance {instance.instance_id} bills: no cap "
            "can be kept beside it"
        )
        raise OverBudgetError(message)
    return price


def latest_end(
    wanted: Commitment, others: Sequence[Commitment], caps: Caps, needed_s: float
) -> float:
    """Return until when a rental may run, at most until its wanted end.

    Parameters
    ----------
    wanted : the rental as it would be without caps
    others : everything else that is committed
    caps : what may be spent
    needed_s : seconds without which the rental is of no use

    Raises
    ------
    OverBudgetError
        if the caps do not allow what is needed
    """
    end, cap = wanted.end_unix_s, ""
    if caps.job_usd is not None:
        spent = sum(one.usd for one in others if one.job == wanted.job)
        left = caps.job_usd - spent - wanted.traffic_usd
        allowed = wanted.start_unix_s + left / wanted.usd_per_hour * SECONDS_PER_HOUR
        if allowed < end:
            end = allowed
            cap = f"the job's cap of ${caps.job_usd:,.2f}, ${spent:,.2f} of it committed"
    if caps.day_usd is not None:
        allowed, day_spent = _end_by_day(wanted, others, caps.day_usd, end)
        if allowed < end:
            end = allowed
            cap = f"the day's cap of ${caps.day_usd:,.2f}, ${day_spent:,.2f} committed"
    if end < wanted.start_unix_s + needed_s:  # as the end was made: rounded alike
        hours = max(end - wanted.start_unix_s, 0.0) / SECONDS_PER_HOUR
        message = (
            f"{cap or 'the longest lifetime'} leaves {hours:.3g} h at "
            f"${wanted.usd_per_hour:.3f}/h, the job needs "
            f"{needed_s / SECONDS_PER_HOUR:.3g} h; release something "
            "('advisor rentals') or raise the cap"
        )
        raise OverBudgetError(message)
    return end


def _end_by_day(
    wanted: Commitment, others: Sequence[Commitment], cap_usd: float, end: float
) -> tuple[float, float]:
    """Return the end that keeps every day's cap, and what the last day had committed."""
    start = wanted.start_unix_s
    midnight = start // SECONDS_PER_DAY * SECONDS_PER_DAY
    while start < end:
        following = midnight + SECONDS_PER_DAY
        spent = sum(one.usd_between(midnight, following) for one in others)
        traffic = wanted.traffic_usd if start == wanted.start_unix_s else 0.0
        left = cap_usd - spent - traffic
        allowed = start + left / wanted.usd_per_hour * SECONDS_PER_HOUR
        if allowed < min(following, end):
            return max(allowed, start), spent
        start = midnight = following
    return end, 0.0
