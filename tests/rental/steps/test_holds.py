"""Who works on a rental, what should not be there, and what the account has beside."""

from __future__ import annotations

import threading

import pytest

from advisor.base.errors import LeaseLostError, MarketError, StoreError
from advisor.rental import strays as watching
from advisor.rental.context import open_rental_context
from advisor.rental.hold import Hold, hangs
from advisor.rental.labels import new_label
from advisor.rental.seen import Seen, look_at
from advisor.rental.strays import end_strays, strays, strays_watched
from tests.rental.steps.conftest import ACCOUNT, HOUR_S, NOW, Shop, instance

LEASE_S = 600.0


def held(shop: Shop) -> tuple[Hold, str]:
    entry = shop.write("held")
    hold = Hold(shop.context, entry.label)
    hold.succeed(entry)
    return hold, entry.label


def test_a_hold_is_written_with_its_intention(shop: Shop) -> None:
    """From then on it has ten minutes."""
    entry = shop.write("intended")
    hold = Hold(shop.context, entry.label)
    begun = hold.begun_with(entry)
    assert (begun.holder, begun.lease_until) == (hold.token, NOW + LEASE_S)
    hold.renew()  # it was, just now
    assert shop.ledger.entry(entry.label).holder == ""


@pytest.mark.parametrize(("passed_s", "renews"), [(59.9, False), (60.0, True)])
def test_a_hold_is_renewed_each_minute(shop: Shop, passed_s: float, renews: bool) -> None:
    """Not each time that somebody asks: a write of the disk is behind it."""
    hold, label = held(shop)
    before = shop.ledger.entry(label).lease_until
    assert before == NOW + LEASE_S
    shop.time.sleep(passed_s)
    hold.renew()
    after = shop.ledger.entry(label).lease_until
    assert after == (before + passed_s if renews else before)


def test_a_hold_is_renewed_by_a_clock_that_was_set_back(shop: Shop) -> None:
    """Else it would not be for as long as that."""
    hold, label = held(shop)
    shop.time.at -= 100.0
    hold.renew()
    assert shop.ledger.entry(label).lease_until == NOW - 100.0 + LEASE_S


def test_a_hold_that_is_another_ones_is_lost(shop: Shop) -> None:
    """Once its time is over; who has lost it is told so at the next renewal."""
    hold, label = held(shop)
    other = Hold(shop.context, label)
    with pytest.raises(LeaseLostError):
        other.renew()
    shop.time.sleep(LEASE_S)
    other.renew()
    with pytest.raises(LeaseLostError):
        hold.renew()


def test_a_ledger_that_fails_takes_no_hold_and_is_told_once(shop: Shop) -> None:
    """Nobody can have succeeded us in it; it is told again after it has worked."""
    hold, _ = held(shop)
    folder, told = shop.context.folder, []
    for _ in range(2):
        aside = folder.rename(folder.with_name("aside"))
        folder.write_text("in its place")
        for _ in range(2):
            shop.time.sleep(61.0)
            hold.renew()
            told.append(len(shop.said))
        folder.unlink()
        aside.rename(folder)
        shop.time.sleep(61.0)
        hold.renew()
    assert told == [1, 1, 2, 2]
    assert len(shop.said) == 2


def test_a_hold_is_kept_up_until_it_is_lost(shop: Shop) -> None:
    """In a thread beside the work, which is told of it by its own renewal."""
    hold, label = held(shop)
    shop.time.sleep(60.0)
    assert hold.keep_up()
    assert shop.ledger.entry(label).lease_until == NOW + 60.0 + LEASE_S
    shop.ledger.advance(label, "releasing", NOW)
    shop.time.sleep(60.0)
    assert not hold.keep_up()
    (line,) = shop.said
    assert line.endswith("is releasing: nobody works on it any more")


def test_a_launcher_without_a_lease_does_not_hang(shop: Shop) -> None:
    """Its lock alone tells of it: an older advisor's."""
    entry = shop.write("held")
    assert not hangs(shop.context, entry.label)
    assert shop.time.at == NOW


@pytest.mark.parametrize(("passed_s", "found"), [(LEASE_S - 0.1, False), (LEASE_S, True)])
def test_a_launcher_whose_lease_is_over_hangs(
    shop: Shop, passed_s: float, found: bool
) -> None:
    """If it does not renew it within two more minutes."""
    _, label = held(shop)
    shop.time.sleep(passed_s)
    assert hangs(shop.context, label) is found
    assert shop.time.at == NOW + passed_s + (120.0 if found else 0.0)


def test_a_launcher_that_renews_late_does_not_hang(shop: Shop) -> None:
    """It is looked at twice."""
    hold, label = held(shop)
    shop.time.sleep(LEASE_S)
    shop.time.after(60.0, hold.renew)
    assert not hangs(shop.context, label)


@pytest.mark.parametrize("after_s", [0.0, 60.0])
def test_no_launcher_hangs_by_clocks_that_differ(shop: Shop, after_s: float) -> None:
    """Be that now or at the second look."""
    _, label = held(shop)
    shop.time.sleep(LEASE_S + 1e6)

    def differ() -> None:
        shop.market.ahead_s = 400.0

    shop.time.after(after_s, differ)
    shop.time.sleep(0.0)
    assert not hangs(shop.context, label)


def test_what_was_given_up_is_a_stray(shop: Shop) -> None:
    """So is a second contract; what its launcher has not named yet is left to that."""
    listed = {}
    told = {"refused": "it was given up", "released": "it was given up"}
    told |= dict.fromkeys(("held", "handed", "working"), "a second one of one request")
    entries = [shop.write(state, job=state) for state in told]
    open_one = shop.write("intended", instance_id=None)
    for entry in (*entries, open_one):
        listed[entry.label] = [instance(7, entry.label), instance(8, entry.label)]
    found = {(label.split(":")[1], n, why) for label, n, why in strays(entries, listed)}
    assert found == {
        (state, number, why)
        for state, why in told.items()
        for number in (7, 8)
        if number == 8 or why == "it was given up"
    }
    assert list(strays([open_one], listed)) == []


def test_strays_are_ended_and_told(shop: Shop) -> None:
    """What cannot be is told, too, and is no error: the next look is soon."""
    entry = shop.write("refused")
    shop.market.show(entry.label)
    shop.market.answers["release"] = [MarketError("not now")]
    end_strays(shop.context)
    assert shop.said == ["instance 7: it was given up; it is ended", "not now"]
    end_strays(shop.context)
    assert shop.market.shown == {}


@pytest.mark.parametrize(("each_s", "looks"), [(296.9, 2), (140.0, 3), (297.0, 1)])
def test_strays_are_watched_for_as_long_as_some_may_come(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, each_s: float, looks: int
) -> None:
    """A request takes effect within five minutes, or not at all; ending takes three s."""
    entry = shop.write("refused")
    shop.market.show(entry.label)
    listing = shop.market.instances

    def late(prefix: str = "") -> object:
        shop.time.sleep(each_s)
        return listing(prefix)

    monkeypatch.setattr(shop.market, "instances", late)
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.0)
    with strays_watched(shop.context):
        for thread in [one for one in threading.enumerate() if one.name == "strays"]:
            thread.join(20.0)
            assert not thread.is_alive()
    assert shop.market.ended == [7]
    assert shop.market.calls.count("instances") == looks


def test_a_rental_is_seen_by_its_label(shop: Shop) -> None:
    """By its number only where the user gave it a name of his own."""
    entry = shop.write("handed", instance_id=7)
    other = new_label("other", NOW + HOUR_S)
    for label, number, seen in (
        (entry.label, 9, True),
        ("mine", 7, True),
        ("mine", 9, False),
        (other, 7, False),
        ("zzz", 8, False),
        ("", 6, False),
    ):
        found = Seen(ACCOUNT, (instance(number, label),)).of(entry)
        assert (found is not None) is seen, (label, number)
    both = Seen(ACCOUNT, (instance(7, "mine"), instance(9, entry.label)))
    assert both.of(entry) == instance(9, entry.label)
    assert Seen("another", both.instances).of(entry) is None


def test_what_the_ledger_does_not_know_is_ours_or_not(shop: Shop) -> None:
    """By the label; what it knows is neither."""
    entry = shop.write("handed")
    other = new_label("other", NOW)
    for label, number in ((entry.label, 7), (other, 8), ("mine", 9)):
        shop.market.show(label, number)
    ours, theirs = look_at(shop.context).besides([entry])
    assert [one.instance_id for one in ours] == [8]
    assert [one.instance_id for one in theirs] == [9]


def test_of_several_processes_one_works_on_a_rental(shop: Shop) -> None:
    """The next one once that has ended."""
    with shop.context.work_on("advisor:a") as alone:
        with shop.context.work_on("advisor:a") as second:
            assert (alone, second) == (True, False)
        with shop.context.work_on("advisor:b") as other:
            assert other
    with shop.context.work_on("advisor:a") as again:
        assert again


def test_a_lock_that_cannot_be_made_is_an_error_of_the_store(shop: Shop) -> None:
    """Nobody could tell a launcher from a dead one."""
    (shop.context.folder / "launchers").write_text("in its place")
    with (
        pytest.raises(StoreError, match="no launcher can be told from a dead one"),
        shop.context.work_on("advisor:a"),
    ):
        pytest.fail("it works")


def test_a_context_is_that_of_an_account(shop: Shop) -> None:
    """Its address and its credit are the market's; only machines of ours are listed."""
    folder, clock = shop.context.folder, shop.context.clock
    context = open_rental_context(shop.market, folder, clock, shop.said.append)  # type: ignore[arg-type]
    assert (context.account, context.credit_usd) == (ACCOUNT, 12.5)
    for label, number in (("advisor:a", 8), ("mine", 9), ("advisor:a", 7)):
        shop.market.show(label, number)
    listed = context.listed()
    assert {
        label: [one.instance_id for one in found] for label, found in listed.items()
    } == {"advisor:a": [8, 7]}
    assert all(map(context.is_here, ("", context.place)))
    assert not context.is_here("another")
