"""What a market may have beside its offers: a key, a pulse.

Each is a protocol that a market may keep or not; whoever needs one asks
``isinstance(market, KeyedMarket)``, and never which market it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from advisor.market.types import Market


@runtime_checkable
class KeyedMarket(Market, Protocol):
    """A market that takes a key, and may have been opened without one."""

    @property
    def key_origin(self) -> str | None:
        """Where the key in use was found, for people; None without one.

        A variable or a file, never the key.
        """
        ...

    @property
    def key_places(self) -> str:
        """Where a user puts a key: ``"VAST_API_KEY or ~/.vast_api_key"``."""
        ...


@dataclass(frozen=True, slots=True)
class Pulse:
    """One small answer of a market.

    Attributes
    ----------
    took_s : seconds that it took, the connection included
    ahead_s : seconds by which our clock is ahead of the market's, to half a second;
        None where the market does not say what time it is
    """

    took_s: float
    ahead_s: float | None


@runtime_checkable
class PulsedMarket(Market, Protocol):
    """A market that can be asked for a small answer, which costs nothing."""

    def pulse(self) -> Pulse:
        """Return how fast the market answers, and how far our clock is from its own.

        Raises
        ------
        advisor.base.errors.MarketError
            if it does not answer at all; a refusal is an answer
        """
        ...
