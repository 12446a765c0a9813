"""What Vast.ai is asked: the query of a search, a page of the instances."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from advisor.market.paging import ROWS_ASKED
from advisor.market.types import Query

ROWS_A_PAGE = 25
"""Instances on a page; the market sends no more."""


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
        "rentable": {"eq": True},
        "rented": {"eq": False},
        "external": {"eq": False},
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
    return body


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
