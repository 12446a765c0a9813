"""Markets by name, and how one is asked."""

from __future__ import annotations

import difflib
import importlib
import math
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from advisor.base.clock import Clock
from advisor.base.errors import (
    AdvisorError,
    Given,
    QuotaError,
    RateLimitedError,
    UsageError,
)
from advisor.market.cache import AnswerCache
from advisor.market.types import (
    Answer,
    KeyedPlugin,
    LiveMarket,
    Market,
    MarketContext,
    MarketPlugin,
    Query,
    WatchedMarket,
    Watcher,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    import httpx

    from advisor.market.lifecycle import RentalMarket

Result = TypeVar("Result")

_LONGEST_REASON = 200

ENTRY_POINTS = "advisor.markets"
"""Entry-point group of the markets, see `advisor.market.types`."""


class _BuiltIn(NamedTuple):
    """A market of our own, known without a look at what is installed: that is slow.

    Attributes
    ----------
    module, plugin : where its `MarketPlugin` is
    keyed : whether that is a `KeyedPlugin`
    rents : whether its market rents
    """

    module: str
    plugin: str
    keyed: bool = False
    rents: bool = False

    def load(self) -> MarketPlugin:
        """Return the plug-in."""
        loaded: MarketPlugin = getattr(importlib.import_module(self.module), self.plugin)
        return loaded


_FILE = "file"

_BUILT_IN = {
    "sample": _BuiltIn("advisor.market.sample", "open_sample"),
    "vast": _BuiltIn("advisor.market.vast.plugin", "VAST", keyed=True, rents=True),
    _FILE: _BuiltIn("advisor.market.snapshot", "open_file"),
    "gpuhunt": _BuiltIn("advisor.market.gpuhunt", "open_gpuhunt"),
}

WITHOUT_KEY = "sample"
"""The market of who has no key."""

_FILE_ENDINGS = (".json", ".gz")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What the plug-ins know of the user's secrets.

    Attributes
    ----------
    texts : each secret; they show up nowhere
    notes : for people: of which plug-ins nobody knows
    """

    texts: tuple[str, ...] = field(repr=False)
    notes: tuple[str, ...]


def default_market(variables: Mapping[str, str], home: Path) -> str:
    """Return the market that the user has a key of, ``"sample"`` without any.

    One of ours comes before those of other packages.

    Raises
    ------
    UsageError
        if there are keys of several other markets, or one cannot be read
    """
    context = MarketContext(variables, home)
    for name, plugin in _keyed_built_ins():
        if plugin.has_key(context):
            return name
    others = []
    for entry in _installed().values():
        other = _loaded_or_none(entry)
        if isinstance(other, KeyedPlugin) and _asked(entry.name, other.has_key, context):
            others.append(entry.name)
    if len(others) > 1:
        keys = f"there are keys of {' and '.join(others)}: name one with "
        raise UsageError(keys, Given("market"))
    return others[0] if others else WITHOUT_KEY


def known_secrets(variables: Mapping[str, str], home: Path) -> Secrets:
    """Return what all plug-ins know of the user's secrets, so that none is sent away."""
    context = MarketContext(variables, home)
    texts: list[str] = []
    notes: list[str] = []
    for _, plugin in _keyed_built_ins():
        texts += plugin.secrets(context)
    for entry in _installed().values():
        try:
            installed = _loaded(entry)
            if isinstance(installed, KeyedPlugin):
                texts += _asked(entry.name, _secrets_of(installed), context)
        except UsageError as error:
            notes.append(f"{error}; its keys are not looked for in what is sent")
    return Secrets(tuple(dict.fromkeys(filter(None, texts))), tuple(notes))


def load_plugin(name: str) -> MarketPlugin:
    """Return what opens a market, ours or another package's.

    Raises
    ------
    UsageError
        if there is no such market, or its package cannot be loaded
    """
    return _BUILT_IN[name].load() if name in _BUILT_IN else _loaded(_entry(name))


def open_market(
    name: str,
    variables: Mapping[str, str],
    home: Path,
    transport: httpx.BaseTransport | None = None,
    clock: Clock = Clock(),  # noqa: B008  (immutable)
    *,
    may_be_file: bool = True,
) -> Market:
    """Return a market by its name, or a file of offers as one.

    Parameters
    ----------
    name : of a market, with what it shall know after a colon; or a path
    variables, home : where a live market's key and address are found
    transport : carries a live market's requests; None for the network
    clock : time of a live market
    may_be_file : a file is meant where the name is that of one; who takes names of
        somebody else, such as of a cloned project, is not to be handed its files

    Raises
    ------
    UsageError
        if there is no such market or file, or it cannot be opened
    """
    kind, _, detail = name.partition(":")
    if may_be_file and _is_file(name):
        kind, detail = _FILE, name
    if kind == _FILE and not may_be_file:
        message = f"{name!r}: a market's name is expected here, no file of offers"
        raise UsageError(message)
    context = MarketContext(variables, home, transport, clock, detail)
    plugin = load_plugin(kind)
    if kind in _BUILT_IN:
        return plugin(context)
    opened: object = _asked(kind, plugin, context)
    if isinstance(opened, Market):
        return opened
    message = (
        f"market {kind} is no market: its package opens nothing with name and search"
    )
    raise UsageError(message)


def _is_file(name: str) -> bool:
    """Say whether a name is a file's, and not that of a market, perhaps with a detail.

    The file ``nimbus`` is ``./nimbus`` where a market has that name.
    """
    kind, _, detail = name.partition(":")
    if kind in _BUILT_IN:
        return False
    is_path = os.sep in name or name.endswith(_FILE_ENDINGS)
    if not is_path and not Path(name).exists():
        return False
    return (is_path and not detail) or kind not in _installed()


def may_rent(name: str) -> bool:
    """Say whether a market of this name may rent; of an installed one nobody knows."""
    return name not in _BUILT_IN or _BUILT_IN[name].rents


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
    renting = " or ".join(name for name, one in _BUILT_IN.items() if one.rents)
    why = f"market {market.name} only lists offers: rent with "
    raise UsageError(why, Given("market"), f" {renting}")


def search(
    market: Market,
    query: Query,
    cache: AnswerCache,
    max_age_s: float,
    *,
    stale_ok: bool,
    watcher: Watcher | None = None,
) -> Answer:
    """Ask a market, or take an answer that was stored a short while ago.

    Only answers of a live market are stored. Where the market's limit is reached
    and `stale_ok`, the stored answer to the same question is taken whatever its
    age, else that to the question without constraints. A quota that is used up without
    that says so: who asks the market otherwise, to rent, has no stored answer to take.

    Parameters
    ----------
    watcher : hears how the search comes on, where the market reports it

    Raises
    ------
    MarketError
        if the market cannot be asked
    """
    if not isinstance(market, LiveMarket):
        return market.search(query)
    origin = market.origin
    if max_age_s > 0 and (stored := cache.get(origin, query, max_age_s)):
        return stored
    try:
        if watcher is not None and isinstance(market, WatchedMarket):
            answer = market.search_watched(query, watcher)
        else:
            answer = market.search(query)
    except RateLimitedError as error:
        for asked in (query, Query()) if stale_ok else ():
            if stale := cache.get(origin, asked, math.inf):
                return stale
        if isinstance(error, QuotaError) and not stale_ok:
            way_out = ("; ", Given("stale_ok"), " takes the newest stored answer")
            raise QuotaError(*error.parts, *way_out) from error
        raise
    cache.put(origin, query, answer)
    return answer


def _keyed_built_ins() -> Iterator[tuple[str, KeyedPlugin]]:
    """Yield our own markets that take a key."""
    for name, built_in in _BUILT_IN.items():
        if built_in.keyed:
            plugin = built_in.load()
            assert isinstance(plugin, KeyedPlugin)  # noqa: S101  (our own table)
            yield name, plugin


def _installed() -> dict[str, EntryPoint]:
    """Return the markets of other packages by name; none takes the name of ours."""
    from importlib.metadata import entry_points  # noqa: PLC0415  (slow to import)

    found = sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)
    return {entry.name: entry for entry in found if entry.name not in _BUILT_IN}


def _entry(name: str) -> EntryPoint:
    """Return the market that a package offers under `name`."""
    found = _installed()
    if name in found:
        return found[name]
    known = sorted({*found, *_BUILT_IN})
    close = difflib.get_close_matches(name, known, 1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
    message = f"no market or file {name!r}: {hint}"
    raise UsageError(message)


def _loaded(entry: EntryPoint) -> MarketPlugin:
    """Return the plug-in of another package.

    Raises
    ------
    UsageError
        if it cannot be loaded, whatever is wrong with it
    """
    try:
        plugin: object = entry.load()
    except Exception as error:  # the package is somebody else's
        message = f"market {entry.name} cannot be loaded: {_reason(error)}"
        raise UsageError(f"{message}; install its package again") from error
    if isinstance(plugin, MarketPlugin):
        return plugin
    message = f"market {entry.name} cannot be loaded: {entry.value} opens nothing"
    raise UsageError(f"{message}; install another version of its package")


def _loaded_or_none(entry: EntryPoint) -> MarketPlugin | None:
    """Return the plug-in of another package, None where nobody asked for that one."""
    try:
        return _loaded(entry)
    except UsageError:
        return None


def _asked(
    name: str, ask: Callable[[MarketContext], Result], context: MarketContext
) -> Result:
    """Return what a plug-in of another package answers; its slips are errors of ours."""
    try:
        return ask(context)
    except AdvisorError:
        raise
    except Exception as error:  # the package is somebody else's
        message = f"market {name} does not work: {_reason(error)}"
        raise UsageError(f"{message}; install another version of its package") from error


def _secrets_of(plugin: KeyedPlugin) -> Callable[[MarketContext], tuple[str, ...]]:
    """Return what asks a plug-in for its secrets, which it may return in another form."""

    def ask(context: MarketContext) -> tuple[str, ...]:
        returned = plugin.secrets(context)
        secrets = () if isinstance(returned, str) else tuple(returned)
        if isinstance(returned, str) or not all(isinstance(one, str) for one in secrets):
            message = "its secrets are no sequence of texts"
            raise TypeError(message)
        return secrets

    return ask


def _reason(error: Exception) -> str:
    """Return an error of foreign code in a few words of one line."""
    words = f"{type(error).__name__}: {error}"
    return " ".join(words.split())[:_LONGEST_REASON]
