"""A machine hears from us: once, or for as long as a process lives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from advisor.base.errors import AdvisorError, MarketError, RemoteError, UsageError
from advisor.rental.machine import heartbeats
from advisor.rental.remote.beats import Lease, beat, beat_every_s, silent_for_s
from advisor.rental.remote.ssh import Completed
from advisor.rental.renewing import chosen, renew, renew_while
from advisor.rental.returning import keep_machine, let_machine_go, stays_until
from tests.rental.steps.conftest import HOUR_S, NOW, Shop


@dataclass
class Machine:
    """A machine at the other end of ssh, which prints what it is told to.

    Attributes
    ----------
    answers : what it prints next, or the error; the last one for ever
    scripts : that were run, with their limits of time
    """

    answers: list[Any] = field(default_factory=lambda: [b""])
    scripts: list[tuple[str, float]] = field(default_factory=list)

    def run(self, script: str, timeout_s: float = 60.0) -> Completed:
        self.scripts.append((script, timeout_s))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return Completed(0, answer, b"")

    def ask(self, script: str, what: str, timeout_s: float = 60.0) -> str:
        assert what
        return self.run(script, timeout_s).stdout.decode()


@dataclass
class Living:
    """A process that lives for so many looks."""

    looks: int
    number: int = 12

    @property
    def is_alive(self) -> bool:
        self.looks -= 1
        return self.looks >= 0


@pytest.mark.parametrize(
    ("said", "lease", "is_needed", "every_s"),
    [
        (b"", None, True, 60.0),
        (b"0\n", 0.0, False, 60.0),
        (b"3600\n", 3600.0, True, 60.0),
        (b"120\n", 120.0, True, 30.0),
    ],
)
def test_a_machine_tells_its_lease(
    said: bytes, lease: float | None, is_needed: bool, every_s: float
) -> None:
    """One of before tells none; it hears from us each minute, four times in it."""
    found = beat(Machine([said]))  # type: ignore[arg-type]
    assert found == Lease(lease)
    assert (found.is_needed, found.every_s) == (is_needed, every_s)
    assert (beat_every_s(240.0), beat_every_s(100.0)) == (60.0, 25.0)


@pytest.mark.parametrize("said", ["soon", "-5", "１２", "1e9", "12 x"])
def test_a_lease_that_is_no_number_is_an_error(said: str) -> None:
    """Nothing is made up; how long it was silent is not known then."""
    with pytest.raises(RemoteError, match="does not say what its lease is"):
        beat(Machine([said.encode()]))  # type: ignore[arg-type]
    assert silent_for_s(Machine([said.encode()])) is None  # type: ignore[arg-type]
    assert silent_for_s(Machine([b"17\n"])) == 17.0  # type: ignore[arg-type]


def test_a_rental_is_chosen_by_number_or_job(shop: Shop) -> None:
    """Of those that somebody has; of several one must be named."""
    for number, (job, state) in enumerate(
        [("a", "handed"), ("b", "working"), ("c", "held"), ("d", "released")], 7
    ):
        shop.write(state, job=job, instance_id=number)
    assert chosen(shop.context, 7, None).job == "a"
    assert chosen(shop.context, None, "b").instance_id == 8
    with pytest.raises(UsageError, match=r"there are several: .* instances 7, 8$"):
        chosen(shop.context, None, None)
    for number, job, words in (
        (9, None, r"no instance 9 is rented; advisor:c:\S+ is held: "),
        (None, "d", r"no machine of job d is rented; advisor:d:\S+ is released: "),
        (5, None, r"^no instance 5 is rented: "),
        (None, "e", r"^no machine of job e is rented: "),
        (7, "b", r"^no instance 7 is rented: "),
    ):
        with pytest.raises(UsageError, match=words):
            chosen(shop.context, number, job)


def test_where_nothing_is_rented_nothing_is_named(shop: Shop) -> None:
    """Not even what was rented once."""
    shop.write("released")
    with pytest.raises(UsageError, match=r"^nothing is rented: 'advisor rentals --all'"):
        chosen(shop.context, None, None)


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (None, "does not show instance 7: run 'advisor reconcile'"),
        ({"label": "mine"}, "instance 7 has the label 'mine', not advisor:"),
        ({"status": "exited"}, "instance 7 is exited"),
        ({"status": None}, "instance 7 is being set up"),
    ],
)
def test_what_is_not_ours_and_running_is_not_connected(
    shop: Shop, shown: dict[str, Any] | None, words: str
) -> None:
    """Its id may stand for somebody else's by now."""
    entry = shop.write()
    if shown is not None:
        shop.market.show(**{"label": entry.label, **shown})
    with pytest.raises(MarketError, match=words):
        renew(shop.context, entry, lambda _: pytest.fail("it is connected"))
    unknown = shop.write("unknown", instance_id=None)
    with pytest.raises(MarketError, match="does not show instance None"):
        renew(shop.context, unknown, lambda _: pytest.fail("it is connected"))


def renewed(shop: Shop, machine: Machine, looks: int = 10**6) -> None:
    """Renew the one rental while a process lives."""
    (entry,) = shop.ledger.entries()
    shop.market.show(entry.label)
    renew_while(shop.context, entry, lambda _: machine, Living(looks))  # type: ignore[arg-type,return-value]


def test_a_lease_is_renewed_each_minute_while_a_process_lives(shop: Shop) -> None:
    """Its end is noticed within five seconds, and told."""
    shop.write()
    machine = Machine([b"3600"])
    renewed(
        shop, machine, 2 * 14 + 1
    )  # looks of a minute: twelve waits, before and after
    assert len(machine.scripts) == 3
    assert NOW + 120.0 <= shop.time.at <= NOW + 125.0
    assert shop.said == ["process 12 has ended: instance 7 is renewed no more"]


def test_what_fails_is_told_once_and_tried_again(shop: Shop) -> None:
    """Also that it works again; a second failure is told anew."""
    entry = shop.write(ends_at=NOW + 600.5)
    fails = RemoteError("no ssh")
    machine = Machine([b"3600", fails, fails, b"3600", MarketError("not now"), b"3600"])
    with pytest.raises(AdvisorError, match="the lifetime of instance 7 is over"):
        renewed(shop, machine)
    assert shop.said == [
        "instance 7 is not renewed: no ssh; trying on",
        "instance 7 is renewed again",
        "instance 7 is not renewed: not now; trying on",
        "instance 7 is renewed again",
    ]
    assert shop.time.at > entry.ends_at
    assert len(machine.scripts) == 11


def test_a_machine_without_a_lease_is_not_waited_for(shop: Shop) -> None:
    """Which is told, at once."""
    shop.write()
    renewed(shop, Machine([b"0"]))
    assert shop.said == [
        "instance 7 has no lease: it stays until its end, renewed or not"
    ]
    assert shop.time.at == NOW


@pytest.mark.parametrize("state", ["releasing", "released"])
def test_a_rental_that_has_ended_is_renewed_no_more(shop: Shop, state: str) -> None:
    """Nor is what is about to."""
    shop.write(state)
    with pytest.raises(AdvisorError, match=f"7 is {state}: there is nothing to renew"):
        renewed(shop, Machine([b"3600"]))
    assert shop.time.at == NOW + 60.0


def test_a_ledger_that_cannot_be_read_ends_no_renewing(shop: Shop) -> None:
    """It may be later."""
    shop.write()
    machine = Machine([b"3600"])
    shop.time.after(1.0, shop.harm)
    renewed(shop, machine, 40)
    assert len(machine.scripts) >= 3


def test_a_machine_is_kept_as_far_as_it_can_be_told(shop: Shop) -> None:
    """What cannot be is no error, and known."""
    machine = Machine()
    assert keep_machine(machine)  # type: ignore[arg-type]
    let_machine_go(machine)  # type: ignore[arg-type]
    (kept, limit_s), (left, _) = machine.scripts
    assert kept.endswith('>"$HOME/.advisor/keep"')
    assert left == 'rm -f "$HOME/.advisor/keep"'
    assert limit_s == 40.0
    away = Machine([RemoteError("no ssh")])
    assert not keep_machine(away)  # type: ignore[arg-type]
    let_machine_go(away)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "ends_in_s", "words"),
    [
        (True, 2 * HOUR_S, "its end at 2026-11-20 17:00 UTC"),
        (False, 1800.0, "its end at 2026-11-20 15:30 UTC"),
        (False, 1801.0, "2026-11-20 15:30 UTC, when it has heard no launcher for 30 min"),
    ],
)
def test_until_when_a_machine_stays_is_told(
    kept: bool, ends_in_s: float, words: str
) -> None:
    """Its end, or when it has waited for a launcher."""
    ends_at = NOW + ends_in_s
    told = stays_until(stays=kept, ends_at=ends_at, now=NOW, grace_s=1800.0)
    assert told.startswith(words)


def test_a_beat_that_does_not_arrive_is_told_once_in_a_row() -> None:
    """The machine waits for several."""
    fails, said = RemoteError("no ssh"), list[str]()
    machine = Machine([fails, fails, b"", fails, b""])
    with heartbeats(machine, said.append, grace_s=0.02):  # type: ignore[arg-type]
        for _ in waited():
            if len(machine.scripts) >= 6:
                break
    assert said == ["the machine does not hear us: no ssh"] * 2


def waited() -> Iterator[None]:
    """Yield now and then, for ten seconds at most."""
    import time  # noqa: PLC0415

    end = time.monotonic() + 10.0
    while time.monotonic() < end:
        time.sleep(0.002)
        yield
