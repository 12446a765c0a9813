"""The best offer is rented, or the next one, each looked at again and asked about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

import advisor
from advisor.base.errors import (
    AdvisorError,
    CreditError,
    KeyRefusedError,
    LeaseLostError,
    MachineLeftError,
    MarketError,
    NothingFitsError,
    NotSentError,
    OfferGoneError,
    PlacementError,
    RateLimitedError,
    RentalStateUnknownError,
    StoreError,
    UsageError,
)
from advisor.market.types import Answer, Query
from advisor.ranking.offer import RankedOffer
from advisor.ranking.ranking import Ranking
from advisor.rental.caps import Caps
from advisor.rental.misfits import Misfits
from advisor.rental.refused import NotRented
from advisor.rental.rent import renting
from advisor.rental.request import Attempt, RentRequest, Trial
from advisor.software.misfit import Symptom
from advisor.store.database import open_store
from advisor.store.hosts import rules
from tests.rental.steps.conftest import NOW, Shop


@pytest.fixture(scope="module")
def whole() -> Ranking:
    """Return the three best offers of a day, each on another machine."""
    found = advisor.rank("resnet50", market="sample", epochs=2)
    assert len({one.machine_id for one in found[:3]}) == 3
    return found[:3]


def dearer(ranking: Ranking, times: float) -> Ranking:
    """Return the same offers at another cost per epoch."""
    bill = replace(ranking.bill, epoch_usd=ranking.bill.epoch_usd * times)
    return replace(ranking, bill=bill, whole=None)


@dataclass
class Rent:
    """One launcher that rents.

    Attributes
    ----------
    again : what each look at one offer finds; the offer as it was where it is not said
    tried : what came of each offer
    """

    shop: Shop
    whole: Ranking
    again: list[Ranking | None] = field(default_factory=list)
    tried: list[Attempt] = field(default_factory=list)
    misfits: Misfits = field(
        default_factory=lambda: Misfits("plain", "job", lambda: NOW, lambda _: None)
    )

    def rank(self, answer: Answer) -> Ranking:
        assert answer.market == "plain"
        wanted = self.shop.market.queries[-1].offer_id
        if wanted is None:
            return self.whole
        now = self.again.pop(0) if self.again else None
        if now is not None:
            return now
        place = [one.offer_id for one in self.whole].index(wanted)
        return self.whole[place : place + 1]

    def __call__(
        self,
        work: Callable[[Any], None] = lambda _: None,
        confirm: Any = None,
        **asked: Any,
    ) -> Any:
        """Rent, and do something with the machine; return the rental."""
        request = RentRequest(
            job="job",
            query=Query(),
            rank=self.rank,
            disk_gb=40.0,
            onstart=lambda now, end: f"{now:.0f} {end:.0f}",
            caps=Caps(),
            misfits=self.misfits,
        )
        request = replace(request, **{"lifetime_s": 3600.0, **asked})
        with renting(self.shop.context, request, confirm, self.tried) as rental:
            work(rental)
        return rental

    @property
    def outcomes(self) -> list[str]:
        return [one.outcome for one in self.tried]


@pytest.fixture
def rent(shop: Shop, whole: Ranking) -> Rent:
    """Return what rents on a market with three offers."""
    shop.market.usd_per_hour = 0.01
    return Rent(shop, whole)


def test_the_best_offer_is_rented_and_held(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """What is left to the user stays; the ledger has all of it by then."""
    seen: list[Any] = []

    def work(rental: Any) -> None:
        seen.append((shop.ledger.entry(rental.entry.label), rental))
        with shop.context.work_on(rental.entry.label) as alone:
            assert not alone

    rental = rent(work)
    ((entry, _),) = seen
    assert (entry.state, entry.instance_id) == ("held", 7)
    assert (entry.intended_at, entry.ends_at) == (NOW, NOW + 3600.0)
    assert (entry.gpu_name, entry.num_gpus) == (whole[0].gpu_name, whole[0].num_gpus)
    assert (entry.gpu_ids, entry.usd_per_hour) == (
        whole[0].gpu_ids,
        whole[0].price_usd_per_h,
    )
    assert entry.holder == rental.hold.token
    assert rental.chosen.offer_id == whole[0].offer_id
    assert [one.outcome for one in rental.attempts] == ["rented"]
    assert rent.tried[0].reason == "instance 7"
    assert rent.tried[0].machine_id == whole[0].machine_id
    assert shop.market.ended == []
    assert shop.said == [
        f"offer {whole[0].offer_id} ({whole[0].name}): rented: instance 7"
    ]
    with shop.context.work_on(entry.label) as alone:
        assert alone


@pytest.mark.parametrize(
    ("error", "stays"),
    [(AdvisorError("it\nbroke"), False), (MachineLeftError("x"), True)],
)
def test_a_block_that_fails_leaves_no_machine(
    rent: Rent, shop: Shop, error: AdvisorError, stays: bool
) -> None:
    """But by the error that leaves it on purpose; the reason is written."""

    def work(_: Any) -> None:
        raise error

    with pytest.raises(type(error)):
        rent(work)
    (entry,) = shop.ledger.entries()
    assert (7 in shop.market.shown) is stays
    assert (entry.state, entry.reason) == (
        ("held", "") if stays else ("released", "it broke")
    )


def test_a_machine_that_was_released_in_its_block_is_not_ended_again(
    rent: Rent, shop: Shop
) -> None:
    """The error goes on."""

    def work(rental: Any) -> None:
        shop.market.release(7)
        for state in ("releasing", "released"):
            shop.ledger.advance(rental.entry.label, state, NOW)  # type: ignore[arg-type]
        raise KeyError

    with pytest.raises(KeyError):
        rent(work)
    assert shop.market.ended == [7]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (OfferGoneError("gone"), "gone"),
        (MarketError("no"), "refused"),
        (RentalStateUnknownError("lost"), "lost"),
    ],
)
def test_an_offer_that_is_refused_gives_way_to_the_next(
    rent: Rent, shop: Shop, whole: Ranking, error: AdvisorError, outcome: str
) -> None:
    """With what the market says; the ledger closes it."""
    shop.market.answers["rent"] = [error]
    shop.market.shows_at_once = False
    shop.time.after(301.0, lambda: None)

    def confirm(offer: RankedOffer, _end: float) -> bool:
        shop.market.shows_at_once = offer.offer_id == whole[1].offer_id
        return True

    assert rent(confirm=confirm).chosen.offer_id == whole[1].offer_id
    assert rent.outcomes == [outcome, "rented"]
    assert [one.state for one in shop.ledger.entries()] == ["refused", "held"]


@pytest.mark.parametrize(
    "error", [KeyRefusedError("no key"), CreditError("no credit"), NotSentError("no net")]
)
def test_what_holds_for_every_offer_ends_it(
    rent: Rent, shop: Shop, error: AdvisorError
) -> None:
    """Nothing else is tried."""
    shop.market.answers["rent"] = [error]
    shop.market.shows_at_once = False
    with pytest.raises(type(error)):
        rent()
    assert [one.state for one in shop.ledger.entries()] == ["refused"]
    assert shop.market.calls.count("rent") == 1


def test_an_unknown_outcome_ends_it(rent: Rent, shop: Shop) -> None:
    """The next launcher does not rent before that is settled."""
    shop.market.answers["rent"] = [RentalStateUnknownError("lost")]
    shop.market.answers["instances"] = [None] + [MarketError("no list")] * 99
    with pytest.raises(RentalStateUnknownError):
        rent()
    assert [one.state for one in shop.ledger.entries()] == ["unknown"]
    shop.market.answers.clear()
    shop.market.shown.clear()
    with pytest.raises(RentalStateUnknownError, match="run 'advisor reconcile' again"):
        rent()
    assert shop.market.calls.count("rent") == 1


def test_an_order_that_cannot_be_sent_is_closed(rent: Rent, shop: Shop) -> None:
    """What is wrong with it is the user's to mend."""
    shop.market.answers["rent"] = [UsageError("no such image")]
    shop.market.shows_at_once = False
    with pytest.raises(UsageError):
        rent()
    assert [one.state for one in shop.ledger.entries()] == ["refused"]


def test_a_busy_market_is_asked_again_for_the_same_offer(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """After ten seconds; as often as there are attempts, then it is told."""
    shop.market.answers["rent"] = [RateLimitedError("slow down")]
    shop.market.shows_at_once = False
    shop.time.after(10.0, lambda: setattr(shop.market, "shows_at_once", True))
    assert rent().chosen.offer_id == whole[0].offer_id
    assert rent.outcomes == ["rate_limited", "rented"]
    assert shop.time.at == NOW + 10.0


def test_a_market_that_stays_busy_is_given_up(rent: Rent, shop: Shop) -> None:
    """With its own words."""
    shop.market.answers["rent"] = [RateLimitedError("slow down")] * 9
    shop.market.shows_at_once = False
    with pytest.raises(RateLimitedError, match=r"^slow down; nothing is rented$"):
        rent(attempts=3)
    assert rent.outcomes == ["rate_limited"] * 3


def test_no_more_offers_are_tried_than_was_asked_for(rent: Rent, shop: Shop) -> None:
    """What came of each is told."""
    shop.market.answers["rent"] = [OfferGoneError("gone")] * 9
    shop.market.shows_at_once = False
    with pytest.raises(
        NothingFitsError, match=r"no offer could be had: \d+ gone; \d+ gone;"
    ):
        rent(attempts=2)
    assert len(rent.tried) == 2
    with pytest.raises(NothingFitsError):
        rent(attempts=50)
    assert len(rent.tried) == 2 + 3


def test_a_contract_that_the_market_calls_an_error_is_ended(
    rent: Rent, shop: Shop
) -> None:
    """It bills; its traffic does not count towards a cap."""
    shop.market.answers["rent"] = [PlacementError("no place", 7)]
    assert rent.shop is shop
    rent(attempts=2)
    assert rent.outcomes == ["placement_failed", "rented"]
    first, _ = shop.ledger.entries()
    assert (first.state, first.traffic_usd) == ("released", 0.0)


def test_what_is_not_confirmed_is_not_rented(rent: Rent, shop: Shop) -> None:
    """Nothing was written either; the end that it would have is asked about."""
    asked: list[float] = []
    with pytest.raises(AdvisorError, match="nothing was rented: it was not confirmed"):
        rent(confirm=lambda _, end: bool(asked.append(end)))
    assert asked == [NOW + 3600.0]
    assert shop.ledger.entries() == []
    assert "rent" not in shop.market.calls


@pytest.mark.parametrize(("thinks_s", "looks"), [(60.0, 1), (60.1, 2)])
def test_who_has_thought_it_over_gets_a_fresh_look(
    rent: Rent, shop: Shop, thinks_s: float, looks: int
) -> None:
    """After a minute; its end is counted from then on."""

    def confirm(_offer: RankedOffer, _end: float) -> bool:
        shop.time.sleep(thinks_s)
        return True

    rent(confirm=confirm)
    assert shop.market.calls.count("search") == 1 + looks
    (entry,) = shop.ledger.entries()
    passed_s = thinks_s if looks == 2 else 0.0
    assert entry.intended_at == pytest.approx(NOW + passed_s, abs=1e-6)


def test_an_offer_that_has_changed_is_not_rented(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """It fits no more, or is another one now."""
    none = replace(whole[:0], whole=None, excluded={"price_too_high": 1})
    rent.again = [none, whole[2:3]]
    assert rent().chosen.offer_id == whole[2].offer_id
    assert rent.outcomes == ["changed", "changed", "rented"]
    assert rent.tried[0].reason == "price_too_high"
    assert rent.tried[1].reason == "the market answered with another offer"


def test_an_offer_that_is_gone_is_not_rented(rent: Rent, shop: Shop) -> None:
    """The look before it is paid for says so; then none is left."""
    looks = shop.market.queries

    class Once:
        """True for the list of all offers alone."""

        def __bool__(self) -> bool:
            return not looks or looks[-1].offer_id is None

    shop.market.offers = Once()  # type: ignore[assignment]
    with pytest.raises(NothingFitsError, match=r"\d+ gone; \d+ gone; \d+ gone; nothing"):
        rent()
    assert rent.tried[0].reason == "the market lists it no more"


@pytest.mark.parametrize(
    ("times", "outcomes"), [(1.0, ["rented"]), (50.0, ["dearer", "rented"])]
)
def test_a_price_that_rose_past_the_next_offer_is_not_paid(
    rent: Rent, whole: Ranking, times: float, outcomes: list[str]
) -> None:
    """That one is rented then."""
    rent.again = [dearer(whole, times)[:1]]
    rent()
    assert rent.outcomes == outcomes


def test_a_price_that_rose_is_paid_where_nothing_is_cheaper(
    rent: Rent, whole: Ranking
) -> None:
    """Of one offer alone there is no rival; a rise of a fiftieth is none."""
    rent.whole = whole[:1]
    rent.again = [dearer(whole, 50.0)[:1]]
    rent()
    assert rent.outcomes == ["rented"]


def test_a_machine_that_fails_is_ended_and_left_out_of_later_rankings(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """One that is too dear is not to blame, nor one that lacks what the job needs."""
    shop.market.answers["instance"] = []
    status = iter(["exited", "running"])
    rented = shop.market.rent

    def begin(order: Any) -> int:
        number = rented(order)
        shop.market.show(order.label, number, status=next(status), usd_per_hour=0.01)
        return number

    shop.market.rent = begin  # type: ignore[method-assign]
    assert rent().chosen.offer_id == whole[1].offer_id
    assert rent.outcomes == ["broken", "rented"]
    with open_store(shop.context.folder) as store:
        (rule,) = rules(store, "plain")
    assert (rule.id, rule.blocked) == (whole[0].machine_id, True)
    assert rule.reason == "rented and failed: exited on its first boot"
    assert rent.misfits.seen == []


def test_a_machine_that_does_not_fit_is_remembered_and_not_blamed(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """What the probe finds rules it out, before anything runs on it."""
    found = iter([Symptom("gpu_error", "the GPUs do not compute"), None])
    asked: list[int] = []

    def probe(_instance: Any, num_gpus: int) -> Symptom | None:
        asked.append(num_gpus)
        return next(found)

    rent(probe=probe)
    assert rent.outcomes == ["gpu_error", "rented"]
    assert [one.machine_id for one in rent.misfits.seen] == [whole[0].machine_id]
    assert asked == [whole[0].num_gpus, whole[1].num_gpus]
    with open_store(shop.context.folder) as store:
        assert list(rules(store, "plain")) == []
    first, _ = shop.ledger.entries()
    assert (first.state, first.traffic_usd) == ("released", 0.0)
    rent.tried.clear()
    for one in shop.ledger.entries():
        shop.ledger.advance(one.label, "releasing", NOW)
        shop.ledger.advance(one.label, "released", NOW)
    shop.market.shown.clear()
    rent()
    assert rent.tried[0].machine_id != whole[0].machine_id
    assert any("1 of 3 offers are left out" in line for line in shop.said)


SLOW = NotRented("slow", "gpu0.matmul.bf16 at 50 %", {"share": 0.5})


def test_a_machine_that_is_measured_slow_gives_way_to_the_next(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """It is released, and left out from now on, with its figures; so is an attempt."""
    found = iter([SLOW, {"share": 1.0}])
    rental = rent(verify=lambda _: next(found))
    assert rental.chosen.offer_id == whole[1].offer_id
    assert rent.outcomes == ["slow", "rented"]
    assert [one.measured for one in rent.tried] == [{"share": 0.5}, {"share": 1.0}]
    assert rental.measured == {"share": 1.0}
    with open_store(shop.context.folder) as store:
        (rule,) = rules(store, "plain")
    assert (rule.id, rule.blocked) == (whole[0].machine_id, True)
    assert rule.reason == "rented and measured: gpu0.matmul.bf16 at 50 %"
    first, _ = shop.ledger.entries()
    assert (first.state, first.traffic_usd) == ("released", 0.0)
    assert rent.misfits.seen == []


def test_no_other_offer_of_a_slow_machine_is_tried(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """Its other GPUs are in the same host."""
    ids = whole.offers.machine_id.copy()
    ids[whole[1].at] = ids[whole[0].at]
    rent.whole = replace(whole, offers=replace(whole.offers, machine_id=ids), whole=None)
    trials: list[Trial] = []

    def verify(trial: Trial) -> NotRented | None:
        trials.append(trial)
        return SLOW if len(trials) == 1 else None

    assert rent(verify=verify).chosen.offer_id == whole[2].offer_id
    assert [one.offer_id for one in trials[0].others] == [whole[2].offer_id]
    assert rent.outcomes == ["slow", "rented"]


@pytest.mark.parametrize(
    ("attempts", "others"), [(5, [[2], []]), (2, [[2], []]), (1, [[]])]
)
def test_who_measures_is_told_what_else_may_be_tried(
    rent: Rent, whole: Ranking, attempts: int, others: list[list[int]]
) -> None:
    """Not what was seen not to run; nothing where this was the last attempt."""
    trials: list[Trial] = []

    def verify(trial: Trial) -> NotRented:
        trials.append(trial)
        return SLOW

    rent.misfits.add("gpu_error", whole[1])
    with pytest.raises(NothingFitsError):
        rent(verify=verify, attempts=attempts)
    expected = [[whole[at].offer_id for at in each] for each in others]
    assert [[one.offer_id for one in trial.others] for trial in trials] == expected
    assert [one.candidate.offer_id for one in trials] == [
        whole[at].offer_id for at in (0, 2)[: len(others)]
    ]
    assert trials[0].runs_since == NOW


def test_what_is_not_measured_is_taken_without_figures(rent: Rent) -> None:
    """A job that is too short for it, for one."""
    assert rent(verify=lambda _: None).measured is None
    assert rent.outcomes == ["rented"]


def test_a_machine_is_measured_after_it_has_computed(rent: Rent) -> None:
    """One that cannot run the image is not measured at all."""
    calls: list[str] = []

    def probe(_instance: Any, _gpus: int) -> Symptom | None:
        calls.append("probe")
        return Symptom("gpu_error", "the GPUs do not compute") if len(calls) < 2 else None

    rent(probe=probe, verify=lambda _: calls.append("verify"))
    assert calls == ["probe", "probe", "verify"]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), AdvisorError("it broke")])
def test_a_measurement_that_ends_early_leaves_no_machine(
    rent: Rent, shop: Shop, error: BaseException
) -> None:
    """Whatever ended it."""

    def verify(_: Trial) -> None:
        raise error

    with pytest.raises(type(error)):
        rent(verify=verify)
    assert shop.market.shown == {}
    assert [one.state for one in shop.ledger.entries()] == ["released"]


def test_a_launcher_that_slept_while_it_measured_takes_no_machine(
    rent: Rent, shop: Shop
) -> None:
    """Another one has the rental by now: it is not this one's to end or to use."""

    def verify(trial: Trial) -> None:
        (entry,) = shop.ledger.entries()
        shop.ledger.let_go(entry.label, entry.holder)
        shop.ledger.lease(entry.label, "other", shop.time.at, shop.time.at + 600.0)
        shop.time.at += 61.0
        assert trial.instance.label == entry.label

    with pytest.raises(LeaseLostError):
        rent(verify=verify)


@pytest.mark.parametrize(
    ("changes", "outcome", "is_blamed"),
    [
        ({"status": "stopped", "is_bid": True}, "outbid", False),
        ({"status": "stopped"}, "broken", True),
        (None, "vanished", True),
    ],
)
def test_a_machine_that_is_lost_while_it_is_measured_is_not_taken(
    rent: Rent, shop: Shop, changes: dict[str, Any] | None, outcome: str, is_blamed: bool
) -> None:
    """The next one is, whatever the measurement said of it."""
    trials: list[Trial] = []

    def verify(trial: Trial) -> dict[str, float]:
        trials.append(trial)
        number = trial.instance.instance_id
        shop.time.at += 30.0
        if len(trials) == 1 and changes is None:
            del shop.market.shown[number]
        elif len(trials) == 1:
            shop.market.shown[number] = replace(shop.market.shown[number], **changes)
        return {"share": 1.0}

    rental = rent(verify=verify)
    assert rent.outcomes == [outcome, "rented"]
    assert rental.instance == trials[1].instance
    with open_store(shop.context.folder) as store:
        assert bool(rules(store, "plain")) is is_blamed


def test_where_all_were_seen_not_to_run_nothing_is_rented(
    rent: Rent, whole: Ranking
) -> None:
    """It is told as what fits nothing."""
    for one in whole:
        rent.misfits.add("gpu_error", one)
    with pytest.raises(NothingFitsError, match="is like a machine that was seen not to"):
        rent()
    assert rent.tried == []


def test_nothing_is_ranked_where_nothing_fits(rent: Rent, whole: Ranking) -> None:
    """Why is told."""
    rent.whole = replace(whole[:0], whole=None)
    with pytest.raises(NothingFitsError):
        rent()


@pytest.mark.parametrize("interruptible", [True, False])
def test_an_order_says_what_was_ranked(
    rent: Rent, shop: Shop, whole: Ranking, interruptible: bool
) -> None:
    """Image, disk, label, script; a bid where one is made."""
    orders: list[Any] = []
    rented = shop.market.rent

    def begin(order: Any) -> int:
        orders.append(order)
        return rented(order)

    shop.market.rent = begin  # type: ignore[method-assign]
    rent(interruptible=interruptible)
    (order,) = orders
    (entry,) = shop.ledger.entries()
    assert (order.offer_id, order.image) == (whole[0].offer_id, whole[0].image)
    assert (order.disk_gb, order.label) == (40.0, entry.label)
    assert order.onstart == f"{NOW:.0f} {NOW + 3600.0:.0f}"
    assert (order.bid_usd_per_hour is None) is not interruptible


def test_without_a_ledger_nothing_is_rented(rent: Rent, shop: Shop) -> None:
    """What is wrong with it is told; nothing is even asked for."""
    shop.harm()
    with pytest.raises(StoreError):
        rent()
    assert "search" not in shop.market.calls


def test_a_machine_is_ended_though_the_ledger_has_gone(rent: Rent, shop: Shop) -> None:
    """Nobody can say that it was ended before: it is, by the market alone."""

    def work(_: Any) -> None:
        shop.harm()
        raise KeyError("oops")

    with pytest.raises(KeyError):
        rent(work)
    assert shop.market.ended == [7]


def test_what_has_changed_while_it_was_thought_over_is_not_rented(
    rent: Rent, shop: Shop, whole: Ranking
) -> None:
    """The next one is; it is asked about anew."""
    none = replace(whole[:0], whole=None, excluded={"price_too_high": 1})
    rent.again = [None, none]
    asked: list[int] = []

    def confirm(offer: RankedOffer, _end: float) -> bool:
        asked.append(offer.offer_id)
        shop.time.sleep(61.0 if len(asked) == 1 else 0.0)
        return True

    assert rent(confirm=confirm).chosen.offer_id == whole[1].offer_id
    assert rent.outcomes == ["changed", "rented"]
    assert asked == [whole[0].offer_id, whole[1].offer_id]


@pytest.mark.parametrize("says", [True, False])
def test_a_yes_to_a_price_is_none_to_a_higher_one(
    rent: Rent, shop: Shop, whole: Ranking, says: bool
) -> None:
    """A host that raises it while the user thinks has the user asked again."""
    rent.whole = whole[:1]
    bill = replace(whole.bill, usd_per_hour=whole.bill.usd_per_hour * 3.0)
    rent.again = [None, replace(whole, bill=bill, whole=None)[:1]]
    asked: list[float] = []

    def confirm(offer: RankedOffer, _end: float) -> bool:
        asked.append(offer.price_usd_per_h)
        shop.time.sleep(61.0 if len(asked) == 1 else 0.0)
        return says or len(asked) == 1

    if says:
        rent(confirm=confirm)
    else:
        with pytest.raises(AdvisorError, match="not confirmed"):
            rent(confirm=confirm)
    assert len(shop.ledger.entries()) == int(says)
    assert asked[1] == pytest.approx(3.0 * asked[0])


def test_what_cannot_be_noted_as_unused_is_told(rent: Rent, shop: Shop) -> None:
    """It was ended all the same; it counts more towards a cap than it cost."""

    def fail(order: Any) -> int:
        shop.market.show(order.label)
        shop.harm()
        raise PlacementError("no place", 7)

    shop.market.rent = fail  # type: ignore[method-assign]
    with pytest.raises(NothingFitsError, match="placement failed"):
        rent(attempts=1)
    assert shop.market.ended == [7]
    told = [line for line in shop.said if "is no whole database" in line]
    assert len(told) == 3  # being released, released, not used


@pytest.mark.parametrize("offer_id", [1, 10**12])
@pytest.mark.parametrize("is_same", [True, False])
def test_the_gpus_of_another_rental_are_not_rented_again(
    rent: Rent, shop: Shop, whole: Ranking, offer_id: int, is_same: bool
) -> None:
    """Under whatever offer the market lists them; those beside them are."""
    first = whole[0]
    shop.write(
        "handed",
        offer_id=offer_id,
        machine_id=first.machine_id if is_same else 1,
        gpu_ids=first.gpu_ids,
        instance_id=9,
    )
    rent()
    assert rent.outcomes == (["taken", "rented"] if is_same else ["rented"])


def test_five_offers_are_tried_on_demand_unless_more_is_said() -> None:
    """No bid is made unless that is asked for."""
    request = RentRequest(
        job="job",
        query=Query(),
        rank=lambda _: pytest.fail("nothing is ranked"),
        disk_gb=40.0,
        onstart=lambda *_: "",
        caps=Caps(),
        misfits=Misfits("plain", "job", lambda: NOW, lambda _: None),
    )
    assert (request.attempts, request.interruptible) == (5, False)


@pytest.mark.parametrize("tries", [1, 3])
def test_as_many_offers_are_tried_as_was_asked(
    rent: Rent, shop: Shop, tries: int
) -> None:
    """Each that is gone is one; then that is told."""
    shop.market.answers["rent"] = [OfferGoneError("gone")] * 3
    shop.market.shows_at_once = False
    with pytest.raises(NothingFitsError, match="no offer could be had"):
        rent(attempts=tries)
    assert rent.outcomes == ["gone"] * tries
