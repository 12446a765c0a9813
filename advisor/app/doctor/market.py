"""The key of the market, whether the market takes it, and what time it is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from advisor.app.context import Context
from advisor.app.doctor.finding import Finding, ok, warning, wrong
from advisor.app.rent import DEFAULT_MARKET
from advisor.base.errors import AdvisorError, KeyRefusedError, MarketError
from advisor.base.late import LateError, within
from advisor.market.capabilities import KeyedMarket, Pulse, PulsedMarket
from advisor.market.lifecycle import Account, AccountMarket
from advisor.market.registry import WITHOUT_KEY, default_market
from advisor.market.types import Market
from advisor.rental.context import CLOCKS_DIFFER_S
from advisor.workloads.trust import is_read_by_others

ANSWER_S = 20.0
"""Seconds within which the market must answer."""

_SKEW_S = 5.0
"""Seconds that two clocks may differ by before it is worth a word."""

_REACH = "Check the network, and a proxy in HTTPS_PROXY; market sample needs neither."


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a market answered.

    Attributes
    ----------
    pulse : of it; None: it has none
    account : whose key it is; None: there is no key, or it was refused
    refused : why the account could not be asked
    """

    pulse: Pulse | None
    account: Account | None
    refused: MarketError | None


def market(context: Context, *, offline: bool) -> Iterator[Finding]:
    """Yield whether the market that machines are rented from can be asked, and by whom.

    Parameters
    ----------
    offline : it is not asked
    """
    try:
        name = default_market(context.variables, context.home)
        opened = context.open_market(DEFAULT_MARKET if name == WITHOUT_KEY else name)
    except AdvisorError as error:
        advice = "Correct the key, or the address."
        yield wrong("key", context.words_of(error), advice, type(error))
        return
    keyed = opened if isinstance(opened, KeyedMarket) else None
    if offline:
        yield from _key(keyed, None)
        return
    try:
        seen = within(ANSWER_S, partial(_ask, opened))
    except LateError:
        yield from _key(keyed, None)
        found = f"{opened.name} has not answered within {ANSWER_S:.0f} s"
        yield wrong("market", found, _REACH, MarketError)
        return
    except MarketError as error:
        yield from _key(keyed, None)
        yield wrong("market", error, _REACH)
        return
    yield from _key(keyed, seen)
    yield _reached(opened, seen)
    ahead = _ahead_s(seen)
    if ahead is not None:
        yield _clock(ahead)


def _ask(opened: Market) -> _Seen:
    """Ask what costs nothing and changes nothing."""
    pulse = opened.pulse() if isinstance(opened, PulsedMarket) else None
    has_key = not isinstance(opened, KeyedMarket) or opened.key_origin is not None
    if not (has_key and isinstance(opened, AccountMarket)):
        return _Seen(pulse, None, None)
    try:
        return _Seen(pulse, opened.account(), None)
    except MarketError as error:
        if pulse is None and not isinstance(error, KeyRefusedError):
            raise
        return _Seen(pulse, None, error)


def _key(keyed: KeyedMarket | None, seen: _Seen | None) -> Iterator[Finding]:
    """Yield how the key is; it is never shown.

    Parameters
    ----------
    seen : None: the market was not asked
    """
    if keyed is None:
        yield ok("key", "the market takes none")
        return
    if keyed.key_origin is None:
        found = (
            f"none for {keyed.name}: a search shows a part of it, nothing can be rented"
        )
        yield warning("key", found, f"Put it in {keyed.key_places}.")
        return
    found = f"found in {keyed.key_origin}"
    path = Path(keyed.key_origin)
    if seen is not None and isinstance(seen.refused, KeyRefusedError):
        advice = f"Put a key of your account that is still valid in {keyed.key_places}."
        yield wrong("key", f"{found}; {seen.refused}", advice, KeyRefusedError)
    elif path.is_absolute() and path.is_file() and is_read_by_others(path):
        advice = f"Take that from them: chmod 600 {path}"
        yield warning("key", f"{found}, which others may read", advice)
    elif seen is not None and seen.account is not None:
        yield ok("key", f"{found}, {keyed.name} accepts it")
    else:
        yield ok("key", found)


def _reached(opened: Market, seen: _Seen) -> Finding:
    """Return how the market answered."""
    answered = f"{opened.name} answers"
    if seen.pulse is not None:
        answered += f" in {seen.pulse.took_s:.2f} s"
    elif seen.account is None:
        return ok("market", f"{opened.name}: only a search would tell")
    if seen.refused is not None and not isinstance(seen.refused, KeyRefusedError):
        return wrong("market", seen.refused, "Run 'advisor market check'.")
    credit = seen.account.credit_usd if seen.account else None
    if credit is None:
        return ok("market", answered)
    if credit <= 0.0:
        found = f"{answered}; the account has no credit"
        return warning("market", found, "Add credit to the account before you rent.")
    return ok("market", f"{answered}; credit ${credit:,.2f}")


def _ahead_s(seen: _Seen) -> float | None:
    """Return by how much our clock is ahead, None where the market does not say."""
    if seen.pulse is not None and seen.pulse.ahead_s is not None:
        return seen.pulse.ahead_s
    return seen.account.ahead_s if seen.account else None


def _clock(ahead_s: float) -> Finding:
    """Return how far our clock is from the market's."""
    side = "ahead of" if ahead_s > 0 else "behind"
    found = f"{abs(ahead_s):,.1f} s {side} the market's"
    advice = "Set this computer's clock right, such as by NTP."
    if abs(ahead_s) > CLOCKS_DIFFER_S:
        return wrong("clock", f"{found}: nothing is rented so", advice)
    if abs(ahead_s) > _SKEW_S:
        return warning("clock", found, advice)
    return ok("clock", found)
