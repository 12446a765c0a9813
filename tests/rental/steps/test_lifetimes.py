"""How long a rental may last is known, and written down, before it is requested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

import advisor
from advisor.base.errors import CreditError, OverBudgetError
from advisor.market.types import Query
from advisor.ranking.offer import RankedOffer
from advisor.rental.caps import Caps
from advisor.rental.ends import beyond_caps, end_time, traffic_usd
from advisor.rental.intention import intention, write_down
from advisor.rental.labels import new_label, read_label
from advisor.rental.misfits import Misfits
from advisor.rental.refused import NotRented
from advisor.rental.request import RentRequest
from tests.rental.steps.conftest import ACCOUNT, HOUR_S, NOW, Shop

YEARS_S = 5 * 365 * 24 * HOUR_S


@pytest.fixture(scope="module")
def candidate() -> RankedOffer:
    """Return the best offer of a day for two epochs."""
    return advisor.rank("resnet50", market="sample", epochs=2)[0]


@pytest.fixture
def request_of(shop: Shop) -> Callable[..., RentRequest]:
    """Return what makes a request; of an offer nothing but its figures is asked."""

    def make(**changes: Any) -> RentRequest:
        request = RentRequest(
            job="job",
            query=Query(),
            rank=lambda _: pytest.fail("nothing is ranked"),
            disk_gb=40.0,
            onstart=lambda _now, _end: "",
            caps=Caps(),
            misfits=Misfits("plain", "job", lambda: NOW, lambda _: None),
        )
        return replace(request, **changes)

    return make


Make = Callable[..., RentRequest]


def test_a_rental_lasts_as_long_as_a_slow_one_and_some_more(
    shop: Shop, candidate: RankedOffer, request_of: Make
) -> None:
    """A quarter more than the upper end of what is predicted, and an hour."""
    slow_h = candidate.job_h * candidate.epoch_h_high / candidate.epoch_h
    assert candidate.epoch_h_high > 1.01 * candidate.epoch_h
    end = end_time(shop.context, request_of(), candidate, NOW)
    assert end == pytest.approx(NOW + (slow_h * 1.25 + 1.0) * HOUR_S)
    assert shop.market.calls == []


def test_no_rental_lasts_longer_than_any_offer_stands(
    shop: Shop, request_of: Make
) -> None:
    """Five years, however long the job is."""
    long = advisor.rank("resnet50", market="sample", epochs=10**7)[0]
    assert end_time(shop.context, request_of(), long, NOW) == NOW + YEARS_S


def test_a_lifetime_that_is_given_is_kept(
    shop: Shop, candidate: RankedOffer, request_of: Make
) -> None:
    """Also one that is shorter than the job, with caps and without."""
    short_s = candidate.job_h * HOUR_S / 2.0
    for caps in (Caps(), Caps(job_usd=1e6)):
        request = request_of(lifetime_s=short_s, caps=caps)
        assert end_time(shop.context, request, candidate, NOW) == NOW + short_s


@pytest.mark.parametrize("cap", ["job_usd", "day_usd"])
def test_a_cap_counts_ledger_and_market(
    shop: Shop, candidate: RankedOffer, request_of: Make, cap: str
) -> None:
    """What is left of it is the rental's, if that suffices for the job."""
    price, traffic = candidate.price_usd_per_h, traffic_usd(candidate)
    assert traffic > 0.0
    shop.write("handed", usd_per_hour=0.5, ends_at=NOW + 2 * HOUR_S)
    elsewhere = new_label("job", NOW + HOUR_S)
    shop.market.show(elsewhere, 8, usd_per_hour=3.0)
    hours = candidate.job_h * 1.01
    usd = 2 * 0.5 + 3.0 + traffic + price * hours
    request = request_of(caps=Caps(**{cap: usd}), lifetime_s=9 * HOUR_S)
    assert end_time(shop.context, request, candidate, NOW) == pytest.approx(
        NOW + hours * HOUR_S
    )
    poor = request_of(caps=Caps(**{cap: usd - price * candidate.job_h * 0.02}))
    with pytest.raises(OverBudgetError, match="release something"):
        end_time(shop.context, poor, candidate, NOW)


def test_an_account_must_pay_the_first_hour(
    shop: Shop, candidate: RankedOffer, request_of: Make
) -> None:
    """To the cent; that it does not pay the whole job is told."""
    price = candidate.price_usd_per_h

    def said(credit_usd: float | None) -> list[str]:
        shop.said.clear()
        context = replace(shop.context, credit_usd=credit_usd)
        end_time(context, request_of(), candidate, NOW)
        return list(shop.said)

    with pytest.raises(CreditError, match="the first hour of offer"):
        said(price - 0.001)
    assert said(None) == []
    job_usd = max(candidate.job_usd, price)
    assert said(job_usd) == []
    if candidate.job_usd > price:
        assert "the market ends what nobody pays" in said(price)[0]


def test_credit_that_does_not_last_is_told(shop: Shop, request_of: Make) -> None:
    """It may be topped up."""
    longer = advisor.rank("resnet50", market="sample", epochs=200)[0]
    assert longer.job_usd > longer.price_usd_per_h
    context = replace(shop.context, credit_usd=longer.price_usd_per_h)
    end_time(context, request_of(), longer, NOW)
    (line,) = shop.said
    assert "the market ends what nobody pays" in line


@pytest.mark.parametrize(
    ("number", "over_s", "gives_way"),
    [(6, 2.0, True), (6, 0.5, False), (8, 2.0, False), (7, 2.0, False)],
)
def test_of_two_that_pass_a_cap_together_the_later_contract_gives_way(
    shop: Shop, request_of: Make, number: int, over_s: float, gives_way: bool
) -> None:
    """Less than a second is no matter: ends are whole seconds."""
    held = shop.write("held", ends_at=NOW + 10 * HOUR_S, usd_per_hour=1.0)
    shop.market.show(held.label, 7)
    other = new_label("job", NOW + HOUR_S)
    shop.market.show(other, number, usd_per_hour=1.0)
    caps = Caps(job_usd=11.0 - over_s / HOUR_S)
    error = beyond_caps(shop.context, request_of(caps=caps), held)
    assert (error is not None) is gives_way
    assert beyond_caps(shop.context, request_of(), held) is None
    unknown = replace(held, instance_id=None)
    assert beyond_caps(shop.context, request_of(caps=caps), unknown) is None


def test_an_intention_says_all_that_is_to_be_rented(
    shop: Shop, candidate: RankedOffer, request_of: Make
) -> None:
    """Its end is a whole second, the one of its label."""
    made = intention(shop.context, request_of(), candidate, NOW, NOW + 100.9)
    assert made.state == "intended"
    assert (made.job, made.market, made.place) == ("job", ACCOUNT, shop.context.place)
    assert (made.intended_at, made.ends_at) == (NOW, NOW + 100.0)
    label = read_label(made.label)
    assert label is not None
    assert label.ends_unix_s == made.ends_at
    assert made.usd_per_hour == candidate.price_usd_per_h
    assert made.traffic_usd == traffic_usd(candidate)
    assert (made.offer_id, made.machine_id) == (candidate.offer_id, candidate.machine_id)
    assert made.instance_id is None


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        ({"offer_id": 1, "machine_id": 4}, True),
        ({"offer_id": 2, "machine_id": 3, "gpu_ids": (1, 2)}, True),
        ({"offer_id": 2, "machine_id": 3, "gpu_ids": (0, 3)}, False),
        ({"offer_id": 2, "machine_id": 3, "gpu_ids": ()}, False),
        ({"offer_id": 2, "machine_id": 4, "gpu_ids": (1, 2)}, False),
        ({"offer_id": 2, "machine_id": -1, "gpu_ids": (1, 2)}, False),
        ({"offer_id": 1, "machine_id": 3, "state": "released"}, False),
    ],
)
def test_one_launcher_rents_an_offer_or_its_gpus(
    shop: Shop, request_of: Make, changes: dict[str, Any], taken: bool
) -> None:
    """Another one of this account leaves them to it while it lasts."""
    mine = shop.write("intended", gpu_ids=(2, 1), instance_id=None)
    wanted = replace(mine, label=new_label("job", NOW + HOUR_S))
    found = write_down(shop.context, request_of(), wanted)
    assert found == NotRented("taken", "another launcher here is renting it")
    state = changes.get("state", "intended")
    other = replace(wanted, **{"gpu_ids": (2, 1), **changes, "state": "intended"})
    if state == "released":
        shop.ledger.advance(mine.label, "refused", NOW)
    assert (write_down(shop.context, request_of(), other) is not None) is taken


def test_machines_that_nobody_names_are_not_the_same(
    shop: Shop, request_of: Make
) -> None:
    """Of two without an id nobody knows whether they are one; machine 0 is one."""
    for machine_id, taken in ((-1, False), (0, True)):
        mine = shop.write("intended", machine_id=machine_id, offer_id=10 + machine_id)
        label = new_label("job", NOW + HOUR_S)
        other = replace(mine, label=label, offer_id=99)
        assert (write_down(shop.context, request_of(), other) is not None) is taken


def test_what_no_cap_allows_is_not_written_down(shop: Shop, request_of: Make) -> None:
    """The last look at the caps is that of the ledger's own transaction."""
    mine = shop.write("handed", usd_per_hour=1.0, ends_at=NOW + HOUR_S)
    other = replace(mine, label=new_label("job", mine.ends_at), offer_id=2, machine_id=9)
    request = request_of(caps=Caps(job_usd=1.5))
    with pytest.raises(OverBudgetError):
        write_down(shop.context, request, replace(other, state="intended"))
    assert len(shop.ledger.entries()) == 1
    assert write_down(shop.context, request_of(caps=Caps(job_usd=2.0)), other) is None
