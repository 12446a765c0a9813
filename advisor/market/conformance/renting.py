"""The suite for a market that rents: from the order to the end, and what may go wrong.

Nothing is rented for good: each test releases what it has rented.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from advisor.base.errors import (
    AdvisorError,
    KeyRefusedError,
    NotSentError,
    OfferGoneError,
    RateLimitedError,
    RentalStateUnknownError,
)
from advisor.market.columns import record_id
from advisor.market.conformance import rules
from advisor.market.conformance.failing import fails_with, need
from advisor.market.conformance.listing import BROKEN, MarketConformance
from advisor.market.conformance.network import (
    Fault,
    Network,
    answering,
    loses_answers,
    redirects,
    refuses,
)
from advisor.market.http import is_private
from advisor.market.lifecycle import Instance, Order, RentalMarket
from advisor.market.types import (
    Answer,
    Market,
    MarketContext,
    MarketPlugin,
)

if TYPE_CHECKING:
    import httpx

_WAITS_S = (0.0, *[2.0] * 30)
"""Pauses in which what was changed must show: a list may lag behind."""

_VARIABLE = "$CONTAINER_ID"

_RENTING: dict[str, tuple[Fault, type[AdvisorError]]] = {
    "refused connections": (refuses, NotSentError),
    "HTTP 500": (answering(500, "oops"), RentalStateUnknownError),
    "HTTP 401": (answering(401, '{"error": "auth_error"}'), KeyRefusedError),
    "HTTP 429": (answering(429, "slow down"), RateLimitedError),
    "a web page": (answering(200, "<html></html>"), RentalStateUnknownError),
    "an empty object": (answering(200, "{}"), RentalStateUnknownError),
    "a redirect": (redirects, RentalStateUnknownError),
}

_CALLS: dict[str, Callable[[RentalMarket], object]] = {
    "account": lambda market: market.account(),
    "instance": lambda market: market.instance(1),
    "instances": lambda market: market.instances(),
    "release": lambda market: market.release(1),
}


_FINE = {("release", "an empty object")}


class RentalConformance(MarketConformance):
    """Tests of a market that rents as well; derive a class as of `MarketConformance`.

    What is rented in these tests should cost nothing: a fake or a sandbox.
    """

    @pytest.fixture
    def rental(self, market: Market) -> RentalMarket:
        """Return the market as one that rents."""
        return _renting(market)

    @pytest.fixture
    def breaks(
        self, plugin: MarketPlugin, context: MarketContext, network: httpx.BaseTransport
    ) -> Callable[[Fault], tuple[RentalMarket, Network]]:
        """Return what opens the same market behind a network that fails."""

        def opened(fault: Fault) -> tuple[RentalMarket, Network]:
            broken = Network(network, fault)
            return _renting(plugin(replace(context, transport=broken))), broken

        return opened

    @pytest.fixture
    def order(self, answer: Answer) -> Order:
        """Return an order of the first offer, under a label that nothing else has."""
        label = f"advisor:conformance:{uuid.uuid4().hex[:12]}"
        number = record_id(answer.records[0])
        return Order(number, "pytorch/pytorch", 20.0, label)

    @pytest.fixture
    def shows(self, context: MarketContext) -> Callable[[Callable[[], bool]], bool]:
        """Return what says whether something comes to hold within a minute."""

        def comes(holds: Callable[[], bool]) -> bool:
            for wait_s in _WAITS_S:
                context.clock.sleep(wait_s)
                if holds():
                    return True
            return False

        return comes

    @pytest.fixture
    def ended(self, rental: RentalMarket, order: Order) -> Iterator[None]:
        """End, after the test, whatever it has rented."""
        yield
        for one in rental.instances(order.label):
            rental.release(one.instance_id)

    def test_an_account_has_a_name(self, rental: RentalMarket) -> None:
        """It is the same each time, and its credit is a number or unknown."""
        account, again = rental.account(), rental.account()
        need(
            rules.is_line(account.account_id) and account.account_id == again.account_id,
            f"account_id is {account.account_id!r}, then {again.account_id!r}: it says "
            "whose rentals the ledger's are",
        )
        credit = account.credit_usd
        need(
            credit is None or math.isfinite(credit),
            f"credit_usd is {credit!r}: dollars, or None where it is not known",
        )

    def test_it_says_where_it_is_and_what_time_it_is_there(
        self, rental: RentalMarket
    ) -> None:
        """`address` is one line, `ahead_s` seconds or unknown."""
        need(rules.is_line(rental.address), f"address is {rental.address!r}, no line")
        rental.account()
        need(
            rental.ahead_s is None or math.isfinite(rental.ahead_s),
            f"ahead_s is {rental.ahead_s!r}: seconds, or None",
        )

    def test_an_instance_can_end_itself(self, rental: RentalMarket) -> None:
        """By a request with a restricted key of its own, to no odd address."""
        request = rental.self_release(_VARIABLE)
        need(
            request.method.isupper() and bool(request.key_variable),
            f"self_release gives {request}: it lacks a method or the key's variable",
        )
        need(
            _VARIABLE in request.url or _VARIABLE in request.body,
            f"self_release names the instance nowhere: {_VARIABLE} is not in its url",
        )
        need(
            is_private(request.url.replace(_VARIABLE, "1")),
            "self_release sends its key unencrypted: use https",
        )

    @pytest.mark.usefixtures("ended")
    def test_what_is_rented_is_found_and_ends(
        self,
        rental: RentalMarket,
        order: Order,
        shows: Callable[[Callable[[], bool]], bool],
    ) -> None:
        """By its id and by its label, until it is released; twice is fine."""
        number = rental.rent(order)
        need(type(number) is int and number > 0, f"rent returns {number!r}, no id")

        def shown() -> list[Instance]:
            one, listed = rental.instance(number), rental.instances(order.label)
            return [one, *listed] if one is not None and len(listed) == 1 else []

        need(
            shows(lambda: bool(shown())),
            f"instance({number}) and instances({order.label!r}) do not show the rental",
        )
        for one in shown():
            need(
                (one.instance_id, one.label) == (number, order.label),
                f"rented was {number} as {order.label!r}; shown is {one.instance_id} as "
                f"{one.label!r}",
            )
        others = rental.instances(f"{order.label}-of-another")
        need(not others, "instances(prefix) returns some whose label begins otherwise")
        everything = {one.instance_id for one in rental.instances()}
        need(number in everything, "instances() does not list the rental")
        rental.release(number)
        need(
            shows(lambda: rental.instance(number) is None),
            f"instance({number}) is not None a minute after its release",
        )
        need(
            shows(lambda: not rental.instances(order.label)),
            f"instances() shows {number} a minute after its release",
        )
        rental.release(number)

    def test_an_offer_that_is_gone_is_said(
        self, rental: RentalMarket, answer: Answer, order: Order
    ) -> None:
        """By an error of its own: the next offer is tried then."""
        unknown = max(map(record_id, answer.records)) + 1_000_003
        gone = replace(order, offer_id=unknown)
        fails_with(lambda: rental.rent(gone), OfferGoneError, "an offer that is gone")
        need(not rental.instances(order.label), "an offer that is gone was rented")

    def test_an_instance_that_is_not_there_is_none(self, rental: RentalMarket) -> None:
        """It is no error, nor is its release."""
        known = [one.instance_id for one in rental.instances()]
        unknown = max([0, *known]) + 1_000_003
        found = rental.instance(unknown)
        need(found is None, f"instance({unknown}) is {found!r}, and there is none")
        rental.release(unknown)

    @pytest.mark.parametrize("network_has", _RENTING)
    def test_a_rental_that_fails_is_sent_once(
        self,
        breaks: Callable[[Fault], tuple[RentalMarket, Network]],
        order: Order,
        network_has: str,
    ) -> None:
        """And the error says what may have been rented, see `RentalMarket.rent`."""
        fault, expected = _RENTING[network_has]
        rental, broken = breaks(fault)
        _fails_to_rent(rental, order, expected, network_has, broken)

    @pytest.mark.usefixtures("ended")
    def test_a_rental_whose_answer_is_lost_is_found_by_its_label(
        self,
        breaks: Callable[[Fault], tuple[RentalMarket, Network]],
        rental: RentalMarket,
        order: Order,
        shows: Callable[[Callable[[], bool]], bool],
    ) -> None:
        """Nobody can say that it was rented until it is looked for; sent it was once."""
        lossy, losing = breaks(loses_answers)
        when = "a lost answer"
        _fails_to_rent(lossy, order, RentalStateUnknownError, when, losing)
        need(
            shows(lambda: len(rental.instances(order.label)) == 1),
            f"the rental whose answer was lost is not in instances({order.label!r})",
        )

    @pytest.mark.parametrize("network_has", BROKEN)
    @pytest.mark.parametrize("call", _CALLS)
    def test_what_cannot_be_read_is_an_error(
        self,
        breaks: Callable[[Fault], tuple[RentalMarket, Network]],
        call: str,
        network_has: str,
    ) -> None:
        """Never None, an empty list or a release: what is not seen goes on to bill."""
        if (call, network_has) in _FINE:
            pytest.skip("a market may answer so")
        fault, expected = BROKEN[network_has]
        rental, _ = breaks(fault)
        fails_with(lambda: _CALLS[call](rental), expected, f"{network_has} in {call}")


def _renting(market: Market) -> RentalMarket:
    """Return a market as one that rents; fail if it is none."""
    if isinstance(market, RentalMarket):
        return market
    names = [name for name in dir(RentalMarket) if not name.startswith("_")]
    lacking = [
        name
        for name in names
        if not hasattr(market, name)
        or (callable(getattr(RentalMarket, name)) and not callable(getattr(market, name)))
    ]
    pytest.fail(f"it is no RentalMarket: it lacks {', '.join(lacking)}")


def _fails_to_rent(
    rental: RentalMarket,
    order: Order,
    expected: type[AdvisorError],
    when: str,
    broken: Network,
) -> None:
    """Fail unless a rental ends in an error of a kind, and was sent once at most."""
    fails_with(lambda: rental.rent(order), expected, when)
    need(not broken.sent_elsewhere, f"with {when} the order follows it to another host")
    need(
        not broken.repeated,
        f"with {when} the order is sent again ({', '.join(broken.repeated)}): it may "
        "have been taken the first time",
    )
