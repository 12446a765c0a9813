"""The suite for every market: what it lists, how it fails, what shows of its key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from advisor.base.errors import (
    AdvisorError,
    KeyRefusedError,
    MarketError,
    RateLimitedError,
)
from advisor.market.cache import AnswerCache
from advisor.market.capabilities import KeyedMarket
from advisor.market.columns import record_id
from advisor.market.conformance import rules
from advisor.market.conformance.failing import fails_with, need, refuse
from advisor.market.conformance.narrowing import NARROWED, matching, of_narrowed
from advisor.market.conformance.network import (
    Fault,
    Network,
    answering,
    redirects,
    refuses,
)
from advisor.market.snapshot import load_snapshot, save_snapshot
from advisor.market.types import (
    Answer,
    KeyedPlugin,
    LiveMarket,
    Market,
    MarketContext,
    MarketPlugin,
    Query,
    WatchedMarket,
)

if TYPE_CHECKING:
    import httpx

BROKEN: dict[str, tuple[Fault, type[MarketError]]] = {
    "refused connections": (refuses, MarketError),
    "HTTP 500": (answering(500, "oops"), MarketError),
    "HTTP 401": (answering(401, '{"error": "auth_error"}'), KeyRefusedError),
    "HTTP 429": (answering(429, "slow down"), RateLimitedError),
    "a web page": (answering(200, "<html>maintenance</html>"), MarketError),
    "an empty object": (answering(200, "{}"), MarketError),
    "a redirect elsewhere": (redirects, MarketError),
    "torn JSON": (answering(200, '{"offers": [{"id": 7'), MarketError),
}
"""What a network does to every request -> what must become of a call."""


class MarketConformance:
    """Tests of a market that lists offers; derive a class whose name begins with Test.

    Override two fixtures: `plugin` returns what the entry point names (best by
    `advisor.market.registry.load_plugin`, as a user gets it), `context` the world that it
    is opened in. What `context` sets up, such as a server, it may end after a ``yield``.
    """

    @pytest.fixture
    def plugin(self) -> MarketPlugin:
        """Return the plug-in that is tested."""
        pytest.fail("override the fixture 'plugin': it returns your MarketPlugin")

    @pytest.fixture
    def context(self, tmp_path: Path) -> MarketContext:
        """Return the world in which the plug-in is opened: nothing is in it."""
        return MarketContext({}, tmp_path)

    @pytest.fixture
    def market(self, plugin: MarketPlugin, context: MarketContext) -> Market:
        """Return the market, opened."""
        return plugin(context)

    @pytest.fixture
    def answer(self, market: Market) -> Answer:
        """Return what it answers when all is asked for."""
        return market.search(Query())

    @pytest.fixture
    def network(self, context: MarketContext) -> httpx.BaseTransport:
        """Return what carries the market's requests, or skip."""
        if context.transport is None:
            pytest.skip("the context has no transport: nothing can be broken on the way")
        return context.transport

    # What it is

    def test_a_plug_in_opens_a_market(self, plugin: MarketPlugin, market: Market) -> None:
        """It is called with a `MarketContext`, and returns a `Market`."""
        need(
            isinstance(plugin, MarketPlugin),
            f"the plug-in is {plugin!r}, which cannot be called with a MarketContext",
        )
        need(
            isinstance(market, Market),
            f"it opens {market!r}, which has no name and search",
        )
        need(
            rules.is_line(market.name),
            f"Market.name is {market.name!r}, not one line of text",
        )

    def test_in_an_empty_world_it_opens_or_says_why_not(
        self, plugin: MarketPlugin, tmp_path: Path
    ) -> None:
        """Without variables and home: a market, or an `AdvisorError` of one line."""
        home = tmp_path / "empty"
        home.mkdir()
        try:
            opened = plugin(MarketContext({}, home))
        except AdvisorError as error:
            need(rules.is_line(str(error)), f"the message is not one line: {error}")
        except Exception as error:
            text = f"without settings it raises {type(error).__name__} ({error})"
            message = f"{text}: raise a UsageError that says what to set"
            raise AssertionError(message) from error
        else:
            need(isinstance(opened, Market), f"without settings it opens {opened!r}")

    def test_opening_asks_nothing(
        self, plugin: MarketPlugin, context: MarketContext, network: httpx.BaseTransport
    ) -> None:
        """No request is sent before something is asked: opening is quick."""
        counted = Network(network)
        plugin(replace(context, transport=counted))
        need(not counted.requests, "opening the market sends requests: ask in search")

    # What it answers

    def test_the_answer_is_whole(self, answer: Answer) -> None:
        """Each field of the `Answer` is what its documentation says."""
        refuse(rules.of_answer(answer))

    def test_the_records_are_offers(self, answer: Answer) -> None:
        """Each has an id of its own and a GPU."""
        refuse(rules.of_records(answer.records))

    def test_every_offer_can_be_ranked(self, answer: Answer) -> None:
        """It has a number of GPUs, and a price that it is paid at."""
        refuse(rules.of_prices(answer.records))

    def test_figures_are_numbers_in_our_units(self, answer: Answer) -> None:
        """What is unknown is left out, never zero, a text or another unit."""
        refuse(rules.of_figures(answer.records))

    @pytest.mark.parametrize("field", NARROWED)
    def test_a_query_leaves_out_no_offer_that_matches(
        self, market: Market, answer: Answer, field: str
    ) -> None:
        """More may come than was asked for: all constraints are checked again."""
        asked = matching(field, answer.records)
        if asked is None:
            pytest.skip(f"no offer states what {field} asks for")
        query, expected = asked
        refuse(of_narrowed(query, expected, market.search(query)))

    def test_an_offer_is_found_by_its_id(self, market: Market, answer: Answer) -> None:
        """Before it is rented an offer is looked at again, by its id alone."""
        number = record_id(answer.records[-1])
        query = Query(offer_id=number)
        refuse(of_narrowed(query, {number}, market.search(query)))

    def test_an_offer_keeps_its_id(
        self, plugin: MarketPlugin, context: MarketContext, answer: Answer
    ) -> None:
        """Another run of the program calls the same offers by the same ids."""
        again = plugin(context).search(Query())
        ids, others = (set(map(record_id, one.records)) for one in (answer, again))
        need(
            ids == others,
            f"{len(ids ^ others)} of {len(ids)} ids are other ones when asked again: an "
            "id is what is ranked, shown and rented",
        )

    def test_an_answer_can_be_saved(self, answer: Answer, tmp_path: Path) -> None:
        """``advisor fetch -o`` writes it, and what is read back is the same."""
        path = tmp_path / "saved.json.gz"
        try:
            save_snapshot(answer, path)
        except (TypeError, ValueError) as error:
            pytest.fail(f"the records are no plain JSON: {error}", pytrace=False)
        loaded = load_snapshot(path)
        need(
            _plain(loaded.records) == _plain(answer.records),
            "saved and read again the records differ: hold plain JSON values in them",
        )

    def test_no_offer_is_changed_by_another_search(
        self, market: Market, answer: Answer
    ) -> None:
        """Records are the caller's: a second search leaves those of the first alone."""
        before = _plain(answer.records)
        market.search(Query(max_usd_per_hour=1.0, disk_gb=100.0))
        need(_plain(answer.records) == before, "a second search changes the first answer")

    # What it may have besides

    def test_a_market_on_a_network_says_where_it_asks(
        self, plugin: MarketPlugin, context: MarketContext, network: httpx.BaseTransport
    ) -> None:
        """Its answers are stored for a while, under its `origin`."""
        counted = Network(network)
        market = plugin(replace(context, transport=counted))
        answer = market.search(Query())
        need(
            bool(counted.requests),
            "a search sends nothing over context.transport: whoever is given one uses it",
        )
        if not isinstance(market, LiveMarket):
            pytest.fail("it asks a network and has no origin: see LiveMarket")
        need(
            rules.is_line(market.origin), f"origin is {market.origin!r}, no line of text"
        )
        need(
            answer.fetched_at is not None,
            "Answer.fetched_at is None: of a live market it is context.clock.now()",
        )

    def test_an_answer_can_be_kept(
        self, market: Market, answer: Answer, tmp_path: Path
    ) -> None:
        """The stored answer has the offers of the fresh one."""
        moment = answer.fetched_at
        if not isinstance(market, LiveMarket) or moment is None:
            pytest.skip("it is no LiveMarket: its answers are not stored")
        cache = AnswerCache(tmp_path / "cache", lambda: moment)
        cache.put(market.origin, Query(), answer)
        stored = cache.get(market.origin, Query(), 60.0)
        need(
            stored is not None and _plain(stored.records) == _plain(answer.records),
            "a stored answer is not the same: hold plain JSON values in records, and in "
            "bodies the documents that they were read from, if any",
        )

    def test_a_watched_search_finds_the_same(
        self, market: Market, answer: Answer
    ) -> None:
        """And reports no offer on the way that is not there in the end."""
        if not isinstance(market, WatchedMarket):
            pytest.skip("it is no WatchedMarket: its search is quick")
        watcher = _Watcher()
        watched = market.search_watched(Query(), watcher)
        ids = set(map(record_id, watched.records))
        need(
            ids == set(map(record_id, answer.records)),
            "search_watched returns other offers than search",
        )
        need(watcher.seen <= ids, "the watcher sees offers that the answer has not")
        need(
            all(seconds >= 0 and why for seconds, why in watcher.waited),
            f"the watcher hears of waits that are none: {watcher.waited}",
        )

    def test_a_plug_in_knows_its_key(
        self, plugin: MarketPlugin, context: MarketContext, market: Market, tmp_path: Path
    ) -> None:
        """It says whether there is a key, returns its text, and nothing without one."""
        if not isinstance(plugin, KeyedPlugin):
            need(
                not isinstance(market, KeyedMarket),
                "the market takes a key, and the plug-in says nothing of it: "
                "see KeyedPlugin",
            )
            pytest.skip("it is no KeyedPlugin: its market takes no key")
        home = tmp_path / "without"
        home.mkdir()
        without = MarketContext({}, home)
        need(
            plugin.has_key(without) is False and not tuple(plugin.secrets(without)),
            "in an empty world it has a key: look at context.variables and context.home",
        )
        returned = plugin.secrets(context)
        need(
            not isinstance(returned, str), "secrets is a text: return a sequence of them"
        )
        secrets = tuple(returned)
        need(
            plugin.has_key(context) is True and bool(secrets),
            "the context has no key: put a made-up one in its variables or its home",
        )
        need(
            all(isinstance(one, str) and one.strip() == one != "" for one in secrets),
            "secrets are to be texts as a file would hold them, without blanks around",
        )
        if not isinstance(market, KeyedMarket):
            pytest.fail("the plug-in has a key, and its market is no KeyedMarket")
        need(
            rules.is_line(market.key_origin) and rules.is_line(market.key_places),
            f"key_origin ({market.key_origin!r}) and key_places ({market.key_places!r}) "
            "are to say in a line where the key was found, and where one is put",
        )

    def test_a_key_shows_nowhere(
        self,
        plugin: MarketPlugin,
        context: MarketContext,
        market: Market,
        answer: Answer,
    ) -> None:
        """Neither in what is printed of a market nor in an answer, which may be saved."""
        if not isinstance(plugin, KeyedPlugin):
            pytest.skip("it is no KeyedPlugin: its market takes no key")
        shown = {
            "the plug-in": plugin,
            "the market": market,
            "Market.name": market.name,
            "the answer": answer,
            "its records": _plain(answer.records),
            "Market.origin": getattr(market, "origin", ""),
            "key_origin": getattr(market, "key_origin", ""),
        }
        refuse(rules.of_secrets(plugin.secrets(context), shown))

    @pytest.mark.parametrize("network_has", BROKEN)
    def test_a_search_that_fails_is_an_error(
        self,
        plugin: MarketPlugin,
        context: MarketContext,
        network: httpx.BaseTransport,
        network_has: str,
    ) -> None:
        """Never an empty answer, nor an error of another kind, nor one with the key."""
        fault, expected = BROKEN[network_has]
        if expected is KeyRefusedError and not isinstance(plugin, KeyedPlugin):
            expected = MarketError
        broken = Network(network, fault)
        market = plugin(replace(context, transport=broken))
        error = fails_with(lambda: market.search(Query()), expected, network_has)
        if isinstance(plugin, KeyedPlugin):
            shown = {
                "an error": error,
                "an address, which servers write down": broken.addresses,
                "a request to where a redirect leads": broken.sent_elsewhere,
            }
            refuse(rules.of_secrets(plugin.secrets(context), shown))


class _Watcher:
    """Remembers what a search reports on its way."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.waited: list[tuple[float, str]] = []

    def waits(self, seconds: float, why: str) -> None:
        """Hear of a wait."""
        self.waited.append((seconds, why))

    def comes(self, pages: int, so_far: Answer) -> None:  # noqa: ARG002
        """See a part."""
        self.seen |= set(map(record_id, so_far.records))


def _plain(records: Iterable[object]) -> list[str]:
    """Return records as JSON texts, which are equal if the records are."""
    return sorted(json.dumps(record, sort_keys=True, default=repr) for record in records)
