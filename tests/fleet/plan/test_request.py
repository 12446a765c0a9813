"""The rental of a planned machine: its offer first, then by the load of the plan."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.context import Context
from advisor.app.markets import answer_of
from advisor.app.sweep import SweepSpec, jobs_of
from advisor.fleet.plan import plan_sweep, request_for

Sweep = Callable[..., SweepSpec]


@pytest.fixture
def spec(sweep_of: Sweep, tmp_path: Path) -> SweepSpec:
    """Return a sweep on a market that can be rented from; it is asked nothing here."""
    return sweep_of(
        20, name="sweep-1", market="vast", budget_usd=30.0, deadline_s=12 * 3600.0
    )


@pytest.fixture
def context(context: Context) -> Context:
    """Return the world with a key of an account, which is all that is asked for."""

    def account(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/api/v0/users/current/"
        return httpx.Response(200, json={"id": 1, "credit": 100.0})

    return replace(
        context,
        variables={**context.variables, "VAST_API_KEY": "0" * 64},
        transport=httpx.MockTransport(account),
    )


def test_the_plan_s_offer_is_first_and_the_others_follow_by_cost(
    context: Context, spec: SweepSpec
) -> None:
    """All of them do the load within the lifetime; no machine has too few GPUs."""
    answer = answer_of(context, "sample", request_query(context, spec))
    planned = plan_sweep(
        context, spec, jobs_of(spec), answer=answer, with_curve=False
    ).machines[0]
    rental = request_for(context, spec, planned)
    ranking = rental.request.rank(answer)
    assert ranking[0].offer_id == planned.offer_id
    assert len(ranking) > 10
    assert len({one.offer_id for one in ranking}) == len(ranking)
    assert rental.request.job == "sweep-1"
    assert rental.request.caps.job_usd == 30.0
    assert rental.request.lifetime_s == pytest.approx(planned.lifetime_h * 3600.0)
    gone = tuple(one for one in answer.records if one["id"] != planned.offer_id)
    others = rental.request.rank(replace(answer, records=gone))
    assert planned.offer_id not in {one.offer_id for one in others}
    assert others[0].offer_id == ranking[1].offer_id


def test_one_offer_that_is_looked_at_again_is_ranked(
    context: Context, spec: SweepSpec
) -> None:
    """As before it is paid for; one that ends before the load does is not."""
    answer = answer_of(context, "sample", request_query(context, spec))
    planned = plan_sweep(
        context, spec, jobs_of(spec), answer=answer, with_curve=False
    ).machines[0]
    rank = request_for(context, spec, planned).request.rank
    rank(answer)
    again = [one for one in answer.records if one["id"] == planned.offer_id]
    assert [one.offer_id for one in rank(replace(answer, records=again))] == [
        planned.offer_id
    ]
    ends = [{**again[0], "duration": 600.0}]
    assert len(rank(replace(answer, records=ends))) == 0


def request_query(context: Context, spec: SweepSpec) -> Any:
    from advisor.fleet.plan.kinds import kinds_of  # noqa: PLC0415
    from advisor.fleet.plan.listing import Listing  # noqa: PLC0415

    return Listing.of(context, spec, kinds_of(jobs_of(spec))).query
