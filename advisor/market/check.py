"""What works of a market: the key, the account, a search, the clocks."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from advisor.base.errors import KeyRefusedError, MarketError
from advisor.market.lifecycle import Account
from advisor.market.types import Answer, Market, Query
from advisor.market.vast.client import VastMarket

Result = TypeVar("Result")

_PULSES = 3


@dataclass(frozen=True, slots=True)
class Check:
    """What was found out; None what could not be, or does not apply.

    Attributes
    ----------
    market : its name
    needs_key : whether it knows accounts at all
    key_origin : where the key was found, None without one
    account : whose key it is
    instances : instances that the account has
    answer : of a search without constraints
    latency_s : median time of a few small answers
    clock_ahead_s : by which our clock is ahead of the market's
    problems : what went wrong, the first one first
    """

    market: str
    needs_key: bool
    key_origin: str | None
    account: Account | None
    instances: int | None
    answer: Answer | None
    latency_s: float | None
    clock_ahead_s: float | None
    problems: tuple[MarketError, ...]


def check_market(market: Market) -> Check:
    """Ask a market what can be asked without spending anything.

    Vast.ai is asked a few small questions, at its pace, and one search; any other
    market only for its offers.

    Raises
    ------
    MarketError
        if it cannot be reached at all
    UsageError
        if it is a file that cannot be read
    """
    if not isinstance(market, VastMarket):
        offers = market.search(Query())
        return Check(market.name, False, None, None, None, offers, None, None, ())
    pulses = [market.pulse() for _ in range(_PULSES)]
    problems: list[MarketError] = []
    account = _tried(market.account, problems) if market.key else None
    instances = _tried(market.instances, problems) if account else None
    refused = any(isinstance(problem, KeyRefusedError) for problem in problems)
    answer = None
    if account is not None or not refused:
        answer = _tried(lambda: market.search(Query()), problems)
    return Check(
        market=market.name,
        needs_key=True,
        key_origin=market.key.origin if market.key else None,
        account=account,
        instances=None if instances is None else len(instances),
        answer=answer,
        latency_s=statistics.median(pulse.took_s for pulse in pulses),
        clock_ahead_s=_middle([pulse.ahead_s for pulse in pulses]),
        problems=tuple(problems),
    )


def _tried(ask: Callable[[], Result], problems: list[MarketError]) -> Result | None:
    """Return what the market answers, None with a new problem where it does not."""
    try:
        return ask()
    except MarketError as error:
        problems.append(error)
        return None


def _middle(values: list[float | None]) -> float | None:
    """Return the median of what is known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
