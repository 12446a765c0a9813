"""The official client accepts the simulated market, and sends what we send."""

from __future__ import annotations

from typing import Any

import pytest

ABSENT = "(not sent)"

UNUSED_OPTIONS = {
    f"body.{name}": "theirs sends every option of its command line, most of them null"
    for name in (
        *("extra", "image_login", "python_utf8", "lang_utf8", "use_jupyter_lab"),
        *("jupyter_dir", "force", "template_hash_id", "user"),
    )
}

WHY: dict[str, dict[str, str]] = {
    "search": {
        "body.verified": "theirs hides unverified machines; ours ranks them unless told",
        "body.rented": "ours says that a rented one is no use; theirs relies on rentable",
        "body.gpu_name": "ours may ask for several spellings of one GPU at once",
        "body.num_gpus": "likewise for several counts",
        "body.reliability": "ours includes the bound itself, and sends a number",
        "body.limit": "ours asks for all and pages on where the answer may be cut",
    },
    "account": {"path": "the documentation has the slash at the end"},
    "rent": {
        **UNUSED_OPTIONS,
        "body.price": "no price and null both mean on demand",
    },
    "rent by bid": UNUSED_OPTIONS,
}
"""Intention -> field that differs -> why. What is not here must be sent alike."""


def fields(sent: Any) -> dict[str, Any]:
    """Return the fields of a request by name."""
    found = {"method": sent.method, "path": sent.path}
    found |= {f"query.{name}": value for name, value in sent.params.items()}
    if isinstance(sent.body, dict):
        found |= {f"body.{name}": value for name, value in sent.body.items()}
    elif sent.body is not None:
        found["body"] = sent.body
    return found


INTENTIONS = (
    *("search", "rent", "rent by bid", "account", "instances", "instance", "log"),
    *("relabel", "bid", "stop", "start", "release", "release the other"),
    *("instance that is gone", "no instances"),
)


def meant(sent: list[Any]) -> Any:
    """Return the request for an intention: theirs first asks whose the key is."""
    asked = [one for one in sent if not one.path.startswith("/__log")]
    return asked[-1]


@pytest.mark.slow
@pytest.mark.parametrize("intention", INTENTIONS)
def test_our_request_is_theirs_but_for_what_is_listed(
    both: Any, intention: str, summary: Any
) -> None:
    """Field by field; what differs is exactly what the table above says, and why.

    Prices differ as the offers do: only that both send one is compared.
    """
    theirs = fields(meant(both.theirs.sent[intention]))
    ours = fields(meant(both.ours.sent[intention]))
    if isinstance(ours.get("body.price"), float):
        assert isinstance(theirs["body.price"], float)
        theirs["body.price"] = ours["body.price"]
    names = sorted({*theirs, *ours})
    differ = {
        name: (theirs.get(name, ABSENT), ours.get(name, ABSENT))
        for name in names
        if theirs.get(name, ABSENT) != ours.get(name, ABSENT)
    }
    why = WHY.get(intention, {})
    assert set(differ) == set(why)
    for name, (their_value, our_value) in differ.items():
        summary(
            "our requests beside those of the official client",
            f"{intention}: {name}",
            theirs=their_value,
            ours=our_value,
            why=why[name],
        )


def test_the_key_travels_in_a_header_and_not_to_the_log(both: Any) -> None:
    """Neither client puts it into an address; who keeps the log never sees it."""
    for flow, key in ((both.theirs, "official-client"), (both.ours, "of-ours")):
        for sent in flow.sent.values():
            for request in sent:
                assert key not in request.path + str(request.params)
                is_log = request.path.startswith("/__log")
                assert request.key.endswith(key) is not is_log


def test_the_official_search_gets_what_it_asks_for(both: Any) -> None:
    """In the units of the market: GB times 1,000, days in seconds, names with blanks."""
    found = both.theirs.got
    for offer in found["search"]:
        assert (offer["gpu_name"], offer["num_gpus"]) == ("RTX 4090", 1)
        assert offer["reliability"] > 0.9
        storage_usd = offer["storage_cost"] * 40 / 720
        assert offer["dph_total"] == pytest.approx(offer["dph_base"] + storage_usd)
    prices = [offer["dph_total"] for offer in found["search"]]
    assert prices == sorted(prices)
    for offer in found["search large"]:
        assert offer["num_gpus"] >= 2
        assert offer["gpu_ram"] >= 20_000
        assert offer["cpu_ram"] > 64_000
        assert offer["inet_down"] > 100
    for offer in found["search long"]:
        assert offer["duration"] > 2 * 86400
        assert offer["dph_total"] < 1.5
    for offer in found["search bid"]:
        assert offer["gpu_name"] in ("RTX 3090", "RTX 4090")
        assert offer["is_bid"] is True
    assert all(found[name] for name in ("search", "search large", "search long"))


def test_the_official_client_has_a_life_with_its_instances(both: Any) -> None:
    """Created, listed, running with an address, relabelled, and gone in the end."""
    found = both.theirs.got
    rented, bidding = found["rent"]["new_contract"], found["rent by bid"]["new_contract"]
    listed = {row["id"]: row for row in found["instances"]}
    assert set(listed) == {rented, bidding}
    assert listed[rented]["label"] == "peer:one"
    assert listed[rented]["extra_env"]["JOB"] == "1"
    assert (listed[rented]["is_bid"], listed[bidding]["is_bid"]) == (False, True)
    assert found["instance"]["actual_status"] == "running"
    assert found["ssh"].strip().startswith("ssh://root@")
    assert f"label for {rented} set to peer:new" in found["relabel"]
    assert "bid price changed" in found["bid"]
    assert "stopping instance" in found["stop"]
    assert "starting instance" in found["start"]
    assert found["log"].strip()
    assert found["account"]["credit"] < 100.0 + 1e-9
    assert found["instance that is gone"] == {"instances": None}
    assert found["no instances"] == []


def test_both_clients_read_the_same_market(both: Any) -> None:
    """What ours makes of an instance is what the official one shows and connects to."""
    theirs, ours = both.theirs.got, both.ours.got
    cheapest = ours["search"].records[0]
    assert cheapest["machine_id"] == theirs["search"][0]["machine_id"]
    assert cheapest["dph_total"] == theirs["search"][0]["dph_total"]
    mine = ours["instance"]
    assert (mine.status, mine.label) == ("running", "peer:one")
    assert mine.machine_id == theirs["instance"]["machine_id"]  # the cheapest, both times
    address = theirs["ssh"].strip().removeprefix("ssh://root@")
    host, _, port = address.rpartition(":")
    assert host == mine.ssh[0].host
    assert int(port) > 0
    assert ours["log"].strip()
    assert ours["instance that is gone"] is None
    assert ours["no instances"] == []


def test_nothing_is_left_billing(both: Any) -> None:
    """The market's own ledger: four rentals, all destroyed, all paid for."""
    instances = both.ledger["instances"]
    assert len(instances) == 4
    assert all(one["destroyed"] for one in instances)
    assert all(one["billed_usd"] > 0 for one in instances)
