"""`advisor explain`, `compare` and `bid`: bills line by line."""

from __future__ import annotations

import csv
import json
import re
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


@pytest.mark.slow
def test_the_text_has_the_bill_the_limits_and_what_is_assumed(
    advisor: Advisor, best: list[int]
) -> None:
    """On one screen: the answer, the large lines, every limit, and what matters."""
    document = advisor("explain", str(best[0]), *JOB, "--json").document
    ranked = len(advisor("rank", *JOB, "--top", "9999", "--json").document["offers"])
    text = advisor("explain", str(best[0]), *JOB).stdout
    offer = document["offer"]
    large = [
        line["label"]
        for line in document["bill"]
        if line["usd"] >= 0.01 * offer["job_usd"]
    ]
    effects = document["effects"]
    shown, hidden = effects[0]["name"], effects[-1]["name"]
    for words in (
        *(
            f"Offer {best[0]} finishes resnet50",
            "--assume NAME=VALUE",
            "interval  90 %: ",
        ),
        *("Is the CPU a bottleneck? ", "checkpoints every", f"rank 1 of {ranked}"),
        *(shown, "smaller lines", *large, *offer["limits"]),
    ):
        assert words in text
    assert hidden not in text
    assert " ".join(text.split()).startswith(document["answer"]["text"])


def test_all_assumptions_are_listed_when_asked_for(
    advisor: Advisor, best: list[int]
) -> None:
    """Each with its source, its range and what that changes."""
    words = ("explain", str(best[0]), *JOB)
    document = advisor(*words, "--json").document
    text = advisor(*words, "--all-assumptions").stdout
    for name, one in document["assumptions"].items():
        assert f"  {name}  " in text
        assert one["source"] in text
        assert one["range_source"] is None or one["range_source"] in text


@pytest.mark.slow
def test_the_assumptions_that_matter_are_those_that_change_the_cost(
    advisor: Advisor, best: list[int]
) -> None:
    """The cost at the ends of a range is what `--assume` gives there."""
    words = ("explain", str(best[0]), *JOB, "--json")
    document = advisor(*words).document
    epochs = document["workload"]["epochs"]
    first = next(one for one in document["effects"] if one["of"] == "cost")
    for end in ("low", "high"):
        assumed = advisor(*words, "--assume", f"{first['name']}={first[end]}").document
        expected = pytest.approx(assumed["offer"]["epoch_usd"])
        assert first[f"epoch_usd_at_{end}"] == expected
        assert first[f"job_usd_at_{end}"] / epochs == expected
    assert first["matters"]


def test_what_would_help_is_costed(advisor: Advisor) -> None:
    """A change of the machine has a rate, a time and a cost of its own."""
    words = ("--workload", "resnet18", "--gpu", "RTX 4090", "--num-gpus", "4")
    ranked = advisor("rank", *words, "--json").document["offers"]
    starved = next(one for one in ranked if one["bound_by"] == "cpu")
    asked = ("explain", str(starved["offer_id"]), *words)
    first, *_ = advisor(*asked, "--json").document["advice"]["improvements"]
    assert first["epoch_usd"] < starved["epoch_usd"]
    assert first["epoch_hours"] < starved["epoch_hours"]
    assert first["change"] in advisor(*asked).stdout


def test_an_interruptible_bill_has_the_bid(advisor: Advisor) -> None:
    """The bid and the waiting for it are lines of their own."""
    arguments = ("--workload", "resnet50", "--interruptible")
    ranked = advisor("rank", *arguments, "--top", "1", "--json").document["offers"]
    text = advisor("explain", str(ranked[0]["offer_id"]), *arguments).stdout
    assert "waiting: outbid" in text
    assert "losses expected" in text


def test_a_bid_that_does_not_pay_is_told(advisor: Advisor) -> None:
    """Where the machine costs less on demand than with the best bid; else nothing is."""
    for offer, interruptible in ((23122054, False), (14098162, True)):
        told = " ".join(advisor("bid", str(offer), *JOB).stderr.split())
        assert ("on demand the job costs less" not in told) == interruptible
        asked = (str(offer), *JOB)
        bid = advisor("bid", *asked, "--json").document["bids"]
        best = next(one["epoch_usd"] for one in bid if one["advised"])
        listed = advisor("explain", *asked, "--json").document["offer"]["epoch_usd"]
        assert (best < listed) == interruptible


def test_failures_are_told_at_the_rate_that_is_expected(
    advisor: Advisor, best: list[int]
) -> None:
    """So many in so many hours, and in the hours of the bill, are the same."""
    document = advisor("explain", str(best[0]), *JOB, "--json").document
    text = " ".join(advisor("explain", str(best[0]), *JOB).stdout.split())
    found = re.search(r"failures (\S+) expected \(one in (\S+) h", text)
    assert found is not None
    count, between = found.groups()
    hours = {one["line"]: one["hours"] or 0.0 for one in document["bill"]}
    running = document["offer"]["job_hours"] - hours["offline"] - hours["pull"]
    assert float(count) * float(between) == pytest.approx(running, rel=0.1)


@pytest.mark.parametrize("command", ["explain", "bid"])
def test_an_offer_that_is_not_there(advisor: Advisor, command: str) -> None:
    """An id that the market does not have is one line."""
    outcome = advisor(command, "1", *JOB)
    assert outcome.exit_code == 2
    assert "offer 1 is not among" in outcome.stderr
    counts = "it is gone, or left out (disk_too_small 137, duplicate 4)"
    assert counts in outcome.stderr, "only reasons for which an offer is not found"


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
