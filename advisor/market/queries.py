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
from advisor.market.paging import ROWS_ASKED
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


def search_body(
    query: Query, price_bounds: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """Return the body of a search, in the market's names and units.

    Parameters
    ----------
    query : what is wanted
    price_bounds : further bounds on `dph_total`, $/h, by the market's operators
    """
    bounds = dict(price_bounds or {})
    if query.max_usd_per_hour is not None:
        bounds["lte"] = min(query.max_usd_per_hour, bounds.get("lte", math.inf))
    body: dict[str, Any] = {
        **_UNLESS_ASKED,
        "type": "on-demand",
        "order": [["dph_total", "asc"]],
        "limit": ROWS_ASKED,
    }
    asked: dict[str, dict[str, Any]] = {
        "ask_contract_id": {"eq": query.offer_id},
        "gpu_name": {"in": list(query.gpu_names) or None},
        "num_gpus": {"in": list(query.num_gpus) or None},
        "reliability": {"gte": query.min_reliability},
        "verified": {"eq": query.verified},
        "duration": {"gte": query.min_duration_s},
        "dph_total": bounds,
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
