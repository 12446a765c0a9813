"""What each address of the simulated API does, in the shapes of the real one."""

from __future__ import annotations

import base64
import binascii
import json
import math
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from advisor.market.vast.orders import MAX_LABEL, MAX_ONSTART
from advisor.simulator.accounts import Account
from advisor.simulator.calls import Answer, Call, answer
from advisor.simulator.contract import Contract, Wish
from advisor.simulator.own import log_path
from advisor.simulator.query import (
    InvalidQueryError,
    ordered,
    parse_filters,
    parse_search,
)
from advisor.simulator.refusal import RefusalError, invalid
from advisor.simulator.rentals import QUEUED
from advisor.simulator.world import World

INSTANCES_A_PAGE = 25
BENCHMARKS_A_PAGE = 200

_BY_ID = [{"col": "id", "dir": "asc"}]
_DONE = {"success": True}
_DEFAULT_DISK_GB = 10.0


def search(world: World, call: Call) -> Answer:
    """Answer a search whose query is the body."""
    return _found(world, call, call.request.document())


def search_by_address(world: World, call: Call) -> Answer:
    """Answer a search whose query is in the address."""
    return _found(world, call, call.request.asked("q", {}))


def search_asks(world: World, call: Call) -> Answer:
    """Answer a search in the form that has columns beside the query."""
    document = call.request.document()
    columns = document.get("select_cols") or ["*"]
    return _found(world, call, document.get("q") or {}, columns)


def account(world: World, call: Call) -> Answer:
    """Say who asks."""
    owner = call.owner
    left_usd = owner.credit_usd - world.spent_usd(owner.account_id)
    return answer(
        {
            "id": owner.account_id,
            "email": f"user-{owner.account_id}@example.org",
            "username": f"user-{owner.account_id}",
            "fullname": "",
            "balance": 0.0,
            "credit": left_usd,
            "can_pay": True,
            "has_billing": False,
            "ssh_key": next(iter(owner.ssh_keys), None),
        }
    )


def ssh_keys(_: World, call: Call) -> Answer:
    """List the account's ssh keys."""
    keys = [_key_row(call.owner, key) for key in call.owner.ssh_keys]
    return answer({**_DONE, "keys": keys})


def add_ssh_key(world: World, call: Call) -> Answer:
    """Add an ssh key, which instances let in, those that there are included."""
    key, owner = _public_key(call), call.owner
    owner.ssh_keys.setdefault(key, world.now)
    for contract in world.instances_of(owner.account_id):
        _let_in(contract, key)
    return answer({**_DONE, "key": _key_row(owner, key)})


def attach_ssh_key(world: World, call: Call) -> Answer:
    """Let an ssh key into an instance, from its next start on."""
    contract = world.living(call.owner.account_id, call.number)
    _let_in(contract, _public_key(call))
    return answer({**_DONE, "msg": "SSH key added to instance."})


def rent(world: World, call: Call) -> Answer:
    """Rent an offer."""
    wish = _wish(call.request.document())
    contract = world.rent(
        call.owner,
        call.number,
        wish,
        never_starts=call.never_starts,
        misfit=call.misfit,
        outbid_after_s=call.outbid_after_s,
        cpu_share=call.cpu_share,
    )
    return answer(
        {
            **_DONE,
            "new_contract": contract.instance_id,
            "instance_api_key": contract.key,
        }
    )


def instances(world: World, call: Call) -> Answer:
    """List one page of the account's instances."""
    rows = [
        contract.row(world.now) for contract in world.instances_of(call.owner.account_id)
    ]
    labels: dict[str, int] = {}
    for row in rows:
        if row["label"]:
            labels[row["label"]] = labels.get(row["label"], 0) + 1
    page, token = _page(call, rows, INSTANCES_A_PAGE)
    return answer(
        {
            **_DONE,
            "instances": page,
            "next_token": token,
            "total_instances": len(rows),
            "label_counts": labels,
        }
    )


def retired(_: World, __: Call) -> Answer:
    """Answer at the list's old address."""
    message = "Use GET /api/v1/instances/ instead"
    raise RefusalError(410, "deprecated_endpoint", message)


def instance(world: World, call: Call) -> Answer:
    """Show one instance, null once it is destroyed."""
    contract = world.instance(call.owner.account_id, call.number)
    return answer({"instances": None if contract.is_over else contract.row(world.now)})


def change(world: World, call: Call) -> Answer:
    """Start, stop or relabel an instance."""
    document = call.request.document()
    contract = world.living(call.owner.account_id, call.number)
    state = document.get("state")
    if call.only is not None and document != {"state": "stopped"}:
        raise RefusalError(403, "auth_error", "This key lacks the permission")
    if "label" in document:
        contract.label = _text(document, "label", MAX_LABEL)
    if state == "stopped":
        world.rentals.stop(contract)
    elif state == "running":
        if world.rentals.start(contract):
            return answer({**_DONE, "msg": QUEUED})
    elif state is not None or "label" not in document:
        message = f"state {state!r} is not one of running, stopped"
        raise invalid(message)
    return answer(_DONE)


def bid(world: World, call: Call) -> Answer:
    """Bid another price for an instance."""
    contract = world.living(call.owner.account_id, call.number)
    price = _amount(call.request.document(), "price", None)
    if not contract.is_bid or price is None:
        message = "only an interruptible instance has a bid, and it needs a price"
        raise RefusalError(400, "invalid_price", message)
    world.rentals.change_bid(contract, price)
    return answer(_DONE)


def reboot(world: World, call: Call) -> Answer:
    """Restart the container of an instance."""
    world.rentals.reboot(world.living(call.owner.account_id, call.number))
    return answer(_DONE)


def destroy(world: World, call: Call) -> Answer:
    """End a rental for good."""
    contract = world.living(call.owner.account_id, call.number)
    world.rentals.destroy(contract, "asked")
    return answer({**_DONE, "msg": f"instance {call.number} destroyed"})


def request_log(world: World, call: Call) -> Answer:
    """Say where the log of an instance will lie."""
    contract = world.living(call.owner.account_id, call.number)
    address = call.request.base_url + log_path(contract)
    return answer({**_DONE, "result_url": address, "msg": "log requested"})


def benchmarks(world: World, call: Call) -> Answer:
    """List one page of what machines were measured to do: their DLPerf."""
    rows = [
        {
            "id": number,
            "machine_id": box.machine.machine_id,
            "gpu_name": box.machine.gpu.gpu_name,
            "num_gpus": 1,
            "value": box.machine.dlperf,
            "dph_base": box.machine.price_usd_per_gpu_hour,
            "type": "dlperf",
            "template_hash": None,
            "template_id": None,
            "contract_id": None,
            "image": "dlperf",
            "last_update": world.fleet.opened_unix_s,
        }
        for number, box in enumerate(world.fleet.boxes.values(), 1)
    ]
    page, token = _page(call, rows, BENCHMARKS_A_PAGE)
    found = len(rows)
    return answer({"benchmarks": page, "benchmarks_found": found, "next_token": token})


def _found(
    world: World, call: Call, query: Any, columns: Sequence[str] = ("*",)
) -> Answer:
    """Return the offers that a query selects."""
    cap = None
    if call.account is not None:
        cap = sys.maxsize if world.search_cap is None else world.search_cap
    try:
        offers = world.fleet.search(parse_search(query), cap, world.now)
    except InvalidQueryError as error:
        raise invalid(str(error)) from error
    if "*" in columns:
        body = f'{{"offers":[{",".join(one.json() for one in offers)}]}}'
        return Answer(200, body.encode())
    return answer(
        {"offers": [{name: one.get(name) for name in columns} for one in offers]}
    )


def _page(
    call: Call, rows: Sequence[Mapping[str, Any]], most: int
) -> tuple[list[Mapping[str, Any]], str | None]:
    """Return one page of rows as the request filters and orders them, and its token.

    A token names the last row that was sent, so that rows which come or go between
    two pages move nothing.
    """
    request = call.request
    try:
        predicates = parse_filters(request.asked("select_filters", {}))
        found = ordered(
            (row for row in rows if all(predicate(row) for predicate in predicates)),
            request.asked("order_by", _BY_ID) or _BY_ID,
        )
    except InvalidQueryError as error:
        raise invalid(str(error)) from error
    limit = request.asked("limit", most)
    if type(limit) is not int or limit < 1:
        message = "limit must be a whole number above zero"
        raise invalid(message)
    start = _after(found, request.query.get("after_token"))
    end = start + min(limit, most)
    page = found[start:end]
    token = None if end >= len(found) else _token(page[-1])
    return list(page), token


def _token(row: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps({"id": row["id"]}).encode()).decode()


def _after(found: Sequence[Mapping[str, Any]], token: str | None) -> int:
    """Return the position after the row that a token names."""
    if not token:
        return 0
    try:
        last = json.loads(base64.urlsafe_b64decode(token))["id"]
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        message = "after_token is none of ours"
        raise invalid(message) from error
    for position, row in enumerate(found):
        if row["id"] == last:
            return position + 1
    # The row is gone; by id, the next one is known all the same.
    return next((n for n, row in enumerate(found) if row["id"] > last), len(found))


def _wish(document: Mapping[str, Any]) -> Wish:
    """Return what a request to rent asks for."""
    image = _text(document, "image", 1024)
    if not image or not image.strip():
        message = "image must be given"
        raise invalid(message)
    env = document.get("env") or {}
    if not isinstance(env, Mapping) or not all(
        isinstance(value, str) for value in env.values()
    ):
        message = "env must be an object of texts"
        raise invalid(message)
    price = _amount(document, "price", None)
    if price is not None and price <= 0:
        raise RefusalError(400, "invalid_price", "price must be above zero")
    disk_gb = _amount(document, "disk", _DEFAULT_DISK_GB)
    if disk_gb is None or disk_gb <= 0:
        message = "disk must be above zero"
        raise invalid(message)
    return Wish(
        image=image.strip(),
        disk_gb=disk_gb,
        label=_text(document, "label", MAX_LABEL),
        onstart=_text(document, "onstart", MAX_ONSTART) or "",
        runtype=_text(document, "runtype", 256) or "ssh_proxy",
        env=dict(env),
        bid_usd_per_hour=price,
        cancel_unavail=document.get("cancel_unavail") is True,
    )


def _text(document: Mapping[str, Any], name: str, most: int) -> str | None:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        message = f"{name} must be text"
        raise invalid(message)
    if value is not None and len(value) > most:
        message = f"{name} must not have more than {most} characters"
        raise invalid(message)
    return value


def _amount(
    document: Mapping[str, Any], name: str, default: float | None
) -> float | None:
    """Return a finite number, also one that was sent as text."""
    value = document.get(name)
    if value is None:
        return default
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        message = f"{name} must be a number"
        raise invalid(message)
    return number


def _public_key(call: Call) -> str:
    key = _text(call.request.document(), "ssh_key", 16384)
    if not key or not key.startswith(("ssh-", "ecdsa-", "sk-")):
        message = "ssh_key is no public key"
        raise invalid(message)
    return key.strip()


def _let_in(contract: Contract, key: str) -> None:
    if key not in contract.ssh_keys:
        contract.ssh_keys.append(key)


def _key_row(owner: Account, key: str) -> dict[str, Any]:
    moment = datetime.fromtimestamp(owner.ssh_keys[key], UTC)
    return {
        "id": list(owner.ssh_keys).index(key) + 1,
        "user_id": owner.account_id,
        "public_key": key,
        "created_at": moment.isoformat().replace("+00:00", "Z"),
        "deleted_at": None,
    }
