"""Ranking, explaining and fetching from Python: as the command line, and as Python is."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import advisor
from advisor.app.context import Context
from advisor.base.errors import (
    ArgumentError,
    NothingFitsError,
    OverBudgetError,
    UsageError,
)
from advisor.market.types import Answer, Query
from advisor.report.entries import entry

NOW = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def told() -> list[str]:
    """Return what is told beside results."""
    return []


@pytest.fixture
def world(tmp_path: Path, told: list[str]) -> Context:
    """Return a world where nothing is kept yet."""
    folders = {
        "ADVISOR_DATA_DIR": str(tmp_path / "data"),
        "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
    }
    return replace(
        Context.of_this_process(),
        variables=folders,
        home=tmp_path,
        folder=tmp_path,
        notify=told.append,
    )


def test_it_is_what_the_command_says(
    run_command: Callable[..., Any], world: Context
) -> None:
    """The same offers in the same order, with the same figures, for the same words."""
    words = ("--gpu", "RTX 4090", "--where", "cpu_ram>=48", "--max-price", "2")
    command = ("rank", "resnet50", "--market", "sample", "--json", "--deadline", "1d")
    document = run_command((*command, *words), world).document
    ranking = advisor.rank(
        "resnet50",
        market="sample",
        gpus=["RTX 4090"],
        where="cpu_ram>=48",
        max_usd_per_hour=2.0,
        deadline_s=86_400.0,
        context=world,
    )
    assert [one.offer_id for one in ranking] == [
        one["offer_id"] for one in document["offers"]
    ]
    assert document["excluded"] == ranking.excluded
    ties = [tie and tie.offer_id for _, tie in ranking.with_ties()]
    for told, offer, tie in zip(document["offers"], ranking, ties, strict=True):
        compared = {key: told[key] for key in told.keys() - entry(offer).keys()}
        assert told == {**entry(offer), **compared, "tied_with": tie}
    assert set(document["assumptions"]) == set(ranking.assumptions)


def test_a_profile_is_taken_as_its_name_is(world: Context) -> None:
    """Loaded and handed over it ranks the same; changed, it is what was changed."""
    profile = advisor.load_workload("resnet50", context=world)
    by_name, by_value, smaller, same = (
        advisor.rank(workload, market="sample", top=3, settings=settings, context=world)
        for workload, settings in (
            ("resnet50", None),
            (profile, None),
            (replace(profile, batch_size=8), {}),
            ("resnet50", {"batch_size": 8}),
        )
    )
    costs = [
        [one.cost_usd_per_epoch for one in ranking]
        for ranking in (by_name, by_value, smaller, same)
    ]
    assert costs[0] == costs[1] != costs[2]
    assert costs[2] == costs[3]
    assert smaller[0].micro_batch == 8


def test_a_profile_that_cannot_be_is_refused(world: Context) -> None:
    """What a program makes is checked as a file is."""
    profile = advisor.load_workload("resnet50", context=world)
    for change in ({"batch_size": 0}, {"precision": "fp1"}, {"samples_per_epoch": -1.0}):
        wrong = replace(profile, **change)
        with pytest.raises(UsageError, match=next(iter(change))):
            advisor.rank(wrong, market="sample", context=world)
        with pytest.raises(UsageError, match=next(iter(change))):
            advisor.predict(wrong, "RTX 4090", context=world)


def test_top_is_how_many_are_held(world: Context) -> None:
    """Whatever the listing's size; order and counts are those of the whole."""
    whole = advisor.rank("resnet50", market="sample", context=world)
    few = advisor.rank("resnet50", market="sample", top=4, context=world)
    assert [one.offer_id for one in few] == [one.offer_id for one in whole[:4]]
    assert few.excluded == whole.excluded


def test_where_nothing_fits_the_ranking_is_empty_and_says_why(world: Context) -> None:
    """It raises for who asks for the best of none, and not before."""
    ranking = advisor.rank("resnet50", market="sample", budget_usd=0.01, context=world)
    assert list(ranking) == []
    assert ranking.excluded["over_budget"] > 100
    with pytest.raises(OverBudgetError, match="no offer meets the budget"):
        _ = ranking.best


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"gpus": "RTX 4090"}, "gpus='RTX 4090': a list of texts is expected"),
        ({"gpus": ["RTX 4900"]}, "did you mean RTX 4090"),
        ({"num_gpus": 2}, "num_gpus=2"),
        ({"sort": "cheap"}, "sort='cheap': one of epoch-cost"),
        ({"risk_averse": 1.0}, "risk_averse=1.0: a number between 0 and 1"),
        ({"risk_averse": "0.9"}, "risk_averse"),
        ({"risk_averse": 0.9, "sort": "price"}, "risk_averse orders by a quantile"),
        ({"deadline_s": 0}, "deadline_s=0"),
        ({"budget_usd": float("nan")}, "budget_usd"),
        ({"top": 0}, "top=0: a whole number from 1"),
        ({"pareto": 1}, "pareto=1: true or false"),
        ({"max_age_s": -1.0}, "max_age_s=-1.0"),
        ({"where": "cpu_ram=="}, "cpu_ram"),
        ({"where": ["no_such_field>1"]}, "no_such_field"),
        ({"settings": {"batchsize": 1}}, "batch_size"),
        ({"settings": [("batch_size",)]}, "settings"),
        ({"assumptions": {"patience": 1.0}}, "patience"),
        ({"memory_margin": 0.95}, "memory_margin=0.95"),
        ({"rental": "spot"}, "rental='spot'"),
        ({"epochs": 1, "settings": {"epochs": 2}}, "contradict"),
        ({"market": 7}, "market: a name, a path, or what advisor.open_market"),
        ({"market": "nowhere"}, "nowhere"),
        ({"workload": None}, "workload=None"),
        ({"workload": "resnet5O"}, "did you mean resnet50"),
    ],
)
def test_what_cannot_be_right_is_one_line(
    arguments: dict[str, Any], words: str, world: Context
) -> None:
    """It names the argument as Python has it, and says what is expected."""
    asked = {"workload": "resnet50", "market": "sample", "context": world, **arguments}
    with pytest.raises(UsageError) as caught:
        advisor.rank(**asked)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_market_is_opened_once_and_asked_often(world: Context) -> None:
    """A name, a path, an opened market and a fetched answer are all one."""
    answer = advisor.fetch("sample", context=world)
    markets = ("sample", advisor.open_market("sample", context=world), answer)
    found = [
        [one.offer_id for one in advisor.rank("resnet50", market=one, context=world)]
        for one in markets
    ]
    assert found[0] == found[1] == found[2]


def test_a_fetched_answer_is_a_market_of_its_own(world: Context, tmp_path: Path) -> None:
    """Saved as a file, which is said to be a part where constraints were given."""
    path = tmp_path / "today.json.gz"
    answer = advisor.fetch("sample", output=path, gpus=["RTX 4090"], context=world)
    assert {one["gpu_name"] for one in answer.records} == {"RTX 4090"}
    assert answer.complete is False
    saved = json.loads(gzip.decompress(path.read_bytes()))
    assert len(saved["offers"]) == len(answer.records)
    for market in (path, str(path)):
        ranking = advisor.rank("resnet50", market=market, context=world)
        assert {one.gpu_name for one in ranking} == {"RTX 4090"}
    assert ranking.source is not None
    assert ranking.source.complete is False
    assert "simulated" in ranking[0].flags


def test_a_market_of_the_user_s_own(world: Context) -> None:
    """Whatever can be searched; nobody else's notice of simulation is on it."""
    sample = advisor.fetch("sample", context=world)

    class Mine:
        name = "mine"

        def search(self, query: Query) -> Answer:
            assert query.disk_gb
            return Answer(sample.records[:50], "mine", "memory", NOW, complete=True)

    ranking = advisor.rank("resnet50", market=Mine(), context=world)
    assert ranking.read == 50
    assert "simulated" not in ranking[0].flags
    assert f"{len(ranking)} offers of mine, " in repr(ranking)


def test_a_slip_is_told(world: Context, told: list[str]) -> None:
    """A GPU that no offer has; as a warning where no context takes it."""
    slip = {"market": "sample", "where": "gpu_name=RTX_4O90"}
    assert not advisor.rank("resnet50", **slip, context=world)
    assert any("no offer has gpu_name" in line for line in told)
    with pytest.warns(UserWarning, match="no offer has gpu_name"):
        advisor.rank("resnet50", **slip)


def test_an_offer_is_explained(world: Context) -> None:
    """With its rank among all, its lines, its bids, and what holds it back."""
    ranking = advisor.rank("resnet50", market="sample", context=world)
    third = ranking[2]
    found = advisor.explain(third.offer_id, "resnet50", market="sample", context=world)
    assert found.rank == 3
    assert found.cost_usd_per_epoch == pytest.approx(third.cost_usd_per_epoch)
    assert found.advice().bound_by == third.bound_by
    assert found.bids()


def test_an_offer_that_is_left_out_or_gone_is_told_apart(world: Context) -> None:
    """By the constraint that leaves it out."""
    best = advisor.rank("resnet50", market="sample", context=world)[0]
    asked = {"market": "sample", "context": world}
    with pytest.raises(NothingFitsError, match=r"left out: .*price"):
        advisor.explain(best.offer_id, "resnet50", max_usd_per_hour=0.001, **asked)
    with pytest.raises(UsageError, match="it is gone"):
        advisor.explain(99, "resnet50", **asked)
    with pytest.raises(ArgumentError, match="min_reliability"):
        advisor.explain(best.offer_id, "resnet50", min_reliability=2.0, **asked)
