"""From the contract to a machine that runs, or the reason why it does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from advisor.base.errors import AdvisorError, KeyRefusedError, MarketError
from advisor.base.interrupts import window
from advisor.base.progress import doing
from advisor.market.lifecycle import BROKEN_AT_BOOT, RUNNING, STARTING, Instance
from advisor.rental.context import RentalContext
from advisor.rental.hold import Hold
from advisor.rental.refused import Cause, NotRented, NotStartedError
from advisor.rental.strays import LOOK_EVERY_S, end_strays
from advisor.software.misfit import symptom_of
from advisor.store.ledger import Entry

_POLL_S = 5.0
_APPEARS_WITHIN_S = 90.0
"""Seconds for which the market may not show what is there: right after the contract, or
for a moment later; an assumption."""

_PRICE_SLACK = 1.001  # two roundings of one price


def wait_until_running(
    context: RentalContext,
    entry: Entry,
    timeout_s: float,
    hold: Hold,
    answers: Callable[[Instance], bool] | None = None,
) -> Instance:
    """Return the instance of a rental once it runs and says where ssh is.

    Parameters
    ----------
    entry : in the ledger, its instance known
    timeout_s : seconds that it may take
    hold : of this launcher, renewed meanwhile
    answers : tells whether ssh answers; None: it need not

    Raises
    ------
    NotStartedError
        if it will not run, takes too long, or is dearer than agreed
    KeyRefusedError
        if the market refuses the key by now
    LeaseLostError
        if another process has taken the rental over
    """
    wait = _Wait(context, entry, context.clock.monotonic())
    most = f"{timeout_s / 60.0:.0f} min at most"
    with doing(context.progress, "waiting for the machine"):
        while wait.passed_s < timeout_s:
            what = f"waiting for {wait.waits_for}, {most}"
            context.progress(what, wait.passed_s, unit="s")
            hold.renew()
            instance = wait.look()
            if instance is not None:
                _refuse(instance, entry)
                if instance.status == RUNNING and instance.ssh:
                    if answers is None or answers(instance):
                        _agree_on_price(instance, entry)
                        return instance
                    wait.waits_for = "ssh to answer"
            context.sleep(_POLL_S)
    minutes = timeout_s / 60.0
    reason = f"not ready after {minutes:.0f} min, still waiting for {wait.waits_for}"
    raise NotStartedError(NotRented(wait.failure, reason))


@dataclass(slots=True)
class _Wait:
    """One wait for an instance.

    Attributes
    ----------
    context, entry : of what is waited for
    started_at : when it began, by the monotonic clock
    failure, waits_for : what it comes to if nothing more happens
    shown_at : when the market showed it last, or it began
    looked_at : when strays were looked for
    """

    context: RentalContext
    entry: Entry
    started_at: float
    failure: Cause = "too_slow"
    waits_for: str = "the market to show it"
    shown_at: float = field(init=False)
    looked_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.shown_at = self.looked_at = self.started_at

    @property
    def passed_s(self) -> float:
        """Seconds since it began."""
        return self.context.clock.monotonic() - self.started_at

    def look(self) -> Instance | None:
        """Return the instance if the market shows it as ours now.

        Raises
        ------
        NotStartedError
            if it has not been shown for a while
        KeyRefusedError
            if the market refuses the key by now
        """
        now = self.context.clock.monotonic()
        if now - self.looked_at >= LOOK_EVERY_S:
            self.looked_at = now
            end_strays(self.context)
        number = self.entry.instance_id
        if number is None:
            message = f"rental {self.entry.label} has no instance to wait for"
            raise AdvisorError(message)
        try:
            with window():
                instance = self.context.market.instance(number)
        except KeyRefusedError:
            raise
        except MarketError as error:  # what is paid for may run all the same
            self.failure, self.waits_for = "unanswered", f"the market to answer ({error})"
            return None
        if instance is None:
            if now - self.shown_at > _APPEARS_WITHIN_S:
                reason = "the market shows it no more"
                raise NotStartedError(NotRented("vanished", reason))
            return None
        if instance.label != self.entry.label:
            self.failure = "unanswered"
            self.waits_for = f"the market to show it, not {instance.label!r}"
            return None
        self.shown_at, self.failure = now, "too_slow"
        self.waits_for = f"{instance.status or 'setting up'} to end"
        return instance


def _agree_on_price(instance: Instance, entry: Entry) -> None:
    """Raise if the market does not tell what a machine that runs bills.

    It may be silent while the machine boots; one that is dearer is refused at once.
    """
    if instance.usd_per_hour is None or instance.usd_per_hour <= 0.0:
        reason = f"the market tells no price, agreed were ${entry.usd_per_hour:.4f}/h"
        raise NotStartedError(NotRented("dearer", reason))


def _refuse(instance: Instance, entry: Entry) -> None:
    """Raise if an instance will not run as agreed."""
    price, agreed = instance.usd_per_hour, entry.usd_per_hour
    if price is not None and price > agreed * _PRICE_SLACK:
        reason = f"it bills ${price:.4f}/h, agreed were ${agreed:.4f}/h"
        raise NotStartedError(NotRented("dearer", reason))
    if instance.status != RUNNING and (symptom := symptom_of(instance.message)):
        raise NotStartedError(NotRented.by(symptom))
    status = instance.status
    if status in BROKEN_AT_BOOT:
        reason = f"{status} on its first boot: {instance.message}".rstrip(": ")
        raise NotStartedError(NotRented("broken", reason))
    stopped = status not in (STARTING | {RUNNING}) or (
        instance.intended_status == "stopped"
    )
    if stopped and instance.is_bid:
        raise NotStartedError(NotRented("outbid", f"the bid holds no GPU: {status}"))
    if stopped and status in ("stopped", "frozen"):
        raise NotStartedError(NotRented("broken", f"{status} on its first boot"))
