"""What a market is asked when it is checked: what it has, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from advisor.base.errors import KeyRefusedError, MarketError
from advisor.market.capabilities import Pulse
from advisor.market.check import check_market
from advisor.market.lifecycle import Account, Instance
from advisor.market.types import Answer, Query
from advisor.report.checked import check_document, check_text


class Lister:
    """A market that lists, or fails to."""

    name = "corner"
    fails: MarketError | None = None

    def search(self, query: Query) -> Answer:
        if self.fails is not None:
            raise self.fails
        return Answer([{"id": 7}], "corner", "the corner", None, None)


class Pulsed(Lister):
    """One that answers small questions."""

    def pulse(self) -> Pulse:
        return Pulse(0.25, None)


class WithAccount(Lister):
    """One that knows accounts, and takes no key of its own."""

    refuses = False

    def account(self) -> Account:
        if self.refuses:
            raise KeyRefusedError("no")
        return Account("ann", 3.0)

    def instances(self, label_prefix: str = "") -> Sequence[Instance]:
        return []


class Keyed(WithAccount):
    """One that takes a key, and may have none."""

    key_places = "CORNER_KEY"
    key_origin: str | None = None


def test_a_market_that_only_lists_is_only_searched() -> None:
    """There is nothing else to say of it."""
    found = check_market(Lister())
    assert (found.key_places, found.account, found.latency_s) == (None, None, None)
    assert [line.split()[0] for line in check_text(found).splitlines()] == [
        "market",
        "offers",
    ]


def test_a_pulse_is_measured() -> None:
    """Of any market that has one; a clock that the market does not name is left out."""
    found = check_market(Pulsed())
    assert (found.latency_s, found.clock_ahead_s) == (0.25, None)
    assert "latency" in check_text(found)


def test_an_account_needs_no_key_of_its_own() -> None:
    """Who has one shows it; nothing is said of renting where nothing is rented."""
    found = check_market(WithAccount())
    document = check_document(found)
    assert document["account"] == {"id": "ann", "credit_usd": 3.0}
    assert (document["key"], document["lists_instances"]) == (None, True)
    text = check_text(found)
    assert "ann, credit $3.00" in text
    assert "key" not in text
    assert "renting" not in text


def test_without_its_key_an_account_is_not_asked_for() -> None:
    """People read where that market's key is put."""
    market = Keyed()
    market.refuses = True
    found = check_market(market)
    assert (found.account, found.problems) == (None, ())
    assert "none: put it in CORNER_KEY" in check_text(found)


def test_a_key_that_is_refused_searches_nothing() -> None:
    """It is not shown around."""
    market = Keyed()
    market.key_origin, market.refuses = "CORNER_KEY", True
    found = check_market(market)
    assert found.answer is None
    assert [type(one) for one in found.problems] == [KeyRefusedError]


@pytest.mark.parametrize(("kind", "answers"), [(Lister, False), (Pulsed, True)])
def test_a_search_that_fails_is_a_finding_or_an_error(kind: Any, answers: bool) -> None:
    """It is a finding where the market has answered anything, else there is none."""
    market = kind()
    market.fails = MarketError("closed")
    if not answers:
        with pytest.raises(MarketError, match="closed"):
            check_market(market)
        return
    found = check_market(market)
    assert (found.answer, found.problems) == (None, (market.fails,))
