"""The ledger: written before and after, only in the order that rentals have."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from advisor.errors import AdvisorError
from advisor.store.ledger import Entry, Ledger, State

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


@pytest.mark.parametrize("state", ["handed", "released", "intended"])
def test_no_step_is_left_out(ledger: Ledger, state: State) -> None:
    """What was only intended cannot be handed over, nor be verified to be gone."""
    with pytest.raises(AdvisorError, match=f"cannot become {state}"):
        ledger.advance(ENTRY.label, state, 1001.0)
    assert ledger.entry(ENTRY.label) == ENTRY


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


def test_an_unknown_label_is_told(ledger: Ledger) -> None:
    """Nothing is made up for it."""
    with pytest.raises(AdvisorError, match="no rental"):
        ledger.entry("advisor:other")
