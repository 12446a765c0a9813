"""Files from public bug reports: read, or refused by name, and ranked as they should."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Rank = Callable[..., dict[int, dict[str, Any]]]
"""Ranks a case and returns its offers by id, the best first."""


@pytest.fixture
def rank(advisor: Callable[..., Any], cases: Path) -> Rank:
    def run(name: str, workload: str, *options: str) -> dict[int, dict[str, Any]]:
        words = (
            "rank",
            "--json",
            "--workload",
            workload,
            "--market",
            str(cases / "offers" / name),
        )
        done = advisor(*words, *options)
        assert done.exit_code == 0, done.stderr
        return {one["offer_id"]: one for one in done.document["offers"]}

    return run


def test_traffic_that_is_priced_by_the_tb(rank: Rank) -> None:
    """Free traffic makes the dearer machine the cheaper one; $40 a TB is not free."""
    free, paid = 70000001, 70000002
    found = rank("traffic_per_tb_only.json", "resnet50")
    assert list(found) == [free, paid]
    assert found[free]["epoch_traffic_usd"] == 0.0
    assert found[paid]["epoch_traffic_usd"] > 0.0
    assert "traffic_price_assumed" not in found[paid]["flags"]


def test_a_pair_of_cards_that_are_not_alike(rank: Rank) -> None:
    """It is flagged, has the smaller card's memory, and is no true pair."""
    odd, pair = 70000001, 70000002
    found = rank("mixed_gpus_one_name.json", "vit-b16")
    assert list(found) == [pair, odd]
    assert "mixed_gpus" in found[odd]["flags"]
    assert "mixed_gpus" not in found[pair]["flags"]
    can_fill = {
        at: one["memory_gb"] + one["memory_margin_gb"] for at, one in found.items()
    }
    assert can_fill[pair] - can_fill[odd] == pytest.approx(
        (24_000 - 15_929) * 0.94 * 2**20 / 1e9, rel=0.05
    )
    assert found[odd]["samples_per_s"] == pytest.approx(
        23.6 / 35.6 * found[pair]["samples_per_s"], rel=0.03
    )


def test_a_total_that_is_one_cards_changes_nothing(rank: Rank) -> None:
    """Titan RTX: 7.84 samples/s were measured on one, 15.7 with NVLink, 12.2 without."""
    found = rank(
        "titan_rtx_pair.json",
        "gpt2-124m",
        *("--set", "batch_size=4", "--set", "precision=fp32"),
    )
    measured = {70000001: 7.84, 70000002: 15.7, 70000004: 12.2}
    for offer, rate in measured.items():
        # The level of a script of a source never seen errs by a third.
        assert found[offer]["samples_per_s"] == pytest.approx(rate, rel=0.35)
        assert "mixed_gpus" not in found[offer]["flags"]


def test_a_reliability_beyond_all_bounds_is_unknown(rank: Rank) -> None:
    """A score of 1,233 is no score: the other field does not stand in for it."""
    found = rank("reliability_out_of_range.json", "resnet50")
    assert found[70000001]["reliability"] is None
    assert "reliability_unknown" in found[70000001]["flags"]


def test_a_bid_at_half_the_price(rank: Rank) -> None:
    """The least bid is the advised one."""
    found = rank("spot_half_price.json", "bert-base", "--interruptible")
    assert found[71000001]["bid_usd_per_hour"] == pytest.approx(0.12, abs=0.005)


@pytest.mark.parametrize(
    ("name", "offers"),
    [
        ("ndjson.jsonl", [70000001, 70000002]),
        ("one_offer_object.json", [70000001]),
        ("powershell_bom.json", [70000001]),
        ("powershell_utf16.json", [70000001]),
    ],
)
def test_offers_however_they_were_saved(rank: Rank, name: str, offers: list[int]) -> None:
    """JSON lines, one offer alone, a byte order mark, UTF-16."""
    assert sorted(rank(name, "resnet50")) == offers


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("dstack_offer.json", "no offers (no id)"),
        ("instances_raw.json", "rented"),
    ],
)
def test_what_holds_no_offer_is_a_slip(
    advisor: Callable[..., Any], cases: Path, name: str, words: str
) -> None:
    """Output of another tool is a usage error that says what it is."""
    market = str(cases / "offers" / name)
    done = advisor("rank", "--workload", "resnet50", "--market", market)
    assert done.exit_code == 2
    assert words in done.stderr
    assert not done.stdout


def test_an_empty_market_is_said_to_be_empty(
    advisor: Callable[..., Any], tmp_path: Path
) -> None:
    """An empty list is no damage and no matter of constraints."""
    path = tmp_path / "market.json"
    path.write_text(json.dumps([]))
    done = advisor("rank", "--workload", "resnet50", "--market", str(path))
    assert done.exit_code == 3
    assert "market is empty" in done.stderr


def test_every_case_of_rank_has_its_test(cases: Path) -> None:
    """Here, or beside what it is about: where conditions and images are tested."""
    expected = json.loads((cases / "expected.json").read_text(encoding="utf-8"))
    tests = Path(__file__).parents[1]
    places = ("cli/test_offer_files.py", "cli/test_where.py", "software/test_fit.py")
    named = "".join((tests / place).read_text(encoding="utf-8") for place in places)
    for case in expected["rank"]:
        assert f'"{case["offers"]}"' in named, case
