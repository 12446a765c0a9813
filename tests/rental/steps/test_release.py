"""A rental is ended, and gone only when the market says so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from advisor.base.errors import (
    AdvisorError,
    MarketError,
    RentalStateUnknownError,
    StoreError,
)
from advisor.rental.labels import new_label
from advisor.rental.release import (
    Releasable,
    end,
    end_instance,
    end_rental,
    end_when_over,
    note_state,
    releasable,
    release,
    release_found_again,
    released,
)
from advisor.store.ledger import State
from tests.rental.steps.conftest import NOW, Shop

LABEL = new_label("job", NOW + 3600.0)


def test_all_instances_of_a_label_are_ended_and_looked_for_again(shop: Shop) -> None:
    """Those of other labels stay."""
    for number in (7, 8):
        shop.market.show(LABEL, number)
    shop.market.show("advisor:another", 9)
    end_rental(shop.context, LABEL)
    assert shop.market.ended == [7, 8]
    assert list(shop.market.shown) == [9]
    assert shop.market.calls.count("instances") == 2
    assert shop.time.at == NOW + 3.0


def test_what_does_not_show_yet_is_ended_all_the_same(shop: Shop) -> None:
    """Once, by the id that the market has told; that it is gone is looked at twice."""
    end_rental(shop.context, LABEL, 7)
    assert shop.market.ended == [7]
    assert shop.market.calls.count("instances") == 2


@pytest.mark.parametrize(
    ("states", "ended"),
    [
        (("working",), [7]),
        (("working", "gone"), [7]),
        (("handed", "gone"), []),
        (("handed",), []),
        (("held", "working", "releasing"), []),
    ],
)
def test_of_a_job_that_has_ended_what_shows_again_is_ended(
    shop: Shop, states: Sequence[State], ended: list[int]
) -> None:
    """But never what its user has, also where the market had lost that for a while."""
    entry = shop.write(states[0])
    for state in states[1:]:
        shop.ledger.advance(entry.label, state, NOW)
    shop.market.show(entry.label)
    release_found_again(shop.context, entry.job)
    assert shop.market.ended == ended


def test_what_stays_is_told(shop: Shop) -> None:
    """After ten tries, with its number."""
    shop.market.show(LABEL, 7)
    shop.market.stubborn = {7}
    with pytest.raises(MarketError, match="still shows instance 7 after it was ended"):
        end_rental(shop.context, LABEL, 7)
    assert shop.market.ended == [7] * 10
    shop.market.ended.clear()
    with pytest.raises(MarketError, match="still shows instance 7 after it was ended"):
        end_instance(shop.context, LABEL, 7)
    assert shop.market.ended == [7] * 10
    assert shop.time.at == NOW + 60.0


def test_what_has_another_label_is_somebody_elses(shop: Shop) -> None:
    """It is not ended by its number."""
    shop.market.show("mine", 7)
    for call in (end_rental, end_instance):
        with pytest.raises(MarketError, match="has the label 'mine', not advisor:"):
            call(shop.context, LABEL, 7)
    assert shop.market.ended == []


def test_one_instance_of_a_label_is_ended_alone(shop: Shop) -> None:
    """And looked for again."""
    for number in (7, 8):
        shop.market.show(LABEL, number)
    end_instance(shop.context, LABEL, 8)
    assert shop.market.ended == [8]
    assert shop.market.calls.count("instance") == 2
    shop.market.ended.clear()
    end_instance(shop.context, LABEL, 5)  # it may not show yet
    assert shop.market.ended == [5]


def test_a_list_that_fails_keeps_no_known_machine(shop: Shop) -> None:
    """Without a number there is nothing that could be ended."""
    shop.market.show(LABEL, 7)
    shop.market.answers["instances"] = [MarketError("no list")] * 9
    end_rental(shop.context, LABEL, 7)
    assert shop.market.ended == [7]
    assert shop.said == ["no list", "no list"]
    with pytest.raises(MarketError, match="no list"):
        end_rental(shop.context, LABEL)


def test_a_release_is_written_before_and_after(shop: Shop) -> None:
    """With its reason; it is told."""
    entry = shop.write()
    shop.market.show(entry.label)
    release(shop.context, entry, "no more use")
    steps = [(state, reason) for _, state, reason in shop.ledger.history(entry.label)]
    assert steps[1:] == [("releasing", "no more use"), ("released", "no more use")]
    assert shop.said == ["instance 7: released"]


def test_a_release_that_fails_stays_open(shop: Shop) -> None:
    """It may bill: exit code 7, and 'reconcile' goes on."""
    entry = shop.write()
    shop.market.show(entry.label)
    shop.market.answers["release"] = [MarketError("not now")]
    with pytest.raises(
        RentalStateUnknownError, match="7 may still be there and bill: no"
    ):
        release(shop.context, entry, "no more use")
    assert shop.state(entry) == "releasing"
    assert shop.said == []


def test_a_rental_whose_number_nobody_knows_is_named_by_its_label(shop: Shop) -> None:
    """Its label finds it."""
    entry = shop.write("unknown", instance_id=None)
    shop.market.show(entry.label, 9)
    release(shop.context, entry, "no more use")
    assert shop.market.ended == [9]
    assert shop.said == [f"{entry.label}: released"]


def test_a_ledger_that_cannot_be_written_keeps_no_machine(shop: Shop) -> None:
    """What is not written is told instead."""
    entry = shop.write()
    shop.market.show(entry.label)
    shop.harm()
    release(shop.context, entry, "no more use")
    assert shop.market.ended == [7]
    assert "releasing (no more use), which is not written: " in shop.said[0]
    assert "released (no more use), which is not written: " in shop.said[1]


def test_an_id_is_written_with_the_state_it_comes_with(shop: Shop) -> None:
    """A later step does not lose it."""
    entry = shop.write("unknown", instance_id=None)
    note_state(shop.context, entry, "releasing", "why", 9)
    assert shop.ledger.entry(entry.label).instance_id == 9


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (AdvisorError("it\n broke"), "it broke"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (None, "its work is done"),
    ],
)
def test_a_block_releases_its_machine_with_the_reason(
    shop: Shop, error: BaseException | None, reason: str
) -> None:
    """However it ends; the error goes on."""
    entry = shop.write()
    shop.market.show(entry.label)

    def work() -> None:
        with released(shop.context, entry):
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(type(error)):
            work()
    after = shop.ledger.entry(entry.label)
    assert (after.state, after.reason) == ("released", reason)


def test_a_block_may_leave_its_machine(shop: Shop) -> None:
    """By the error that says so, and by no other."""
    entry = shop.write()
    shop.market.show(entry.label)

    def leave() -> None:
        with released(shop.context, entry, StoreError):
            raise StoreError

    with pytest.raises(StoreError):
        leave()
    assert shop.state(entry) == "handed"
    assert shop.market.ended == []


def test_a_rental_is_ended_when_its_lifetime_is_over(shop: Shop) -> None:
    """To the second, once; what cannot be is told, and left to the machine itself."""
    entry = shop.write(ends_at=NOW + 10.0)
    shop.market.show(entry.label)
    shop.time.sleep(9.9)
    assert end_when_over(shop.context, entry)
    assert shop.market.ended == []
    shop.time.sleep(0.1)
    shop.market.answers["release"] = [MarketError("not now")]
    assert not end_when_over(shop.context, entry)
    assert "may still be there and bill: not now" in shop.said[0]
    assert not end_when_over(shop.context, entry)
    after = shop.ledger.entry(entry.label)
    assert (after.state, after.reason) == ("released", "its lifetime is over")


def test_what_can_be_released_is_open_or_shown(shop: Shop) -> None:
    """By the ledger, by labels it does not know; labels of nobody's are left out."""
    first = shop.write()
    second = shop.write("unknown", job="other", instance_id=None)
    shop.write("released")
    shop.market.show(second.label, 8)
    shop.market.show(LABEL, 9)
    shop.market.show("advisor:mine", 10)
    assert releasable(shop.context) == [
        Releasable(first.label, "job", 7, first),
        Releasable(second.label, "other", 8, second),
        Releasable(LABEL, "job", 9, None),
    ]
    assert shop.said == []


def test_one_of_ledger_and_market_suffices_to_release(shop: Shop) -> None:
    """What is missing is told; without both nobody knows anything."""
    entry = shop.write()
    shop.market.show(entry.label)
    shop.market.answers["instances"] = [MarketError("no list"), None]
    assert [one.entry for one in releasable(shop.context)] == [entry]
    assert shop.said == ["no list; the ledger alone tells what is rented"]
    shop.harm()
    assert [one.entry for one in releasable(shop.context)] == [None]
    assert shop.said[-1].endswith("; the market's labels alone tell what is rented")
    shop.market.answers["instances"] = [MarketError("no list")]
    with pytest.raises(MarketError, match="no list"):
        releasable(shop.context)


def test_a_rental_that_no_ledger_tells_of_is_ended_by_its_label(shop: Shop) -> None:
    """What fails may bill on."""
    shop.market.show(LABEL, 9)
    end(shop.context, Releasable(LABEL, "job", 9, None), "no more use")
    assert shop.market.ended == [9]
    assert shop.said == ["instance 9: released"]
    shop.market.answers["instance"] = [MarketError("not now")]
    with pytest.raises(RentalStateUnknownError, match="instance 9 may still be there"):
        end(shop.context, Releasable(LABEL, "job", 9, None), "no more use")


def test_the_number_that_the_list_shows_is_written_with_the_end(shop: Shop) -> None:
    """The ledger had none."""
    entry = shop.write("unknown", instance_id=None)
    shop.market.show(entry.label, 9)
    end(shop.context, Releasable(entry.label, "job", 9, entry), "no more use")
    after = shop.ledger.entry(entry.label)
    assert (after.state, after.instance_id) == ("released", 9)
