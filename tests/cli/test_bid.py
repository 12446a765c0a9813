"""`advisor bid` shows what `advisor rank --interruptible` counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Advisor = Callable[..., Any]
JOB = ("--workload", "resnet50")
OFFERS = Path(__file__).parents[3] / "shared" / "data" / "offers"
REAL = sorted(OFFERS.glob("vast-2026-08-17*.json"))


def test_an_offer_that_ends_costs_what_it_is_ranked_at(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """Moves that its end brings count at every bid."""
    market = tmp_path / "market.json"
    market.write_text(json.dumps({"offers": [record | {"duration": 7200.0}]}))
    asked = (*JOB, "--market", str(market), "--json")
    (ranked,) = advisor("rank", *asked, "--interruptible").document["offers"]
    assert ranked["expected_moves"] > 10
    rows = advisor("bid", str(record["id"]), *asked).document["bids"]
    (advised,) = [row for row in rows if row["advised"]]
    assert advised["epoch_usd"] == pytest.approx(ranked["epoch_usd"], rel=1e-9)
    assert advised["job_hours"] == pytest.approx(ranked["job_hours"], rel=1e-9)


def test_a_price_that_is_not_taken_apart_is_the_price_on_demand(
    advisor: Advisor, record: dict[str, Any], tmp_path: Path
) -> None:
    """The line above the table says so, and bids lie below it."""
    market = tmp_path / "market.json"
    hides = record | {"dph_base": None, "dph_total": 0.32}
    market.write_text(json.dumps({"offers": [hides]}))
    told = advisor("bid", str(record["id"]), *JOB, "--market", str(market))
    assert "on demand $0.32/h, with some disk" in " ".join(told.stderr.split())
    asked = (str(record["id"]), *JOB, "--market", str(market), "--json")
    document = advisor("bid", *asked).document
    assert document["on_demand_usd_per_hour"] == pytest.approx(0.32)
    assert document["bids"][-1]["bid_usd_per_hour"] < 0.32


@pytest.mark.skipif(not REAL, reason="the offers of ../shared are not there")
@pytest.mark.parametrize("file", REAL, ids=lambda file: file.stem)
def test_real_offers_have_bids(advisor: Advisor, file: Path) -> None:
    """Vast.ai's own answers, which name a price of the GPUs, of a whole, or both."""
    asked = (*JOB, "--market", str(file), "--json")
    done = advisor("rank", *asked, "--interruptible", "--top", "3")
    for ranked in done.document["offers"]:
        rows = advisor("bid", str(ranked["offer_id"]), *asked).document["bids"]
        (advised,) = [row for row in rows if row["advised"]]
        assert advised["epoch_usd"] == pytest.approx(ranked["epoch_usd"], rel=1e-9)
