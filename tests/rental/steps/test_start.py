"""A contract becomes a machine that runs, or the reason why it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from advisor.base.errors import AdvisorError, KeyRefusedError, LeaseLostError, MarketError
from advisor.rental.hold import Hold
from advisor.rental.refused import NotStartedError
from advisor.rental.start import wait_until_running
from advisor.store.ledger import Entry
from tests.rental.steps.conftest import NOW, Shop


@pytest.fixture
def entry(shop: Shop) -> Entry:
    """Return a rental whose machine is being set up."""
    made = shop.write("held")
    shop.market.show(made.label, status="loading")
    return made


def wait(shop: Shop, entry: Entry, **more: Any) -> Any:
    hold = Hold(shop.context, entry.label)
    try:
        return wait_until_running(shop.context, entry, 600.0, hold, **more)
    finally:
        shop.ledger.let_go(entry.label, hold.token)


def refusal(shop: Shop, entry: Entry) -> tuple[str, str]:
    with pytest.raises(NotStartedError) as caught:
        wait(shop, entry)
    assert str(caught.value) == caught.value.why.reason
    return caught.value.why.cause, caught.value.why.reason


def test_it_is_waited_for_until_it_runs_and_tells_where_ssh_is(
    shop: Shop, entry: Entry
) -> None:
    """It is looked at every five seconds, and held all the while."""
    shop.time.after(20.0, lambda: shop.market.show(entry.label, ssh=()) and None)
    shop.time.after(70.0, lambda: shop.market.show(entry.label) and None)
    assert wait(shop, entry) == shop.market.shown[7]
    assert shop.time.at == NOW + 70.0


def test_what_is_waited_for_is_told(shop: Shop, entry: Entry) -> None:
    """And for how long by now; nothing any more at the end."""
    told: list[str] = []

    def progress(
        what: str, done: float = 0.0, of: float | None = None, unit: str = ""
    ) -> None:
        assert of is None
        told.append(f"{what} {done:.0f} {unit}" if done else what)

    shop.context = replace(shop.context, progress=progress)
    shop.time.after(8.0, lambda: shop.market.show(entry.label) and None)
    wait(shop, entry)
    assert told == [
        "waiting for the machine",
        "waiting for the market to show it, 10 min at most",
        "waiting for loading to end, 10 min at most 5 s",
        "waiting for loading to end, 10 min at most 10 s",
        "",
    ]
    told.clear()
    shop.context.sleep(1.0, "looking again")
    shop.context.sleep(1.0)
    assert told == ["looking again", ""]


def test_who_waits_keeps_its_hold(shop: Shop, entry: Entry) -> None:
    """It is renewed each minute, so that nobody succeeds it."""
    ends = []
    for after_s in (59.0, 61.0, 121.0):
        shop.time.after(
            after_s, lambda: ends.append(shop.ledger.entry(entry.label).lease_until)
        )
    refusal(shop, entry)
    assert ends == [NOW + 600.0, NOW + 660.0, NOW + 720.0]


def test_what_runs_must_answer_where_that_is_asked(shop: Shop, entry: Entry) -> None:
    """Else it is too slow, and what was waited for is told."""
    shop.market.show(entry.label)
    found = iter([False, True])
    wait(shop, entry, answers=lambda _: next(found))
    assert shop.time.at == NOW + 5.0
    with pytest.raises(NotStartedError) as caught:
        wait(shop, entry, answers=lambda _: False)
    assert caught.value.why.cause == "too_slow"
    assert caught.value.why.reason == (
        "not ready after 10 min, still waiting for ssh to answer"
    )


def test_what_takes_too_long_is_given_up(shop: Shop, entry: Entry) -> None:
    """After as long as it may take, and not later."""
    words = "not ready after 10 min, still waiting for loading to end"
    assert refusal(shop, entry) == ("too_slow", words)
    assert shop.time.at == NOW + 600.0
    shop.market.show(entry.label, status=None)
    assert refusal(shop, entry)[1].endswith("setting up to end")


def test_what_is_not_shown_is_gone_after_a_while(shop: Shop, entry: Entry) -> None:
    """A minute and a half, counted anew whenever it was shown."""
    shown = shop.market.shown.pop(7)
    shop.time.after(50.0, lambda: shop.market.shown.update({7: shown}))
    shop.time.after(60.0, shop.market.shown.clear)
    assert refusal(shop, entry) == ("vanished", "the market shows it no more")
    assert shop.time.at == NOW + 55.0 + 95.0


def test_a_market_that_does_not_answer_is_waited_for(shop: Shop, entry: Entry) -> None:
    """What is paid for may run all the same; the machine is not to blame then."""
    shop.market.show(entry.label)
    shop.market.answers["instance"] = [MarketError("not now")] * 3
    wait(shop, entry)
    assert shop.time.at == NOW + 15.0
    shop.market.answers["instance"] = [MarketError("not now")] * 200
    cause, reason = refusal(shop, entry)
    assert cause == "unanswered"
    assert reason.endswith("waiting for the market to answer (not now)")


def test_a_market_that_refuses_the_key_is_not_waited_for(
    shop: Shop, entry: Entry
) -> None:
    """It will not answer any more."""
    shop.market.answers["instance"] = [KeyRefusedError("no key")]
    with pytest.raises(KeyRefusedError):
        wait(shop, entry)


def test_what_is_shown_under_another_label_is_not_it(shop: Shop, entry: Entry) -> None:
    """It is waited for under its own; the machine is not to blame."""
    shop.market.show("mine")
    cause, reason = refusal(shop, entry)
    assert cause == "unanswered"
    assert reason.endswith("waiting for the market to show it, not 'mine'")


def test_a_rental_without_a_number_cannot_be_waited_for(shop: Shop, entry: Entry) -> None:
    """It is a fault of the caller's, and told."""
    with pytest.raises(AdvisorError, match="has no instance to wait for"):
        wait(shop, replace(entry, instance_id=None))


def test_who_has_lost_the_rental_waits_no_more(shop: Shop, entry: Entry) -> None:
    """Another process works on it."""
    Hold(shop.context, entry.label).succeed(entry)
    with pytest.raises(LeaseLostError):
        wait(shop, entry)


def test_strays_are_looked_for_every_half_minute(shop: Shop, entry: Entry) -> None:
    """As long as it is waited."""
    shop.market.show(entry.label, 8)
    shop.time.after(29.0, lambda: shop.market.calls.append("so late"))
    shop.time.after(31.0, lambda: shop.market.calls.append("too late"))
    refusal(shop, entry)
    calls = shop.market.calls
    assert calls.index("so late") < calls.index("instances") < calls.index("too late")
    assert shop.market.ended == [8]
    assert calls.count("instances") == 19


@pytest.mark.parametrize(
    ("changes", "cause", "reason"),
    [
        ({"usd_per_hour": 0.501}, "dearer", "it bills $0.5010/h, agreed were $0.5000/h"),
        (
            {"usd_per_hour": None},
            "dearer",
            "the market tells no price, agreed were $0.50",
        ),
        ({"usd_per_hour": 0.0}, "dearer", "the market tells no price"),
        ({"status": "loading", "usd_per_hour": 5.0}, "dearer", "it bills $5.0"),
        (
            {"status": "loading", "message": "exec format error"},
            "cpu_arch",
            "exec format error",
        ),
        ({"status": "exited", "message": "no"}, "broken", "exited on its first boot: no"),
        ({"status": "exited"}, "broken", "exited on its first boot"),
        ({"status": "offline"}, "broken", "offline on its first boot"),
        ({"status": "unknown"}, "broken", "unknown on its first boot"),
        ({"status": "stopped"}, "broken", "stopped on its first boot"),
        ({"status": "frozen"}, "broken", "frozen on its first boot"),
        (
            {"status": "stopped", "is_bid": True},
            "outbid",
            "the bid holds no GPU: stopped",
        ),
        (
            {"intended_status": "stopped", "is_bid": True},
            "outbid",
            "the bid holds no GPU: running",
        ),
        (
            {"status": "loading", "intended_status": "stopped", "is_bid": True},
            "outbid",
            "the bid holds no GPU: loading",
        ),
    ],
)
def test_what_will_not_run_as_agreed_is_refused_at_once(
    shop: Shop, entry: Entry, changes: dict[str, Any], cause: str, reason: str
) -> None:
    """With why."""
    shop.market.show(entry.label, **changes)
    found = refusal(shop, entry)
    assert found[0] == cause
    assert reason in found[1]
    assert shop.time.at == NOW


@pytest.mark.parametrize(
    "changes",
    [
        {"usd_per_hour": 0.5005},  # two roundings of one price
        {"usd_per_hour": 0.01},
        {"message": "exec format error"},  # it runs
        {"is_bid": True},
        {"intended_status": "stopped"},  # on demand: the market may be slow to tell
    ],
)
def test_what_runs_is_taken(shop: Shop, entry: Entry, changes: dict[str, Any]) -> None:
    """Whatever else is said of it."""
    shop.market.show(entry.label, **changes)
    assert wait(shop, entry).status == "running"
    assert shop.time.at == NOW


def test_a_word_that_nobody_here_knows_is_waited_for(shop: Shop, entry: Entry) -> None:
    """It may be one of setting up."""
    shop.market.show(entry.label, status="warming")
    shop.time.after(10.0, lambda: shop.market.show(entry.label) and None)
    assert wait(shop, entry).status == "running"
