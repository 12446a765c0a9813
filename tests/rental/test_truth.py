"""The market's list says what was rented, whatever the answer to the request was."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from tests.rental.conftest import Gateway, Late, edited, instead, lost, twice

ASK = "/asks/"
LIST = "/api/v1/instances"


def states(street: Any, machine: str = "here") -> list[str]:
    return [entry.state for entry in street.entries(machine)]


def test_a_request_that_a_gateway_repeats_rents_one_machine(street: Any) -> None:
    """The second answer is a refusal; the first one's machine is found, and kept."""
    done = street.rent(gateway=Gateway("PUT", ASK, twice))
    assert done.exit_code == 0, done.stderr
    (instance,) = street.instances()
    assert done.document["instance_id"] == instance["id"]
    assert states(street) == ["handed"]


def test_of_two_contracts_of_one_request_one_is_ended_at_once(street: Any) -> None:
    """Both with the label, both a success, for an offer that is still there."""
    made: list[Any] = []

    def doubled(request: Any, send: Any) -> Any:
        response = send()
        world = street.world
        with world.lock:
            number = response.json()["new_contract"]
            first = world.rentals.contracts[number]
            world.rentals.create(
                first.account_id, first.box, first.holding.gpu_ids, first.ask, first.wish
            )
        made.append(number)
        return response

    done = street.rent(gateway=Gateway("PUT", ASK, doubled))
    assert done.exit_code == 0, done.stderr
    assert [one["id"] for one in street.instances()] == made
    assert "a second one of one request" in done.stderr


@pytest.mark.parametrize("by_s", [5.0, 90.0, 200.0])
def test_a_request_that_takes_effect_late_rents_one_machine(
    street: Any, by_s: float
) -> None:
    """The connection broke at once; nothing else is rented before that shows."""
    done = street.rent(gateway=Late(by_s, street.world.clock))
    assert done.exit_code == 0, done.stderr
    assert len(street.instances()) == 1
    assert states(street) == ["handed"]


def test_what_takes_effect_after_all_is_ended_by_whoever_looks(street: Any) -> None:
    """After the patience for a lost answer; the next launcher of the user finds it."""
    gateway = Late(2000.0, street.world.clock)
    done = street.rent(gateway=gateway)
    assert done.exit_code == 0, done.stderr
    street.sleep(2000.0)
    gateway.arrive()
    assert len(street.instances()) == 2
    street.launch("reconcile")
    assert states(street) == ["released", "handed"]
    assert [one["id"] for one in street.instances()] == [done.document["instance_id"]]


@pytest.mark.parametrize("label", ["", "my-precious", "advisor:mine"])
def test_an_answer_that_names_another_machine_of_the_account_is_not_believed(
    street: Any, label: str
) -> None:
    """The machine with the label is handed over, then ended; the user's own stays."""
    own = street.console_machine(label)

    def mixed_up(document: dict[str, Any]) -> None:
        document["new_contract"] = own

    done = street.rent(gateway=Gateway("PUT", ASK, edited(mixed_up)))
    assert done.exit_code == 0, done.stderr
    number = done.document["instance_id"]
    assert sorted(one["id"] for one in street.instances()) == sorted([own, number])
    assert number != own
    assert street.launch("release", "--all", "--yes").exit_code == 0
    assert [one["id"] for one in street.instances()] == [own]


def test_a_machine_under_another_label_is_not_handed_over(street: Any) -> None:
    """Be the label a path: it is waited for, given up, and ended by its own label."""

    def relabeled(document: dict[str, Any]) -> None:
        if document["instances"]:
            document["instances"]["label"] = "../../../etc/passwd"

    show = Gateway("GET", "/api/v0/instances/", edited(relabeled))
    done = street.rent("--attempts", "1", "--start-timeout", "2m", gateway=show)
    assert done.exit_code != 0
    assert street.launch("reconcile").exit_code == 0
    assert street.instances() == []


@pytest.mark.parametrize("price", [None, "dear", -1, True, 0])
def test_a_machine_without_a_price_is_not_handed_over(street: Any, price: Any) -> None:
    """What the market does not tell in $/h is not the price that was agreed."""

    def priced(document: dict[str, Any]) -> None:
        if document["instances"]:
            document["instances"]["dph_total"] = price

    show = Gateway("GET", "/api/v0/instances/", edited(priced))
    done = street.rent("--attempts", "1", gateway=show)
    assert done.exit_code == 3, done.stderr
    assert [one["outcome"] for one in done.document["attempts"]] == ["dearer"]
    assert street.instances() == []


def test_a_price_that_rose_after_the_look_is_refused(street: Any) -> None:
    """The instance bills ten times what its offer did: it is ended."""

    def dearer(document: dict[str, Any]) -> None:
        if document["instances"]:
            document["instances"]["dph_total"] *= 10

    show = Gateway("GET", "/api/v0/instances/", edited(dearer))
    done = street.rent("--attempts", "1", gateway=show)
    assert [one["outcome"] for one in done.document["attempts"]] == ["dearer"]
    assert street.instances() == []


EMPTY = {"success": True, "instances": [], "next_token": None, "total_instances": 0}


def test_a_market_that_forgets_for_minutes_ends_nothing(street: Any) -> None:
    """Each minute it lists nothing and shows nothing; then all is as before."""
    street.rent("--max-lifetime", "20h")
    for _ in range(4):
        blank = Gateway("GET", "instances", forget)
        done = street.launch("reconcile", "--format", "json", gateway=blank)
        assert [one["action"] for one in done.document["rentals"]] == ["missing"]
        street.sleep(61.0)
    done = street.launch("reconcile", "--format", "json")
    assert [one["action"] for one in done.document["rentals"]] == ["kept"]
    assert len(street.instances()) == 1
    assert states(street) == ["handed"]


def forget(request: Any, send: Any) -> Any:
    """Answer as if the account had nothing."""
    is_list = LIST in request.url.path
    return instead(EMPTY if is_list else {"instances": None})(request, send)


def test_what_was_gone_for_long_and_appears_again_is_the_users(street: Any) -> None:
    """It counts as closed meanwhile, and is not ended before its end."""
    street.rent("--max-lifetime", "20h")
    blank = Gateway("GET", "instances", forget)
    street.launch("reconcile", gateway=blank)
    street.sleep(700.0)
    street.launch("reconcile", gateway=blank)
    assert states(street) == ["gone"]
    done = street.launch("reconcile", "--format", "json")
    assert [one["action"] for one in done.document["rentals"]] == ["kept"]
    assert states(street) == ["handed"]
    assert len(street.instances()) == 1
    street.sleep(20 * 3600.0)
    street.launch("reconcile")
    assert street.instances() == []


def test_a_machine_that_the_user_renamed_is_not_called_gone(street: Any) -> None:
    """It bills: it stays open in the ledger, and is told."""
    number = street.rent("--max-lifetime", "20h").document["instance_id"]
    with street.world.lock:
        street.world.rentals.contracts[number].label = "my best run"
    for _ in range(12):
        done = street.launch("reconcile", "--format", "json")
        street.sleep(100.0)
    (row,) = done.document["rentals"]
    assert row["action"] == "renamed"
    assert "my best run" in row["reason"]
    assert states(street) == ["handed"]


def test_a_label_is_shown_without_what_a_terminal_obeys(street: Any) -> None:
    """Whoever wrote it: escapes and marks of direction are left out."""
    street.console_machine("advisor:\x1b]0;pwned\x07\u202eevil")
    done = street.launch("reconcile")
    assert "advisor:]0;pwnedevil" in done.stdout


def test_a_lost_answer_is_settled_by_the_list(street: Any) -> None:
    """The machine is there: it is taken, and nothing else rented."""
    done = street.rent(gateway=Gateway("PUT", ASK, lost))
    assert done.exit_code == 0, done.stderr
    assert len(street.instances()) == 1
    assert states(street) == ["handed"]


def test_a_refusal_that_nobody_can_check_is_unknown(street: Any) -> None:
    """The request was refused, and the market cannot be listed: exit code 7."""
    calls = iter(range(100))

    def broken(request: Any, send: Any) -> Any:
        if next(calls) == 0:  # the listing before it is good
            return send()
        return instead("<html>")(request, send)

    class Both(Gateway):
        def handle_request(self, request: Any) -> Any:
            if request.method == "PUT":
                send = super().handle_request
                send(request)
                return send(request)
            return super().handle_request(request)

    done = street.rent(gateway=Both("GET", LIST, broken))
    assert done.exit_code == 7, done.stderr
    assert done.document["state"] == "unknown"


def test_an_interrupt_while_it_is_looked_for_says_that_it_may_be_rented(
    street: Any,
) -> None:
    """Also one in the midst of the look: the request takes effect after that."""

    class Interrupted(Late):
        def handle_request(self, request: Any) -> Any:
            if self.seen and request.method == "GET" and looks.pop():
                raise KeyboardInterrupt
            return super().handle_request(request)

    looks = [False, True, False]  # the first look is the last one here
    gateway = Interrupted(60.0, street.world.clock)
    done = street.rent(gateway=gateway)
    assert done.exit_code == 7, done.stderr
    assert "advisor reconcile" in done.stderr
    street.sleep(61.0)
    gateway.arrive()
    assert len(street.instances()) == 1
    street.launch("reconcile")
    assert street.instances() == []
