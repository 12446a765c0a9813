"""What Vast.ai is asked: the query of a search, a page of the instances.

A search says as much of the constraints as the market understands; all of them are
checked again on what it answers.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from advisor.market.conditions import ANYTHING
from advisor.market.fields import FIELDS
from advisor.market.types import Condition, Query

ROWS_A_PAGE = 25
"""Instances on a page; the market sends no more."""

_UNLESS_ASKED: Mapping[str, Any] = {
    "rentable": {"eq": True},
    "rented": {"eq": False},
    "external": {"eq": False},
}
"""Conditions that a query's own on the same field replace."""

_SENT_AS: Mapping[str, str] = {"id": "ask_contract_id"}
"""Fields that the market finds under another name: ``id`` reportedly finds nothing."""

_STRICTER: Mapping[str, Callable[[Any, Any], Any]] = {
    "gt": max,
    "gte": max,
    "lt": min,
    "lte": min,
}
"""Operator -> which of two bounds says both."""


Bounds = Mapping[str, Mapping[str, Any]]
"""Fields of an offer -> what they must be, by the market's operators."""

PRICE, GPU, COUNT = "dph_total", "gpu_name", "num_gpus"
"""The market's names of what a search is divided by: $/h, GPU, GPUs in the offer."""

ROWS_ASKED = 40_000
"""Rows asked for in one search, which is more than any market of this kind has shown."""

ROWS_SURE = 3000
"""Rows that a search may surely ask for: others do (gpuhunt 0.1.30), and got 1,343."""


def search_body(
    query: Query, part: Bounds | None = None, rows: int = ROWS_ASKED
) -> dict[str, Any]:
    """Return the body of a search, in the market's names and units.

    Parameters
    ----------
    query : what is wanted
    part : of that, what this search shall bring
    rows : most rows that it shall bring
    """
    part = part or {}
    bounds = dict(part.get(PRICE, {}))
    if query.max_usd_per_hour is not None:
        bounds["lte"] = min(query.max_usd_per_hour, bounds.get("lte", math.inf))
    body: dict[str, Any] = {
        **_UNLESS_ASKED,
        "type": "on-demand",
        "order": [[PRICE, "asc"]],
        "limit": rows,
    }
    asked: dict[str, dict[str, Any]] = {
        "ask_contract_id": {"eq": query.offer_id},
        GPU: {"in": list(query.gpu_names) or None, **part.get(GPU, {})},
        COUNT: {"in": list(query.num_gpus) or None, **part.get(COUNT, {})},
        "reliability": {"gte": query.min_reliability},
        "verified": {"eq": query.verified},
        "duration": {"gte": query.min_duration_s},
        PRICE: bounds,
    }
    for name, operators in asked.items():
        given = {op: value for op, value in operators.items() if value is not None}
        if given:
            body[name] = given
    if query.disk_gb is not None:
        body["allocated_storage"] = query.disk_gb
    _add(body, query.conditions)
    return body


def _add(body: dict[str, Any], conditions: Iterable[Condition]) -> None:
    """Add the conditions that the market understands to the body of a search.

    The body has room for one value an operator and field: of two bounds the stricter
    one is sent, else the first.
    """
    sent = [one for one in conditions if one.field in FIELDS]
    fields = {one.field for one in sent}
    if "compute_cap" not in fields:
        # Sent alone it makes H100s vanish (dstackai/gpuhunt issue 142).
        sent = [one for one in sent if one.field != "cuda_max_good"]
    for field in fields & _UNLESS_ASKED.keys():
        del body[field]
    for one in sent:
        if one.operator == ANYTHING:
            continue
        operators = body.setdefault(_SENT_AS.get(one.field, one.field), {})
        value = list(one.value) if isinstance(one.value, tuple) else one.value
        if one.operator in operators and one.operator in _STRICTER:
            value = _STRICTER[one.operator](operators[one.operator], value)
        elif one.operator in operators:
            value = operators[one.operator]
        operators[one.operator] = value


def list_params(token: str | None) -> dict[str, str]:
    """Return what is asked of the list of instances: JSON in an address.

    Parameters
    ----------
    token : of the page before; None for the first page
    """
    params = {
        "select_filters": json.dumps({}),
        "order_by": json.dumps([{"col": "id", "dir": "asc"}]),
        "limit": str(ROWS_A_PAGE),
    }
    return params if token is None else {**params, "after_token": token}
