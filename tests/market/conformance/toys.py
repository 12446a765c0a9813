"""A market that keeps every rule, and many that each break one; see `test_toys.py`.

It is what an author would write: a key, a small API over HTTP, rentals.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.base.errors import (
    BadAnswerError,
    KeyRefusedError,
    MarketError,
    OfferGoneError,
    RentalStateUnknownError,
)
from advisor.market.conformance import RentalConformance, impatient_clock
from advisor.market.http import open_client, send_once, send_repeatable
from advisor.market.lifecycle import Account, Endpoint, Instance, Order, SelfRelease
from advisor.market.rate_limit import CallLimiter, RateLimiter, RateRules
from advisor.market.reply import Reply, busy_error
from advisor.market.types import Answer, MarketContext, Query, Watcher

URL = "https://toy.example"
VARIABLE = "TOY_KEY"
RULES = RateRules({"read": 0.1, "act": 0.1}, at_once=frozenset({"read"}))


class Shop:
    """The provider: what its API answers."""

    def __init__(self) -> None:
        self.rented: dict[int, dict[str, Any]] = {}
        self.numbers = itertools.count(900)
        self.offers = [
            {
                "id": 7 + at,
                "gpu_name": name,
                "num_gpus": 1 + at,
                "gpu_ram": 24576,
                "cpu_ram": 65536,
                "dph_total": 0.3 + at,
                "reliability": 0.9,
                "duration": 1e6,
                "verification": "verified",
                "disk_space": 500.0,
            }
            for at, name in enumerate(("RTX 4090", "L4", "RTX 3090"))
        ]

    def answer(self, request: httpx.Request) -> httpx.Response:
        kind, _, number = request.url.path[1:].partition("/")
        if request.headers.get("Authorization") != "Bearer toy-secret":
            return httpx.Response(401, json={"error": "no such key"})
        if kind in ("offers", "me"):
            found: Any = {"offers": self.offers} if kind == "offers" else {"id": "ann"}
            return httpx.Response(200, json=found)
        return self.rentals(request, number)

    def rentals(self, request: httpx.Request, number: str) -> httpx.Response:
        if request.method == "POST":
            order = json.loads(request.content)
            if order["offer"] not in [offer["id"] for offer in self.offers]:
                return httpx.Response(404, json={"error": "gone"})
            order["id"] = next(self.numbers)
            self.rented[order["id"]] = order
            return httpx.Response(201, json={"rental": order})
        if not number:
            return httpx.Response(200, json={"rentals": list(self.rented.values())})
        known = self.rented.get(int(number))
        if request.method == "DELETE":
            self.rented.pop(int(number), None)
        if known is None:
            return httpx.Response(404, json={"error": "no such rental"})
        return httpx.Response(200, json={"rental": known})


@dataclass
class Toy:
    """The market; `url` is where it is asked."""

    context: MarketContext = field(repr=False)
    url: str = URL
    name = "toy"

    def __post_init__(self) -> None:
        self._limiter = RateLimiter(RULES, self.context.clock)

    @staticmethod
    def has_key(context: MarketContext) -> bool:
        return VARIABLE in context.variables

    @staticmethod
    def secrets(context: MarketContext) -> Sequence[str]:
        return [context.variables[VARIABLE]] if VARIABLE in context.variables else []

    @property
    def key_origin(self) -> str | None:
        return VARIABLE if self.has_key(self.context) else None

    @property
    def key_places(self) -> str:
        return VARIABLE

    @property
    def origin(self) -> str:
        return "toy.example"

    @property
    def address(self) -> str:
        return "toy.example"

    @property
    def ahead_s(self) -> float | None:
        return None

    def records(self) -> list[dict[str, Any]]:
        return list(self.read("GET", "/offers", "offers"))

    def search(self, query: Query) -> Answer:
        now = self.context.clock.now()
        return Answer(self.records(), "toy", self.origin, now, complete=True)

    def search_watched(self, query: Query, watcher: Watcher) -> Answer:
        answer = self.search(query)
        watcher.comes(1, replace(answer, complete=False))
        return answer

    def account(self) -> Account:
        return Account(self.read("GET", "/me", "id"), None)

    def self_release(self, instance_id_variable: str) -> SelfRelease:
        return SelfRelease("DELETE", f"{URL}/rentals/{instance_id_variable}", "", "TOY")

    def rent(self, order: Order) -> int:
        body = {"offer": order.offer_id, "label": order.label}
        reply = self.once("POST", "/rentals", body)
        if reply.status == 404:
            raise OfferGoneError(f"offer {order.offer_id} is gone")
        if reply.status not in (401, 429) and reply.status != 201:
            raise RentalStateUnknownError("nobody can say whether it was rented")
        try:
            return int(self.document(reply)["rental"]["id"])
        except (BadAnswerError, LookupError) as error:
            raise RentalStateUnknownError("the answer makes no sense") from error

    def instance(self, instance_id: int) -> Instance | None:
        reply = self.again("GET", f"/rentals/{instance_id}")
        if reply.status == 404:
            return None
        return self.instance_of(self.part(reply, "rental"))

    def instances(self, label_prefix: str = "") -> Sequence[Instance]:
        found = map(self.instance_of, self.read("GET", "/rentals", "rentals"))
        return [one for one in found if one.label.startswith(label_prefix)]

    def release(self, instance_id: int) -> None:
        reply = self.again("DELETE", f"/rentals/{instance_id}")
        if reply.status != 404:
            self.document(reply)

    def instance_of(self, rental: dict[str, Any]) -> Instance:
        return Instance(
            *(rental["id"], rental["label"], "running", "running", "", 1, 1, "L4", 1),
            *(0.3, 0.0, False, None, (Endpoint("ssh.toy.example", 22),)),
        )

    def read(self, method: str, path: str, name: str) -> Any:
        return self.part(self.again(method, path), name)

    def again(self, method: str, path: str) -> Reply:
        with self.client() as client:
            return self.repeatable(client, client.build_request(method, path))

    def repeatable(self, client: httpx.Client, request: httpx.Request) -> Reply:
        clock, limiter = self.context.clock, CallLimiter(self._limiter, "read")
        return send_repeatable(client, request, clock.monotonic() + 60, clock, limiter)

    def once(self, method: str, path: str, body: Any) -> Reply:
        clock, limiter = self.context.clock, CallLimiter(self._limiter, "act")
        with self.client() as client:
            request = client.build_request(method, path, json=body)
            return send_once(client, request, clock.monotonic() + 60, clock, limiter)

    def client(self) -> httpx.Client:
        key = self.context.variables.get(VARIABLE)
        return open_client(self.url, key, 10.0, self.context.transport)

    def part(self, reply: Reply, name: str) -> Any:
        found = self.document(reply).get(name)
        if found is None:
            raise BadAnswerError(f"the answer has no {name}")
        return found

    def document(self, reply: Reply) -> dict[str, Any]:
        if reply.status == 401:
            raise KeyRefusedError(f"the market refuses the key from {self.key_origin}")
        if reply.status == 429:
            raise busy_error(reply)
        if reply.status >= 300:
            raise MarketError(f"the market answers with HTTP {reply.status}")
        document = reply.json()
        if not isinstance(document, dict):
            raise BadAnswerError("the answer is no JSON object")
        return document


class Suite(RentalConformance):
    """The suite for a toy; not run by itself."""

    __test__ = False
    toy: Any = Toy

    @pytest.fixture
    def plugin(self) -> Any:
        return self.toy

    @pytest.fixture
    def context(self, tmp_path: Path) -> MarketContext:
        transport = httpx.MockTransport(Shop().answer)
        variables = {VARIABLE: "toy-secret"}
        return MarketContext(variables, tmp_path, transport, impatient_clock())


class TestRight(Suite):
    """The market that keeps every rule."""

    __test__ = True


class Breach:
    """One way to break a rule: the test that finds it, and words of what it says."""

    def __init__(self, test: str, words: str, **changed: Any) -> None:
        self.test, self.words = test, words
        self.toy: Any = type("Broken", (Toy,), changed)


def offers(change: Callable[[list[dict[str, Any]]], Any]) -> dict[str, Any]:
    """Return what makes other records of the right ones."""

    def records(self: Toy) -> Any:
        found = Toy.records(self)
        return change(found) or found

    return {"records": records}


def offer(**fields: Any) -> dict[str, Any]:
    """Return what changes the second offer; a field that is None is left out."""

    def change(found: list[dict[str, Any]]) -> None:
        found[1].update(fields)
        for name, value in fields.items():
            if value is None:
                del found[1][name]

    return offers(change)


def answer(**fields: Any) -> dict[str, Any]:
    """Return what changes the answer of a search."""

    def search(self: Toy, query: Query) -> Answer:
        return replace(Toy.search(self, query), **fields)

    return {"search": search}


def narrower(asked: str, stored: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Return what leaves offers out where something is asked."""

    def search(self: Toy, query: Query) -> Answer:
        found = Toy.search(self, query)
        if getattr(query, asked) in (None, ()):
            return found
        return replace(found, records=[one for one in found.records if stored(one)])

    return {"search": search}


def silent(result: Any) -> Callable[..., Any]:
    """Return a method that returns something where the right one raises."""

    def method(self: Toy, *arguments: Any, name: str = "") -> Any:
        return result

    return method


def or_else(name: str, result: Any) -> dict[str, Any]:
    """Return a method that swallows every error of the market."""

    def method(self: Toy, *arguments: Any) -> Any:
        try:
            return getattr(Toy, name)(self, *arguments)
        except (MarketError, RentalStateUnknownError):
            return result

    return {name: method}


def eager(self: Toy) -> None:
    Toy.__post_init__(self)
    Toy.records(self)


def numbered(self: Toy) -> Any:
    return [one | {"id": id(self) + one["id"]} for one in Toy.records(self)]


def emptied(self: Toy, query: Query) -> Answer:
    found = Toy.search(self, query)
    stored = self.__dict__.setdefault("stored", found)
    if query != Query():
        stored.records[0]["dph_total"] = 0.01
    return stored


@property  # type: ignore[misc]
def nowhere(self: Toy) -> str:
    raise AttributeError


def anywhere(self: Toy, query: Query) -> Answer:
    return Answer(self.records(), "toy", "here", self.context.clock.now(), True)


def demanding(self: Toy) -> None:
    Toy.__post_init__(self)
    self.context.variables[VARIABLE]


def strict(self: Toy, instance_id: int) -> Instance:
    found = Toy.instance(self, instance_id)
    if found is None:
        raise MarketError(f"there is no instance {instance_id}")
    return found


def offline(self: Toy, query: Query) -> Answer:
    records = [dict(one) for one in Shop().offers]
    return Answer(records, "toy", "here", self.context.clock.now(), True)


def forgetful(self: Toy, query: Query, watcher: Watcher) -> Answer:
    found = Toy.search(self, query)
    watcher.comes(1, found)
    return replace(found, records=found.records[1:])


def talkative(self: Toy, query: Query) -> Answer:
    try:
        return Toy.search(self, query)
    except MarketError as error:
        raise type(error)(f"{error} (toy-secret)") from error


def raw(self: Toy, query: Query) -> Answer:
    with self.client() as client:
        found = client.get("/offers").json()["offers"]
    return Answer(found, "toy", self.origin, self.context.clock.now(), True)


def in_the_address(self: Toy, query: Query) -> Answer:
    with self.client() as client:
        request = client.build_request("GET", "/offers", params={"key": "toy-secret"})
        reply = self.repeatable(client, request)
    records = self.part(reply, "offers")
    return Answer(records, "toy", self.origin, self.context.clock.now(), True)


def led_on(self: Toy, query: Query) -> Answer:
    key = {"X-Api-Key": "toy-secret"}
    transport = self.context.transport
    with httpx.Client(transport=transport, follow_redirects=True, headers=key) as client:
        try:
            client.get(f"{URL}/offers")
        except httpx.HTTPError as error:
            raise MarketError("the market cannot be asked") from error
    raise MarketError("it answered")


def followed(self: Toy, order: Order) -> int:
    transport = self.context.transport
    with httpx.Client(transport=transport, follow_redirects=True) as client:
        try:
            client.post(f"{URL}/rentals", json={"offer": order.offer_id})
        except httpx.HTTPError as error:
            raise RentalStateUnknownError("nobody can say") from error
    raise RentalStateUnknownError("nobody can say")


def insistent(self: Toy, order: Order) -> int:
    for _ in range(2):
        try:
            return Toy.rent(self, order)
        except RentalStateUnknownError as error:
            last = error
    raise last


def surely(self: Toy, order: Order) -> int:
    try:
        return Toy.rent(self, order)
    except RentalStateUnknownError as error:
        raise MarketError("nothing was rented") from error


def unlabeled(self: Toy, order: Order) -> int:
    return Toy.rent(self, replace(order, label="advisor"))


def everyone(self: Toy, label_prefix: str = "") -> Sequence[Instance]:
    return Toy.instances(self)


def immortal(self: Toy, instance_id: int) -> None:
    self.instance(instance_id)


def once_only(self: Toy, instance_id: int) -> None:
    if self.instance(instance_id) is None:
        raise MarketError("there is no such instance")
    Toy.release(self, instance_id)


def any_offer(self: Toy, order: Order) -> int:
    return Toy.rent(self, replace(order, offer_id=7))


def unsure(self: Toy) -> Account:
    return Account(
        f"ann-{id(object())}-{self.__dict__.setdefault('n', []).append(1)}"
        f"{len(self.__dict__['n'])}",
        None,
    )


LISTS = "test_a_query_leaves_out_no_offer_that_matches"
FAILS = "test_a_search_that_fails_is_an_error"
RENTS = "test_a_rental_that_fails_is_sent_once"
READS = "test_what_cannot_be_read_is_an_error"
FOUND = "test_what_is_rented_is_found_and_ends"

BREACHES = {
    "NoSearch": Breach(
        "test_a_plug_in_opens_a_market", "no name and search", search=None
    ),
    "TwoLines": Breach("test_a_plug_in_opens_a_market", "one line", name="a\nb"),
    "Demanding": Breach(
        "test_in_an_empty_world_it_opens_or_says_why_not",
        "raises KeyError",
        __post_init__=demanding,
    ),
    "Strict": Breach(
        "test_an_instance_that_is_not_there_is_none",
        "there is no instance",
        instance=strict,
    ),
    "Eager": Breach("test_opening_asks_nothing", "sends requests", __post_init__=eager),
    "Untyped": Breach(
        "test_the_answer_is_whole", "no advisor.market.types.Answer", search=silent([])
    ),
    "Nowhere": Breach("test_the_answer_is_whole", "Answer.origin", **answer(origin="")),
    "LocalTime": Breach(
        "test_the_answer_is_whole", "datetime", **answer(fetched_at="yesterday")
    ),
    "Perhaps": Breach(
        "test_the_answer_is_whole", "Answer.complete", **answer(complete="yes")
    ),
    "OneNote": Breach("test_the_answer_is_whole", "no tuple", **answer(notes="slow")),
    "OtherBodies": Breach(
        "test_the_answer_is_whole", "other offers", **answer(bodies=(b'{"offers":[]}',))
    ),
    "NoOffers": Breach("test_the_records_are_offers", "no offers", **answer(records=[])),
    "WordyId": Breach("test_the_records_are_offers", "'a-1'", **offer(id="a-1")),
    "SameId": Breach("test_the_records_are_offers", "of two offers", **offer(id=7)),
    "NoGpu": Breach("test_the_records_are_offers", "gpu_name", **offer(gpu_name=None)),
    "NoPrice": Breach(
        "test_every_offer_can_be_ranked", "no price", **offer(dph_total=None)
    ),
    "Cents": Breach(
        "test_every_offer_can_be_ranked", "dollars per hour", **offer(dph_total=3e4)
    ),
    "NoCount": Breach(
        "test_every_offer_can_be_ranked", "num_gpus", **offer(num_gpus=None)
    ),
    "Contradiction": Breach(
        "test_every_offer_can_be_ranked", "includes", **offer(dph_base=9.0)
    ),
    "Gigabytes": Breach(
        "test_figures_are_numbers_in_our_units", "24 GiB are 24576", **offer(gpu_ram=24)
    ),
    "Text": Breach(
        "test_figures_are_numbers_in_our_units", "a number", **offer(cpu_ram="64 GB")
    ),
    "NotANumber": Breach(
        "test_figures_are_numbers_in_our_units", "from 0 up", **offer(dlperf=math.nan)
    ),
    "Megahertz": Breach(
        "test_figures_are_numbers_in_our_units", "give GHz", **offer(cpu_ghz=3000.0)
    ),
    "Percent": Breach(
        "test_figures_are_numbers_in_our_units", "part of 1", **offer(reliability=99.0)
    ),
    "Checked": Breach(
        "test_figures_are_numbers_in_our_units", "unverified", **offer(verification="ok")
    ),
    "OtherSpelling": Breach(
        f"{LISTS}[gpu_names]",
        "must not leave out",
        **narrower("gpu_names", lambda _: False),
    ),
    "BelowPrice": Breach(
        f"{LISTS}[max_usd_per_hour]",
        "leaves out 1 offers that match: 7",
        **narrower("max_usd_per_hour", lambda one: one["id"] != 7),
    ),
    "Literal": Breach(
        f"{LISTS}[conditions]", "leaves out", **narrower("conditions", lambda _: False)
    ),
    "NoLookUp": Breach(
        "test_an_offer_is_found_by_its_id",
        "leaves out",
        **narrower("offer_id", lambda _: False),
    ),
    "NewIds": Breach("test_an_offer_keeps_its_id", "other ones", records=numbered),
    "Objects": Breach(
        "test_an_answer_can_be_saved", "no plain JSON", **offer(seen=datetime.now(UTC))
    ),
    "Shared": Breach(
        "test_no_offer_is_changed_by_another_search", "changes the first", search=emptied
    ),
    "Homeless": Breach(
        "test_a_market_on_a_network_says_where_it_asks",
        "no origin",
        origin=nowhere,
        search=anywhere,
    ),
    "Elsewhere": Breach(
        "test_a_market_on_a_network_says_where_it_asks", "sends nothing", search=offline
    ),
    "NoTime": Breach(
        "test_a_market_on_a_network_says_where_it_asks",
        "fetched_at is None",
        **answer(fetched_at=None),
    ),
    "KeptOther": Breach(
        "test_an_answer_can_be_kept",
        "not the same",
        **answer(bodies=(b'{"offers":[{"id":7},{"id":8},{"id":9}]}',)),
    ),
    "Forgetful": Breach(
        "test_a_watched_search_finds_the_same", "other offers", search_watched=forgetful
    ),
    "SecretKey": Breach(
        "test_a_plug_in_knows_its_key", "see KeyedPlugin", secrets=None, has_key=None
    ),
    "Closed": Breach(
        "test_a_plug_in_knows_its_key", "has no key", has_key=staticmethod(silent(False))
    ),
    "Found": Breach(
        "test_a_plug_in_knows_its_key",
        "in an empty world",
        secrets=staticmethod(lambda context: ["toy-secret"]),
    ),
    "Letters": Breach(
        "test_a_plug_in_knows_its_key",
        "a sequence of them",
        secrets=staticmethod(lambda context: context.variables.get(VARIABLE, "")),
    ),
    "Printed": Breach(
        "test_a_key_shows_nowhere",
        "the key shows in the market",
        __repr__=lambda self: f"Toy({self.context.variables})",
    ),
    "Silent": Breach(
        f"{FAILS}[HTTP 500]", "must raise MarketError", **or_else("search", None)
    ),
    "Raw": Breach(f"{FAILS}[refused connections]", "raises ConnectError", search=raw),
    "Talkative": Breach(
        f"{FAILS}[HTTP 401]", "the key shows in an error", search=talkative
    ),
    "InTheAddress": Breach(
        f"{FAILS}[HTTP 500]", "shows in an address", search=in_the_address
    ),
    "LedOn": Breach(
        f"{FAILS}[a redirect elsewhere]", "where a redirect leads", search=led_on
    ),
    "Followed": Breach(f"{RENTS}[a redirect]", "to another host", rent=followed),
    "Insistent": Breach(f"{RENTS}[HTTP 500]", "sent again", rent=insistent),
    "Surely": Breach(f"{RENTS}[HTTP 500]", "no RentalStateUnknownError", rent=surely),
    "Unlabeled": Breach(
        "test_a_rental_whose_answer_is_lost_is_found_by_its_label",
        "answer was lost is not in instances",
        rent=unlabeled,
    ),
    "Optimist": Breach(
        "test_a_rental_whose_answer_is_lost_is_found_by_its_label",
        "no RentalStateUnknownError",
        rent=surely,
    ),
    "NoneThere": Breach(
        f"{READS}[instance-HTTP 500]", "it returns None", **or_else("instance", None)
    ),
    "EmptyList": Breach(
        f"{READS}[instances-a web page]", "it returns []", **or_else("instances", [])
    ),
    "Released": Breach(
        f"{READS}[release-HTTP 500]", "it returns None", **or_else("release", None)
    ),
    "OtherLabel": Breach(FOUND, "do not show the rental", rent=unlabeled),
    "Everyone": Breach(FOUND, "begins otherwise", instances=everyone),
    "Immortal": Breach(FOUND, "a minute after its release", release=immortal),
    "OnceOnly": Breach(FOUND, "no such instance", release=once_only),
    "AnyOffer": Breach(
        "test_an_offer_that_is_gone_is_said", "must raise OfferGoneError", rent=any_offer
    ),
    "Unsure": Breach("test_an_account_has_a_name", "account_id", account=unsure),
    "Indebted": Breach(
        "test_an_account_has_a_name", "credit_usd", account=silent(Account("a", math.nan))
    ),
    "Timeless": Breach(
        "test_it_says_where_it_is_and_what_time_it_is_there", "ahead_s", ahead_s=math.inf
    ),
    "InClear": Breach(
        "test_an_instance_can_end_itself",
        "unencrypted",
        self_release=silent(SelfRelease("DELETE", "http://a/$CONTAINER_ID", "", "K")),
    ),
    "Anyone": Breach(
        "test_an_instance_can_end_itself",
        "names the instance nowhere",
        self_release=silent(SelfRelease("DELETE", "https://a/", "", "K")),
    ),
    "Lister": Breach("test_an_account_has_a_name", "it lacks rent", rent=None),
}
"""Name -> a way to break a rule."""

for _name, _breach in BREACHES.items():
    globals()[f"Test{_name}"] = type(
        f"Test{_name}", (Suite,), {"__test__": True, "toy": _breach.toy}
    )
