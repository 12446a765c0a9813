"""Whatever body and status come back: a named error, or a result that the body has.

Never a traceback, and never "none" or "done" that nobody said. What a body may mean is
said here again, apart from the code that reads it.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError, PlacementError, RentalStateUnknownError
from advisor.market.lifecycle import Order
from advisor.market.types import Query
from advisor.market.vast.client import VastMarket
from advisor.market.vast.key import Key

pytestmark = pytest.mark.slow

KEY = "k-secret-123"
ORDER = Order(101, "pytorch/pytorch", 40.0, "advisor:job:token")
STATUSES = [200, 201, 204, 301, 400, 401, 403, 404, 408, 410, 418, 429, 500, 503]

RECORD = {
    "id": 9001,
    "label": "advisor:job:token",
    "actual_status": "running",
    "ssh_host": "ssh4.example",
    "ssh_port": 19001,
    "public_ipaddr": "192.0.2.7",
    "ports": {"22/tcp": [{"HostIp": "0.0.0.0", "HostPort": "41022"}]},  # noqa: S104
    "dph_total": 0.67,
    "num_gpus": 2,
}
VALID: dict[str, Any] = {
    "rented": {"success": True, "new_contract": 9001},
    "refused": {"success": False, "error": "no_such_ask", "msg": "gone"},
    "no key": {"success": False, "error": "auth_error", "msg": "Invalid user key"},
    "instance": {"instances": RECORD},
    "gone": {"instances": None},
    "no such": {"success": False, "error": "no_such_instance"},
    "list": {"success": True, "instances": [RECORD], "next_token": None},
    "empty": {"success": True, "instances": [], "next_token": None},
    "done": {"success": True},
    "queued": {"success": True, "msg": "state change queued"},
    "account": {"id": 12345, "credit": 25.5},
    "offers": {"offers": [{"id": 101, "dph_total": 0.5}]},
}
WORDS = sorted(
    {"no_such_ask", "no_such_instance", "insufficient_credit", "user key", KEY}
    | {"search_quota_exceeded", "state change queued", "running", "", "9001"}
)
KEYS = sorted(
    {key for document in VALID.values() for key in document}
    | {"total_instances", "result_url", *RECORD}
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-2, 2**70)
    | st.sampled_from([101, 9001])
    | st.floats()
    | st.sampled_from(WORDS)
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """Return a body of the documentation with a few places changed or taken out."""
    document = copy.deepcopy(draw(st.sampled_from(list(VALID.values()))))
    for _ in range(draw(st.integers(0, 3))):
        place: Any = document
        while isinstance(place, dict | list) and place:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                if draw(st.booleans()):
                    place[key] = draw(VALUES)
                else:
                    del place[key]
                break
            place = place[key]
    if isinstance(document, dict) and draw(st.booleans()):
        document[draw(st.sampled_from(KEYS))] = draw(VALUES)
    return document


BODIES = st.one_of(
    mutated().map(lambda document: json.dumps(document).encode()),
    VALUES.map(lambda document: json.dumps(document).encode()),
    st.tuples(mutated(), st.integers(0, 60)).map(
        lambda cut: json.dumps(cut[0]).encode()[: cut[1]]
    ),
    st.binary(max_size=40),
)


def parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def words(document: Any) -> str:
    """Return the words of an error, apart from the code that looks at them."""
    found = [document.get(name) for name in ("error", "msg", "message")]
    return " ".join(word for word in found if isinstance(word, str)).lower()


def is_gone(status: int, document: Any) -> bool:
    return (
        status in (200, 400, 404, 410)
        and isinstance(document, dict)
        and document.get("success") is not True
        and "no_such_instance" in words(document)
    )


def fair_rent(result: Any, status: int, document: Any) -> bool:
    return document["success"] is True and document["new_contract"] == result > 0


def fair_instance(result: Any, status: int, document: Any) -> bool:
    if result is not None:
        return document["instances"]["id"] == result.instance_id == 9001
    untold = status == 200 and isinstance(document, dict) and "instances" in document
    return is_gone(status, document) or (untold and document["instances"] is None)


def fair_list(result: Any, status: int, document: Any) -> bool:
    ids = {record["id"] for record in document["instances"]}
    return status == 200 and {one.instance_id for one in result} == ids


def fair_change(result: Any, status: int, document: Any) -> bool:
    queued = "state change queued" in words(document)
    return status == 200 and (queued or document["success"] is True)


def fair_release(result: Any, status: int, document: Any) -> bool:
    return is_gone(status, document) or fair_change(result, status, document)


def fair_account(result: Any, status: int, document: Any) -> bool:
    return status == 200 and str(document["id"]) == result.account_id


def fair_search(result: Any, status: int, document: Any) -> bool:
    same = json.dumps(list(result.records)) == json.dumps(document["offers"])
    return status == 200 and (same or len(document["offers"]) > len(result.records))


Call = Callable[[VastMarket], Any]
Fair = Callable[[Any, int, Any], bool]

CALLS: dict[str, tuple[Call, Fair]] = {
    "search": (lambda market: market.search(Query()), fair_search),
    "one offer": (lambda market: market.search(Query(offer_id=101)), fair_search),
    "account": (lambda market: market.account(), fair_account),
    "rent": (lambda market: market.rent(ORDER), fair_rent),
    "instance": (lambda market: market.instance(9001), fair_instance),
    "instances": (lambda market: market.instances(), fair_list),
    "release": (lambda market: market.release(9001), fair_release),
    "start": (lambda market: market.start(9001), fair_change),
    "stop": (lambda market: market.stop(9001), fair_change),
    "relabel": (lambda market: market.relabel(9001, "a"), fair_change),
    "bid": (lambda market: market.change_bid(9001, 0.3), fair_change),
    "key": (lambda market: market.attach_ssh_key(9001, "ssh-x"), fair_change),
}


def outcome_of(call: Call, status: int, body: bytes) -> tuple[Any, AdvisorError | None]:
    """Return what a call returns where the market always says the same, or its error."""
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    market = VastMarket(
        Key(KEY, "VAST_API_KEY"),
        transport=httpx.MockTransport(lambda _: httpx.Response(status, content=body)),
        clock=Clock(monotonic=lambda: passed[0], sleep=sleep),
    )
    try:
        return call(market), None
    except AdvisorError as error:
        return None, error


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=75, deadline=None)  # of each of twelve calls
@given(status=st.sampled_from(STATUSES), body=BODIES)
def test_any_answer_is_an_error_or_what_it_says(
    name: str, status: int, body: bytes
) -> None:
    """One line without the key, or a result that can be read off the body by hand."""
    call, fair = CALLS[name]
    result, error = outcome_of(call, status, body)
    if error is None:
        assert fair(result, status, parsed(body))
    else:
        assert 10 < len(str(error)) < 500
        assert str(error).isprintable()
        assert KEY not in str(error)


@settings(max_examples=200, deadline=None)
@given(status=st.sampled_from(STATUSES), body=BODIES)
def test_no_contract_is_ever_lost(status: int, body: bytes) -> None:
    """An answer that names a contract is a rental, a failed one, or an open question."""
    document = parsed(body)
    named = document.get("new_contract") if isinstance(document, dict) else None
    result, error = outcome_of(lambda market: market.rent(ORDER), status, body)
    if isinstance(error, PlacementError):
        assert error.instance_id == named
    elif error is None:
        assert result == named
    elif not isinstance(error, RentalStateUnknownError):
        assert named is None
        assert status < 500
