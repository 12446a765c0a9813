"""Markets by name, and how one is asked."""

from __future__ import annotations

import difflib
import importlib
import math
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.base.clock import Clock
from advisor.base.errors import RateLimitedError, UsageError
from advisor.market.cache import AnswerCache
from advisor.market.types import (
    Answer,
    Market,
    Query,
    Surroundings,
    WatchedMarket,
    Watcher,
)
from advisor.market.vast.key import find_key

if TYPE_CHECKING:
    import httpx

    from advisor.market.lifecycle import RentalMarket

ENTRY_POINTS = "advisor.markets"
"""Entry-point group of the markets, see `advisor.market.types`."""

_BUILT_IN = {
    "sample": ("advisor.market.sample", "open_sample"),
    "vast": ("advisor.market.vast.client", "open_vast"),
    "file": ("advisor.market.snapshot", "open_file"),
    "gpuhunt": ("advisor.market.gpuhunt", "open_gpuhunt"),
}
"""Entry points of our own, known without a look at what is installed: that is slow."""

_FILE_ENDINGS = (".json", ".gz")


def default_market(variables: Mapping[str, str], home: Path) -> str:
    """Return ``"vast"`` where a key is found, else ``"sample"``."""
    return "vast" if find_key(variables, home) else "sample"


def open_market(
    name: str,
    variables: Mapping[str, str],
    home: Path,
    transport: httpx.BaseTransport | None = None,
    clock: Clock = Clock(),  # noqa: B008  (immutable)
) -> Market:
    """Return a market by its name, or a file of offers as one.

    Parameters
    ----------
    name : of a market, with what it shall know after a colon; or a path
    variables, home : where a live market's key and address are found
    transport : carries a live market's requests; None for the network
    clock : time of a live market

    Raises
    ------
    UsageError
        if there is no such market or file, or it cannot be opened
    """
    kind, _, detail = name.partition(":")
    looks_like_file = os.sep in name or name.endswith(_FILE_ENDINGS)
    if kind not in _BUILT_IN and (looks_like_file or Path(name).exists()):
        kind, detail = "file", name
    surroundings = Surroundings(variables, home, transport, clock, detail)
    if kind in _BUILT_IN:
        module, function = _BUILT_IN[kind]
        opened = getattr(importlib.import_module(module), function)(surroundings)
    else:
        opened = _plug_in(kind)(surroundings)
    market: Market = opened
    return market


def rentable(market: Market) -> RentalMarket:
    """Return a market as one that rents.

    Raises
    ------
    UsageError
        if it only lists
    """
    from advisor.market.lifecycle import RentalMarket  # noqa: PLC0415  (ranking needs none)

    if isinstance(market, RentalMarket):
        return market
    message = f"market {market.name} only lists offers: rent with --market vast"
    raise UsageError(message)


def search(
    market: Market,
    query: Query,
    cache: AnswerCache,
    max_age_s: float,
    *,
    stale_ok: bool,
    watcher: Watcher | None = None,
) -> Answer:
    """Ask a market, or take the answer that is kept from a short while ago.

    Only answers of a live market are kept. Where the market's limit is reached
    and `stale_ok`, the kept answer to the same question is taken whatever its
    age, else that to the question without constraints.

    Parameters
    ----------
    watcher : hears how the search comes on, where the market tells

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
        if watcher is not None and isinstance(market, WatchedMarket):
            answer = market.search_watched(query, watcher)
        else:
            answer = market.search(query)
    except RateLimitedError:
        for asked in (query, Query()) if stale_ok else ():
            if stale := cache.get(origin, asked, math.inf):
                return stale
        raise
    cache.put(origin, query, answer)
    return answer


def _plug_in(name: str) -> Callable[[Surroundings], Market]:
    """Return what opens the market that a package offers under `name`."""
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow to import)

    found = {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}
    if name not in found:
        known = sorted({*found, *_BUILT_IN})
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        message = f"no market or file {name!r}: {hint}"
        raise UsageError(message)
    try:
        opener: Callable[[Surroundings], Market] = found[name].load()
    except ImportError as error:
        message = f"market {name} cannot be loaded: {error}; install its package again"
        raise UsageError(message) from error
    return opener
