"""The choice: limits, alternatives, the Pareto front, and the nearest miss."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import NothingFitsError, OverBudgetError
from advisor.cost.assumptions import Assumptions
from advisor.cost.job import Job, Rental
from advisor.market.filters import Filters
from advisor.market.offers import parse_offers
from advisor.ranking.policy import Policy, one_a_machine, pareto_front
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.ranking.refused import nothing_left
from advisor.ranking.ties import compare
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.load import load_workload

TABLES: Tables = load_tables()


def ranked(
    *records: dict[str, Any],
    rental: Rental = "on-demand",
    workload: str = "resnet50",
    assumed: Mapping[str, float] = MappingProxyType({}),
    **policy: Any,
) -> Ranking:
    assumptions = Assumptions().replaced(assumed)
    job = Job(load_workload(workload), 90, 180.0, rental, assumptions)
    return rank(records, job, TABLES, Filters(), Policy(**policy))


def ids(ranking: Ranking) -> list[int]:
    return ranking.offers.offer_id[ranking.order].tolist()


@pytest.fixture
def market(record: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a slow cheap offer, a fast dear one, and one that is beaten by both."""
    slow = {"id": 1, "gpu_name": "RTX 3090", "dph_base": 0.15, "gpu_ids": [1]}
    fast = {
        "id": 2,
        "gpu_name": "H100 SXM",
        "gpu_ram": 81_559,
        "dph_base": 3.0,
        "gpu_ids": [2],
        "cpu_cores_effective": 64.0,
    }
    beaten = {"id": 3, "gpu_name": "RTX 3090", "dph_base": 4.0, "gpu_ids": [3]}
    return [record | one for one in (slow, fast, beaten)]


def test_a_deadline_leaves_the_slow_out(market: list[dict[str, Any]]) -> None:
    """Offers that take longer are counted under their reason."""
    hours = sorted(ranked(*market).bill.job_hours)
    ranking = ranked(*market, deadline_h=(hours[0] + hours[1]) / 2)
    assert ids(ranking) == [2]
    assert ranking.excluded == {"misses_deadline": 2}


def test_a_budget_leaves_the_dear_out(market: list[dict[str, Any]]) -> None:
    """The budget is for the whole job."""
    costs = sorted(ranked(*market).bill.job_usd)
    ranking = ranked(*market, budget_usd=costs[0] * 1.01)
    assert ids(ranking) == [1]
    assert ranking.excluded == {"over_budget": 2}


def test_the_nearest_miss_of_a_deadline(market: list[dict[str, Any]]) -> None:
    """Nothing fits: the fastest is named with what it would take."""
    ranking = ranked(*market, deadline_h=0.5, budget_usd=1.0)
    error = nothing_left(ranking)
    assert isinstance(error, NothingFitsError)
    hours = float(ranking.bill.job_hours.min())
    for words in ("deadline of 0.5 h", "offer 2 ", f" and {hours:.3g} h: allow "):
        assert words in str(error)


def test_the_nearest_miss_of_a_budget(market: list[dict[str, Any]]) -> None:
    """In time but too dear is over budget, with the cheapest in time and of all."""
    hours = sorted(ranked(*market).bill.job_hours)
    ranking = ranked(*market, deadline_h=hours[0] * 1.01, budget_usd=0.5)
    error = nothing_left(ranking)
    assert isinstance(error, OverBudgetError)
    cost = float(ranking.bill.job_usd[1])
    allow = f"allow ${np.ceil(cost * 100.0) / 100.0:,.2f}"
    for words in ("that meets the deadline is offer 2 ", allow):
        assert words in str(error)
    assert "without the deadline offer 1 " in str(error)


def test_a_bid_has_the_highest_price_too(record: dict[str, Any]) -> None:
    """The price that is bid counts, not the one that the market lists."""
    ranking = ranked(record, rental="interruptible", max_usd_per_hour=0.29)
    assert ids(ranking) == [101]
    none = ranked(record, rental="interruptible", max_usd_per_hour=0.1)
    assert none.excluded == {"price": 1}


def test_a_little_money_buys_much_time(record: dict[str, Any]) -> None:
    """Days sooner for cents an hour come first where waiting is asked to count."""
    slow = record | {"id": 1, "cpu_cores_effective": 6.0, "dph_base": 0.05}
    fast = record | {"id": 2, "gpu_ids": [2], "dph_base": 0.16}
    ranking = ranked(slow, fast)
    usd, hours = ranking.bill.job_usd, ranking.bill.job_hours
    assert usd[0] < usd[1]
    worth = float((usd[1] - usd[0]) / (hours[0] - hours[1]))  # where both are equal
    assert 0.0 < worth < Assumptions().waiting_usd_per_h
    assert ids(ranking) == [1, 2]
    assert ids(ranked(slow, fast, sort="balanced")) == [2, 1]
    for share, order in ((0.99, [1, 2]), (1.01, [2, 1]), (0.0, [1, 2])):
        assumed = {"waiting_usd_per_h": share * worth}
        assert ids(ranked(slow, fast, sort="balanced", assumed=assumed)) == order


def test_what_may_fail_to_run_comes_last(record: dict[str, Any]) -> None:
    """A cheap try that fails too often is after all others, but in an order by price."""
    tight = record | {"id": 1, "cpu_ram": 4_500, "dph_base": 0.1}
    roomy = record | {"id": 2, "gpu_ids": [2], "dph_base": 0.3}
    ranking = ranked(tight, roomy)
    risk = float(ranking.start_risk[0])
    assert ranking.bill.job_usd[0] < ranking.bill.job_usd[1]
    assert ranking.flags["start_doubtful"].tolist() == [True, False]
    assert ids(ranking) == [2, 1]
    assert ids(ranked(tight, roomy, sort="price")) == [1, 2]
    assert ids(ranked(tight, roomy, assumed={"most_doubt": risk + 0.01})) == [1, 2]


def test_what_the_market_found_broken_comes_last(record: dict[str, Any]) -> None:
    """Untested is no verdict, deverified is; both are told."""
    records = [
        record | {"id": 1, "verification": "deverified", "dph_base": 0.1},
        record | {"id": 2, "verification": "unverified", "gpu_ids": [2]},
        record | {"id": 3, "verification": "verified", "gpu_ids": [3], "dph_base": 0.9},
    ]
    ranking = ranked(*records)
    assert ids(ranking) == [2, 3, 1]
    assert ranking.flags["deverified"].tolist() == [True, False, False]
    assert ranking.flags["unverified"].tolist() == [True, True, False]
    share = Assumptions().deverified_fails
    starts = ranking.bill.job.failed_starts
    assert starts[0] - starts[1] == pytest.approx(share)
    sound = ranked(*records, assumed={"deverified_fails": 0.0})
    assert ids(sound) == [1, 2, 3]
    assert sound.bill.job_usd[0] < ranking.bill.job_usd[0]


def test_offers_that_share_a_gpu_are_one_choice(record: dict[str, Any]) -> None:
    """The best stays and names the others; other machines and GPUs stay apart."""
    records = [
        record | {"id": 1, "gpu_ids": [1, 2], "num_gpus": 2, "dph_base": 0.6},
        record | {"id": 2, "gpu_ids": [1], "dph_base": 0.2},
        record | {"id": 3, "gpu_ids": [3], "dph_base": 0.25},
        record | {"id": 4, "gpu_ids": [1], "machine_id": 8, "dph_base": 0.27},
        record | {"id": 5, "gpu_ids": None, "dph_base": 0.28},
    ]
    ranking = ranked(*records)
    assert ids(ranking) == [2, 3, 4, 5]
    assert ranking.excluded == {"shares_gpus": 1}
    offers = ranking.offers.offer_id
    named = {
        int(offers[at]): offers[list(others)].tolist()
        for at, others in ranking.alternatives.items()
    }
    assert named == {2: [1]}


def test_without_gpu_ids_nothing_is_shared(record: dict[str, Any]) -> None:
    """An offer that does not name its GPUs is a choice of its own."""
    offers, _ = parse_offers([record | {"id": at, "gpu_ids": None} for at in (1, 2)])
    order, alternatives = one_a_machine(np.array([1, 0]), offers)
    assert (order.tolist(), alternatives) == ([1, 0], {})


pairs = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12)


@given(pairs)
def test_the_pareto_front(points: list[tuple[int, int]]) -> None:
    """Nothing on the front is beaten, and all that is off it is."""
    usd, hours = np.array(points, dtype=float).T
    order = np.arange(len(points))
    front = pareto_front(order, usd, hours).tolist()

    def beats(one: int, other: int) -> bool:
        better = usd[one] < usd[other] or hours[one] < hours[other]
        return bool(usd[one] <= usd[other] and hours[one] <= hours[other] and better)

    assert front == sorted(front)
    for at in range(len(points)):
        beaten = any(beats(other, at) for other in range(len(points)))
        equal = any(points[at] == points[other] for other in front)
        assert equal != beaten


def test_the_front_of_a_market(market: list[dict[str, Any]]) -> None:
    """What another offer beats on both is counted as such."""
    ranking = ranked(*market, pareto=True)
    assert ids(ranking) == [1, 2]
    assert ranking.excluded == {"beaten_on_both": 1}


def priced_like(
    record: dict[str, Any], other: dict[str, Any], factor: float, name: str
) -> dict[str, Any]:
    """Return `other` at a price that makes its epochs cost `factor` x the record's."""
    wanted = factor * float(ranked(record, workload=name).bill.epoch_usd[0])
    here = other
    for _ in range(4):  # traffic and storage do not follow the price
        cost = float(ranked(here, workload=name).bill.epoch_usd[0])
        here = here | {"dph_base": here["dph_base"] * wanted / cost}
    return here


def test_the_risk_averse_order(record: dict[str, Any]) -> None:
    """A slightly cheaper gamble loses to a sure thing once its bad end counts."""
    sure = record | {"id": 1, "gpu_ids": [1], "gpu_name": "RTX 3090"}
    wide = record | {"id": 2, "gpu_ids": [2], "gpu_name": "RTX 5090", "gpu_ram": 32_607}
    gamble = priced_like(sure, wide, 0.99, "resnet50")
    assert ids(ranked(sure, gamble)) == [2, 1]
    assert ids(ranked(sure, gamble, risk_averse=0.95)) == [1, 2]


def test_equal_offers_are_tied_and_a_dear_one_is_not(record: dict[str, Any]) -> None:
    """The same GPU at the same price is tied with the first, at thrice it is not."""
    records = [
        record | {"id": 1, "gpu_ids": [1]},
        record | {"id": 2, "gpu_ids": [2], "dph_base": 0.301},
        record | {"id": 3, "gpu_ids": [3], "dph_base": 0.9},
    ]
    ranking = ranked(*records)
    assert compare(ranking).tied_with == [None, 0, None]
    assert compare(ranking, 1).tied_with == [None]


@pytest.mark.parametrize(("name", "tied"), [("RTX 3090", False), ("H100 SXM", True)])
def test_shared_errors_tell_offers_apart(
    record: dict[str, Any], name: str, tied: bool
) -> None:
    """At 12 % more the same GPU is surely dearer; a very different one may not be."""
    first = record | {"gpu_name": "RTX 3090", "reliability": 1.0}
    second = first | {"id": 2, "gpu_ids": [2], "gpu_name": name, "gpu_ram": 81_559}
    if name == "RTX 3090":
        second["gpu_ram"] = record["gpu_ram"]
    dearer = priced_like(first, second, 1.12, "vit-b16")
    ranking = ranked(first, dearer, workload="vit-b16")
    assert ids(ranking) == [101, 2]
    assert (compare(ranking).tied_with[1] is not None) == tied


def test_an_order_by_time_has_no_ties(record: dict[str, Any]) -> None:
    """Groups of equal cost mean nothing in another order."""
    other = record | {"id": 2, "gpu_ids": [2]}
    assert compare(ranked(record, other, sort="price")).tied_with == [None, None]


def test_no_offer_has_no_ties(record: dict[str, Any]) -> None:
    """An empty ranking has no groups."""
    assert compare(ranked(record, deadline_h=0.01)).tied_with == []
