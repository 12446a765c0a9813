"""The ledger: written before and after, only in the order that rentals have."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from advisor.base.errors import AdvisorError, LeaseLostError, StoreError, StoreTornError
from advisor.base.resources import STORE
from advisor.store.ledger import CLOSED, Entry, Ledger, State, Torn

ENTRY = Entry(
    label="advisor:job:00000000-0000000000000000",
    market="market.test/1",
    job="job",
    state="intended",
    offer_id=5,
    machine_id=7,
    gpu_ids=(1, 2),
    gpu_name="RTX 4090",
    num_gpus=2,
    usd_per_hour=0.5,
    traffic_usd=0.1,
    intended_at=1000.25,
    ends_at=5000.0,
)


def anything(entries: Sequence[Entry]) -> None:
    """Allow every rental."""


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    made = Ledger(tmp_path)
    made.intend(ENTRY, anything)
    return made


def test_an_entry_comes_back_as_it_was_written(ledger: Ledger) -> None:
    """Times keep their fractions, GPUs their order."""
    assert ledger.entry(ENTRY.label) == ENTRY
    assert ledger.entries("market.test/1") == [ENTRY]
    assert ledger.entries("market.test/2") == []


def test_the_usual_life_of_a_rental_is_told_step_by_step(ledger: Ledger) -> None:
    """Each step keeps what is known, and the history has all of them."""
    ledger.advance(ENTRY.label, "held", 1001.0, instance_id=9)
    ledger.advance(ENTRY.label, "handed", 1100.0)
    ledger.advance(ENTRY.label, "releasing", 2000.0, "done")
    ended = ledger.advance(ENTRY.label, "released", 2003.0, "done")
    assert (ended.instance_id, ended.handed_at, ended.closed_at) == (9, 1100.0, 2003.0)
    assert not ended.is_open
    assert [(at, state) for at, state, _ in ledger.history(ENTRY.label)] == [
        (1000.25, "intended"),
        (1001.0, "held"),
        (1100.0, "handed"),
        (2000.0, "releasing"),
        (2003.0, "released"),
    ]


STEPS: dict[str, str] = {
    "intended": "unknown held releasing refused",
    "unknown": "held releasing refused",
    "held": "handed working releasing gone",
    "handed": "releasing gone",
    "working": "releasing gone",
    "releasing": "releasing released",
    "gone": "held handed working releasing",
    "refused": "held releasing",
    "released": "releasing released",
}
"""What each state leads to, as the module's text tells it."""

WAYS: dict[str, str] = {
    "intended": "",
    "unknown": "unknown",
    "held": "held",
    "handed": "held handed",
    "working": "held working",
    "releasing": "releasing",
    "gone": "held gone",
    "refused": "refused",
    "released": "releasing released",
}
"""How each state is reached."""


@pytest.mark.parametrize("before", get_args(State))
def test_each_state_leads_where_it_may_and_nowhere_else(
    ledger: Ledger, before: str
) -> None:
    """What was only intended is not handed over; what is released stays so."""
    for step in WAYS[before].split():
        ledger.advance(ENTRY.label, step, 1001.0)
    was = ledger.entry(ENTRY.label)
    assert was.state == before
    file = ledger.folder / STORE
    whole = file.read_bytes()
    for state in get_args(State):
        if state in STEPS[before].split():
            assert ledger.advance(ENTRY.label, state, 1002.0).state == state
            assert ledger.history(ENTRY.label)[-1] == (1002.0, state, "")
            file.write_bytes(whole)
        else:
            message = f"^rental {ENTRY.label} is {before}: it cannot become {state}$"
            with pytest.raises(AdvisorError, match=message):
                ledger.advance(ENTRY.label, state, 1002.0)
            assert ledger.entry(ENTRY.label) == was
            assert ledger.history(ENTRY.label)[-1][0] < 1002.0


@pytest.mark.parametrize("state", get_args(State))
def test_what_may_bill_is_open(state: State) -> None:
    """All but what is released, was never rented, or is gone."""
    closed = {"released", "refused", "gone"}
    assert replace(ENTRY, state=state).is_open is (state not in closed)
    assert closed == CLOSED


def test_what_a_job_works_on_was_handed_to_it(ledger: Ledger) -> None:
    """Its traffic is paid from then on; a later step does not move that."""
    ledger.advance(ENTRY.label, "held", 1001.0, instance_id=9)
    assert ledger.advance(ENTRY.label, "working", 1100.0).handed_at == 1100.0
    ledger.advance(ENTRY.label, "gone", 1200.0)
    back = ledger.advance(ENTRY.label, "working", 1300.0)
    assert (back.handed_at, back.closed_at, back.instance_id) == (1100.0, None, 9)


def test_what_is_gone_is_closed_until_it_is_back(ledger: Ledger) -> None:
    """It bills no more from then on; what is back goes on."""
    ledger.advance(ENTRY.label, "held", 1001.0, instance_id=9)
    ledger.miss(ENTRY.label, 1150.0)
    gone = ledger.advance(ENTRY.label, "gone", 1200.0, "the market does not show it")
    assert (gone.closed_at, gone.absent_at, gone.is_open) == (1200.0, None, False)
    assert gone.reason == "the market does not show it"
    back = ledger.advance(ENTRY.label, "held", 1300.0)
    assert (back.closed_at, back.is_open, back.reason) == (None, True, "")


@pytest.mark.parametrize("had", ["held", "handed", "working"])
def test_the_state_before_it_was_gone_is_known(ledger: Ledger, had: State) -> None:
    """By its history, also where it was gone twice."""
    for step in WAYS[had].split():
        ledger.advance(ENTRY.label, step, 1001.0)
    for second in range(2):
        ledger.advance(ENTRY.label, "gone", 1100.0 + second)
        assert ledger.before_gone(ENTRY.label) == had
        ledger.advance(ENTRY.label, had, 1200.0)


def test_without_its_history_the_user_is_assumed_to_have_it(ledger: Ledger) -> None:
    """Nobody else may end it before its time."""
    wreck(ledger, "DELETE FROM rental_event")
    assert ledger.before_gone(ENTRY.label) == "handed"


def test_an_instance_once_known_stays_known(ledger: Ledger) -> None:
    """A step that does not name it does not lose it; one that does has it right."""
    ledger.advance(ENTRY.label, "held", 1001.0, instance_id=9)
    assert ledger.advance(ENTRY.label, "releasing", 1002.0).instance_id == 9
    again = ledger.advance(ENTRY.label, "releasing", 1003.0, instance_id=11)
    assert again.instance_id == ledger.entry(ENTRY.label).instance_id == 11


def test_a_rental_that_may_not_be_is_not_written(ledger: Ledger) -> None:
    """The check sees what is there, and its error leaves the ledger as it was."""
    seen: list[Entry] = []

    def refuse(entries: Sequence[Entry]) -> None:
        seen.extend(entries)
        raise AdvisorError("over the cap")

    with pytest.raises(AdvisorError, match="over the cap"):
        ledger.intend(replace(ENTRY, label="another"), refuse)
    assert seen == [ENTRY]
    assert ledger.entries() == [ENTRY]


def test_checks_of_launchers_do_not_overlap(tmp_path: Path) -> None:
    """Of eight launchers that may rent one thing between them, one does."""
    ledger = Ledger(tmp_path)
    refused: list[int] = []

    def only_one(entries: Sequence[Entry]) -> None:
        if entries:
            raise AdvisorError("taken")

    def launch(number: int) -> None:
        try:
            ledger.intend(replace(ENTRY, label=f"advisor:{number}"), only_one)
        except AdvisorError:
            refused.append(number)

    threads = [threading.Thread(target=launch, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 7
    assert len(ledger.entries()) == 1


def test_the_first_listing_without_a_rental_counts(ledger: Ledger) -> None:
    """A later one does not move it; one that shows the rental takes it back."""
    assert ledger.miss(ENTRY.label, 1010.0).absent_at == 1010.0
    assert ledger.miss(ENTRY.label, 1070.0).absent_at == 1010.0
    assert ledger.found(ENTRY.label).absent_at is None


def test_a_listing_at_the_beginning_of_time_counts_too(ledger: Ledger) -> None:
    """A simulated market's clock may begin at zero."""
    ledger.miss(ENTRY.label, 0.0)
    assert ledger.miss(ENTRY.label, 60.0).absent_at == 0.0


def test_an_unknown_label_is_told(ledger: Ledger) -> None:
    """Nothing is made up for it; it is no fault of the file."""
    with pytest.raises(
        AdvisorError, match=r"^the ledger has no rental advisor:other$"
    ) as told:
        ledger.entry("advisor:other")
    assert not isinstance(told.value, StoreError)
    with pytest.raises(AdvisorError, match="no rental"):
        ledger.advance("advisor:other", "held", 1.0)
    assert ledger.history("advisor:other") == []


def test_a_label_is_used_once(ledger: Ledger) -> None:
    """By it a rental is found again on the market."""
    with pytest.raises(
        AdvisorError, match=f"^the ledger has a rental {ENTRY.label} already$"
    ):
        ledger.intend(replace(ENTRY, market="market.test/2"), anything)
    assert ledger.entries() == [ENTRY]
    assert len(ledger.history(ENTRY.label)) == 1


def test_rentals_are_told_in_their_order_and_by_their_market(ledger: Ledger) -> None:
    """The oldest first; each account's own."""
    labels = ["advisor:z", "advisor:a", "advisor:m"]
    for number, label in enumerate(labels):
        market = f"market.test/{number % 2 + 1}"
        ledger.intend(replace(ENTRY, label=label, market=market), anything)
    assert [one.label for one in ledger.entries()] == [ENTRY.label, *labels]
    assert [one.label for one in ledger.entries("market.test/2")] == ["advisor:a"]


# Leases


def test_a_lease_keeps_others_away_until_it_ends(ledger: Ledger) -> None:
    """Its holder may renew it; another one must wait until its last second is over."""
    taken = ledger.lease(ENTRY.label, "one", 1000.0, 1060.0)
    assert (taken.holder, taken.lease_until) == ("one", 1060.0)
    assert ledger.entry(ENTRY.label) == taken
    with pytest.raises(
        LeaseLostError, match=f"^another .* {ENTRY.label}, for 10 s at least$"
    ):
        ledger.lease(ENTRY.label, "other", 1050.0, 1110.0)
    assert ledger.lease(ENTRY.label, "one", 1050.0, 1110.0).lease_until == 1110.0
    with pytest.raises(LeaseLostError):
        ledger.lease(ENTRY.label, "other", 1109.9, 1170.0)
    assert ledger.lease(ENTRY.label, "other", 1110.0, 1170.0).holder == "other"


def test_whoever_hung_must_take_it_anew(ledger: Ledger) -> None:
    """If nobody has taken it meanwhile he gets it, else he has lost it."""
    ledger.lease(ENTRY.label, "one", 1000.0, 1060.0)
    assert ledger.lease(ENTRY.label, "one", 9000.0, 9060.0).lease_until == 9060.0
    ledger.lease(ENTRY.label, "other", 9060.0, 9120.0)
    with pytest.raises(LeaseLostError):
        ledger.lease(ENTRY.label, "one", 9061.0, 9121.0)
    assert ledger.entry(ENTRY.label).holder == "other"


def test_a_lease_is_let_go_by_its_holder_alone(ledger: Ledger) -> None:
    """Whoever has lost it takes it from nobody."""
    ledger.lease(ENTRY.label, "one", 1000.0, 1060.0)
    ledger.let_go(ENTRY.label, "other")
    assert ledger.entry(ENTRY.label).holder == "one"
    ledger.let_go(ENTRY.label, "one")
    assert ledger.entry(ENTRY.label) == ENTRY
    assert ledger.lease(ENTRY.label, "other", 1001.0, 1061.0).holder == "other"


def test_a_lease_goes_on_through_the_steps_and_is_none_of_them(ledger: Ledger) -> None:
    """Steps keep it; the history tells steps alone."""
    ledger.lease(ENTRY.label, "one", 1000.0, 1060.0)
    held = ledger.advance(ENTRY.label, "held", 1001.0)
    assert (held.holder, held.lease_until) == ("one", 1060.0)
    assert len(ledger.history(ENTRY.label)) == 2


@pytest.mark.parametrize("state", sorted(CLOSED))
def test_nobody_works_on_what_has_ended(ledger: Ledger, state: State) -> None:
    """Its holder loses it then; to let go is no error."""
    ledger.lease(ENTRY.label, "one", 1000.0, 9000.0)
    for step in WAYS[state].split():
        ledger.advance(ENTRY.label, step, 1001.0)
    with pytest.raises(
        LeaseLostError, match=f"^rental .* is {state}: nobody works on it any more$"
    ):
        ledger.lease(ENTRY.label, "one", 1002.0, 9000.0)
    ledger.let_go(ENTRY.label, "one")
    assert ledger.entry(ENTRY.label).holder == ""


def test_what_nobody_used_paid_no_traffic(ledger: Ledger) -> None:
    """Its job's data were not sent there."""
    another = replace(ENTRY, label=f"{ENTRY.label}1", traffic_usd=2.0)
    ledger.intend(another, lambda entries: None)
    assert ledger.note_unused(another.label).traffic_usd == 0.0
    assert ledger.entry(another.label).traffic_usd == 0.0


@pytest.mark.parametrize("at", [math.nan, math.inf, -1.0])
def test_a_step_at_no_time_is_refused(ledger: Ledger, at: float) -> None:
    """It could not be read again; the rental is as it was."""
    with pytest.raises(
        AdvisorError, match=r"^rental .* cannot be written down: the time of a"
    ):
        ledger.advance(ENTRY.label, "unknown", at)
    assert ledger.entry(ENTRY.label) == ENTRY
    assert len(ledger.history(ENTRY.label)) == 1


def test_a_lease_without_an_end_is_free(ledger: Ledger) -> None:
    """A torn one keeps nobody away."""
    wreck(ledger, "UPDATE rental SET holder = 'one'")
    assert ledger.lease(ENTRY.label, "other", 1000.0, 1060.0).holder == "other"


@pytest.mark.parametrize("until", [math.nan, math.inf, -1.0])
def test_a_lease_that_makes_no_sense_is_refused(ledger: Ledger, until: float) -> None:
    """Nothing is written that could not be read again."""
    with pytest.raises(AdvisorError, match="its lease_until is"):
        ledger.lease(ENTRY.label, "one", 1000.0, until)
    assert ledger.entry(ENTRY.label) == ENTRY


# What makes no sense


def wreck(ledger: Ledger, statement: str, *values: Any) -> None:
    """Do something to the file that no advisor does."""
    with closing(sqlite3.connect(ledger.folder / STORE)) as store:
        store.execute(statement, values)
        store.commit()


NAMES = (None, 7, 1.5, b"x", "a\x1bb", "a\ufffdb")
IDS = (None, -2, 1.5, "x", b"1", 1.0)
MONEY = (None, -0.01, "x", b"1", math.inf, -math.inf)
TIMES = (*MONEY, 253_402_300_800.0)
NO_SENSE = {
    "label": (*NAMES, ""),
    "market": NAMES,
    "job": NAMES,
    "state": (None, 7, "", "HELD", b"held", "held "),
    "offer_id": IDS,
    "machine_id": IDS,
    "gpu_ids": (None, 1, "", "[1", "1", "{}", "[true]", '["1"]', "[1.5]", "[null]"),
    "gpu_name": (None, 7, b"x"),
    "num_gpus": (*IDS, 0),
    "usd_per_hour": MONEY,
    "traffic_usd": MONEY,
    "intended_at": TIMES,
    "ends_at": TIMES,
    "instance_id": (*IDS[1:], 0),
    "handed_at": TIMES[1:],
    "closed_at": TIMES[1:],
    "absent_at": TIMES[1:],
    "reason": (None, b"x"),
    "place": (None, b"x"),
    "holder": NAMES,
    "lease_until": TIMES[1:],
}


def test_every_column_is_looked_at() -> None:
    """Of a new one it must be said what makes no sense."""
    assert list(NO_SENSE) == [field.name for field in fields(Entry)]


@pytest.mark.parametrize("column", NO_SENSE)
def test_a_row_that_makes_no_sense_is_told_and_the_others_are_read(
    ledger: Ledger, column: str
) -> None:
    """The row stays in the file; whoever asks for it alone gets an error of the store."""
    good = replace(ENTRY, label="advisor:good", job="good")
    ledger.intend(good, anything)
    # Where a column is for texts SQLite would make one of a number.
    wreck(
        ledger, f"CREATE TABLE bare (number INTEGER PRIMARY KEY, {', '.join(NO_SENSE)})"
    )
    wreck(ledger, "INSERT INTO bare SELECT * FROM rental")
    wreck(ledger, "DROP TABLE rental")
    wreck(ledger, "ALTER TABLE bare RENAME TO rental")
    for value in NO_SENSE[column]:
        wreck(ledger, f"UPDATE rental SET {column} = ? WHERE number = 1", value)  # noqa: S608
        assert ledger.entries() == [good], value
        (torn,) = ledger.torn()
        assert torn.why.startswith(f"its {column} is ")
        assert torn.why.isprintable()
        if column != "label":
            assert torn.label == ENTRY.label
            with pytest.raises(
                StoreError,
                match=f"^the ledger's row of .* makes no sense: its {column} is",
            ):
                ledger.entry(ENTRY.label)
    with pytest.raises(AdvisorError, match=ENTRY.label):
        ledger.advance(ENTRY.label, "held", 1001.0)
    assert ledger.advance(good.label, "held", 1001.0).state == "held"
    assert ledger.entries() == [replace(good, state="held")]


def test_the_label_of_a_torn_row_is_shown_as_far_as_it_can_be(ledger: Ledger) -> None:
    """It is the way to its machine, and it is printed."""
    for value, shown in ((b"x", ""), (None, ""), ("a\x1bb", "a b"), ("", "")):
        wreck(ledger, "UPDATE rental SET label = ?", value)
        assert [one.label for one in ledger.torn()] == [shown]


def test_what_is_told_of_a_long_value_is_short(ledger: Ledger) -> None:
    """Sixty signs of it."""
    wreck(ledger, "UPDATE rental SET job = ?", "\x1b" * 500)
    assert ledger.torn()[0].why == f"its job is {repr(chr(27) * 500)[:60]}"


def test_torn_rows_are_told_to_their_market(ledger: Ledger) -> None:
    """And to all where nobody can say whose they are."""
    for number, market in enumerate(("market.test/1", "market.test/2", "market.test/2")):
        entry = replace(ENTRY, label=f"advisor:{number}", market=market)
        ledger.intend(entry, anything)
    wreck(ledger, "UPDATE rental SET num_gpus = 0 WHERE number IN (2, 3)")
    wreck(ledger, "UPDATE rental SET market = x'00' WHERE number = 4")
    assert [one.label for one in ledger.torn("market.test/1")] == [
        "advisor:0",
        "advisor:2",
    ]
    assert [one.label for one in ledger.torn("market.test/2")] == [
        "advisor:1",
        "advisor:2",
    ]
    assert [one.label for one in ledger.torn("market.test/3")] == ["advisor:2"]
    assert len(ledger.torn()) == 3


def test_a_label_that_two_rows_have_is_told(ledger: Ledger) -> None:
    """The first one counts, for reading and for writing."""
    ledger.intend(replace(ENTRY, label="advisor:other"), anything)
    wreck(ledger, "UPDATE rental SET label = ?", ENTRY.label)
    assert ledger.entries() == [ENTRY]
    assert Torn(ENTRY.label, "its label is another's too") in ledger.torn()
    ledger.advance(ENTRY.label, "held", 1001.0)
    assert [one.state for one in ledger.entries()] == ["held"]


def test_of_two_rows_of_a_label_the_one_that_makes_sense_counts(ledger: Ledger) -> None:
    """A torn copy does not hide it."""
    ledger.intend(replace(ENTRY, label="advisor:other"), anything)
    wreck(ledger, "UPDATE rental SET num_gpus = 0 WHERE number = 1")
    wreck(ledger, "UPDATE rental SET label = ?", ENTRY.label)
    assert ledger.entry(ENTRY.label) == ENTRY
    assert ledger.advance(ENTRY.label, "held", 1001.0).state == "held"


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("at", "soon", "the time of a step is 'soon'"),
        ("at", math.inf, "the time of a step is inf"),
        ("state", "x", "the state of a step is 'x'"),
        ("reason", b"\x00", "the reason of a step is b'"),
    ],
)
def test_a_step_that_makes_no_sense_is_told_and_left_out(
    ledger: Ledger, column: str, value: object, why: str
) -> None:
    """The rental itself is whole, and so is the rest of its history."""
    ledger.advance(ENTRY.label, "held", 1001.0)
    ledger.intend(replace(ENTRY, label="other", market="market.test/2"), anything)
    wreck(ledger, f"UPDATE rental_event SET {column} = ? WHERE rowid = 1", value)  # noqa: S608
    assert [state for _, state, _ in ledger.history(ENTRY.label)] == ["held"]
    assert ledger.entry(ENTRY.label).state == "held"
    (torn,) = ledger.torn("market.test/1")
    assert torn.label == ENTRY.label
    assert torn.why.startswith(why)
    assert ledger.torn() == [torn]
    assert ledger.torn("market.test/2") == []


def test_a_step_of_no_rental_is_told_to_all(ledger: Ledger) -> None:
    """Nobody can say whose it is."""
    wreck(ledger, "UPDATE rental_event SET label = x'00', at = 'soon'")
    assert ledger.torn("market.test/7") == [Torn("", "the time of a step is 'soon'")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("usd_per_hour", math.nan),
        ("usd_per_hour", True),
        ("offer_id", True),
        ("num_gpus", True),
        ("machine_id", 2**63),
        ("ends_at", math.nan),
        ("label", "a\ud800"),
        ("gpu_ids", (True,)),
        ("instance_id", 2**64),
    ],
)
def test_what_could_not_be_read_again_is_not_written(
    tmp_path: Path, field: str, value: object
) -> None:
    """Before anything is rented, with an error that names it."""
    ledger = Ledger(tmp_path)
    with pytest.raises(
        AdvisorError, match=f"^rental .* cannot be written down: its {field} is"
    ):
        ledger.intend(replace(ENTRY, **{field: value}), anything)  # type: ignore[arg-type]
    assert ledger.entries() == []


@pytest.mark.parametrize("number", [0, -1, 2**63, 1.5])
def test_an_instance_that_cannot_be_is_not_written(ledger: Ledger, number: int) -> None:
    """The market's answer makes no sense: the rental is as it was."""
    with pytest.raises(AdvisorError, match="its instance_id is"):
        ledger.advance(ENTRY.label, "held", 1001.0, instance_id=number)
    assert ledger.entry(ENTRY.label) == ENTRY
    assert len(ledger.history(ENTRY.label)) == 1


def test_the_edges_of_sense_are_kept(tmp_path: Path) -> None:
    """What may be is not taken for torn."""
    edge = replace(
        ENTRY,
        job="",
        offer_id=2**63 - 1,
        machine_id=-1,
        gpu_ids=(),
        gpu_name="",
        num_gpus=1,
        usd_per_hour=0.0,
        traffic_usd=0,
        intended_at=0.0,
        ends_at=253_402_300_799.0,
        instance_id=1,
    )
    ledger = Ledger(tmp_path)
    ledger.intend(edge, anything)
    assert ledger.entries() == [edge]
    assert ledger.torn() == []


def test_what_a_market_says_cannot_hurt(ledger: Ledger) -> None:
    """Half characters, escape codes and a page of text: kept as far as they are fit."""
    said = "no\x1b[2J\ud800\n" + "x" * 5000
    after = ledger.advance(ENTRY.label, "refused", 1001.0, said)
    assert after.reason == ("no [2J  " + "x" * 5000)[:2000]
    assert ledger.entry(ENTRY.label) == after
    assert ledger.history(ENTRY.label)[-1] == (1001.0, "refused", after.reason)


def test_what_is_shown_of_a_row_is_fit_for_a_terminal(ledger: Ledger) -> None:
    """Whatever wrote the file."""
    wreck(ledger, "UPDATE rental SET gpu_name = ?, reason = ?", "\x1b[2J", "a\x00b")
    wreck(ledger, "UPDATE rental_event SET reason = ?", "\u202eabc")
    entry = ledger.entry(ENTRY.label)
    assert (entry.gpu_name, entry.reason) == (" [2J", "a b")
    assert ledger.history(ENTRY.label)[0][2] == " abc"


def test_a_text_that_is_no_text_does_not_hide_the_others(ledger: Ledger) -> None:
    """Bytes that are no UTF-8, where SQLite expects a text."""
    ledger.intend(replace(ENTRY, label="advisor:good"), anything)
    wreck(ledger, "UPDATE rental SET job = CAST(x'ff61' AS TEXT) WHERE number = 1")
    wreck(ledger, "UPDATE rental SET reason = CAST(x'ff61' AS TEXT) WHERE number = 2")
    (good,) = ledger.entries()
    assert (good.label, good.reason) == ("advisor:good", "\ufffda")
    assert [one.label for one in ledger.torn()] == [ENTRY.label]


def test_a_torn_index_hides_no_row(ledger: Ledger) -> None:
    """Rows are looked for in the table itself."""
    wreck(ledger, "DROP INDEX rental_event_label")
    wreck(ledger, "CREATE INDEX rental_event_label ON rental_event (reason)")
    with closing(sqlite3.connect(ledger.folder / STORE)) as store:
        store.execute("PRAGMA writable_schema = ON")
        store.execute(
            "UPDATE sqlite_master SET sql = replace(sql, '(reason)', '(label)')"
        )
        store.commit()
    assert ledger.history(ENTRY.label) == [(1000.25, "intended", "")]


def test_a_table_that_is_missing_is_told(ledger: Ledger) -> None:
    """As a torn file, with what to do."""
    wreck(ledger, "DROP TABLE rental")
    with pytest.raises(StoreTornError, match=r"no such table.*move it away.*reconcile"):
        ledger.entries()


def test_another_process_that_has_the_file_is_told(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written waits for it, in vain; what is read does not."""
    monkeypatch.setattr("advisor.store.database._WAIT_S", 0.01)
    with closing(sqlite3.connect(ledger.folder / STORE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert ledger.entries() == [ENTRY]
        with pytest.raises(StoreError, match=r"locked: another process.*try again"):
            ledger.advance(ENTRY.label, "held", 1001.0)
        with pytest.raises(StoreError, match="locked"):
            ledger.intend(replace(ENTRY, label="other"), anything)
    assert ledger.advance(ENTRY.label, "held", 1001.0).state == "held"
