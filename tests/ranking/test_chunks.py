"""Ranking in chunks: the same order, figures, counts and refusals as in one piece."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.cost.job import RENTALS, Job
from advisor.market.filters import Filters
from advisor.ranking import evaluation as module
from advisor.ranking.policy import SORT_KEYS, Policy
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.ranking.refused import nothing_left
from advisor.report.entries import entries
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import UserRun
from advisor.workloads.load import load_workload

TABLES = load_tables()
MARKET = generate_offers(120, 5, 1.8e9)
STRANGE = [
    {**record, "id": 10**9 + at, "gpu_name": f"Mystery {at % 3}", "gpu_ids": []}
    for at, record in enumerate(MARKET[:9])
]
LISTINGS: dict[str, list[Any]] = {
    "a market": MARKET,
    "with what is no offer": [None, *MARKET[:60], {"id": 1}, {}, *MARKET[:20]],
    "of equal offers": [
        MARKET[at % 3] | {"id": at, "machine_id": at, "gpu_ids": [at]} for at in range(40)
    ],
    "of one machine": [
        MARKET[0] | {"id": at, "machine_id": 1, "gpu_ids": [at % 5], "dph_base": 0.1 + at}
        for at in range(40)
    ],
    "of unknown GPUs too": [*MARKET[:80], *STRANGE],
    "of nothing": [],
}
RUN = UserRun("resnet50", "RTX 3090", 1, 400.0, None, 16.0, None, 256, "amp")

CHOICES = st.builds(
    Policy,
    sort=st.sampled_from(SORT_KEYS),
    risk_averse=st.none() | st.just(0.9),
    deadline_h=st.none() | st.sampled_from([0.1, 20.0, 60.0]),
    budget_usd=st.none() | st.sampled_from([0.01, 5.0, 50.0]),
    max_epoch_usd=st.none() | st.just(0.05),
    max_usd_per_hour=st.none() | st.sampled_from([0.001, 0.1]),
    pareto=st.booleans(),
)


def in_chunks(size: int, *arguments: Any, **more: Any) -> Ranking:
    """Rank in chunks of a size."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK", size)
        return rank(*arguments, **more)


def same(one: Any, other: Any) -> bool:
    """Say whether two documents are the same, figures to a billionth."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return math.isclose(one, other, rel_tol=1e-9)
    return bool(one == other)


def shown(ranking: Ranking, top: int | None) -> list[dict[str, Any]]:
    return entries(ranking, top)


@pytest.mark.slow
@settings(max_examples=25)
@given(
    listing=st.sampled_from(sorted(LISTINGS)),
    size=st.sampled_from([7, 16, 64]),
    top=st.none() | st.sampled_from([1, 5, 400]),
    rental=st.sampled_from(RENTALS),
    workload=st.sampled_from(["resnet50", "llama-8b-lora"]),
    fit_batch=st.booleans(),
    own=st.booleans(),
    policy=CHOICES,
)
def test_chunks_change_nothing(
    listing: str,
    size: int,
    top: int | None,
    rental: Any,
    workload: str,
    fit_batch: bool,
    own: bool,
    policy: Policy,
) -> None:
    """Whatever is asked for, of whatever listing, and however few are shown."""
    profile = load_workload(workload)
    runs = (RUN,) if own and workload == "resnet50" else ()
    job = Job(profile, 3, profile.disk_gb, rental, fit_batch=fit_batch, runs=runs)
    asked = (LISTINGS[listing], job, TABLES, Filters(min_reliability=0.5), policy)
    whole = rank(*asked)
    parts = in_chunks(size, *asked, top=top)
    assert same(shown(whole, top), shown(parts, top))
    assert (parts.excluded, parts.read) == (whole.excluded, whole.read)
    if not len(whole.order):
        refusals = nothing_left(whole), nothing_left(parts)
        assert str(refusals[0]) == str(refusals[1])
        assert type(refusals[0]) is type(refusals[1])


def test_a_few_of_many_are_held() -> None:
    """The arrays hold the best, who shares their GPUs, and the rivals."""
    profile = load_workload("resnet50")
    job = Job(profile, 3, profile.disk_gb)
    found = in_chunks(16, MARKET, job, TABLES, Filters(), top=4)
    others = {at for others in found.alternatives.values() for at in others}
    others |= {at for rival in found.rivals.values() for at in rival.positions}
    assert len(found.order) == 4
    assert sorted({*found.order.tolist(), *others}) == list(range(len(found.offers)))
    assert len(found.usable) == len(found.offers) == len(found.bill.job_usd)
    assert found.read == len(MARKET)


def test_a_stream_is_ranked() -> None:
    """Records that can be gone through only once are ranked as a list of them."""

    def stream() -> Iterator[dict[str, Any]]:
        yield from MARKET

    profile = load_workload("resnet50")
    job = Job(profile, 3, profile.disk_gb)
    listed = rank(MARKET, job, TABLES, Filters())
    streamed = in_chunks(50, stream(), job, TABLES, Filters())
    assert same(shown(listed, None), shown(streamed, None))
