"""The API at the socket: the shapes, codes and odd words of the real one."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

Opened = Callable[..., Any]


def test_an_instance_has_what_clients_read(opened: Opened) -> None:
    """Every field that the official client's tables and ours take, of its kind."""
    buyer = opened()
    number = buyer.rented(
        buyer.offer()["id"],
        label="a label",
        runtype="ssh_direc ssh_proxy",
        env={"A": "1", "-p 80:80": "1"},
    )
    buyer.world.advance(3600)
    row = buyer.show(number)
    assert row["id"] == number
    assert row["label"] == "a label"
    assert row["extra_env"] == [["A", "1"], ["-p 80:80", "1"]]
    assert row["image_uuid"] == "pytorch/pytorch"
    assert row["image_runtype"] == "ssh_direc ssh_proxy"
    assert row["actual_status"] == row["intended_status"] == row["cur_state"]
    assert row["actual_status"] == row["next_state"] == "running"
    assert row["public_ipaddr"] != row["public_ipaddr"].strip()
    assert int(row["ports"]["22/tcp"][0]["HostPort"]) > 0
    assert isinstance(row["start_date"], float)
    assert row["uptime_mins"] == pytest.approx(60, abs=30)
    assert row["dph_total"] == pytest.approx(row["dph_base"] + row["storage_total_cost"])
    assert row["disk_space"] == 10
    for name in (
        *("end_date", "ssh_host", "ssh_port", "status_msg", "is_bid", "min_bid"),
        *("machine_id", "host_id", "gpu_name", "num_gpus", "gpu_util", "reliability2"),
        *("cpu_cores_effective", "cpu_ram", "inet_up", "inet_down", "gpu_ram"),
    ):
        assert name in row


def test_the_list_comes_in_pages_of_25_with_tokens(opened: Opened) -> None:
    """All 30 once, whatever limit is asked for; labels are counted and filtered."""
    buyer = opened(credit_usd=1e4)
    for number in range(30):
        buyer.rented(buyer.offer()["id"], label=f"l{number % 2}", disk=1)
    seen: list[int] = []
    query: dict[str, str] = {"limit": "100"}
    while True:
        page = buyer.ask("GET", "/api/v1/instances/", params=query).json()
        assert page["success"] is True
        assert page["total_instances"] == 30
        assert page["label_counts"] == {"l0": 15, "l1": 15}
        assert len(page["instances"]) <= 25
        seen += [row["id"] for row in page["instances"]]
        if page["next_token"] is None:
            break
        query["after_token"] = page["next_token"]
    assert len(seen) == len(set(seen)) == 30
    assert seen == sorted(seen)
    query = {"select_filters": '{"label": {"eq": "l1"}}', "limit": "3"}
    page = buyer.ask("GET", "/api/v1/instances/", params=query).json()
    assert [row["label"] for row in page["instances"]] == ["l1"] * 3


def test_nothing_is_skipped_where_an_instance_ends_between_two_pages(
    opened: Opened,
) -> None:
    """A token names a row, not a position."""
    buyer = opened()
    numbers = [buyer.rented(buyer.offer()["id"], disk=1) for _ in range(6)]
    first = buyer.ask("GET", "/api/v1/instances/", params={"limit": "3"}).json()
    for number in (numbers[0], numbers[2]):
        buyer.ask("DELETE", f"/api/v0/instances/{number}/", {})
    query = {"limit": "3", "after_token": first["next_token"]}
    second = buyer.ask("GET", "/api/v1/instances/", params=query).json()
    assert [row["id"] for row in second["instances"]] == numbers[3:]


def test_the_old_list_is_retired(opened: Opened) -> None:
    """HTTP 410, not an empty list."""
    answer = opened().ask("GET", "/api/v0/instances/")
    assert answer.status_code == 410
    assert answer.json()["error"] == "deprecated_endpoint"


@pytest.mark.parametrize(
    ("path", "key", "status", "words"),
    [
        ("/api/v0/users/current/", None, 401, "auth_error"),
        ("/api/v1/instances/", None, 401, "auth_error"),
        ("/api/v0/users/current", "revoked-key", 404, "Invalid user key"),
        ("/api/v0/instances/5/", "k", 404, "no_such_instance"),
        ("/api/v0/nowhere/", "k", 404, "not_found"),
    ],
)
def test_refusals_have_the_markets_codes(
    opened: Opened, path: str, key: str | None, status: int, words: str
) -> None:
    """No key, a wrong one (a 404 of all things), no such thing."""
    answer = opened(key).ask("GET", path)
    assert answer.status_code == status
    assert answer.json()["success"] is False
    assert words in answer.text


@pytest.mark.parametrize(
    ("order", "error"),
    [
        ({"label": "x" * 257}, "invalid_args"),
        ({"onstart": "x" * 4097}, "invalid_args"),
        ({"image": ""}, "invalid_args"),
        ({"image": None}, "invalid_args"),
        ({"env": "A=1"}, "invalid_args"),
        ({"env": {"A": 1}}, "invalid_args"),
        ({"disk": "much"}, "invalid_args"),
        ({"disk": 0}, "invalid_args"),
        ({"disk": 1e9}, "invalid_args"),
        ({"price": 0}, "invalid_price"),
    ],
)
def test_an_order_that_cannot_be_is_refused_and_makes_nothing(
    opened: Opened, order: dict[str, Any], error: str
) -> None:
    """HTTP 400, and no contract."""
    buyer = opened()
    answer = buyer.rent(buyer.offer()["id"], **order)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert "new_contract" not in answer.json()
    assert buyer.ask("GET", "/__ledger").json()["instances"] == []


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"', b"\xff"])
def test_a_body_that_is_no_object_is_refused(opened: Opened, body: bytes) -> None:
    """HTTP 400 and not a crash."""
    buyer = opened()
    for method, path in (
        ("POST", "/api/v0/bundles/"),
        ("PUT", f"/api/v0/asks/{buyer.offer()['id']}/"),
        ("POST", "/__clock"),
    ):
        answer = buyer.client.request(method, path, content=body)
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_args"


def test_an_offer_that_is_gone_has_the_markets_odd_words(
    opened: Opened,
) -> None:
    """HTTP 400 with invalid_args whose text says no_such_ask."""
    buyer = opened()
    number = buyer.offer()["id"]
    buyer.rented(number)
    for offer_id in (number, 5):
        answer = buyer.rent(offer_id, cancel_unavail=True)
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_args"
        assert "no_such_ask" in answer.json()["msg"]


def test_without_cancel_unavail_an_offer_just_taken_leaves_a_contract_that_bills(
    opened: Opened,
) -> None:
    """It waits for its place, stopped, and its disk is paid for."""
    buyer = opened()
    number = buyer.offer(num_gpus={"eq": 1}, gpu_frac={"eq": 1})["id"]
    first = buyer.rented(number)
    second = buyer.rented(number)
    buyer.world.advance(3600)
    assert buyer.show(second)["actual_status"] == "stopped"
    assert buyer.billed_usd(second) > 0
    buyer.ask("DELETE", f"/api/v0/instances/{first}/", {})
    buyer.world.advance(3600)
    assert buyer.show(second)["actual_status"] == "running"


def test_a_bid_too_low_answers_an_error_and_makes_a_contract(opened: Opened) -> None:
    """The trap of the real market: it is stopped, and bills its disk."""
    buyer = opened()
    offer = buyer.offer(type="bid")
    answer = buyer.rent(offer["id"], price=offer["min_bid"] * 0.9, cancel_unavail=True)
    assert answer.status_code == 400
    assert answer.json()["success"] is False
    number = answer.json()["new_contract"]
    assert buyer.show(number)["actual_status"] == "stopped"
    buyer.world.advance(36_000)
    assert buyer.billed_usd(number) == pytest.approx(offer["storage_cost"] * 100 / 720)


def test_an_instances_own_key_ends_that_instance_and_does_nothing_else(
    opened: Opened, with_key: Callable[..., Any]
) -> None:
    """Show, stop and destroy it; 403 for the rest, and no key any more afterwards."""
    buyer = opened()
    made = buyer.rent(buyer.offer()["id"]).json()
    number, other = made["new_contract"], buyer.rented(buyer.offer()["id"])
    inside = with_key(buyer, made["instance_api_key"])
    own = f"/api/v0/instances/{number}/"
    assert inside.show(number)["id"] == number
    for method, path, body in (
        ("GET", f"/api/v0/instances/{other}/", None),
        ("DELETE", f"/api/v0/instances/{other}/", {}),
        ("GET", "/api/v1/instances/", None),
        ("GET", "/api/v0/users/current/", None),
        ("PUT", own, {"label": "mine"}),
        ("PUT", own, {"state": "running"}),
        ("PUT", f"/api/v0/asks/{buyer.offer()['id']}/", {"image": "a"}),
    ):
        assert inside.ask(method, path, body).status_code == 403
    assert inside.ask("PUT", own, {"state": "stopped"}).json() == {"success": True}
    assert inside.ask("DELETE", own, {}).json()["success"] is True
    assert buyer.show(number) is None
    answer = inside.ask("GET", own)
    assert answer.status_code == 404
    assert "Invalid user key" in answer.text
    assert buyer.show(other) is not None


def test_nobody_sees_or_ends_what_belongs_to_others(
    opened: Opened, with_key: Callable[..., Any]
) -> None:
    """Another key is another account."""
    buyer = opened()
    number = buyer.rented(buyer.offer()["id"])
    other = with_key(buyer, "another-key")
    assert other.ask("GET", f"/api/v0/instances/{number}/").status_code == 404
    assert other.ask("DELETE", f"/api/v0/instances/{number}/", {}).status_code == 404
    assert other.ask("GET", "/api/v1/instances/").json()["instances"] == []
    assert buyer.show(number) is not None


def test_a_destroyed_instance_is_null_and_cannot_be_destroyed_again(
    opened: Opened,
) -> None:
    """As the real one: null in a show, no_such_instance for a change."""
    buyer = opened()
    number = buyer.rented(buyer.offer()["id"])
    path = f"/api/v0/instances/{number}/"
    assert buyer.ask("DELETE", path, {}).json()["success"] is True
    assert buyer.ask("GET", path).json() == {"instances": None}
    for method, body in (("DELETE", {}), ("PUT", {"state": "running"})):
        answer = buyer.ask(method, path, body)
        assert answer.status_code == 404
        assert answer.json()["error"] == "no_such_instance"


def test_labels_bids_reboots_logs_and_keys_are_answered(opened: Opened) -> None:
    """The rest of the endpoints, each with what it changes."""
    buyer = opened()
    offer = buyer.offer(type="bid")
    number = buyer.rented(offer["id"], price=offer["min_bid"], image="ubuntu", disk=1)
    buyer.world.advance(600)
    path = f"/api/v0/instances/{number}/"
    buyer.ask("PUT", path, {"label": "another"})
    assert buyer.show(number)["label"] == "another"
    bid = {"client_id": "me", "price": offer["min_bid"] * 2}
    buyer.ask("PUT", f"/api/v0/instances/bid_price/{number}/", bid)
    assert buyer.show(number)["dph_base"] == pytest.approx(offer["min_bid"] * 2)
    buyer.ask("PUT", f"/api/v0/instances/reboot/{number}/", {})
    assert buyer.show(number)["actual_status"] == "rebooting"
    buyer.world.advance(60)
    assert buyer.show(number)["actual_status"] == "running"
    log = buyer.ask("PUT", f"/api/v0/instances/request_logs/{number}/", {"tail": "9"})
    text = buyer.client.get(log.json()["result_url"])
    assert "ubuntu" in text.text
    assert buyer.client.get(f"/__log/{number}").status_code == 404
    key = {"ssh_key": "ssh-ed25519 AAAA me"}
    assert buyer.ask("POST", f"{path}ssh/", key).json()["success"] is True
    assert buyer.ask("POST", "/api/v0/ssh/", key).json()["key"]["public_key"]
    assert len(buyer.ask("GET", "/api/v0/ssh/").json()["keys"]) == 1
    assert buyer.ask("PUT", path, {"state": "flying"}).status_code == 400


def test_benchmarks_come_in_pages_of_200(opened: Opened) -> None:
    """With the fields that the official client prints."""
    buyer = opened(offers=400)
    first = buyer.ask("GET", "/api/v0/benchmarks").json()
    assert len(first["benchmarks"]) == 200
    query = {"after_token": first["next_token"]}
    second = buyer.ask("GET", "/api/v0/benchmarks", params=query).json()
    seen = [row["id"] for row in first["benchmarks"] + second["benchmarks"]]
    assert len(seen) == len(set(seen)) == first["benchmarks_found"]
    assert {"machine_id", "gpu_name", "num_gpus", "value", "type", "last_update"} <= set(
        first["benchmarks"][0]
    )


def test_the_clock_can_be_set_forward_but_not_back(opened: Opened) -> None:
    """POST /__clock lets time pass, event by event."""
    buyer = opened()
    now = buyer.ask("GET", "/__clock").json()["now_unix_s"]
    later = buyer.ask("POST", "/__clock", {"advance_s": 90}).json()["now_unix_s"]
    assert later == now + 90
    for seconds in (-1, "1", True, None, 1e12):
        answer = buyer.ask("POST", "/__clock", {"advance_s": seconds})
        assert answer.status_code == 400


def test_many_buyers_at_once_get_one_offer_once(
    opened: Opened, with_key: Callable[..., Any]
) -> None:
    """Of eight requests for one offer, one makes a contract."""
    buyer = opened()
    buyers = [with_key(buyer, f"key-{number}") for number in range(8)]
    number = buyer.offer()["id"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda one: one.rent(number, cancel_unavail=True), buyers)
        )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 7
