"""A job's launcher looks whether its machine is there, is its own, and has time left."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from advisor.base.errors import (
    LeaseLostError,
    MarketError,
    NotShownError,
    OverBudgetError,
    ReleasedError,
    UnreachableError,
)
from advisor.rental.hold import Hold
from advisor.rental.presence import MachineLostError, Presence
from tests.rental.steps.conftest import HOUR_S, NOW, Shop

LEASE_S = 600.0


@pytest.fixture
def presence(shop: Shop) -> Presence:
    """Return a look at a machine that runs a job."""
    entry = shop.write("working", ends_at=NOW + HOUR_S)
    shop.market.show(entry.label)
    hold = Hold(shop.context, entry.label)
    hold.succeed(entry)
    return Presence(shop.context, entry, hold)


def test_what_runs_is_returned(shop: Shop, presence: Presence) -> None:
    """Another name than ours is told, each once."""
    assert presence.instance() == shop.market.shown[7]
    assert shop.said == []
    for name in ("mine", "mine", "yours"):
        shop.market.show(name)
        assert presence.instance() == shop.market.shown[7]
    assert shop.said == [
        "instance 7 is called 'mine' by now",
        "instance 7 is called 'yours' by now",
    ]


def test_what_does_not_run_is_lost(shop: Shop, presence: Presence) -> None:
    """Unless somebody has released it: then nobody wants another one."""
    shop.market.show(presence.entry.label, status="exited")
    with pytest.raises(MachineLostError, match="instance 7 is exited"):
        presence.instance()
    shop.ledger.advance(presence.entry.label, "releasing", NOW)
    with pytest.raises(ReleasedError, match="instance 7 was released"):
        presence.instance()


@pytest.mark.parametrize("status", ["rebooting", "loading", None])
def test_what_restarts_has_five_minutes_to_run_again(
    shop: Shop, presence: Presence, status: str | None
) -> None:
    """Hosts restart their machines: what is on the disk is there after that."""
    label = presence.entry.label
    shop.market.show(label, status=status)
    shop.time.sleep(299.9)
    assert presence.instance() is None
    shop.market.show(label)
    assert presence.instance() is not None
    shop.market.show(label, status=status)
    shop.time.sleep(300.0)
    with pytest.raises(MachineLostError, match=r"is (still|being)"):
        presence.instance()


def test_what_is_to_stop_does_not_run_again(shop: Shop, presence: Presence) -> None:
    """Such as a bid that was outbid while its machine restarted: nobody waits for it."""
    shop.market.show(presence.entry.label, status="loading", intended_status="stopped")
    with pytest.raises(MachineLostError, match="instance 7 is loading"):
        presence.instance()


def test_what_is_not_shown_is_missed_for_five_minutes(
    shop: Shop, presence: Presence
) -> None:
    """From the last time that it was; then nobody knows the reason."""
    shop.time.sleep(200.0)
    assert presence.instance() is not None
    shown = shop.market.shown.pop(7)
    shop.time.sleep(299.9)
    assert presence.instance() is None
    shop.time.sleep(0.1)
    with pytest.raises(NotShownError, match="does not show instance 7 any more"):
        presence.instance()
    shop.market.shown[7] = shown
    assert presence.instance() is not None


def test_a_hold_that_is_lost_ends_the_work(shop: Shop, presence: Presence) -> None:
    """It is told apart whether another process has it, or it was released."""
    shop.time.sleep(LEASE_S)
    label = presence.entry.label
    shop.ledger.lease(label, "another", shop.time.at, shop.time.at + LEASE_S)
    with pytest.raises(LeaseLostError):
        presence.renew()
    shop.ledger.advance(label, "releasing", shop.time.at)
    with pytest.raises(ReleasedError):
        presence.renew()


def test_a_ledger_without_the_rental_ends_nothing(shop: Shop, presence: Presence) -> None:
    """It is told; nobody can have taken it there."""
    for one in shop.context.folder.glob("advisor.sqlite3*"):
        one.unlink()
    shop.time.sleep(61.0)
    presence.renew()
    assert shop.said == [
        f"the ledger has no rental {presence.entry.label}; the job goes on"
    ]


@pytest.mark.parametrize(("left_s", "is_over"), [(300.1, False), (300.0, True)])
def test_the_last_five_minutes_are_for_copying_back(
    shop: Shop, presence: Presence, left_s: float, is_over: bool
) -> None:
    """The work ends before the machine does."""
    shop.time.at = NOW + HOUR_S - left_s
    if not is_over:
        presence.look_after()
        return
    with pytest.raises(OverBudgetError, match="lifetime is over"):
        presence.look_after()


def test_a_look_renews_ends_strays_and_bears_a_market_that_fails(
    shop: Shop, presence: Presence
) -> None:
    """The command runs all the same."""
    label = presence.entry.label
    shop.market.show(label, 8)
    shop.market.answers["instance"] = [None, None, MarketError("not now")]
    shop.time.sleep(60.0)
    presence.look_after()
    assert shop.market.ended == [8]
    assert shop.said[-1] == "not now; the job goes on"
    assert shop.ledger.entry(label).lease_until == NOW + 60.0 + LEASE_S


def test_it_is_looked_at_once_in_a_minute(shop: Shop, presence: Presence) -> None:
    """However often that is asked."""
    looks = []
    for _ in range(13):
        shop.time.sleep(10.0)
        before = len(shop.market.calls)
        presence.look_now_and_then()
        looks.append(len(shop.market.calls) > before)
    assert [number for number, looked in enumerate(looks, 1) if looked] == [6, 12]


def test_a_machine_that_cannot_be_reached_is_tried_for_five_minutes(
    shop: Shop, presence: Presence
) -> None:
    """Every five seconds, and looked after meanwhile."""

    def answers(good: int) -> Iterator[bool]:
        yield from (number == good for number in range(1000))

    tries = answers(3)

    def call() -> str:
        if next(tries):
            return "reached"
        message = "no ssh"
        raise UnreachableError(message)

    assert presence.patiently(call) == "reached"
    assert shop.time.at == NOW + 15.0
    assert shop.said == ["no ssh; trying again"] * 3
    tries = answers(-1)
    with pytest.raises(UnreachableError):
        presence.patiently(call)
    assert shop.time.at == NOW + 15.0 + 305.0


@pytest.mark.parametrize(("first_s", "tries"), [(295.0, 3), (295.1, 2)])
def test_a_try_that_takes_long_counts(
    shop: Shop, presence: Presence, first_s: float, tries: int
) -> None:
    """The five minutes are those since the first one began, to the second."""
    calls: list[int] = []

    def call() -> None:
        calls.append(1)
        shop.time.sleep(first_s if len(calls) == 1 else 0.0)
        message = "no ssh"
        raise UnreachableError(message)

    with pytest.raises(UnreachableError):
        presence.patiently(call)
    assert len(calls) == tries


def test_a_machine_that_is_lost_is_tried_no_more(shop: Shop, presence: Presence) -> None:
    """What is looked after shows it."""
    shop.market.show(presence.entry.label, status="exited")

    def call() -> None:
        message = "no ssh"
        raise UnreachableError(message)

    with pytest.raises(MachineLostError):
        presence.patiently(call)


def test_a_ledger_that_cannot_be_read_hides_no_loss(
    shop: Shop, presence: Presence
) -> None:
    """Nobody is taken to have released what does not run."""
    shop.market.show(presence.entry.label, status="exited")
    shop.harm()
    with pytest.raises(MachineLostError, match="instance 7 is exited"):
        presence.instance()
