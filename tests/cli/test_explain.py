"""`advisor explain`, `compare` and `bid`: bills line by line."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from typing import Any

import pytest

Advisor = Callable[..., Any]
JOB = ("--workload", "resnet50")


@pytest.fixture
def best(advisor: Advisor) -> list[int]:
    """Return the ids of the best offers of the sample."""
    entries = advisor("rank", *JOB, "--top", "3", "--json").document["offers"]
    return [entry["offer_id"] for entry in entries]


def test_the_lines_add_up(advisor: Advisor, best: list[int]) -> None:
    """Dollars and hours of the lines are those of the job, as `rank` has them."""
    document = advisor("explain", str(best[1]), *JOB, "--json").document
    offer, lines = document["offer"], document["bill"]
    assert offer["rank"] == 2
    assert sum(line["usd"] for line in lines) == pytest.approx(offer["job_usd"])
    epochs = document["workload"]["epochs"]
    for line in lines:
        assert line["epoch_usd"] == pytest.approx(line["usd"] / epochs)
    hours = sum(line["hours"] for line in lines if line["hours"] is not None)
    assert hours == pytest.approx(offer["job_hours"])


def test_the_text_has_the_bill_the_limits_and_what_is_assumed(
    advisor: Advisor, best: list[int]
) -> None:
    """Every line, every limit, every assumption and how to change it is there."""
    document = advisor("explain", str(best[0]), *JOB, "--json").document
    text = advisor("explain", str(best[0]), *JOB).stdout
    shown = [line["label"] for line in document["bill"] if line["usd"] or line["hours"]]
    for words in (
        *(f"offer {best[0]}", "--assume NAME=VALUE", "90 % interval", "checkpoint"),
        *shown,
        *document["offer"]["limits"],
        *document["assumptions"],
    ):
        assert words in text


def test_an_interruptible_bill_has_the_bid(advisor: Advisor) -> None:
    """The bid and the waiting for it are lines of their own."""
    arguments = ("--workload", "resnet50", "--interruptible")
    ranked = advisor("rank", *arguments, "--top", "1", "--json").document["offers"]
    text = advisor("explain", str(ranked[0]["offer_id"]), *arguments).stdout
    assert "waiting: outbid" in text
    assert "losses expected" in text


@pytest.mark.parametrize("command", ["explain", "bid"])
def test_an_offer_that_is_not_there(advisor: Advisor, command: str) -> None:
    """An id that the market does not have is one line."""
    outcome = advisor(command, "1", *JOB)
    assert outcome.exit_code == 2
    assert "offer 1 is not among" in outcome.stderr


def test_an_offer_that_cannot_run_the_job_says_why(
    advisor: Advisor, best: list[int]
) -> None:
    """The reason is the one that `rank` counts."""
    outcome = advisor(
        *("explain", str(best[0]), "--workload", "resnet50"),
        *("--set", "activation_mb_per_sample=100000"),
    )
    assert outcome.exit_code == 3
    assert "gpu_memory_too_small" in outcome.stderr


def test_two_bills_side_by_side(advisor: Advisor, best: list[int]) -> None:
    """Both offers with their totals, in the order that was asked for."""
    ids = [str(best[2]), str(best[0])]
    document = advisor("compare", *ids, *JOB, "--json").document
    assert [one["offer"]["offer_id"] for one in document["offers"]] == [best[2], best[0]]
    text = advisor("compare", *ids, *JOB).stdout
    total = next(line for line in text.splitlines() if line.startswith("total"))
    for one in document["offers"]:
        assert f"{one['offer']['job_usd']:.2f}" in total


def test_one_offer_is_nothing_to_compare(advisor: Advisor, best: list[int]) -> None:
    """The way to ask for one is named."""
    outcome = advisor("compare", str(best[0]), *JOB)
    assert outcome.exit_code == 2
    assert "advisor explain" in outcome.stderr


def test_the_curve_of_bids(advisor: Advisor) -> None:
    """Bids rise from the least to below on demand, losses fall, the advised is best."""
    document = advisor("bid", *JOB, "--json").document
    rows = document["bids"]
    bids = [row["bid_usd_per_hour"] for row in rows]
    losses = [row["expected_preemptions"] for row in rows]
    assert bids == sorted(bids)
    assert bids[0] == pytest.approx(document["min_bid"])
    assert bids[-1] < document["on_demand_usd_per_hour"]
    assert losses == sorted(losses, reverse=True)
    (advised,) = [row for row in rows if row["advised"]]
    assert advised["epoch_usd"] == min(row["epoch_usd"] for row in rows)
    for row in rows:
        assert row["epoch_usd_low"] <= row["epoch_usd"] <= row["epoch_usd_high"]
    ranked = advisor("rank", *JOB, "--interruptible", "--top", "1", "--json").document
    (first,) = ranked["offers"]
    assert first["offer_id"] == document["offer"]["offer_id"]
    assert first["bid_usd_per_hour"] == pytest.approx(advised["bid_usd_per_hour"])


def test_the_curve_as_a_table_and_as_csv(advisor: Advisor) -> None:
    """The advised bid is marked; CSV has the JSON's rows."""
    assert (
        sum(line.startswith("*") for line in advisor("bid", *JOB).stdout.splitlines())
        == 1
    )
    rows = advisor("bid", *JOB, "--json").document["bids"]
    table = list(
        csv.DictReader(advisor("bid", *JOB, "--format", "csv").stdout.splitlines())
    )
    assert [float(row["epoch_usd"]) for row in table] == pytest.approx(
        [row["epoch_usd"] for row in rows]
    )


def test_no_bid_where_on_demand_is_cheaper(
    advisor: Advisor, record: dict[str, Any], tmp_path: Any
) -> None:
    """An offer whose least bid is its price on demand has nothing to advise."""
    market = tmp_path / "market.json"
    market.write_text(json.dumps({"offers": [record | {"min_bid": record["dph_base"]}]}))
    outcome = advisor("bid", str(record["id"]), *JOB, "--market", str(market))
    assert outcome.exit_code == 3
    assert "no_bid_below_on_demand" in outcome.stderr
