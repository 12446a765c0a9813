"""An end has come when the market's time says so, and no clock contradicts it."""

from __future__ import annotations

import pytest

from advisor.base.errors import AdvisorError, MarketError
from tests.rental.steps.conftest import NOW, Shop


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [
        (None, ""),
        (300.0, ""),
        (-300.0, ""),
        (301.0, "clock is 5 min ahead of the market's: set it right"),
        (-600.0, "clock is 10 min behind the market's: set it right"),
    ],
)
def test_clocks_differ_by_more_than_five_minutes(
    shop: Shop, ahead_s: float | None, words: str
) -> None:
    """The time is the market's; nothing is rented while the two differ."""
    shop.market.ahead_s = ahead_s
    assert shop.context.clocks_differ().endswith(words)
    assert bool(shop.context.clocks_differ()) is bool(words)
    assert shop.context.now() == NOW - (ahead_s or 0.0)
    if words:
        with pytest.raises(AdvisorError, match="nothing is rented until then"):
            shop.context.agreed_now()
    else:
        assert shop.context.agreed_now() == shop.context.now()


def test_an_end_comes_to_the_second(shop: Shop) -> None:
    """Before it the market is not asked; at it once, and one answer suffices."""
    assert not shop.context.is_over(NOW + 0.1)
    assert shop.market.calls == []
    assert shop.context.is_over(NOW)
    assert shop.market.calls == ["account"]
    assert shop.time.at == NOW


def test_a_market_that_never_tells_the_time_is_not_asked(shop: Shop) -> None:
    """The clock of this computer alone tells the end."""
    shop.market.ahead_s = None
    assert shop.context.is_over(NOW)
    assert not shop.context.is_over(NOW + 0.1)
    assert shop.market.calls == []


@pytest.mark.parametrize("answer", [None, MarketError("not now")])
def test_an_end_that_nobody_confirms_has_not_come(
    shop: Shop, answer: MarketError | None
) -> None:
    """The market tells no time this time, or nothing at all."""
    shop.market.aheads = [None]
    shop.market.answers["account"] = [answer]
    assert not shop.context.is_over(NOW - 1e6)


@pytest.mark.parametrize(
    ("late_s", "aheads", "over"),
    [
        (99.0, [100.0], False),  # the answer itself says that it has not come
        (99.0, [59.0], True),  # like those before it
        (99.0, [60.0, 60.0], True),  # unlike: two agree
        (200.0, [60.0, 119.0], True),
        (200.0, [60.0, 120.0], False),
        (200.0, [60.0, None], False),
        (200.0, [-60.0, -119.0], True),
        (200.0, [-60.0, -120.0], False),
        (99.0, [60.0, 110.0], False),  # the second one says that it has not come
    ],
)
def test_an_answer_unlike_those_before_is_confirmed(
    shop: Shop, late_s: float, aheads: list[float | None], over: bool
) -> None:
    """After five seconds, by one that agrees to the minute."""
    shop.market.aheads = aheads.copy()
    assert shop.context.is_over(NOW - late_s) is over
    assert shop.market.calls == ["account"] * len(aheads)
    assert shop.time.at == NOW + 5.0 * (len(aheads) - 1)


def test_two_answers_must_say_that_an_end_has_come_where_the_clocks_differ(
    shop: Shop,
) -> None:
    """Though each is as those before it."""
    shop.market.ahead_s, shop.market.aheads = 1e4, [1e4]
    assert shop.context.is_over(NOW - 1e4)
    assert shop.market.calls == ["account", "account"]
