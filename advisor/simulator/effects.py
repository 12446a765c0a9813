"""What a fault makes of an answer."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from advisor.simulator.calls import Answer, Call, answer, text
from advisor.simulator.faults import UNFIT, Fault
from advisor.simulator.world import World

_PAGE = "<!DOCTYPE html><html><body><h1>{}</h1></body></html>"


def instead(fault: Fault, call: Call) -> Answer:
    """Return what is answered to a request that a fault strikes before it is read."""
    return _spoilt(fault, call, None)


def afterwards(fault: Fault, call: Call, good: Answer, world: World) -> Answer:
    """Return what becomes of the answer to a request that took effect."""
    if fault.effect in _AGE:
        return _without_young(fault, call, good, world)
    if fault.effect == "linger":
        return _with_ended(fault, call, good, world)
    return _spoilt(fault, call, good)


def _spoilt(fault: Fault, call: Call, good: Answer | None) -> Answer:
    """Return the spoilt answer; `good` is the one that would have been sent."""
    whole = answer({}) if good is None else good
    spoil = _EFFECTS[fault.effect]
    spoilt = spoil(fault, whole)
    headers = dict(spoilt.headers)
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    if fault.effect == "redirect":
        headers["Location"] = fault.location + call.request.path
    return replace(spoilt, headers=headers)


def _error(fault: Fault, _: Answer) -> Answer:
    words = {"error": fault.error or "error", "msg": fault.message or fault.name}
    return answer({"success": False, **words}, fault.status)


def _contract_error(fault: Fault, good: Answer) -> Answer:
    """Return the contract of the answer together with an error."""
    if good.status != 200:
        return good
    contract = json.loads(good.body).get("new_contract")
    words = {"error": fault.error or "error", "msg": fault.message or fault.name}
    return answer({"success": False, **words, "new_contract": contract}, fault.status)


def _not_success(fault: Fault, _: Answer) -> Answer:
    return answer({"success": False, "msg": fault.message or fault.name})


def _offers(change: Callable[[dict[str, Any]], list[dict[str, Any]]]) -> _Spoil:
    """Return an effect that makes other offers of each offer."""

    def spoil(_: Fault, good: Answer) -> Answer:
        document = json.loads(good.body)
        if good.status != 200 or "offers" not in document:
            return good
        offers = [other for one in document["offers"] for other in change(one)]
        return good.with_document({**document, "offers": offers})

    return spoil


def _twice(offer: dict[str, Any]) -> list[dict[str, Any]]:
    return [offer, {**offer, "score": offer["score"] * 0.9}]


def _not_finite(offer: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**offer, "dlperf_per_dphtotal": math.inf, "pcie_bw": math.nan}]


def _without_young(fault: Fault, call: Call, good: Answer, world: World) -> Answer:
    """Leave out instances that are younger than the fault's seconds."""
    document = json.loads(good.body)
    shown = document.get("instances")
    if good.status != 200 or not shown:
        return good
    oldest = world.now - fault.seconds
    if isinstance(shown, Mapping):
        young = shown["start_date"] > oldest
        return good.with_document({"instances": None}) if young else good
    old = [row for row in shown if row["start_date"] <= oldest]
    young_ones = sum(
        one.created_unix_s > oldest for one in world.instances_of(call.owner.account_id)
    )
    total = document["total_instances"] - young_ones
    return good.with_document({**document, "instances": old, "total_instances": total})


def _with_ended(fault: Fault, call: Call, good: Answer, world: World) -> Answer:
    """Add to the last page of a list the instances that ended a moment ago."""
    document = json.loads(good.body)
    is_list = isinstance(document.get("instances"), list)
    if good.status != 200 or not is_list or document.get("next_token"):
        return good
    ended = [
        one.row(world.now)
        for one in world.ended_since(call.owner.account_id, world.now - fault.seconds)
    ]
    total = document["total_instances"] + len(ended)
    shown = [*document["instances"], *ended]
    return good.with_document({**document, "instances": shown, "total_instances": total})


_Spoil = Callable[[Fault, Answer], Answer]

_AGE = ("stale", "lag")
_EFFECTS: Mapping[str, _Spoil] = {
    "text": lambda fault, _: text(fault.message or fault.name, fault.status),
    "json": _error,
    "html": lambda fault, _: text(_PAGE.format(fault.status), fault.status, "text/html"),
    "drip": lambda fault, good: replace(good, manner="drip", pause_s=fault.seconds),
    "reset": lambda _, good: replace(good, manner="reset"),
    "torn": lambda _, good: replace(good, body=good.body[: len(good.body) // 2]),
    "redirect": lambda fault, _: text("elsewhere", fault.status),
    "duplicates": _offers(_twice),
    "nan": _offers(_not_finite),
    "not-success": _not_success,
    "contract-error": _contract_error,
    "revoke": lambda _, good: good,
    "never-starts": lambda _, good: good,
    **{effect: lambda _, good: good for effect in UNFIT},
    "slow-host": lambda _, good: good,
    "stale": lambda _, good: good,
    "lag": lambda _, good: good,
    "linger": lambda _, good: good,
    "outbid": lambda _, good: good,
}
