"""What works of a market: the key, the account, a search, the clocks."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from advisor.base.errors import KeyRefusedError, MarketError
from advisor.base.progress import Progress, doing, quiet
from advisor.market.capabilities import KeyedMarket, PulsedMarket
from advisor.market.lifecycle import Account, AccountMarket, RentalMarket
from advisor.market.types import Answer, Market, Query

Result = TypeVar("Result")

_PULSES = 3


@dataclass(frozen=True, slots=True)
class Check:
    """What was found out; None what could not be, or does not apply.

    Attributes
    ----------
    market : its name
    key_places : where a user puts a key; None where the market takes none
    key_origin : where the key was found, None without one
    rents : whether machines can be rented there
    account : whose key it is
    instances : instances that the account has
    answer : of a search without constraints
    latency_s : median time of a few small answers
    clock_ahead_s : by which our clock is ahead of the market's
    problems : what went wrong, the first one first
    """

    market: str
    key_places: str | None
    key_origin: str | None
    rents: bool
    account: Account | None
    instances: int | None
    answer: Answer | None
    latency_s: float | None
    clock_ahead_s: float | None
    problems: tuple[MarketError, ...]


def check_market(market: Market, progress: Progress = quiet) -> Check:
    """Ask a market what can be asked without spending anything.

    A few small questions and the account, where it has such, and one search.

    Parameters
    ----------
    progress : is told what is asked

    Raises
    ------
    MarketError
        if it cannot be reached at all
    UsageError
        if it is a file that cannot be read
    """
    keyed = market if isinstance(market, KeyedMarket) else None
    pulsed = market if isinstance(market, PulsedMarket) else None
    with doing(progress, "asking for the time"):
        pulses = [pulsed.pulse() for _ in range(_PULSES)] if pulsed else []
    problems: list[MarketError] = []
    account = instances = None
    if isinstance(market, AccountMarket) and not (keyed and keyed.key_origin is None):
        with doing(progress, "asking for the account"):
            account = _tried(market.account, problems)
            instances = _tried(market.instances, problems) if account else None
    with doing(progress, "asking for offers"):
        answer = _searched(market, account, problems, has_answered=bool(pulses))
    return Check(
        market=market.name,
        key_places=keyed.key_places if keyed else None,
        key_origin=keyed.key_origin if keyed else None,
        rents=isinstance(market, RentalMarket),
        account=account,
        instances=None if instances is None else len(instances),
        answer=answer,
        latency_s=_middle([pulse.took_s for pulse in pulses]),
        clock_ahead_s=_middle([pulse.ahead_s for pulse in pulses]),
        problems=tuple(problems),
    )


def _searched(
    market: Market,
    account: Account | None,
    problems: list[MarketError],
    *,
    has_answered: bool,
) -> Answer | None:
    """Return the answer of a search, None where there is none or it would be refused.

    Raises
    ------
    MarketError
        if the market has answered nothing yet, and does not answer this
    """
    refused = any(isinstance(problem, KeyRefusedError) for problem in problems)
    if account is None and refused:
        return None
    if account is None and not has_answered:
        return market.search(Query())
    return _tried(lambda: market.search(Query()), problems)


def _tried(ask: Callable[[], Result], problems: list[MarketError]) -> Result | None:
    """Return what the market answers, None with a new problem where it does not."""
    try:
        return ask()
    except MarketError as error:
        problems.append(error)
        return None


def _middle(values: Sequence[float | None]) -> float | None:
    """Return the median of what is known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
