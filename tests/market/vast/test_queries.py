"""What is sent of conditions: what the market understands, and nothing that misleads."""

from __future__ import annotations

from typing import Any

import pytest

from advisor.market.types import Query
from advisor.market.vast.queries import search_body
from advisor.market.where import parse_where


def sent(text: str, **more: Any) -> dict[str, Any]:
    """Return what the body of a search has beside what every one has."""
    query = Query(conditions=parse_where(text), **more)
    plain = search_body(Query())
    return {k: v for k, v in search_body(query).items() if plain.get(k) != v}


def test_conditions_go_in_the_markets_names_and_units() -> None:
    """Every operator, lists and null included."""
    text = (
        "cpu_ram>=48 gpu_name!=RTX_3060 geolocation notin [CN,VN] dph<0.5 duration>2 "
        "verified=true cluster_id=None driver_version>=535.86.05 ubuntu_version>=20.04 "
        "num_gpus>1 num_gpus<=4"
    )
    assert sent(text) == {
        "cpu_ram": {"gte": 48000},
        "gpu_name": {"neq": "RTX 3060"},
        "geolocation": {"notin": ["CN", "VN"]},
        "dph_total": {"lt": 0.5},
        "duration": {"gt": 172800.0},
        "verified": {"eq": True},
        "cluster_id": {"eq": None},
        "driver_version": {"gte": 535086005},
        "ubuntu_version": {"gte": "20.04"},
        "num_gpus": {"gt": 1, "lte": 4},
    }


@pytest.mark.parametrize(
    ("text", "body"),
    [
        # Alone it makes H100s vanish (dstackai/gpuhunt issue 142).
        ("cuda_max_good>=12.8", {}),
        (
            "cuda_vers>=12.8 compute_cap>=800",
            {"cuda_max_good": {"gte": 12.8}, "compute_cap": {"gte": 800}},
        ),
        ("id=7", {"ask_contract_id": {"eq": 7}}),  # `id` reportedly finds nothing
        ("gpu_lanes>=8 disk_name=nvme", {}),  # not in the market's language
        ("datacenter=true", {"datacenter": {"eq": True}}),
        ("verified=any", {}),
    ],
)
def test_what_would_mislead_the_market_is_not_sent(
    text: str, body: dict[str, Any]
) -> None:
    """It is checked here alone."""
    assert sent(text) == body


def test_what_is_asked_by_default_gives_way() -> None:
    """To a condition on the same field, and to none at all."""
    assert sent("external=true") == {"external": {"eq": True}}
    assert "external" not in search_body(Query(conditions=parse_where("external=any")))
    assert search_body(Query())["external"] == {"eq": False}


def test_of_two_bounds_the_stricter_is_sent() -> None:
    """The page's, the option's and the query's; of other operators the first."""
    asked = Query(
        max_usd_per_hour=0.9,
        min_reliability=0.95,
        num_gpus=(1, 2),
        conditions=parse_where(
            "dph<=0.5 dph>=0.2 reliability>=0.9 num_gpus in [2,4] gpu_name!=A40 "
            "gpu_name!=L4"
        ),
    )
    body = search_body(asked, {"dph_total": {"gte": 0.3}})
    assert body["dph_total"] == {"gte": 0.3, "lte": 0.5}
    assert search_body(asked, {"dph_total": {"gte": 0.1}})["dph_total"] == {
        "gte": 0.2,
        "lte": 0.5,
    }
    assert body["reliability"] == {"gte": 0.95}
    assert body["num_gpus"] == {"in": [1, 2]}
    assert body["gpu_name"] == {"neq": "A40"}
