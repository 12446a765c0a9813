"""What offers share and what is their own; what others would rent, and at what cost."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.cost.job import RENTALS, Job, Rental
from advisor.market.filters import Filters
from advisor.ranking.policy import SORT_KEYS, Policy, SortKey
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.ranking.ties import SURE, compare
from advisor.report.answer import answer_document, answer_text, times
from advisor.report.entries import ENTRY_KEYS, entries
from advisor.report.ranked import level
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import UserRun
from advisor.workloads.load import load_workload

TABLES = load_tables()
MARKET = generate_offers(120, 5, 1.8e9)
WORKLOADS = ("resnet50", "llama-8b-lora", "ppo-atari", "tabular-mlp")


def ranked(
    *records: dict[str, Any], workload: str = "resnet50", own: bool = False, **policy: Any
) -> Ranking:
    """Rank some offers."""
    profile = load_workload(workload)
    run = UserRun(workload, "RTX 3090", 1, 400.0, None, 16.0, None, 256, "amp")
    job = Job(profile, 3, profile.disk_gb, runs=(run,) if own else ())
    return rank(records, job, TABLES, Filters(), Policy(**policy))


@cache
def market(workload: str, rental: Rental, sort: SortKey, risk: float | None) -> Ranking:
    """Rank a small market."""
    profile = load_workload(workload)
    job = Job(profile, 3, profile.disk_gb, rental)
    return rank(MARKET, job, TABLES, Filters(), Policy(sort, risk))


@pytest.mark.slow
@given(
    st.sampled_from(WORKLOADS),
    st.sampled_from(RENTALS),
    st.sampled_from(SORT_KEYS),
    st.none() | st.just(0.9),
    st.none() | st.integers(1, 30),
)
def test_level_and_own_spread_make_the_whole(
    workload: str, rental: Rental, sort: SortKey, risk: float | None, top: int | None
) -> None:
    """Their variances add up, whoever is asked for; what is own is never the wider."""
    if sort not in {"epoch-cost", "balanced"}:
        risk = None
    ranking = market(workload, rental, sort, risk)
    found, order = compare(ranking, top), ranking.order[:top]
    assert len(found) == len(order)
    for level_sd, own, whole in (
        (found.level.fall, found.own.fall, ranking.bill.log_sd_low[order]),
        (found.level.rise, found.own.rise, ranking.bill.log_sd_high[order]),
    ):
        assert np.allclose(np.hypot(level_sd, own), whole)
        assert np.all((own >= 0.0) & (own <= whole + 1e-12))
    chances = found.first_cheaper[1:]
    if sort in {"epoch-cost", "balanced"}:
        doubtful = ranking.flags["start_doubtful"][order]
        assert np.all((chances >= 0.5 - 1e-9) | doubtful[1:])
    else:
        assert np.isnan(chances).all()


@pytest.mark.slow
@given(st.sampled_from(WORKLOADS), st.integers(1, 20))
def test_figures_do_not_depend_on_how_many_are_asked_for(workload: str, top: int) -> None:
    """A shorter list is the beginning of the longer one."""
    ranking = market(workload, "on-demand", "epoch-cost", None)
    few, many = compare(ranking, top), compare(ranking)
    assert np.allclose(few.own.rise, many.own.rise[:top])
    assert np.allclose(few.first_cheaper, many.first_cheaper[:top], equal_nan=True)
    assert list(few.tied_with) == list(many.tied_with)[:top]


@given(st.sampled_from(WORKLOADS), st.sampled_from(RENTALS))
def test_what_is_told_of_a_part_lies_within_the_whole(
    workload: str, rental: Rental
) -> None:
    """An offer's own interval, and the level's: no part is wider than all of it."""
    ranking = market(workload, rental, "epoch-cost", None)
    for one in entries(ranking, 20):
        assert one["epoch_usd_low"] <= one["epoch_usd_own_low"] * (1 + 1e-12)
        assert one["epoch_usd_own_low"] <= one["epoch_usd"] <= one["epoch_usd_own_high"]
        assert one["epoch_usd_own_high"] <= one["epoch_usd_high"] * (1 + 1e-12)
    found, first = level(ranking), ranking[0]
    assert found is not None
    low, high = (found[side] * first.cost_usd_per_epoch for side in ("low", "high"))
    assert first.cost_usd_per_epoch_low <= low * (1 + 1e-12)
    assert low <= first.cost_usd_per_epoch <= high
    assert high <= first.cost_usd_per_epoch_high * (1 + 1e-12)


@given(st.sampled_from(WORKLOADS))
def test_who_is_tied_with_the_first_is_not_surely_dearer(workload: str) -> None:
    """The probability and the mark say the same."""
    ranking = market(workload, "on-demand", "epoch-cost", None)
    found = compare(ranking)
    tied = [at for at, leader in enumerate(found.tied_with) if leader == 0]
    assert all(found.first_cheaper[at] < SURE for at in tied)


@pytest.mark.parametrize("workload", ["resnet50", "bert-base", "tabular-mlp", "yolov8n"])
def test_most_of_what_is_uncertain_is_shared(workload: str) -> None:
    """Which is why it is told once: of whole jobs where the GPU mostly binds."""
    profile = load_workload(workload)
    job = Job(profile, profile.epochs, profile.disk_gb)
    ranking = rank(MARKET, job, TABLES, Filters(), Policy())
    found = compare(ranking, 20)
    assert np.median(found.level.rise / found.own.rise) > 1.2


def test_a_run_narrows_the_level(record: dict[str, Any]) -> None:
    """Who measured the workload knows how fast it runs, on all machines."""
    without, with_run = (level(ranked(record, own=own)) for own in (False, True))
    assert without is not None
    assert with_run is not None
    assert with_run["high"] / with_run["low"] < 0.95 * without["high"] / without["low"]
    assert level(ranked(record, deadline_h=1e-3)) is None


def test_entries_have_the_keys_that_columns_may_name(record: dict[str, Any]) -> None:
    """All of them, and the own interval holds the figure."""
    (one,) = entries(ranked(record))
    assert set(one) == set(ENTRY_KEYS)
    assert one["epoch_usd_own_low"] < one["epoch_usd"] < one["epoch_usd_own_high"]
    assert one["first_cheaper"] is None


def offer(record: dict[str, Any], number: int, **changed: Any) -> dict[str, Any]:
    return record | {"id": number, "machine_id": number, "gpu_ids": [number]} | changed


@pytest.fixture
def three(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the best, one that is cheap and slow, one whose DLPerf is high."""
    return [
        offer(record, 1, cpu_name="AMD EPYC 9554 64-Core Processor"),
        offer(record, 2, gpu_name="RTX 2060", gpu_ram=6144, dph_base=0.1, dlperf=8.0),
        offer(record, 3, gpu_name="RTX 3090", dph_base=0.28, dlperf=190.0),
    ]


def rivals(ranking: Ranking) -> dict[str, dict[str, Any]]:
    """Return the rivals of a ranking by their yardsticks."""
    document = answer_document(ranking)
    assert document is not None
    assert document["text"] == answer_text(ranking)
    return {one["by"]: one for one in document["rivals"]}


def test_the_sentence_says_what_other_picks_cost(three: list[dict[str, Any]]) -> None:
    """In the words of the ranking, with its figures."""
    ranking = ranked(*three)
    assert ranking[0].offer_id == 1
    found = rivals(ranking)
    by_id = {one.offer_id: one for one in ranking}
    for name, number in (("dlperf_per_dollar", 3), ("price", 2)):
        ratio = by_id[number].cost_usd_per_epoch / ranking[0].cost_usd_per_epoch
        assert found[name]["offer_id"] == found[name]["usable_offer_id"] == number
        assert found[name]["cost_ratio"] == pytest.approx(ratio)
        assert found[name]["unusable"] is None
    dlperf, price = (times(one["cost_ratio"]) for one in found.values())
    text = answer_text(ranking)
    assert text.startswith("Rent 1 (1 x RTX 4090, EPYC 9554): $0.")
    assert text.endswith(
        f" min; the pick by DLPerf per dollar would cost {dlperf}, the cheapest per hour "
        f"{price}."
    )


def test_a_pick_that_is_the_answer_is_called_so(record: dict[str, Any]) -> None:
    """Both, or one of them."""
    text = answer_text(ranked(offer(record, 1)))
    assert text.endswith(
        "; it is also the pick by DLPerf per dollar and the cheapest per hour."
    )
    slow = offer(record, 2, gpu_name="RTX 2060", gpu_ram=6144, dph_base=0.1, dlperf=1.0)
    text = answer_text(ranked(offer(record, 1), slow))
    assert "; it is also the pick by DLPerf per dollar; the cheapest per hour " in text


def test_a_pick_of_both_yardsticks_is_told_once(record: dict[str, Any]) -> None:
    """One offer, one figure."""
    both = offer(record, 2, gpu_name="RTX 2060", gpu_ram=6144, dph_base=0.1, dlperf=99.0)
    text = answer_text(ranked(offer(record, 1), both))
    assert "the pick by DLPerf per dollar, also the cheapest per hour, would cost" in text


def test_a_pick_that_does_not_fit_says_so(record: dict[str, Any]) -> None:
    """And what the first one that does would cost, which may be the answer."""
    small = offer(
        record, 2, gpu_name="GTX 1650", gpu_ram=4096, dph_base=0.05, dlperf=60.0
    )
    best = offer(record, 1, gpu_name="A100 SXM4", gpu_ram=81_920, dph_base=0.8)
    dear = offer(record, 3, gpu_name="A100 SXM4", gpu_ram=81_920, dph_base=2.0)
    ranking = ranked(best, small, dear, workload="llama-7b-lora")
    found = rivals(ranking)["price"]
    assert (found["offer_id"], found["usable_offer_id"]) == (2, 1)
    assert found["unusable"] == "gpu_memory_too_small"
    text = answer_text(ranking)
    assert "cannot run it (GPU memory too small), and the first that can is this" in text


def test_no_dlperf_is_no_pick(record: dict[str, Any]) -> None:
    """Nothing is made up where the market states no score."""
    ranking = ranked(offer(record, 1, dlperf=None))
    assert rivals(ranking)["dlperf_per_dollar"] == {
        **dict.fromkeys(("offer_id", "unusable", "usable_offer_id"), None),
        **dict.fromkeys(("epoch_usd", "cost_ratio"), None),
        "by": "dlperf_per_dollar",
        "misses": [],
    }
    assert answer_text(ranking).endswith("per hour; no offer states a DLPerf.")


def test_a_pick_that_misses_the_deadline_says_so(three: list[dict[str, Any]]) -> None:
    """It is compared all the same: it runs, but not as was asked."""
    whole = ranked(*three)
    deadline_h = (whole[0].job_h + max(one.job_h for one in whole)) / 2
    ranking = ranked(*three, deadline_h=deadline_h)
    assert rivals(ranking)["price"]["misses"] == ["deadline"]
    assert " and miss the deadline" in answer_text(ranking)


def test_nothing_has_no_answer(record: dict[str, Any]) -> None:
    """An empty ranking says why elsewhere."""
    assert answer_document(ranked(record, deadline_h=1e-3)) is None


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        *[(1.344, "34 % more"), (1.9999, "100 % more"), (2.0, "2 times")],
        *[(2.14, "2.1 times"), (12.3, "12 times"), (1.004, "the same")],
        *[(0.9, "10 % less"), (0.25, "75 % less")],
    ],
)
def test_a_ratio_in_words(ratio: float, words: str) -> None:
    """A percentage below twice as much, a factor from there."""
    assert times(ratio) == words


@given(st.sampled_from(WORKLOADS), st.sampled_from(RENTALS))
def test_a_rival_is_first_by_its_yardstick(workload: str, rental: Rental) -> None:
    """No offer has more DLPerf per dollar, none a lower price, usable or not."""
    ranking = market(workload, rental, "epoch-cost", None)
    price = ranking.bill.usd_per_hour
    score = ranking.offers.dlperf / price
    for name, values in (("dlperf_per_dollar", -score), ("price", price)):
        rival = ranking.rivals[name]  # type: ignore[index]
        assert values[rival.first] == np.nanmin(values)
        if rival.usable is not None:
            assert values[rival.usable] == np.nanmin(values[ranking.usable])
            assert math.isfinite(ranking.bill.epoch_usd[rival.usable])
