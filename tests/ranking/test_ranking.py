"""A ranking is a sequence of offers: order, slices, figures, frames, notebooks."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from functools import cache
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import AdvisorError, NothingFitsError, UsageError
from advisor.cost.job import RENTALS, Job, Rental
from advisor.market.filters import Filters
from advisor.ranking.offer import FIGURES, RankedOffer
from advisor.ranking.policy import Policy
from advisor.ranking.rank import rank
from advisor.ranking.ranking import Ranking
from advisor.ranking.ties import compare
from advisor.report.entries import entries
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

TABLES = load_tables()
MARKET = generate_offers(80, 5, 1.8e9)
ROOMY = {**MARKET[0], "disk_space": 4000.0}
PLACES = st.none() | st.integers(-90, 90)
SLICES = st.builds(slice, PLACES, PLACES, PLACES.filter(lambda step: step != 0))


@cache
def ranked(rental: Rental = "on-demand", **policy: Any) -> Ranking:
    """Rank a small market."""
    profile = load_workload("resnet50")
    job = Job(profile, 3, profile.disk_gb, rental)
    return rank(MARKET, job, TABLES, Filters(), Policy(**policy))


def hostile(**texts: Any) -> Ranking:
    """Rank one offer whose texts are given."""
    profile = load_workload("resnet50")
    record = {**ROOMY, "id": 1, **texts}
    return rank([record], Job(profile, 3, profile.disk_gb), TABLES, Filters())


def test_the_best_comes_first_and_ranks_count_from_one() -> None:
    """Length, iteration, indexing from either end, and `best` agree."""
    ranking = ranked()
    offers = list(ranking)
    assert len(offers) == len(ranking) > 20
    assert [one.rank for one in offers] == list(range(1, len(offers) + 1))
    sure = [one for one in offers if "start_doubtful" not in one.flags]
    costs = [one.cost_usd_per_epoch for one in sure]
    assert costs == sorted(costs)
    assert offers[0] == ranking[0] == ranking.best == ranking[-len(ranking)]
    assert offers[-1] == ranking[-1]
    assert offers[3] in ranking
    with pytest.raises(IndexError):
        ranking[len(ranking)]


@given(first=SLICES, second=SLICES)
def test_a_slice_is_the_ranking_of_these_offers(first: slice, second: slice) -> None:
    """Of a slice, too: each offer keeps its rank, and what it is tied with."""
    ranking = ranked()
    expected = list(ranking)[first][second]
    found = ranking[first][second]
    assert list(found) == expected
    assert [one.rank for one in found] == [one.rank for one in expected]
    assert found.ranks.tolist() == [one.rank for one in expected]
    assert [tie for _, tie in found.with_ties()] == [one.tied_with for one in expected]


@pytest.mark.parametrize("rental", RENTALS)
def test_ties_are_those_of_the_whole_ranking(rental: Rental) -> None:
    """However few are asked for, one by one or all at once."""
    ranking = ranked(rental)
    places = compare(ranking).tied_with
    expected = [None if place is None else ranking[place] for place in places]
    assert [one.tied_with for one in ranking] == expected
    assert any(expected)
    ids = [None if one is None else one.offer_id for one in expected]
    assert [entry["tied_with"] for entry in entries(ranking, 9)] == ids[:9]


@pytest.mark.parametrize("rental", RENTALS)
def test_a_frame_has_the_figures_of_the_offers(rental: Rental) -> None:
    """Each column is the attribute of its name, unknown where that is unknown."""
    ranking = ranked(rental)[2:30:3]
    frame = ranking.to_frame()
    assert len(frame) == len(ranking)
    assert set(FIGURES) < set(frame.columns)
    for name in ("rank", *FIGURES):
        for cell, offer in zip(frame[name], ranking, strict=True):
            value = getattr(offer, name)
            is_unknown = value is None or (isinstance(value, float) and math.isnan(value))
            assert pd.isna(cell) if is_unknown else cell == value, name
    for cells, offer in zip(frame.to_dict("records"), ranking, strict=True):
        assert cells["flags"] == ";".join(offer.flags)
        others = ";".join(str(other.offer_id) for other in offer.alternatives)
        assert cells["alternatives"] == others
        for name, rate in offer.limits.items():
            assert cells[f"limit_{name}_samples_per_s"] == rate


def test_an_id_of_many_digits_is_not_rounded() -> None:
    """Where another one is unknown, which would make a column of floats."""
    profile = load_workload("resnet50")
    ids = (2**62 + 1, None)
    records = [
        {**ROOMY, "id": at, "machine_id": found, "gpu_ids": [at]}
        for at, found in enumerate(ids)
    ]
    ranking = rank(records, Job(profile, 3, profile.disk_gb), TABLES, Filters())
    assert {one.machine_id for one in ranking} == set(ids)
    column = ranking.to_frame()["machine_id"]
    assert column.dropna().to_list() == [ids[0]]


def test_an_empty_ranking_has_a_frame_a_face_and_no_best() -> None:
    """The same columns without rows; what is left out is told everywhere."""
    ranking = ranked(deadline_h=0.01)
    assert not ranking
    assert list(ranking.to_frame().columns) == list(ranked().to_frame().columns)
    assert ranking.excluded["misses_deadline"] > 20
    assert "misses_deadline" in ranking._repr_html_()
    assert "0 offers" in repr(ranking)
    with pytest.raises(NothingFitsError, match="no offer meets the deadline"):
        _ = ranking.best


def test_every_figure_is_documented() -> None:
    """In the class's docstring, which is where editors and the manual read them."""
    documented = re.findall(
        r"^ {4}(\w[\w, ]*?) : ", str(RankedOffer.__doc__), re.MULTILINE
    )
    names = {name.strip() for line in documented for name in line.split(",")}
    assert names == {"ranking", "at", "rank", *FIGURES}


def test_what_is_documented_as_a_share_is_one() -> None:
    """Parts of the cost add up; intervals hold the figure; the price pays the rent."""
    for one in ranked():
        parts = (
            *(one.rent_usd_per_epoch, one.storage_usd_per_epoch),
            *(one.traffic_usd_per_epoch, one.next_machine_usd_per_epoch),
        )
        assert sum(parts) == pytest.approx(one.cost_usd_per_epoch)
        assert one.job_usd == pytest.approx(3 * one.cost_usd_per_epoch)
        assert one.cost_usd_per_epoch_low <= one.cost_usd_per_epoch
        assert one.cost_usd_per_epoch <= one.cost_usd_per_epoch_high
        assert one.epoch_h_low < one.epoch_h < one.epoch_h_high
        lines = one.cost_lines()
        assert sum(line.usd for line in lines) == pytest.approx(one.job_usd)
        assert sum(line.hours or 0.0 for line in lines) == pytest.approx(one.job_h)


@pytest.mark.parametrize("rental", RENTALS)
def test_bids_are_those_of_the_ranking(rental: Rental) -> None:
    """The advised one is what an interruptible ranking takes, however it was rented."""
    bidding = ranked("interruptible")
    for one in bidding[:5]:
        bids = ranked(rental).find(one.offer_id).bids()
        (best,) = [bid for bid in bids if bid.is_advised]
        assert best.usd_per_h == pytest.approx(one.bid_usd_per_h)
        assert best.cost_usd_per_epoch == min(bid.cost_usd_per_epoch for bid in bids)
        assert bids[0].usd_per_h == pytest.approx(one.min_bid_usd_per_h)
        assert all(bid.usd_per_h < one.on_demand_usd_per_h for bid in bids)


def test_no_bid_is_below_a_price_that_is_lower() -> None:
    """An offer whose least bid is dearer than it is on demand has no bids."""
    assert hostile(min_bid=9.0).best.bids() == ()


def test_any_offer_is_found_ranked_or_not() -> None:
    """One that shares its GPUs with a better one has no rank, and that one names it."""
    ranking = ranked()
    holder = next(one for one in ranking if one.alternatives)
    other = holder.alternatives[0]
    assert ranking.find(other.offer_id) == other
    assert other.rank is None
    assert other.tied_with is None
    assert set(other.gpu_ids) & set(holder.gpu_ids)
    assert ranking[5:].find(holder.offer_id).rank == holder.rank


def test_what_is_not_found_is_told_apart() -> None:
    """Gone, or unable to run the job: with the reason, and nothing is ranked for it."""
    profile = load_workload("llama-70b-full")
    ranking = rank(MARKET, Job(profile, 1, 1.0), TABLES, Filters())
    small = next(
        one for one in MARKET if one["num_gpus"] == 1 and one["gpu_ram"] < 30_000
    )
    with pytest.raises(NothingFitsError, match=r"cannot run this job: \w+$"):
        ranking.find(small["id"])
    with pytest.raises(UsageError, match=r"the constraints: it is gone$"):
        ranking.find(-7)
    empty = rank([], Job(profile, 1, 1.0), TABLES, Filters())
    with pytest.raises(AdvisorError, match="the market is empty"):
        empty.find(1)


def test_a_notebook_shows_a_market_s_text_and_obeys_none() -> None:
    """Whatever a host calls its machine, it is text on the page."""
    ranking = hostile(gpu_name="<img src=x onerror=alert(1)>", gpu_ids=[7])
    html = ranking._repr_html_()
    assert "&lt;img src=x" in html
    assert "<img" not in html
    assert html.count("<tr>") == 2


def test_a_long_ranking_is_not_shown_whole() -> None:
    """The best twenty, and how many there are."""
    html = ranked()._repr_html_()
    assert html.count("<tr>") == 21
    assert f"{len(ranked()):,} offers; the best 20 are shown" in html


def test_one_line_says_what_it_is() -> None:
    """What a prompt prints of a ranking and of an offer."""
    ranking = ranked()
    assert "\n" not in repr(ranking)
    assert repr(ranking).startswith(f"<Ranking of resnet50: {len(ranking)} offers, ")
    assert repr(ranking[0]).startswith(f"<RankedOffer {ranking[0].offer_id}: rank 1, ")
    assert len(repr(ranking)) < 250


def test_pandas_is_imported_for_a_frame_alone() -> None:
    """Ranking, looking at an offer and showing it in a notebook need none."""
    script = (
        "import sys, advisor\n"
        "ranking = advisor.rank('resnet50', market='sample', top=3)\n"
        "ranking[0].tied_with, ranking._repr_html_(), ranking[0].bids()\n"
        "early = {'pandas', 'scipy', 'sklearn', 'click', 'httpx'} & set(sys.modules)\n"
        "ranking.to_frame()\n"
        "sys.exit(f'{early}' if early or 'pandas' not in sys.modules else 0)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
