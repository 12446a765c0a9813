"""`advisor rentals` shows what the market says beside the ledger."""

from __future__ import annotations

import dataclasses
from typing import Any

import httpx
import pytest

from advisor.market.vast.instances import read_instance
from advisor.rental.seen import billed_usd_per_hour

HOUR_S = 3600.0


def listed(street: Any, *words: str, **more: Any) -> Any:
    done = street.launch("rentals", "--json", *words, **more)
    assert done.exit_code == 0, done.stderr
    return done.document


def contract(street: Any, number: int) -> Any:
    return street.world.rentals.contracts[number]


def rent_in_the_console(street: Any) -> int:
    """Rent a machine of the same account that advisor has nothing to do with."""
    key = street.context().variables["VAST_API_KEY"]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=street.url, headers=headers) as client:
        query = {"rentable": {"eq": True}, "order": [["dph_total", "desc"]]}
        offer = client.post("/api/v0/bundles/", json=query).json()["offers"][0]
        order = {"client_id": "me", "image": "x", "disk": 10, "label": "mine"}
        rented = client.put(f"/api/v0/asks/{offer['id']}/", json=order).json()
    street.sleep(HOUR_S)
    return int(rented["new_contract"])


def test_a_rental_that_runs_bills_what_was_agreed(street: Any) -> None:
    """Its status is the market's, and its end is told in seconds from now."""
    assert street.rent("--max-lifetime", "5h").exit_code == 0
    street.sleep(HOUR_S)
    (row,) = listed(street)["rentals"]
    assert (row["state"], row["status"]) == ("handed", "running")
    assert row["bills_usd_per_hour"] == pytest.approx(row["usd_per_hour"])
    assert 3.8 * HOUR_S < row["ends_in_s"] < 4 * HOUR_S
    assert row["renamed_to"] is None


def test_what_is_stopped_bills_its_disk(street: Any) -> None:
    """Outbid or stopped: unseen, it would bill on until somebody ends it."""
    rented = street.rent("--disk", "200", "--interruptible")
    number = rented.document["instance_id"]
    with street.world.looked_at():
        street.world.rentals.stop(contract(street, number), "outbid")
    (row,) = listed(street)["rentals"]
    assert row["status"] == "stopped"
    disk_usd_per_hour = contract(street, number).disk_usd_per_hour
    assert row["bills_usd_per_hour"] == pytest.approx(disk_usd_per_hour)
    assert 0 < disk_usd_per_hour < row["usd_per_hour"]


def test_what_the_market_does_not_show_is_absent(street: Any) -> None:
    """It bills nothing; whether that is its end is for `reconcile` to say."""
    number = street.rent().document["instance_id"]
    with street.world.looked_at():
        street.world.rentals.destroy(contract(street, number), "elsewhere")
    (row,) = listed(street)["rentals"]
    assert (row["state"], row["status"], row["bills_usd_per_hour"]) == (
        "handed",
        "absent",
        0.0,
    )


def test_another_name_is_told_as_a_terminal_can_bear_it(street: Any) -> None:
    """The rental is still known by its id."""
    number = street.rent().document["instance_id"]
    with street.world.looked_at():
        contract(street, number).label = "my\x1b[2J box"
    document = listed(street)
    (row,) = document["rentals"]
    assert (row["status"], row["renamed_to"]) == ("running", "my[2J box")
    assert document["market"]["others"]["count"] == 0
    said = street.launch("rentals").stderr
    assert f"instance {number}: its label is 'my[2J box' now" in said
    assert "\x1b" not in said


def test_what_else_the_account_has_is_one_line_each(street: Any) -> None:
    """Machines of the console, and those that advisor rented on another computer."""
    assert street.rent("--job", "lab", machine="there").exit_code == 0
    number = rent_in_the_console(street)
    document = listed(street)
    assert document["rentals"] == []
    (elsewhere,) = document["market"]["elsewhere"]
    assert elsewhere["label"].startswith("advisor:lab:")
    assert elsewhere["status"] == "running"
    price = contract(street, number).row(street.world.now)["dph_total"]
    assert document["market"]["others"] == {
        "count": 1,
        "bills_usd_per_hour": pytest.approx(price),
        "is_whole": True,
    }
    empty, *lines = street.launch("rentals").stderr.splitlines()
    assert empty == "the ledger has no open rental; --all shows those that have ended"
    assert len(lines) == 2
    assert "1 machine that advisor rented from another computer: $" in lines[0]
    assert f"1 machine that advisor did not rent: ${price:.3f}/h now" in lines[1]


def test_what_has_ended_and_is_there_again_is_shown(street: Any) -> None:
    """It bills, whatever the ledger has of it."""
    number = street.rent().document["instance_id"]
    label = street.entries()[0].label
    street.launch("release", "--all", "--yes")
    assert listed(street)["rentals"] == []
    other = rent_in_the_console(street)
    with street.world.looked_at():
        contract(street, other).label = label
    (row,) = listed(street)["rentals"]
    assert (row["state"], row["instance_id"]) == ("released", number)
    assert row["status"] == "running"
    assert row["bills_usd_per_hour"] > 0


@pytest.mark.parametrize(
    ("words", "more", "said"),
    [
        (["--offline"], {}, ""),
        ([], {"key": ""}, "this is the ledger alone: only the owner of an account"),
        ([], {"key": "revoked-key"}, "this is the ledger alone: the market refuses"),
    ],
)
def test_without_a_market_it_is_the_ledger_alone(
    street: Any, words: list[str], more: dict[str, str], said: str
) -> None:
    """And it says so; what is not known is null."""
    assert street.rent().exit_code == 0
    done = street.launch("rentals", "--json", *words, **more)
    assert done.exit_code == 0
    assert done.stderr.startswith(said)
    assert bool(done.stderr) == bool(said)
    assert done.document["market"] is None
    (row,) = done.document["rentals"]
    assert (row["status"], row["bills_usd_per_hour"]) == (None, None)
    assert row["state"] == "handed"


def test_a_market_that_cannot_be_reached_hides_nothing(street: Any) -> None:
    """The table for people is the ledger's."""
    assert street.rent("--job", "lab").exit_code == 0
    context = street.context()
    variables = {**context.variables, "VAST_URL": "http://127.0.0.1:9"}
    away = dataclasses.replace(context, variables=variables)
    done = street.run_command(["rentals"], away)
    assert done.exit_code == 0
    assert "this is the ledger alone: no connection to" in done.stderr
    assert "advisor:lab:" in done.stdout


def test_a_rental_of_another_account_is_not_called_absent(street: Any) -> None:
    """The market was asked for this account's machines only."""
    assert street.rent(key="another-accounts-key").exit_code == 0
    (row,) = listed(street)["rentals"]
    assert (row["status"], row["bills_usd_per_hour"]) == (None, None)


def test_a_table_tells_the_end_in_words(street: Any) -> None:
    """And a csv has the columns of the JSON."""
    assert street.rent("--max-lifetime", "5h").exit_code == 0
    table = street.launch("rentals").stdout
    assert "ends in" in table
    assert " h " in table
    street.sleep(6 * HOUR_S)
    assert " over " in street.launch("rentals").stdout
    header = street.launch("rentals", "--format", "csv").stdout.splitlines()[0]
    assert {"status", "bills_usd_per_hour", "ends_in_s"} <= set(header.split(","))


@pytest.mark.parametrize(
    ("status", "usd_per_hour"),
    [
        ("running", 0.5),
        ("frozen", 0.5),
        ("stopped", 0.1),
        ("exited", 0.1),
        (None, 0.1),
        ("a new word", None),
    ],
)
def test_the_gpu_bills_while_it_is_held(
    status: str | None, usd_per_hour: float | None
) -> None:
    """The disk always does; what a word means that nobody here knows is not guessed."""
    record = {"id": 1, "dph_total": 0.5, "storage_total_cost": 0.1}
    instance = read_instance({**record, "actual_status": status})
    assert billed_usd_per_hour(instance) == usd_per_hour
    assert billed_usd_per_hour(read_instance({"id": 1, "actual_status": status})) is None


@pytest.mark.parametrize("width", [80, 100, 120, 200])
def test_no_line_is_longer_than_the_terminal(street: Any, width: int) -> None:
    """The instance is always there: it is what is released."""
    number = street.rent("--max-lifetime", "5h").document["instance_id"]
    ended = street.rent().document["instance_id"]
    assert street.launch("release", str(ended), "--yes").exit_code == 0
    rent_in_the_console(street)
    context = street.context()
    variables = {**context.variables, "COLUMNS": str(width)}
    for words in (("rentals",), ("rentals", "--all"), ("reconcile",)):
        here = dataclasses.replace(context, variables=variables)
        outcome = street.run_command(words, here)
        assert outcome.exit_code == 0, outcome.stderr
        lines = (outcome.stdout + outcome.stderr).splitlines()
        assert max(map(len, lines)) <= width
        assert words != ("rentals",) or str(number) in outcome.stdout
