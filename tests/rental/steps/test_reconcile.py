"""Each rental of ledger and market is settled for itself, by what is known of it."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.base.errors import MarketError
from advisor.rental.labels import new_label
from advisor.rental.reconcile import Finding, reconcile, unsettled
from tests.rental.steps.conftest import HOUR_S, NOW, Shop

OPEN = ("intended", "unknown", "held", "handed", "working", "releasing")
USED = ("held", "handed", "working")


def actions(shop: Shop) -> list[str]:
    return [one.action for one in reconcile(shop.context).findings]


def only(shop: Shop) -> Finding:
    (found,) = reconcile(shop.context).findings
    return found


@pytest.mark.parametrize(
    ("state", "who"), [("handed", "it runs for you"), ("working", "it runs for job job")]
)
def test_what_somebody_has_is_left_to_run(shop: Shop, state: str, who: str) -> None:
    """It is told for whom."""
    entry = shop.write(state)
    shop.market.show(entry.label)
    assert only(shop) == Finding(entry.label, "kept", 7, who)
    assert shop.market.ended == []


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("intended", "its launcher died before it handed it over"),
        ("unknown", "its launcher died before it handed it over"),
        ("held", "its launcher died before it handed it over"),
        ("refused", "it appeared after it was given up"),
        ("released", "it appeared after it was gone"),
        ("releasing", "nobody wants it"),
    ],
)
def test_what_nobody_has_is_ended(shop: Shop, state: str, reason: str) -> None:
    """With the reason why nobody does."""
    entry = shop.write(state, reason="nobody wants it", instance_id=None)
    shop.market.show(entry.label, 9)
    assert only(shop) == Finding(entry.label, "released", 9, reason)
    assert shop.market.ended == [9]
    after = shop.ledger.entry(entry.label)
    assert (after.state, after.instance_id) == ("released", 9)


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("here", [True, False])
def test_what_is_past_its_end_is_ended_whoever_has_it(
    shop: Shop, state: str, here: bool
) -> None:
    """To the second; also what a launcher elsewhere works on."""
    place = shop.context.place if here else "another"
    entry = shop.write(state, ends_at=NOW + HOUR_S, place=place)
    shop.market.show(entry.label)
    shop.time.sleep(HOUR_S)
    reason = "its lifetime is over"
    assert only(shop) == Finding(entry.label, "released", 7, reason)
    assert shop.market.shown == {}


@pytest.mark.parametrize("state", ["intended", "unknown", "held"])
def test_what_a_launcher_elsewhere_works_on_is_its_own(shop: Shop, state: str) -> None:
    """As long as it is there, or may yet come to be."""
    entry = shop.write(state, place="another")
    shop.market.show(entry.label, 9)
    assert (only(shop).action, only(shop).instance_id) == ("elsewhere", 9)
    shop.market.shown.clear()
    assert only(shop).action == "missing"  # its number is known: it is looked at
    assert shop.market.ended == []


def test_what_is_not_known_elsewhere_is_settled_after_its_end(shop: Shop) -> None:
    """Until then its launcher may know more."""
    shop.write("unknown", place="another", instance_id=None, ends_at=NOW + HOUR_S)
    assert actions(shop) == ["elsewhere"]
    shop.time.sleep(HOUR_S)
    assert actions(shop) == ["waiting"]


def test_a_launcher_at_work_is_not_disturbed(shop: Shop) -> None:
    """It has the lock, and renews its lease."""
    entry = shop.write("held", lease_until=NOW + 600.0, holder="it")
    shop.market.show(entry.label)
    with shop.context.work_on(entry.label):
        assert only(shop).action == "busy"
    assert only(shop).action == "released"


@pytest.mark.parametrize("state", OPEN)
@pytest.mark.parametrize("number", [None, 7])
def test_what_is_not_shown_is_gone_when_that_lasts(
    shop: Shop, state: str, number: int | None
) -> None:
    """Ten minutes for what somebody uses; else one, and five since it was requested."""
    entry = shop.write(state, instance_id=number, intended_at=NOW - 100.0)
    lasts_s = 600.0 if state in USED else 60.0 if state == "releasing" else 200.0
    action = "waiting" if number is None else "missing"
    words = "the market does not show it; sure in "
    assert only(shop) == Finding(entry.label, action, number, f"{words}{lasts_s:.0f} s")
    shop.time.sleep(lasts_s - 0.1)
    assert only(shop) == Finding(entry.label, action, number, f"{words}1 s")
    shop.time.sleep(0.1)
    reason = "the market shows it no more"
    assert only(shop) == Finding(entry.label, "closed", number, reason)
    ended = {"releasing": "released", "intended": "refused", "unknown": "refused"}
    assert shop.state(entry) == ended.get(state, "gone")
    assert actions(shop) == []


def test_an_absence_that_began_in_the_future_begins_now(shop: Shop) -> None:
    """The clock was set back meanwhile."""
    entry = shop.write("handed")
    shop.ledger.miss(entry.label, NOW + 1000.0)
    assert only(shop).reason.endswith("sure in 600 s")
    assert shop.ledger.entry(entry.label).absent_at == NOW


def test_what_shows_again_was_never_absent(shop: Shop) -> None:
    """The count of its absence begins anew."""
    entry = shop.write("handed")
    assert only(shop).action == "missing"
    shop.market.show(entry.label)
    assert only(shop).action == "kept"
    assert shop.ledger.entry(entry.label).absent_at is None


def test_nothing_is_gone_while_the_clocks_differ(shop: Shop) -> None:
    """Since when it is not shown nobody can say; that is told."""
    shop.market.ahead_s = 1e4
    entry = shop.write("handed", ends_at=NOW + 1e6)
    for _ in range(2):
        found = only(shop)
        assert found.action == "missing"
        assert found.reason.startswith("the market does not show it; this computer's")
        shop.time.sleep(1000.0)
    assert shop.ledger.entry(entry.label).absent_at is None
    assert "ends are judged by the market's time" in shop.said[0]


@pytest.mark.parametrize("state", USED)
def test_what_was_gone_and_is_back_has_the_state_it_had(shop: Shop, state: str) -> None:
    """What a launcher had is ended then, what somebody uses is not."""
    entry = shop.write(state)
    shop.ledger.advance(entry.label, "gone", NOW)
    shop.market.show(entry.label)
    assert only(shop).action == ("released" if state == "held" else "kept")
    assert (7 in shop.market.shown) is (state != "held")


@pytest.mark.parametrize(("known", "left"), [(8, 8), (5, 7), (None, 7)])
def test_of_two_contracts_the_one_that_is_known_stays(
    shop: Shop, known: int | None, left: int
) -> None:
    """Else the first; each that is ended is told."""
    entry = shop.write("handed", instance_id=known)
    for number in (9, 7, 8):
        shop.market.show(entry.label, number)
    found = reconcile(shop.context).findings
    released = {one.instance_id for one in found if one.action == "released"}
    assert released == {7, 8, 9} - {left}
    assert [one.instance_id for one in found if one.action == "kept"] == [left]
    assert list(shop.market.shown) == [left]


def test_what_no_list_shows_is_looked_at_by_its_number(shop: Shop) -> None:
    """The list lags; what has another label by now is the user's own doing."""
    entry = shop.write("handed")
    shop.market.show(entry.label)
    shop.market.unlisted = {7}
    assert only(shop).action == "kept"
    shop.ledger.miss(entry.label, NOW)
    shop.market.show("mine")
    found = only(shop)
    assert (found.action, found.instance_id) == ("renamed", 7)
    assert "as 'mine': end it in the market's console" in found.reason
    assert shop.ledger.entry(entry.label).absent_at is None
    shop.time.sleep(11 * HOUR_S)
    assert only(shop).action == "failed"
    assert shop.market.ended == []


def test_a_renamed_machine_that_was_to_be_released_is_not_settled(shop: Shop) -> None:
    """Somebody has to end it."""
    shop.write("releasing")
    shop.market.show("mine")
    assert only(shop).action == "failed"


def test_one_that_cannot_be_settled_keeps_no_other(shop: Shop) -> None:
    """It is told as a failure of its own."""
    first, second = shop.write("held"), shop.write("held", instance_id=8)
    shop.market.show(first.label, 7)
    shop.market.show(second.label, 8)
    shop.market.answers["release"] = [MarketError("not now")]
    assert actions(shop) == ["failed", "released"]
    assert list(shop.market.shown) == [7]


@pytest.mark.parametrize(
    ("lease_s", "action"), [(None, "busy"), (1.0, "busy"), (0.0, "released")]
)
def test_where_no_lock_can_be_had_a_lease_must_do(
    shop: Shop, lease_s: float | None, action: str
) -> None:
    """Without one nobody knows whether its launcher lives; that is told."""
    until = None if lease_s is None else NOW + lease_s
    entry = shop.write("held", lease_until=until, holder="another")
    shop.market.show(entry.label)
    (shop.context.folder / "launchers").write_text("")
    assert only(shop).action == action
    assert "no launcher can be told from a dead one" in shop.said[0]


def test_labels_that_the_ledger_lacks_tell_their_end(shop: Shop) -> None:
    """Before it a launcher elsewhere has it, from then on nobody."""
    ours, theirs = new_label("a", NOW), new_label("b", NOW + 100.0)
    shop.market.show(ours, 7)
    shop.market.show(theirs, 8)
    shop.market.show("advisor:mine\x1b", 9)
    assert reconcile(shop.context).findings == [
        Finding(ours, "released", 7, "its lifetime is over"),
        Finding(theirs, "elsewhere", 8, "a launcher elsewhere has it"),
        Finding("advisor:mine", "elsewhere", 9, "its label tells no end"),
    ]
    shop.time.sleep(97.0)
    shop.market.answers["release"] = [MarketError("not now")]
    found = [one for one in reconcile(shop.context).findings if one.instance_id == 8]
    assert found == [Finding(theirs, "failed", 8, "not now")]


def test_without_a_ledger_the_labels_alone_are_looked_at(shop: Shop) -> None:
    """What is wrong is told and returned."""
    entry = shop.write("handed", ends_at=NOW + HOUR_S)
    shop.market.show(entry.label)
    shop.harm()
    found = reconcile(shop.context)
    assert [one.action for one in found.findings] == ["elsewhere"]
    assert found.ledger_error is not None
    assert "the market's labels alone tell what is to be ended" in shop.said[0]


def test_what_is_closed_and_not_shown_is_no_matter(shop: Shop) -> None:
    """Nothing is asked about it."""
    for state in ("released", "refused", "gone"):
        shop.write(state)
    assert actions(shop) == []
    assert shop.market.calls == ["instances"]


@pytest.mark.parametrize(
    ("action", "is_open"),
    [("waiting", True), ("failed", True), ("missing", False), ("kept", False)],
)
def test_an_open_outcome_is_an_error(action: Any, is_open: bool) -> None:
    """Each is told, with what to do."""
    found = [Finding("a", "closed", 1, "x"), Finding("b", action, None, "why")]
    error = unsettled(found)
    assert (error is not None) is is_open
    assert not is_open or str(error) == "b: why; run 'advisor reconcile' again"
