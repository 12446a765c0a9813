"""Ends are judged by the market's time; computers are told apart, and who hangs."""

from __future__ import annotations

import shutil
import threading
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.rental.hold import LEASE_S
from tests.rental.conftest import Gateway

DAY_S = 86400.0


def states(street: Any, machine: str = "here") -> list[str]:
    return [entry.state for entry in street.entries(machine)]


@pytest.mark.parametrize("machine", ["here", "there"])
@pytest.mark.parametrize("skew_s", [DAY_S, -DAY_S])
def test_a_wrong_clock_ends_no_machine(street: Any, machine: str, skew_s: float) -> None:
    """Neither this computer's nor another one's; it is told."""
    street.rent("--max-lifetime", "20h")
    done = street.launch("reconcile", machine=machine, skew_s=skew_s)
    assert done.exit_code == 0, done.stderr
    assert "this computer's clock is 1,440 min" in done.stderr
    assert len(street.instances()) == 1


@pytest.mark.parametrize("skew_s", [DAY_S, -DAY_S, 400.0])
def test_a_wrong_clock_rents_nothing(street: Any, skew_s: float) -> None:
    """Its ends would be wrong for every other computer."""
    done = street.rent(skew_s=skew_s)
    assert done.exit_code == 1
    assert "set it right" in done.stderr
    assert street.instances() == []
    assert street.entries() == []


@pytest.mark.parametrize("day", ["19", "21"])
def test_one_wrong_date_while_renting_rents_nothing(street: Any, day: str) -> None:
    """The clocks agreed before; an end by that date would be a day off."""

    def wrong(_request: Any, send: Any) -> Any:
        response = send()
        response.headers["Date"] = f"Thu, {day} Nov 2026 15:00:00 GMT"
        return response

    done = street.rent(gateway=Gateway("POST", "/bundles/", wrong))
    assert done.exit_code == 1
    assert "nothing is rented until then" in done.stderr
    assert street.entries() == []


def test_clocks_that_differ_by_little_are_no_matter(street: Any) -> None:
    """The end that is promised is the market's."""
    done = street.rent("--max-lifetime", "2h", skew_s=200.0)
    assert done.exit_code == 0, done.stderr
    (entry,) = street.entries()
    assert abs(entry.ends_at - entry.intended_at - 7200.0) <= 2.0
    assert abs(entry.intended_at - street.world.clock.now()) < 600.0


@pytest.mark.parametrize("skew_s", [0.0, DAY_S, -DAY_S])
def test_what_is_past_its_end_is_ended_whatever_the_clock_says(
    street: Any, skew_s: float
) -> None:
    """Two answers of the market must say so where the clocks differ."""
    street.rent("--max-lifetime", "2h")
    street.sleep(7300.0)
    done = street.launch("reconcile", machine="there", skew_s=skew_s)
    assert done.exit_code == 0, done.stderr
    assert street.instances() == []


def test_one_answer_with_a_wrong_date_ends_nothing(street: Any) -> None:
    """The next one contradicts it."""
    street.rent("--max-lifetime", "20h")

    def a_day_late(_request: Any, send: Any) -> Any:
        response = send()
        response.headers["Date"] = "Mon, 23 Nov 2026 15:00:00 GMT"
        return response

    gateway = Gateway("GET", "/api/v1/instances", a_day_late)
    done = street.launch("reconcile", gateway=gateway)
    assert done.exit_code == 0, done.stderr
    assert len(street.instances()) == 1


def test_a_copy_of_the_ledger_takes_nothing_from_the_launcher_at_work(
    street: Any,
) -> None:
    """On another computer its lock says nothing: what it waits for is left to it."""
    reached, go = threading.Event(), threading.Event()

    def slow(_request: Any, send: Any) -> Any:
        reached.set()
        go.wait(20)
        return send()

    gateway = Gateway("GET", "/api/v0/instances/", slow, times=1)
    found: list[Any] = []

    def rent() -> None:
        found.append(street.rent_beside_others(gateway=gateway))

    thread = threading.Thread(target=rent)
    thread.start()
    assert reached.wait(30)
    there = street.folder / "there"
    there.mkdir()
    shutil.copytree(street.folder / "here" / "data", there / "data")
    done = street.launch("reconcile", "--format", "json", machine="there")
    assert [one["action"] for one in done.document["rentals"]] == ["elsewhere"]
    assert len(street.instances()) == 1
    go.set()
    thread.join()
    assert found == [0]
    assert states(street) == ["handed"]


@pytest.mark.parametrize("asleep_s", [LEASE_S + 61.0, 3 * DAY_S])
def test_a_launcher_that_hangs_keeps_no_machine_and_rents_none_on_waking(
    street: Any, asleep_s: float
) -> None:
    """Its lease is over: another process ends what it waited for, and it gives up."""
    reached, go = threading.Event(), threading.Event()

    def hanging(_request: Any, send: Any) -> Any:
        reached.set()
        go.wait(30)
        return send()

    gateway = Gateway("GET", "/api/v0/instances/", hanging, times=1)
    found: list[Any] = []

    def rent() -> None:
        found.append(street.rent_beside_others("--max-lifetime", "2h", gateway=gateway))

    thread = threading.Thread(target=rent)
    thread.start()
    assert reached.wait(30)
    street.sleep(asleep_s)
    done = street.launch("reconcile", "--format", "json")
    assert [one["action"] for one in done.document["rentals"]] == ["released"]
    assert street.instances() == []
    go.set()
    thread.join()
    assert found == [1]
    assert street.instances() == []
    assert len(street.entries()) == 1


def test_a_market_that_never_says_what_time_it_is_leaves_it_to_this_clock(
    street: Any,
) -> None:
    """What is past its end by this computer's clock is ended."""

    class Timeless(Gateway):
        def handle_request(self, request: Any) -> Any:
            response = super().handle_request(request)
            response.headers.pop("Date", None)
            return response

    gateway = Timeless("", "nothing", lambda _request, send: send())
    assert street.rent("--max-lifetime", "2h", gateway=gateway).exit_code == 0
    street.sleep(7000.0)
    assert street.launch("reconcile", gateway=gateway).exit_code == 0
    assert len(street.instances()) == 1
    street.sleep(300.0)
    assert street.launch("reconcile", gateway=gateway).exit_code == 0
    assert street.instances() == []
