"""Each fault does at the socket what its name says, when it shall, and nothing else."""

from __future__ import annotations

import errno
import itertools
import json
import math
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.simulator.clock import SimClock
from advisor.simulator.faults import EFFECTS, OPERATIONS, Fault, FaultBook
from advisor.simulator.scenarios import SCENARIOS, faults_named, load_faults

pytest.importorskip("uvicorn", reason="the extra simulator is not installed")

from advisor.simulator.server import serve
from advisor.simulator.world import World

SEARCH = {"order": [["dph_total", "asc"]], "limit": 20}
ORDER = {"client_id": "me", "image": "ubuntu", "disk": 10, "label": "advisor:test:1"}
_KEYS = itertools.count()


@dataclass(frozen=True)
class Renter:
    """An account of its own on a market that others use too."""

    world: World
    client: httpx.Client
    key: str

    def search(self) -> httpx.Response:
        return self.client.post("/api/v0/bundles/", json=SEARCH)

    def me(self) -> httpx.Response:
        return self.client.get("/api/v0/users/current/")

    def rent(self, **more: Any) -> httpx.Response:
        return self.client.put(f"/api/v0/asks/{self.offer()}/", json={**ORDER, **more})

    def show(self, instance_id: int) -> Any:
        reply = self.client.get(f"/api/v0/instances/{instance_id}/?owner=me")
        return reply.json()["instances"]

    def listed(self) -> list[int]:
        reply = self.client.get("/api/v1/instances/", params={"limit": 25})
        return [row["id"] for row in reply.json()["instances"]]

    def offer(self) -> int:
        """Return an offer, asked of the world itself: no fault can strike that."""
        with self.world.looked_at():
            return max(record["id"] for _, record in self.world.fleet.offers(0.0))

    def rented(self) -> list[dict[str, Any]]:
        """Return what this account has rented, as the market itself knows it."""
        account = str(self.me_id)
        rows: list[dict[str, Any]] = self.world.ledger()["instances"]
        return [row for row in rows if row["account"] == account]

    @property
    def me_id(self) -> int:
        with self.world.looked_at():
            return self.world.account(self.key).account_id

    def raw(self, method: str, path: str, document: Any) -> socket.socket:
        """Send a request over a socket of our own."""
        url = self.client.base_url
        body = json.dumps(document).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {url.host}\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection = socket.create_connection((url.host, url.port), timeout=10)
        connection.sendall(head.encode() + body)
        return connection


@pytest.fixture(scope="module")
def market() -> Iterator[tuple[World, str]]:
    """Return a calm market that stands still, at a port of its own."""
    world = World(offers=150, clock=SimClock.manual(1_800_000_000.0), calm=True)
    with serve(world) as server:
        yield world, server.url


@pytest.fixture
def renter(market: tuple[World, str]) -> Iterator[Renter]:
    """Return a new account on the market, from which no fault is left behind."""
    world, url = market
    key = f"renter-{next(_KEYS)}"
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, headers=headers, timeout=10) as client:
        world.set_faults()
        yield Renter(world, client, key)
        world.set_faults()


def strike(renter: Renter, name: str) -> None:
    renter.world.set_faults(*faults_named([name]))


def too_frequent(renter: Renter) -> None:
    """Two searches are refused in plain text, the third is answered."""
    for _ in range(2):
        reply = renter.search()
        assert reply.status_code == 429
        assert reply.headers["Content-Type"].startswith("text/plain")
        assert reply.text.startswith("API requests too frequent: endpoint threshold=")
        assert "Retry-After" not in reply.headers
    assert renter.search().status_code == 200


def too_frequent_retry_after(renter: Renter) -> None:
    """The refusal says how long to wait."""
    reply = renter.search()
    assert (reply.status_code, reply.headers["Retry-After"]) == (429, "1")
    assert renter.search().status_code == 429
    assert renter.search().status_code == 200


def quota(renter: Renter) -> None:
    """Searches are refused for hours; who am I is not."""
    for _ in range(3):
        reply = renter.search()
        assert reply.status_code == 429
        assert reply.json()["error"] == "search_quota_exceeded"
        assert int(reply.headers["Retry-After"]) > 3600
    assert renter.me().status_code == 200


def bad_gateway(renter: Renter) -> None:
    """A gateway fails before anything is rented; the next request goes well."""
    reply = renter.rent()
    assert reply.status_code == 502
    assert reply.text.lstrip().startswith("<")
    assert not renter.rented()
    assert renter.rent().status_code == 200


def gateway_timeout(renter: Renter) -> None:
    """A gateway gives up before anything is rented; the next request goes well."""
    assert renter.rent().status_code == 504
    assert not renter.rented()
    assert renter.rent().status_code == 200


def unavailable(renter: Renter) -> None:
    """Nothing is answered, nothing is rented."""
    for _ in range(3):
        assert renter.rent().status_code == 503
        assert renter.search().status_code == 503
    assert not renter.rented()


def html_page(renter: Renter) -> None:
    """A page comes where JSON should, with the status of a success."""
    reply = renter.rent()
    assert reply.status_code == 200
    assert reply.headers["Content-Type"].startswith("text/html")
    assert reply.text.lstrip().startswith("<")
    assert not renter.rented()


def slow_drip(renter: Renter) -> None:
    """A rental is made, its answer comes one byte at a time."""
    with renter.raw("PUT", f"/api/v0/asks/{renter.offer()}/", ORDER) as connection:
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(1)
        assert b" 200 " in head
        started, pieces = time.monotonic(), []
        while len(pieces) < 4:
            pieces.append(connection.recv(4096))
        assert time.monotonic() - started > 0.3
        assert b"".join(pieces) == b'{"su'
    assert len(renter.rented()) == 1


def reset_before(renter: Renter) -> None:
    """The connection is reset, not closed, and nothing is rented."""
    for _ in range(2):
        assert is_reset(renter)
    assert not renter.rented()


def reset_after(renter: Renter) -> None:
    """The connection is reset, and one machine is rented all the same."""
    assert renter.search().status_code == 200
    assert is_reset(renter)
    assert len(renter.rented()) == 1
    assert renter.rent().status_code == 200


def is_reset(renter: Renter) -> bool:
    with renter.raw("PUT", f"/api/v0/asks/{renter.offer()}/", ORDER) as connection:
        try:
            return connection.recv(1) is None
        except ConnectionResetError as error:
            return error.errno == errno.ECONNRESET


def error_after(renter: Renter) -> None:
    """A gateway fails after a machine was rented."""
    assert renter.rent().status_code == 503
    assert len(renter.rented()) == 1


def duplicated_offers(renter: Renter) -> None:
    """Each offer comes twice, with the higher score first."""
    offers = renter.search().json()["offers"]
    assert len(offers) == 2 * SEARCH["limit"]
    for better, worse in zip(offers[::2], offers[1::2], strict=True):
        assert better["id"] == worse["id"]
        assert better["score"] > worse["score"]


def nan(renter: Renter) -> None:
    """Figures that JSON does not know stand in the offers, ids and prices are whole."""
    reply = renter.search()
    assert "NaN" in reply.text
    assert "Infinity" in reply.text
    for offer in json.loads(reply.content)["offers"]:
        assert math.isnan(offer["pcie_bw"])
        assert math.isfinite(offer["dph_total"])


def not_success(renter: Renter) -> None:
    """A refusal comes with the status of a success, and nothing is rented."""
    reply = renter.rent()
    assert (reply.status_code, reply.json()["success"]) == (200, False)
    assert "new_contract" not in reply.json()
    assert not renter.rented()


def contract_with_error(renter: Renter) -> None:
    """An error names a contract that was made, and bills."""
    reply = renter.rent()
    assert (reply.status_code, reply.json()["success"]) == (400, False)
    assert [row["id"] for row in renter.rented()] == [reply.json()["new_contract"]]


def two_buyers(renter: Renter) -> None:
    """What was sold twice never runs, bills its disk, and the next rental runs."""
    lost = renter.rent().json()["new_contract"]
    won = renter.rent().json()["new_contract"]
    renter.world.advance(3600.0)
    assert renter.show(lost)["actual_status"] != "running"
    assert renter.show(won)["actual_status"] == "running"
    rows = {row["id"]: row for row in renter.rented()}
    assert 0 < rows[lost]["billed_usd"] < rows[won]["billed_usd"]


def no_kernel_image(renter: Renter) -> None:
    """A machine runs, and its log says that the image has no code for the GPU."""
    number = renter.rent().json()["new_contract"]
    renter.world.advance(3600.0)
    assert renter.show(number)["actual_status"] == "running"
    assert "no kernel image is available" in printed(renter, number)


def driver_refuses(renter: Renter) -> None:
    """A container is made and never starts; why is its status message."""
    number = renter.rent().json()["new_contract"]
    renter.world.advance(3600.0)
    shown = renter.show(number)
    assert shown["actual_status"] == "created"
    assert "unsatisfied condition: cuda>=" in shown["status_msg"]


def killed_for_memory(renter: Renter) -> None:
    """A machine runs, and its log says what the kernel has killed."""
    number = renter.rent().json()["new_contract"]
    renter.world.advance(3600.0)
    assert renter.show(number)["actual_status"] == "running"
    assert "Memory cgroup out of memory: Killed process" in printed(renter, number)


def gpu_error(renter: Renter) -> None:
    """A machine runs, and its log has the error of its GPU."""
    number = renter.rent().json()["new_contract"]
    renter.world.advance(3600.0)
    assert renter.show(number)["actual_status"] == "running"
    assert "uncorrectable ECC error" in printed(renter, number)


def printed(renter: Renter, number: int) -> str:
    """Return the log of an instance, as the market hands it out."""
    path = f"/api/v0/instances/request_logs/{number}/"
    place = renter.client.put(path, json={"tail": "100"}).json()["result_url"]
    return renter.client.get(place).text


def stale_show(renter: Renter) -> None:
    """A new instance is shown as none for 20 s, and listed from the start."""
    number = renter.rent().json()["new_contract"]
    renter.world.advance(19.0)
    assert renter.show(number) is None
    assert renter.listed() == [number]
    renter.world.advance(2.0)
    assert renter.show(number)["id"] == number


def lagging_list(renter: Renter) -> None:
    """A new instance is listed after 20 s, and shown from the start."""
    number = renter.rent().json()["new_contract"]
    renter.world.advance(19.0)
    assert renter.listed() == []
    assert renter.show(number)["id"] == number
    renter.world.advance(2.0)
    assert renter.listed() == [number]


def lingering_list(renter: Renter) -> None:
    """An instance that has ended is listed for 20 s more, and shown as none at once."""
    number = renter.rent().json()["new_contract"]
    renter.client.delete(f"/api/v0/instances/{number}/")
    renter.world.advance(19.0)
    assert renter.listed() == [number]
    assert renter.show(number) is None
    renter.world.advance(2.0)
    assert renter.listed() == []


def outbid(renter: Renter) -> None:
    """A rental for a bid runs, is stopped after half an hour, and bills its disk on."""
    on_demand = renter.rent().json()["new_contract"]
    number = renter.rent(price=5.0).json()["new_contract"]
    renter.world.advance(1790.0)
    assert renter.show(number)["actual_status"] == "running"
    renter.world.advance(20.0)
    row = renter.show(number)
    assert (row["actual_status"], row["intended_status"]) == ("stopped", "running")
    assert "outbid" in row["status_msg"]
    assert renter.show(on_demand)["actual_status"] == "running"
    billed = {one["id"]: one["billed_usd"] for one in renter.rented()}
    renter.world.advance(3600.0)
    more_usd = {one["id"]: one["billed_usd"] for one in renter.rented()}[number]
    assert more_usd - billed[number] == pytest.approx(row["storage_total_cost"])
    assert renter.show(number)["actual_status"] == "stopped"


def key_revoked(renter: Renter) -> None:
    """The key works three times, then the market calls it unknown."""
    assert [renter.me().status_code for _ in range(3)] == [200] * 3
    reply = renter.rent()
    assert reply.status_code == 404
    assert "Invalid user key" in reply.text
    assert not renter.rented()


def redirect_elsewhere(renter: Renter) -> None:
    """The answer lies on a host of another name, and nothing is rented."""
    reply = renter.rent()
    assert reply.status_code == 302
    target = httpx.URL(reply.headers["Location"])
    assert target.host not in ("", renter.client.base_url.host)
    assert target.host.endswith(".invalid")
    assert not renter.rented()


def torn_json(renter: Renter) -> None:
    """A machine is rented, half of the answer comes."""
    reply = renter.rent()
    assert reply.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        reply.json()
    assert len(renter.rented()) == 1


def slow_host(renter: Renter) -> None:
    """The machine of the first rental gives less CPU from then on, no other one does."""
    shares = []
    for _ in range(2):
        number = renter.rent().json()["new_contract"]
        with renter.world.looked_at():
            box = renter.world.rentals.contracts[number].box
            shares.append(box.cpu_share)
            renter.world.fleet.remove(box)
    assert shares == [0.25, 1.0]


CHECKS: dict[str, Callable[[Renter], None]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        too_frequent,
        too_frequent_retry_after,
        quota,
        bad_gateway,
        unavailable,
        gateway_timeout,
        html_page,
        slow_drip,
        reset_before,
        reset_after,
        error_after,
        duplicated_offers,
        nan,
        not_success,
        contract_with_error,
        two_buyers,
        no_kernel_image,
        driver_refuses,
        killed_for_memory,
        gpu_error,
        slow_host,
        stale_show,
        lagging_list,
        lingering_list,
        outbid,
        key_revoked,
        redirect_elsewhere,
        torn_json,
    )
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_does_what_it_says(renter: Renter, name: str) -> None:
    """Every named scenario does at the socket what its check says, and is counted."""
    strike(renter, name)
    CHECKS[name](renter)
    assert renter.world.faults.struck[name] > 0


def test_every_scenario_says_what_a_client_meets() -> None:
    """Each scenario has a line of its own, and its faults carry its name."""
    lines = [scenario.description for scenario in SCENARIOS.values()]
    assert len(set(lines)) == len(lines)
    for name, scenario in SCENARIOS.items():
        assert "\n" not in scenario.description
        assert {fault.name for fault in scenario.faults} == {name}


def test_without_faults_nothing_goes_wrong(renter: Renter) -> None:
    """The same market without a fault rents, shows, lists and releases."""
    number = renter.rent().json()["new_contract"]
    assert renter.show(number)["label"] == ORDER["label"]
    assert renter.listed() == [number]
    assert renter.client.delete(f"/api/v0/instances/{number}/").json()["success"] is True
    assert renter.show(number) is None
    assert not renter.world.faults.struck


def test_a_fault_strikes_its_operations_alone(renter: Renter) -> None:
    """A fault of searches leaves all other requests as they are."""
    renter.world.set_faults(Fault("s", "json", ("search",)))
    assert renter.search().status_code == 503
    assert renter.me().status_code == 200
    assert renter.rent().status_code == 200


def test_a_reset_release_has_ended_the_rental(renter: Renter) -> None:
    """A release whose answer is lost has taken effect."""
    number = renter.rent().json()["new_contract"]
    strike(renter, "reset-after")
    with pytest.raises(httpx.TransportError):
        renter.client.delete(f"/api/v0/instances/{number}/")
    assert [row["destroyed"] for row in renter.rented()] == [True]


def hits(count: int, *faults: Fault) -> list[str | None]:
    book = FaultBook(faults)
    return [fault.name if (fault := book.strike("rent")) else None for _ in range(count)]


@given(skip=st.integers(0, 5), times=st.integers(1, 5), every=st.integers(1, 4))
def test_when_a_fault_strikes(skip: int, times: int, every: int) -> None:
    """Of the requests after the first ones each so many-th, at most so many times."""
    struck = hits(40, Fault("f", "reset", skip=skip, times=times, every=every))
    expected = [skip + every * number for number in range(1, times + 1)]
    assert [number for number, hit in enumerate(struck, 1) if hit] == expected


def test_chance_repeats_for_one_seed() -> None:
    """A fault by chance strikes about so often, and the same requests each time."""
    struck = hits(2000, Fault("f", "reset", chance=0.3, seed=4))
    assert struck == hits(2000, Fault("f", "reset", chance=0.3, seed=4))
    assert struck != hits(2000, Fault("f", "reset", chance=0.3, seed=5))
    assert struck.count("f") == pytest.approx(600, abs=80)


def test_of_two_faults_the_first_strikes() -> None:
    """One request meets one fault; the second waits until the first is spent."""
    first, second = Fault("a", "reset", times=1), Fault("b", "torn", times=1)
    assert hits(3, first, second) == ["a", "b", None]


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({"effect": "explode"}, "explode"),
        ({"operations": ("dance",)}, "dance"),
        ({"skip": -1}, "skip"),
        ({"times": 0}, "times"),
        ({"every": 0}, "every"),
        ({"chance": 1.5}, "chance"),
        ({"status": 99}, "status"),
    ],
)
def test_what_is_no_fault_is_refused(details: dict[str, Any], words: str) -> None:
    """A fault that cannot be is refused with the field's name."""
    with pytest.raises(UsageError, match=words):
        Fault(**{"name": "f", "effect": "reset", **details})


def test_faults_are_read_from_a_file(tmp_path: Path) -> None:
    """A file names scenarios and describes faults of its own."""
    path = tmp_path / "faults.toml"
    path.write_text(
        'names = ["quota"]\n[[fault]]\nname = "mine"\neffect = "drip"\n'
        'operations = ["rent", "list"]\nseconds = 2\ntimes = 3\nafter = true\n'
    )
    quota_fault, mine = load_faults(path)
    assert quota_fault == SCENARIOS["quota"].faults[0]
    assert mine == Fault("mine", "drip", ("rent", "list"), seconds=2, times=3, after=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("names = [", "cannot read"),
        ('names = ["no-such"]', "no-such"),
        ("nmaes = []", "nmaes"),
        ("[[fault]]\nname = 'x'", "effect"),
        ("[[fault]]\neffect = 'reset'\ntimes = 'often'", "times"),
        ("[[fault]]\neffect = 'reset'\ntimes = true", "times"),
        ("[[fault]]\neffect = 'reset'\nhow = 1", "how"),
        ("[[fault]]\neffect = 'reset'\noperations = ['dance']", "dance"),
        ("fault = [1]", "table"),
        ("names = 'quota'", "list"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, words: str) -> None:
    """A file that says something else is refused in one line that names it."""
    path = tmp_path / "faults.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words) as caught:
        load_faults(path)
    assert str(path) in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is a wrong use of the command."""
    with pytest.raises(UsageError, match=r"none\.toml"):
        load_faults(tmp_path / "none.toml")


def test_no_scenario_is_of_an_unknown_kind() -> None:
    """Every effect is met in some scenario, so that each is tested above."""
    faults = [fault for scenario in SCENARIOS.values() for fault in scenario.faults]
    assert {fault.effect for fault in faults} == set(EFFECTS)
    assert {one for fault in faults for one in fault.operations} <= set(OPERATIONS)
