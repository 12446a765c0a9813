"""Parts of the market fail, clocks are set, prompts wait: what is rented is ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

import httpx
import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.app.job import JobSpec
from advisor.app.plan import plan, rental_context_of
from advisor.app.rent import RentSpec
from advisor.base.errors import OverBudgetError
from advisor.rental.caps import commitments
from advisor.rental.hold import LEASE_S, Hold, hangs
from advisor.rental.reconcile import reconcile
from advisor.rental.rent import renting
from advisor.rental.strays import end_strays
from tests.rental.conftest import Gateway, Send, instead

ASK = "/asks/"
LIST = "/api/v1/instances"
DAY_S = 86400.0


class Weather(Gateway):
    """A gateway through which every request goes by `act`."""

    def __init__(self, act: Callable[[httpx.Request, Send], httpx.Response]) -> None:
        super().__init__("", "", act)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.method = request.method
        return super().handle_request(request)

    def count(self, method: str) -> int:
        """Return the number of requests of a method."""
        return sum(one.method == method for one in self.seen)


def is_rental(request: httpx.Request) -> bool:
    return request.method == "PUT" and ASK in request.url.path


def broken_from(begins: Callable[[httpx.Request], bool], path: str) -> Weather:
    """Return a market whose answers at a path are errors once a request has been."""
    is_broken = False

    def act(request: httpx.Request, send: Send) -> httpx.Response:
        nonlocal is_broken
        if is_broken and path in request.url.path:
            return httpx.Response(500, json={})
        is_broken = is_broken or begins(request)
        return send()

    return Weather(act)


def shifted(by: timedelta | None, path: str = LIST) -> Gateway:
    """Return a gateway where the dates of answers are wrong, or missing."""

    def act(_request: httpx.Request, send: Send) -> httpx.Response:
        response = send()
        headers = {"Content-Type": "application/json"}
        if by is not None:
            moment = parsedate_to_datetime(response.headers["Date"]) + by
            headers["Date"] = format_datetime(moment, usegmt=True)
        return httpx.Response(
            response.status_code, content=response.content, headers=headers
        )

    return Gateway("GET", path, act)


def desk_of(street: Any, **world: Any) -> Any:
    return rental_context_of(street.context(**world), "vast")


def test_a_second_contract_that_cannot_be_ended_keeps_no_other(street: Any) -> None:
    """The first one is handed over; 'reconcile' ends the second once that can be."""

    def act(request: httpx.Request, send: Send) -> httpx.Response:
        if request.method == "DELETE":
            return httpx.Response(500, json={"success": False})
        response = send()
        if is_rental(request):
            world = street.world
            with world.lock:
                first = world.rentals.contracts[response.json()["new_contract"]]
                world.rentals.create(
                    first.account_id,
                    first.box,
                    first.holding.gpu_ids,
                    first.ask,
                    first.wish,
                )
        return response

    done = street.rent(gateway=Weather(act))
    assert done.exit_code == 0, done.stderr
    assert street.launch("reconcile").exit_code == 0
    assert [one["id"] for one in street.instances()] == [done.document["instance_id"]]


def test_a_list_that_fails_after_the_request_loses_no_machine(street: Any) -> None:
    """The instance that the answer names is shown, with the label: it is ours."""
    done = street.rent(gateway=broken_from(is_rental, LIST))
    assert done.exit_code == 0, done.stderr
    assert len(street.instances()) == 1


def test_a_list_that_fails_keeps_no_machine_from_being_ended(street: Any) -> None:
    """By its id, which the ledger knows, in 'rent' and in 'release'."""
    number = street.rent().document["instance_id"]
    broken = broken_from(lambda request: "users/current" in request.url.path, LIST)
    done = street.launch("release", str(number), "--yes", gateway=broken)
    assert done.exit_code == 0, done.stderr
    assert street.instances() == []
    weather = broken_from(is_rental, "no such path")
    short = street.rent("--attempts", "1", "--start-timeout", "1m", gateway=weather)
    assert short.exit_code in (0, 3)


@pytest.mark.parametrize("skew_s", [DAY_S, 30 * DAY_S])
def test_a_clock_that_is_set_meanwhile_ends_nothing(street: Any, skew_s: float) -> None:
    """Before an end is believed the market is asked, and says what time it is."""
    skew = 0.0

    def now() -> datetime:
        return datetime.fromtimestamp(street.world.clock.now() + skew, UTC)

    context = street.context()
    context = replace(context, clock=replace(context.clock, now=now))
    rental_context = rental_context_of(context, "vast")
    end = rental_context.now() + 3600.0
    assert not rental_context.is_over(end)
    skew = skew_s
    assert not rental_context.is_over(end)
    street.sleep(3700.0)
    assert rental_context.is_over(end)


def test_answers_without_a_date_end_nothing_by_this_clock(street: Any) -> None:
    """What the market has told of its time before still holds."""
    street.rent("--max-lifetime", "20h")
    done = street.launch("reconcile", gateway=shifted(None), skew_s=30 * DAY_S)
    assert len(street.instances()) == 1, done.stderr


@pytest.mark.parametrize("by", [timedelta(days=-1), timedelta(days=1)])
def test_one_wrong_date_makes_nothing_gone(street: Any, by: timedelta) -> None:
    """When a machine was first not shown is not written by a clock that is in doubt."""
    street.rent("--max-lifetime", "60d")
    empty = {"success": True, "instances": [], "next_token": None, "total_instances": 0}

    def blank(ahead: timedelta) -> Gateway:
        def act(request: httpx.Request, send: Send) -> httpx.Response:
            date = parsedate_to_datetime(send().headers["Date"])
            moment = format_datetime(date + ahead, usegmt=True)
            document = empty if LIST in request.url.path else {"instances": None}
            return httpx.Response(200, json=document, headers={"Date": moment})

        return Gateway("GET", "instances", act)

    for ahead in (by, timedelta()):
        street.launch("reconcile", gateway=blank(ahead))
        street.sleep(20.0)
    assert [entry.state for entry in street.entries()] == ["handed"]
    done = street.launch("reconcile", "--format", "json")
    assert [one["action"] for one in done.document["rentals"]] == ["kept"]


def test_a_launcher_that_renews_does_not_hang_whatever_the_clocks_say(
    street: Any,
) -> None:
    """Its lease looks over, and was renewed at the second look: it lives."""
    street.rent()
    (entry,) = street.entries()
    rental_context = desk_of(street)
    hold = Hold(rental_context, entry.label)
    hold.succeed(entry)
    street.world.advance(LEASE_S + 1.0)

    def sleep(seconds: float) -> None:
        street.sleep(seconds)
        hold.renew()

    other = replace(rental_context, clock=replace(rental_context.clock, sleep=sleep))
    assert not hangs(other, entry.label)
    street.world.advance(LEASE_S + 1.0)
    assert hangs(rental_context, entry.label)


def test_a_question_that_is_answered_the_next_day_is_asked_of_the_market_anew(
    street: Any,
) -> None:
    """The end is counted from the answer on."""
    job = JobSpec("resnet50", epochs=2, settings=(("dataset_gb", "1"),))
    spec = RentSpec(job, max_lifetime_s=7200.0)
    planned = plan(street.context(), spec, wait_for_ssh=False)

    def tomorrow(*_asked: object) -> bool:
        street.sleep(DAY_S)
        return True

    with renting(planned.rental_context, planned.request, tomorrow) as rental:
        entry = rental.entry
        assert entry.ends_at - entry.intended_at == pytest.approx(7200.0, abs=2.0)
        assert entry.ends_at > planned.rental_context.now()


def test_a_renamed_machine_past_its_end_is_no_peace(street: Any) -> None:
    """It is not ended, and it bills: exit code 7."""
    number = street.rent("--max-lifetime", "2h").document["instance_id"]
    with street.world.lock:
        street.world.rentals.contracts[number].label = "mine now"
    assert street.launch("reconcile").exit_code == 0
    street.sleep(7300.0)
    assert street.launch("reconcile").exit_code == 7
    assert street.labels() == ["mine now"]


def test_what_no_list_shows_and_the_market_does_is_ended_at_its_end(street: Any) -> None:
    """The list lags: the machine is looked at by its id."""
    street.rent("--max-lifetime", "2h")
    street.sleep(7300.0)
    empty = {"success": True, "instances": [], "next_token": None, "total_instances": 0}
    done = street.launch("reconcile", gateway=Gateway("GET", LIST, instead(empty)))
    assert done.exit_code == 0, done.stderr
    assert street.instances() == []


def test_who_works_in_a_block_looks_for_strays(street: Any) -> None:
    """A second contract of its request that appears later is ended."""
    street.rent()
    (first,) = street.world.rentals.contracts.values()
    with street.world.lock:
        street.world.rentals.create(
            first.account_id, first.box, first.holding.gpu_ids, first.ask, first.wish
        )
    assert len(street.instances()) == 2
    end_strays(desk_of(street))
    assert [one["id"] for one in street.instances()] == [first.instance_id]


def test_the_release_of_a_job_leaves_what_nobody_knows_of_others(street: Any) -> None:
    """A rental of another job whose instance is not known is not chosen."""
    street.rent("--job", "lab")
    (entry,) = street.entries()
    other = replace(
        entry,
        label="advisor:other:ffffffff-0123456789abcdef",
        job="other",
        state="intended",
        instance_id=None,
        offer_id=1,
    )
    street.ledger().intend(other, lambda _: None)
    done = street.launch("release", "--job", "lab", "--yes")
    assert done.exit_code == 0, done.stderr
    assert street.instances() == []


def test_release_takes_the_id_that_the_list_shows(street: Any) -> None:
    """Of a rental that another place has written down without one."""
    street.rent("--job", "lab", "--max-lifetime", "20h")
    (entry,) = street.entries()
    path = street.folder / "here" / "data"
    (path / "advisor.sqlite3").unlink()
    lost = replace(entry, state="intended", instance_id=None, place="elsewhere")
    street.ledger().intend(lost, lambda _: None)
    done = street.launch("release", "--job", "lab", "--yes")
    assert done.exit_code == 0, done.stderr
    assert street.instances() == []


def test_what_is_listed_counts_towards_caps_whatever_the_ledger_says(
    street: Any,
) -> None:
    """Closed in the ledger and there on the market: it bills."""
    street.rent("--max-lifetime", "2h")
    (entry,) = street.entries()
    rental_context = desk_of(street)
    now = rental_context.now()
    open_usd = commitments([entry], rental_context.market.instances(), now)[0].usd
    for state in ("gone", "released", "refused"):
        closed = replace(entry, state=state, closed_at=entry.intended_at)
        (found,) = commitments([closed], rental_context.market.instances(), now)
        assert found.usd == pytest.approx(open_usd)


@pytest.mark.parametrize(
    ("status", "whole"), [("running", True), ("frozen", True), ("stopped", False)]
)
def test_a_machine_of_the_console_counts_what_it_bills(
    street: Any, status: str, whole: bool
) -> None:
    """Its disk alone only where it surely stands still; without a price no cap holds."""
    street.console_machine()
    (instance,) = desk_of(street).market.instances()
    shown = replace(instance, status=status, usd_per_hour=2.0, storage_usd_per_hour=0.01)
    (found,) = commitments([], [shown], 0.0)
    assert found.usd_per_hour == (2.0 if whole else 0.01)
    with pytest.raises(OverBudgetError, match="no cap can be kept"):
        commitments([], [replace(shown, status="running", usd_per_hour=None)], 0.0)


def test_a_host_name_that_changes_makes_nothing_elsewhere(
    street: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container has another one at each start: what its launcher left is ended."""
    street.rent()
    (entry,) = street.entries()
    monkeypatch.setattr("platform.node", lambda: "another")
    rental_context = desk_of(street)
    assert rental_context.is_here(entry.place)
    assert [one.action for one in reconcile(rental_context).findings] == ["kept"]
