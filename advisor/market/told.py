"""A search tells how it comes on, where its market reports that."""

from __future__ import annotations

from advisor.base.progress import Progress, doing
from advisor.market.types import Answer, Market, Query, WatchedMarket

WORTH_TELLING_S = 1.0
"""Seconds of a wait that is told: shorter ones are over before they are read."""


class Told:
    """Tells how a search comes on, for each page and each wait: a `Watcher`.

    Parameters
    ----------
    tell : is told
    place : who is asked
    """

    def __init__(self, tell: Progress, place: str) -> None:
        self._tell = tell
        self._read = f"asking {place}"
        self._tell(self._read)

    def waits(self, seconds: float, why: str) -> None:
        """Tell for what the next request waits."""
        if seconds >= WORTH_TELLING_S:
            self._tell(f"{self._read}; {why} {seconds:.0f} s")

    def comes(self, pages: int, so_far: Answer) -> None:
        """Tell how much was read."""
        self._read = f"page {pages:,}, {len(so_far.records):,} offers so far"
        self._tell(self._read)


def searched(market: Market, query: Query, tell: Progress) -> Answer:
    """Return what a market answers, and tell meanwhile.

    Raises
    ------
    advisor.base.errors.MarketError
        if it cannot be asked
    """
    place = getattr(market, "origin", market.name)
    with doing(tell, f"asking {place}"):
        if isinstance(market, WatchedMarket):
            return market.search_watched(query, Told(tell, place))
        return market.search(query)
