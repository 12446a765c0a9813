"""Markets by name, and how one is asked."""

from __future__ import annotations

import difflib
import math
import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.errors import RateLimitedError, UsageError
from advisor.market.cache import AnswerCache
from advisor.market.keys import find_key
from advisor.market.snapshot import FileMarket
from advisor.market.types import Answer, Market, Query

if TYPE_CHECKING:
    import httpx

ENTRY_POINTS = "advisor.markets"
"""Entry-point group in which other packages offer markets of their own.

An entry point is a class that is called without arguments and keeps the
protocol `advisor.market.types.Market`.
"""

_FILE_ENDINGS = (".json", ".gz")


def default_market(variables: Mapping[str, str], home: Path) -> str:
    """Return ``"vast"`` where a key is found, else ``"sample"``."""
    return "vast" if find_key(variables, home) else "sample"


def open_market(
    name: str,
    variables: Mapping[str, str],
    home: Path,
    transport: httpx.BaseTransport | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Market:
    """Return a market by its name, or a file of offers as one.

    Parameters
    ----------
    name : ``"sample"``, ``"vast"``, a path, or the name of a plug-in
    variables, home : where a live market's key and address are found
    transport : carries a live market's requests; None for the network
    now : tells the time (UTC) at which a live market answers

    Raises
    ------
    UsageError
        if there is no such market or file
    """
    if name == "sample":
        from advisor.market.sample import SampleMarket  # noqa: PLC0415

        return SampleMarket()
    if name == "vast":
        from advisor.market.vast import open_vast  # noqa: PLC0415  (needs httpx)

        return open_vast(variables, home, transport, now)
    path = Path(name)
    if path.exists() or os.sep in name or name.endswith(_FILE_ENDINGS):
        return FileMarket(path)
    return _plug_in(name)


def search(
    market: Market, query: Query, cache: AnswerCache, max_age_s: float, *, stale_ok: bool
) -> Answer:
    """Ask a market, or take the answer that is kept from a short while ago.

    Only answers of a live market are kept. Where the market's limit is reached
    and `stale_ok`, the kept answer to the same question is taken whatever its
    age, else that to the question without constraints.

    Raises
    ------
    MarketError
        if the market cannot be asked
    """
    origin = getattr(market, "origin", None)
    if origin is None:
        return market.search(query)
    if max_age_s > 0 and (kept := cache.get(origin, query, max_age_s)):
        return kept
    try:
        answer = market.search(query)
    except RateLimitedError:
        for asked in (query, Query()) if stale_ok else ():
            if stale := cache.get(origin, asked, math.inf):
                return stale
        raise
    cache.put(origin, query, answer)
    return answer


def _plug_in(name: str) -> Market:
    """Return the market that another package offers under `name`."""
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow to import)

    found = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        known = sorted({*found, "sample", "vast"})
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        message = f"no market or file {name!r}: {hint}"
        raise UsageError(message)
    market: Market = found[name].load()()
    return market
