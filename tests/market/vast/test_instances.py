"""Instances: read one by one and as a list, changed, ended; odd shapes are errors."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from advisor.base.clock import Clock
from advisor.base.errors import (
    AdvisorError,
    BadAnswerError,
    KeyRefusedError,
    MarketError,
    RateLimitedError,
)
from advisor.market.lifecycle import Account, Endpoint
from advisor.market.registry import rentable
from advisor.market.vast.client import VastMarket
from advisor.market.vast.instances import read_instance
from advisor.market.vast.key import Key

Vast = Callable[..., VastMarket]
Documented = Callable[[str], httpx.Response]


def fixed(answer: httpx.Response) -> Callable[[httpx.Request], httpx.Response]:
    """Return a market that always says the same, afresh."""

    def say(request: httpx.Request) -> httpx.Response:
        return httpx.Response(answer.status_code, headers=answer.headers, content=content)

    content = answer.content
    return say


def said(status: int, document: Any) -> Callable[[httpx.Request], httpx.Response]:
    return fixed(httpx.Response(status, json=document))


def test_a_documented_instance_is_read(vast: Vast, documented: Documented) -> None:
    """Ids, status, prices and places come through; the machine is before the proxy."""
    found = vast(fixed(documented("instance"))).instance(9001)
    assert found is not None
    assert (found.instance_id, found.machine_id, found.host_id) == (9001, 7, 3)
    assert (found.status, found.intended_status) == ("running", "running")
    assert (found.gpu_name, found.num_gpus, found.is_bid) == ("RTX 4090", 2, False)
    assert found.usd_per_hour == 0.67
    assert found.storage_usd_per_hour == pytest.approx(0.18 * 40 / 720)
    assert found.started_unix_s == 1795262400.0
    assert found.ssh == (Endpoint("192.0.2.7", 41022), Endpoint("ssh4.example", 19001))


def test_the_whole_list_is_read(vast: Vast, documented: Documented) -> None:
    """An instance that was just made has no status, and no place but the proxy."""
    one, other = vast(fixed(documented("instances"))).instances()
    assert (one.label, other.label) == ("advisor:job:token", "")
    assert (other.status, other.message, other.is_bid) == (None, "", True)
    assert other.ssh == (Endpoint("ssh5.example", 19002),)


def test_labels_are_looked_at_here(vast: Vast, documented: Documented) -> None:
    """The list is asked for whole, and those with another label are left out."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(dict(request.url.params))
        return documented("instances")

    market = vast(answer)
    assert [i.instance_id for i in market.instances("advisor:")] == [9001]
    assert market.instances("mine:") == []
    assert asked[0] == {
        "select_filters": "{}",
        "order_by": '[{"col": "id", "dir": "asc"}]',
        "limit": "25",
    }


class Fleet:
    """An account with instances, listed 25 a page."""

    def __init__(self, count: int, first: int = 1) -> None:
        self.ids = list(range(first, first + count))
        self.asked: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a page after the id that the token names."""
        token = request.url.params.get("after_token")
        self.asked.append(token)
        after = int(token.removeprefix("after-")) if token else 0
        rest = [number for number in self.ids if number > after]
        page, more = rest[:25], len(rest) > 25
        return httpx.Response(
            200,
            json={
                "instances": [{"id": number, "label": "a"} for number in page],
                "next_token": f"after-{page[-1]}" if more else None,
                "total_instances": len(self.ids),
            },
        )


@pytest.mark.parametrize("count", [0, 1, 24, 25, 26, 50, 60])
def test_every_page_is_read(vast: Vast, count: int) -> None:
    """However many there are, each comes once, in as many pages as it takes."""
    fleet = Fleet(count)
    found = vast(fleet).instances()
    assert [instance.instance_id for instance in found] == fleet.ids
    assert len(fleet.asked) == max(1, -(-count // 25))


def test_an_instance_on_two_pages_is_one(vast: Vast) -> None:
    """While the list changes a row may come again: the newer one counts."""
    pages = [
        {"instances": [{"id": 1, "label": "a"}, {"id": 2}], "next_token": "t"},
        {"instances": [{"id": 2, "label": "b"}, {"id": 3}], "next_token": None},
    ]
    found = vast(lambda _: httpx.Response(200, json=pages.pop(0))).instances()
    assert [(i.instance_id, i.label) for i in found] == [(1, "a"), (2, "b"), (3, "")]


def pages_of(first: Callable[[int], list[int]]) -> Callable[..., httpx.Response]:
    """Return a market whose list has the ids `first(page)` and always goes on."""
    count = itertools.count()

    def answer(_: httpx.Request) -> httpx.Response:
        page = next(count)
        rows = [{"id": number, "label": ""} for number in first(page)]
        token = f"after-{page}"
        return httpx.Response(200, json={"instances": rows, "next_token": token})

    return answer


@pytest.mark.parametrize(
    ("first", "most_pages"),
    [
        (lambda _: [], 3),
        (lambda _: [1, 2, 3], 4),
        (lambda page: [page // 3 + 1], 121),
        (lambda page: list(range(25 * page + 1, 25 * page + 26)), 121),
        (lambda page: list(range(60_000 * page + 1, 60_000 * (page + 1))), 2),
    ],
    ids=["empty pages", "the same again", "one in three pages new", "ever more", "vast"],
)
def test_a_list_without_an_end_is_left(
    clock: Clock, first: Callable[[int], list[int]], most_pages: int
) -> None:
    """Soon where it brings nothing new, else when two minutes are over."""
    asked: list[httpx.Request] = []
    answer = pages_of(first)

    def counted(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return answer(request)

    key = Key("k", "VAST_API_KEY")
    market = VastMarket(key, transport=httpx.MockTransport(counted), clock=clock)
    with pytest.raises(MarketError) as caught:
        market.instances()
    assert str(caught.value).isprintable()
    assert len(asked) <= most_pages
    assert clock.monotonic() <= 120.0


ODD_LISTS: dict[str, tuple[int, Any]] = {
    "empty object": (200, {}),
    "null": (200, None),
    "a list": (200, []),
    "no list": (200, {"success": True, "next_token": None}),
    "list null": (200, {"instances": None, "next_token": None}),
    "list an object": (200, {"instances": {}, "next_token": None}),
    "one instance": (200, {"instances": {"id": 1}, "next_token": None}),
    "rows of numbers": (200, {"instances": [1], "next_token": None}),
    "a row of null": (200, {"instances": [{"id": 1}, None], "next_token": None}),
    "a row without an id": (200, {"instances": [{"label": "a"}], "next_token": None}),
    "an id of text": (200, {"instances": [{"id": "7"}], "next_token": None}),
    "an id of zero": (200, {"instances": [{"id": 0}], "next_token": None}),
    "a token of number": (200, {"instances": [], "next_token": 7}),
    "a token without an end": (200, {"instances": [], "next_token": "t" * 70_000}),
    "full without a token": (200, {"instances": [{"id": i + 1} for i in range(25)]}),
    "fewer than there are": (
        200,
        {"instances": [{"id": 1}], "next_token": None, "total_instances": 2},
    ),
    "always the same token": (200, {"instances": [], "next_token": "again"}),
    "another success": (201, {"instances": [], "next_token": None}),
    "no success": (200, {"success": None, "instances": [], "next_token": None}),
    "not there": (404, {"error": "not_found", "msg": "no such page"}),
    "no such instance": (404, {"error": "no_such_instance"}),
}


@pytest.mark.parametrize("name", ODD_LISTS)
def test_a_list_of_another_shape_is_never_none(vast: Vast, name: str) -> None:
    """A client that reads an odd answer as "no instances" rents again and again."""
    status, document = ODD_LISTS[name]
    with pytest.raises(MarketError) as caught:
        vast(said(status, document)).instances()
    assert str(caught.value).isprintable()


def test_the_retired_list_is_an_error(vast: Vast, documented: Documented) -> None:
    """The old address answers with an error that some read as an empty list."""
    with pytest.raises(MarketError, match="retired"):
        vast(fixed(documented("list-retired"))).instances()


def test_an_error_on_a_later_page_leaves_no_part(vast: Vast) -> None:
    """A part of the list is never returned."""
    fleet = Fleet(30)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(500) if fleet.asked else fleet(request)

    with pytest.raises(MarketError):
        vast(answer).instances()


def test_no_instances_is_an_answer(vast: Vast, documented: Documented) -> None:
    """An empty list of the documented shape is "none"."""
    assert vast(fixed(documented("no-instances"))).instances() == []


@pytest.mark.parametrize("name", ["instance-none", "no-such-instance"])
def test_an_instance_that_is_not_there_is_none(
    vast: Vast, documented: Documented, name: str
) -> None:
    """Both ways in which the market says "no such instance" mean it."""
    assert vast(fixed(documented(name))).instance(9001) is None


@pytest.mark.parametrize(
    ("status", "document", "error"),
    [
        (200, {}, BadAnswerError),
        (200, {"success": True}, BadAnswerError),
        (200, None, BadAnswerError),
        (200, [], BadAnswerError),
        (200, {"instances": []}, BadAnswerError),
        (200, {"instances": {}}, BadAnswerError),
        (200, {"instances": "null"}, BadAnswerError),
        (200, {"instances": {"id": 8}}, BadAnswerError),
        (200, {"instances": {"id": 9001}, "success": False}, MarketError),
        (404, {"success": False, "msg": "Invalid user key"}, KeyRefusedError),
        (404, {"msg": "no such page"}, MarketError),
        (500, {"error": "no_such_instance"}, MarketError),
        (200, {"instances": {"id": 8}, "error": "no_such_instance"}, BadAnswerError),
    ],
)
def test_an_odd_answer_is_not_a_missing_instance(
    vast: Vast, status: int, document: Any, error: type[AdvisorError]
) -> None:
    """What is neither the instance nor "no such" is an error: it may still bill."""
    with pytest.raises(MarketError) as caught:
        vast(said(status, document)).instance(9001)
    assert type(caught.value) is error


@pytest.mark.parametrize("name", ["destroyed", "no-such-instance"])
def test_a_release_that_is_done_or_was_is_done(
    vast: Vast, documented: Documented, name: str
) -> None:
    """An instance that is gone already needs no release."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.method, request.url.path, request.content))
        return documented(name)

    vast(answer).release(9001)
    assert asked == [("DELETE", "/api/v0/instances/9001/", b"{}")]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_release_is_tried_again(vast: Vast, status: int) -> None:
    """To end a rental twice does no harm, to leave it there does."""
    replies = [httpx.Response(status), httpx.Response(200, json={"success": True})]
    vast(lambda _: replies.pop(0)).release(9001)
    assert not replies


@pytest.mark.parametrize(
    ("status", "document"),
    [
        (200, {}),
        (200, {"success": "yes"}),
        (200, {"success": False, "msg": "try later"}),
        (200, None),
        (404, {"msg": "Invalid user key"}),
        (404, {"msg": "no such page"}),
        (500, {"error": "no_such_instance"}),
        (302, {"success": True}),
    ],
)
def test_a_release_is_not_believed_without_a_word(
    vast: Vast, status: int, document: Any
) -> None:
    """Only what says that it is gone means so."""
    with pytest.raises(MarketError):
        vast(said(status, document)).release(9001)


def test_a_redirect_does_not_turn_a_release_into_a_question(vast: Vast) -> None:
    """After a 302 a DELETE would become a GET, whose success is not a release."""
    seen = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.method)
        if request.url.path.endswith("/9001/"):
            return httpx.Response(302, headers={"Location": "/elsewhere"})
        return httpx.Response(200, json={"success": True})

    with pytest.raises(BadAnswerError, match="DELETE to a GET"):
        vast(answer).release(9001)
    assert seen == ["DELETE"]


def test_a_start_may_wait_for_a_place(vast: Vast, documented: Documented) -> None:
    """A start that is queued bills whenever it comes, so it is reported."""
    assert vast(fixed(documented("start-queued"))).start(9001) is True
    assert vast(fixed(documented("changed"))).start(9001) is False


def test_changes_go_out_in_the_markets_words(vast: Vast, documented: Documented) -> None:
    """Stop, start, label, bid and key: the documented addresses and bodies."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        asked.append((request.method, request.url.path.removeprefix("/api/v0"), body))
        return documented("changed")

    market = vast(answer)
    market.stop(5)
    market.start(5)
    market.relabel(5, "new")
    market.change_bid(5, 0.31)
    market.attach_ssh_key(5, "ssh-ed25519 AAAA me")
    assert asked == [
        ("PUT", "/instances/5/", {"state": "stopped"}),
        ("PUT", "/instances/5/", {"state": "running"}),
        ("PUT", "/instances/5/", {"label": "new"}),
        ("PUT", "/instances/bid_price/5/", {"client_id": "me", "price": 0.31}),
        ("POST", "/instances/5/ssh/", {"ssh_key": "ssh-ed25519 AAAA me"}),
    ]


def test_the_log_is_fetched_without_the_key(vast: Vast, documented: Documented) -> None:
    """The file lies with somebody else: it is polled, and the key stays here."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.method == "PUT":
            return documented("log")
        ready = len(asked) > 3
        return httpx.Response(200, text="epoch 1\n") if ready else httpx.Response(404)

    assert vast(answer).log(9001, tail=5) == "epoch 1\n"
    first, *polls = asked
    assert json.loads(first.content) == {"tail": "5"}
    assert str(polls[0].url) == "https://logs.example/9001.log?signature=x"
    assert not any("Authorization" in request.headers for request in polls)


@pytest.mark.parametrize(
    "address", ["http://logs.example/x", "file:///etc/passwd", "https://", "", 7, None]
)
def test_a_log_elsewhere_is_not_fetched(vast: Vast, address: Any) -> None:
    """Nothing is read from this machine, nor in clear from another one."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200, json={"success": True, "result_url": address})

    with pytest.raises(BadAnswerError):
        vast(answer).log(9001)
    assert len(asked) == 1


def test_a_log_that_is_not_there_is_an_error(vast: Vast, documented: Documented) -> None:
    """An empty log and none at all are two things."""

    def answer(request: httpx.Request) -> httpx.Response:
        return documented("log") if request.method == "PUT" else httpx.Response(404)

    with pytest.raises(MarketError, match="is not there yet"):
        vast(answer).log(9001)


def test_the_account_is_its_id_and_credit(vast: Vast, documented: Documented) -> None:
    """Nobody needs the e-mail address: it is not even read."""
    assert vast(fixed(documented("account"))).account() == Account("12345", 25.5)


@pytest.mark.parametrize("document", [{}, {"id": None}, {"id": "x"}, {"id": -1}, []])
def test_an_account_without_an_id_is_an_error(vast: Vast, document: Any) -> None:
    """Whose rentals these are must be sure."""
    with pytest.raises(BadAnswerError):
        vast(said(200, document)).account()


def test_credit_that_is_not_stated_is_unknown(vast: Vast) -> None:
    """No credit is not zero credit."""
    assert vast(said(200, {"id": 5, "credit": "soon"})).account().credit_usd is None


def test_an_instance_can_end_itself(vast: Vast, documented: Documented) -> None:
    """The request that its watchdog sends is the one that releases it."""
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return documented("destroyed")

    market = vast(answer)
    market.release(9001)
    own = market.self_release("9001")
    (request,) = asked
    assert (own.method, own.url) == (request.method, str(request.url))
    assert own.body.encode() == request.content
    assert own.key_variable == "CONTAINER_API_KEY"


def test_vast_keeps_the_protocol_of_a_market_that_rents(vast: Vast) -> None:
    """Whoever rents may take it."""
    market = vast(fixed(httpx.Response(200)))
    assert rentable(market) is market
    assert market.address == "console.vast.ai"


@pytest.mark.parametrize("call", ["account", "instances"])
def test_a_busy_market_is_asked_again_and_then_given_up(vast: Vast, call: str) -> None:
    """A read recovers from a 429, and ends in the named error if it stays."""
    calls = []

    def answer(request: httpx.Request) -> httpx.Response:
        calls.append(request)
        return httpx.Response(429, text="API requests too frequent")

    with pytest.raises(RateLimitedError):
        getattr(vast(answer), call)()
    assert len(calls) == 5


RECORD: dict[str, Any] = {
    "id": 5,
    "ssh_host": "ssh1.example",
    "ssh_port": 1000,
    "public_ipaddr": "192.0.2.9\n",
    "ports": {"22/tcp": [{"HostPort": "2200"}]},
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, [("192.0.2.9", 2200), ("ssh1.example", 1000)]),
        (
            {"image_runtype": "jupyter_direc ssh_direc ssh_proxy"},
            [("192.0.2.9", 2200), ("ssh1.example", 1001)],
        ),
        ({"ports": None}, [("ssh1.example", 1000)]),
        ({"ports": {"22/tcp": None}}, [("ssh1.example", 1000)]),
        ({"ports": {"22/tcp": []}}, [("ssh1.example", 1000)]),
        ({"ports": {"22/tcp": [{"HostPort": "ssh"}]}}, [("ssh1.example", 1000)]),
        ({"ports": {"22/tcp": [{"HostPort": "0"}]}}, [("ssh1.example", 1000)]),
        ({"ports": {"22/tcp": ["2200"]}}, [("ssh1.example", 1000)]),
        ({"public_ipaddr": None}, [("ssh1.example", 1000)]),
        ({"public_ipaddr": "-oProxyCommand=x"}, [("ssh1.example", 1000)]),
        (
            {"public_ipaddr": "2001:db8::1"},
            [("2001:db8::1", 2200), ("ssh1.example", 1000)],
        ),
        ({"ssh_host": "a b"}, [("192.0.2.9", 2200)]),
        ({"ssh_port": 65536}, [("192.0.2.9", 2200)]),
        ({"ssh_port": None, "ssh_host": None, "ports": None}, []),
    ],
)
def test_where_ssh_answers(change: dict[str, Any], expected: list[Any]) -> None:
    """The machine's own port first, then the proxy; what cannot be a place is none."""
    found = read_instance({**RECORD, **change}).ssh
    assert [(place.host, place.port) for place in found] == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        ("running", "running"),
        ("hibernating", "hibernating"),
        (7, "unknown"),
        ({}, "unknown"),
        ("", "unknown"),
    ],
)
def test_a_status_is_the_markets_word(value: Any, expected: str | None) -> None:
    """A word that nobody here knows is passed on; what is no word is unknown."""
    found = read_instance({**RECORD, "actual_status": value})
    assert found.status == expected


def test_figures_that_cannot_be_are_unknown() -> None:
    """No price, count or time is invented or negative."""
    odd = {
        "dph_total": "free",
        "storage_cost": -1,
        "disk_space": 10,
        "num_gpus": 1.5,
        "start_date": float("nan"),
        "machine_id": "m",
    }
    found = read_instance({**RECORD, **odd})
    assert (found.usd_per_hour, found.storage_usd_per_hour) == (None, None)
    assert (found.num_gpus, found.started_unix_s, found.machine_id) == (None, None, -1)


@pytest.mark.parametrize(
    "odd", [None, -1, 0, 0.0, math.inf, math.nan, True, "dear", "1_0", "", [0.3], {}]
)
def test_what_is_no_price_is_none(odd: Any) -> None:
    """A machine that bills nobody knows what is not taken for one that has a price."""
    assert read_instance({**RECORD, "dph_total": odd}).usd_per_hour is None
    assert read_instance({**RECORD, "dph_total": "0.3"}).usd_per_hour == 0.3


def test_a_disk_is_billed_by_the_hour_of_a_month() -> None:
    """$/GB and month, times GB, over the 720 hours of the market's month."""
    found = read_instance({**RECORD, "storage_cost": 0.36, "disk_space": 100})
    assert found.storage_usd_per_hour == pytest.approx(0.05)
    read = read_instance({**RECORD, "storage_total_cost": 0.07})
    assert read.storage_usd_per_hour == 0.07
    beyond = read_instance({**RECORD, "storage_cost": 1e200, "disk_space": 1e200})
    assert beyond.storage_usd_per_hour is None
