"""From the contract to a machine that runs, or the reason why it does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from advisor.errors import AdvisorError, KeyRefusedError, MarketError
from advisor.market.lifecycle import BROKEN_AT_BOOT, RUNNING, STARTING, Instance
from advisor.rental.desk import Desk
from advisor.software.misfit import Misfit, symptom_of
from advisor.store.ledger import Entry

Failure = (
    Literal["too_slow", "unanswered", "broken", "outbid", "vanished", "dearer"] | Misfit
)

_POLL_S = 5.0
_APPEARS_WITHIN_S = 90.0  # a read right after the contract may not show it yet
_PRICE_SLACK = 1.001  # two roundings of one price


class NotStartedError(Exception):
    """A rental that does not come to run: it is to be ended, another one may do.

    Attributes
    ----------
    failure : in one word
    """

    def __init__(self, failure: Failure, reason: str) -> None:
        super().__init__(reason)
        self.failure: Failure = failure


def wait_until_running(
    desk: Desk,
    entry: Entry,
    timeout_s: float,
    answers: Callable[[Instance], bool] | None = None,
) -> Instance:
    """Return the instance of a rental once it runs and says where ssh is.

    Parameters
    ----------
    entry : in the ledger, its instance known
    timeout_s : seconds that it may take
    answers : tells whether ssh answers; None: it need not

    Raises
    ------
    NotStartedError
        if it will not run, takes too long, or is dearer than agreed
    KeyRefusedError
        if the market refuses the key by now
    """
    if entry.instance_id is None:
        message = f"rental {entry.label} has no instance to wait for"
        raise AdvisorError(message)
    begun = desk.clock.monotonic()
    seen = False
    failure: Failure = "too_slow"
    waits_for = "the market to show it"
    while (waited := desk.clock.monotonic() - begun) < timeout_s:
        try:
            instance = desk.market.instance(entry.instance_id)
        except KeyRefusedError:
            raise
        except MarketError as error:  # what is paid for may run all the same
            failure, waits_for = "unanswered", f"the market to answer ({error})"
            desk.sleep(_POLL_S)
            continue
        if instance is None and (seen or waited > _APPEARS_WITHIN_S):
            reason = "the market shows it no more"
            raise NotStartedError("vanished", reason)
        failure = "too_slow"
        if instance is not None:
            seen = True
            _refuse(instance, entry)
            waits_for = f"{instance.status or 'setting up'} to end"
            if instance.status == RUNNING and instance.ssh:
                if answers is None or answers(instance):
                    return instance
                waits_for = "ssh to answer"
        desk.sleep(_POLL_S)
    reason = f"not ready after {timeout_s / 60.0:.0f} min, still waiting for {waits_for}"
    raise NotStartedError(failure, reason)


def _refuse(instance: Instance, entry: Entry) -> None:
    """Raise if an instance will not run as agreed."""
    price, agreed = instance.usd_per_hour, entry.usd_per_hour
    if price is not None and price > agreed * _PRICE_SLACK:
        reason = f"it bills ${price:.4f}/h, agreed were ${agreed:.4f}/h"
        raise NotStartedError("dearer", reason)
    if instance.status != RUNNING and (symptom := symptom_of(instance.message)):
        raise NotStartedError(symptom.misfit, str(symptom))
    status = instance.status
    if status in BROKEN_AT_BOOT:
        reason = f"{status} on its first boot: {instance.message}".rstrip(": ")
        raise NotStartedError("broken", reason)
    stopped = status not in (STARTING | {RUNNING}) or (
        instance.intended_status == "stopped"
    )
    if stopped and instance.is_bid:
        raise NotStartedError("outbid", f"the bid holds no GPU: {status}")
    if stopped and status in ("stopped", "frozen"):
        raise NotStartedError("broken", f"{status} on its first boot")
