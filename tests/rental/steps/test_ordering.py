"""One request that rents: whatever it answers, the list says what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from advisor.base.errors import (
    AdvisorError,
    KeyRefusedError,
    MarketError,
    NotSentError,
    OfferGoneError,
    PlacementError,
    RentalStateUnknownError,
    UsageError,
)
from advisor.market.lifecycle import Order
from advisor.rental.labels import new_label
from advisor.rental.ordering import Outcome, order
from tests.rental.steps.conftest import NOW, Shop

ORDER = Order(1, "image", 40.0, new_label("job", NOW + 3600.0))


def lost() -> RentalStateUnknownError:
    return RentalStateUnknownError("the answer was lost")


def ordered(shop: Shop, answer: AdvisorError | None = None) -> Outcome:
    shop.market.answers["rent"] = [answer]
    return order(shop.context, ORDER)


def fails(*errors: AdvisorError | None) -> Sequence[AdvisorError | None]:
    return list(errors)


def test_what_is_rented_and_listed_is_known_at_once(shop: Shop) -> None:
    """Nobody waits, nothing is said."""
    assert ordered(shop) == Outcome(7, None)
    assert shop.time.at == NOW
    assert shop.said == []
    assert shop.market.calls == ["rent", "instances"]


def test_a_list_that_lags_behind_an_answer_is_no_doubt(shop: Shop) -> None:
    """The instance that the answer names is shown by its id."""
    shop.market.unlisted = {7}
    assert ordered(shop) == Outcome(7, None)
    assert shop.time.at == NOW


def test_an_instance_with_another_label_is_none_of_the_order(shop: Shop) -> None:
    """Though the answer names it: nothing is there that the order could mean."""
    shop.market.shows_at_once = False
    shop.market.show("the user's own")
    with pytest.raises(RentalStateUnknownError, match="names instance 7, and shows none"):
        ordered(shop)
    assert shop.time.at == NOW + 300.0
    assert shop.market.ended == []


@pytest.mark.parametrize("after_s", [10.0, 295.0, 300.0])
def test_what_appears_in_time_is_taken(shop: Shop, after_s: float) -> None:
    """Up to the last look, five minutes after the request; looks are ten s apart."""
    shop.market.shows_at_once = False
    shop.time.after(after_s, lambda: shop.market.show(ORDER.label, 9) and None)
    error = lost()
    assert ordered(shop, error) == Outcome(9, error)
    assert after_s <= shop.time.at - NOW < after_s + 10.0
    assert shop.said == ["the answer was lost; looking for it by its label"]


def test_what_does_not_appear_was_not_rented(shop: Shop) -> None:
    """It is looked for once, then each ten seconds of five minutes."""
    shop.market.shows_at_once = False
    error = lost()
    assert ordered(shop, error) == Outcome(None, error)
    assert shop.time.at == NOW + 300.0
    assert shop.market.calls.count("instances") == 1 + 30 + 1


def test_a_plain_refusal_is_believed_where_the_list_has_nothing(shop: Shop) -> None:
    """At once; the next offer waits."""
    shop.market.shows_at_once = False
    error = OfferGoneError("it is gone")
    assert ordered(shop, error) == Outcome(None, error)
    assert shop.time.at == NOW
    assert shop.said == []


def test_a_refusal_of_what_was_rented_is_not_believed(shop: Shop) -> None:
    """A gateway has repeated the request: the first one's machine is listed."""
    error = OfferGoneError("it is gone")
    assert ordered(shop, error) == Outcome(7, error)


def test_a_contract_that_was_made_with_an_error_is_looked_for(shop: Shop) -> None:
    """By the id that the market names with the error."""
    shop.market.unlisted = {7}
    error = PlacementError("no place", 7)
    assert ordered(shop, error) == Outcome(7, error)


def test_what_was_not_sent_is_not_looked_for(shop: Shop) -> None:
    """Nothing came of it; what is wrong with an order is the caller's to mend."""
    error = NotSentError("no connection")
    assert ordered(shop, error) == Outcome(None, error)
    with pytest.raises(UsageError):
        ordered(shop, UsageError("no such image"))
    assert shop.market.calls == ["rent", "rent"]


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        (OfferGoneError("gone"), MarketError("no list")),
        (OfferGoneError("gone"), KeyRefusedError("no list")),
        (KeyRefusedError("no key"), MarketError("no list")),
    ],
)
def test_a_refusal_that_nobody_can_check_leaves_it_open(
    shop: Shop, answer: MarketError, trouble: MarketError
) -> None:
    """Both errors are told, and what to do."""
    shop.market.answers["instances"] = [trouble]
    with pytest.raises(RentalStateUnknownError, match=f"{answer}; no list; run 'advisor"):
        ordered(shop, answer)


def test_who_is_not_let_in_has_rented_nothing(shop: Shop) -> None:
    """Neither to rent nor to look."""
    shop.market.answers["instances"] = [KeyRefusedError("no key")]
    error = KeyRefusedError("no key")
    assert ordered(shop, error) == Outcome(None, error)
    assert shop.time.at == NOW


def test_a_list_that_fails_for_a_while_is_asked_again(shop: Shop) -> None:
    """What it shows in the end is what came of it."""
    error = lost()
    shop.market.answers["instances"] = [MarketError("no list")] * 5
    assert ordered(shop, error) == Outcome(7, error)
    assert shop.time.at == NOW + 50.0


def test_a_list_that_fails_but_the_last_time_shows_that_nothing_is_there(
    shop: Shop,
) -> None:
    """The last look counts; one that fails settles nothing."""
    shop.market.shows_at_once = False
    error = lost()
    shop.market.answers["instances"] = [MarketError("no list")] * 31
    assert ordered(shop, error) == Outcome(None, error)
    shop.market.answers["instances"] = [None] * 31 + [MarketError("no list")]
    with pytest.raises(RentalStateUnknownError, match="no list; run 'advisor reconcile'"):
        ordered(shop, error)


def test_an_interrupt_of_the_wait_leaves_it_open(shop: Shop) -> None:
    """It may appear after that."""
    shop.market.shows_at_once = False

    def interrupt() -> None:
        raise KeyboardInterrupt

    shop.time.after(25.0, interrupt)
    with pytest.raises(RentalStateUnknownError, match="interrupted while looking"):
        ordered(shop, lost())
    assert shop.time.at == NOW + 30.0


@pytest.mark.parametrize(("named", "kept"), [(9, 9), (8, 8), (5, 7)])
def test_of_several_contracts_one_is_kept(shop: Shop, named: int, kept: int) -> None:
    """That which the answer names, else the first; all others are ended, and told."""
    for number in (8, 9):
        shop.market.show(ORDER.label, number)
    shop.market.answers["rent"] = [PlacementError("no place", named)]
    assert order(shop.context, ORDER).instance_id == kept
    assert sorted(shop.market.ended) == sorted({7, 8, 9} - {kept})
    assert list(shop.market.shown) == [kept]
    assert len(shop.said) == 2


def test_a_second_contract_that_cannot_be_ended_loses_no_first(shop: Shop) -> None:
    """It is told; whoever looks next tries again."""
    for number in (8, 9):
        shop.market.show(ORDER.label, number)
    shop.market.answers["release"] = [MarketError("not now")]
    assert ordered(shop) == Outcome(7, None)
    assert "not now" in shop.said
    assert sorted(shop.market.shown) == [7, 8]
