"""One offer again with one thing changed: the figures are those of a whole ranking."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

import advisor
from advisor.cost.assumptions import Assumptions
from advisor.ranking.offer import RankedOffer
from advisor.ranking.one import WORTH, Effect, One
from advisor.ranking.rank import rank_offers

ROUNDING = 1e-9
"""What kernels without vector units may round otherwise, relative."""


@lru_cache
def best(workload: str = "resnet50", rental: str = "on-demand") -> RankedOffer:
    return advisor.rank(workload, market="sample", rental=rental)[0]  # type: ignore[arg-type]


def effects(**asked: str) -> dict[str, Effect]:
    return {one.name: one for one in best(**asked).effects()}


def again(offer: RankedOffer, **assumptions: float) -> float:
    """Return the cost per epoch as a ranking with other assumptions has it."""
    found = advisor.explain(
        offer.offer_id,
        offer.ranking.job.workload.name,
        market="sample",
        rental=offer.ranking.job.rental,
        assumptions=assumptions,
    )
    return found.cost_usd_per_epoch


@pytest.mark.slow
@pytest.mark.parametrize("name", ["delivered_share", "disk_margin", "repair_h"])
def test_an_effect_is_what_the_assumption_changes(name: str) -> None:
    """At either end of its range: what `--assume` gives for the same offer."""
    one, offer = effects()[name], best()
    assert one.of == "cost"
    assert one.assumption.low is not None
    assert one.assumption.high is not None
    assert one.epoch_usd_at_low == pytest.approx(
        again(offer, **{name: one.assumption.low})
    )
    assert one.epoch_usd_at_high == pytest.approx(
        again(offer, **{name: one.assumption.high})
    )


def test_an_effect_of_the_model_is_that_of_another_model() -> None:
    """A constant of the artifact, moved: as a ranking with that constant costs it."""
    offer, one = best("resnet18"), effects(workload="resnet18")["handoff_gb_s"]
    ranking = offer.ranking
    assert one.assumption.low is not None
    tables = ranking.tables.replaced("handoff_gb_s", one.assumption.low)
    offers = ranking.offers.take(np.array([offer.at]))
    moved = rank_offers(offers, ranking.job, tables).bill.epoch_usd[0]
    assert one.of == "model"
    assert one.epoch_usd_at_low == pytest.approx(float(moved))
    assert one.matters


def test_a_disk_that_was_stated_does_not_move() -> None:
    """The margin is for a disk that the job's needs decide."""
    found = advisor.explain(best().offer_id, "resnet50", market="sample", disk_gb=200.0)
    (margin,) = [one for one in found.effects() if one.name == "disk_margin"]
    unmoved = pytest.approx(margin.epoch_usd, rel=ROUNDING)
    assert [margin.epoch_usd_at_low, margin.epoch_usd_at_high] == [unmoved, unmoved]


def test_bids_are_chosen_anew() -> None:
    """What a bid loses matters where there is one, and changes nothing on demand."""
    bid, listed = effects(rental="interruptible"), effects()
    assert bid["pause_h"].matters
    assert listed["pause_h"].largest <= ROUNDING * listed["pause_h"].epoch_usd


def test_every_assumption_is_among_them() -> None:
    """All that the JSON lists, and the core time of the profile; the greatest first."""
    found = best().effects()
    names = {one.name for one in found}
    assert names == {*best().ranking.assumptions, "cpu_ms_per_sample"}
    sizes = [one.largest for one in found]
    assert sizes == sorted(sizes, reverse=True)
    for one in found:
        known = one.assumption.low is not None
        assert (one.epoch_usd_at_low is not None) is known
        assert one.matters is (one.largest >= WORTH * one.epoch_usd)


def test_a_figure_at_which_it_does_not_run_matters_most() -> None:
    """A job that then would not fit has no cost."""
    effect = replace(best().effects()[0], epoch_usd_at_low=math.nan)
    assert effect.largest == math.inf
    assert effect.matters


def test_ranges_are_around_their_figures() -> None:
    """Every range holds its figure, within what the user may say."""
    for name, one in best().ranking.assumptions.items():
        if one.low is None or one.high is None:
            assert one.range_source is None, name
            continue
        assert one.low <= one.value <= one.high, name
        assert one.range_source, name
        if name in Assumptions().listed():
            Assumptions().replaced({name: one.low})
            Assumptions().replaced({name: one.high})


def test_the_offer_alone_costs_what_it_costs_among_all() -> None:
    """And what would lift the machine is cheaper per epoch at the same price."""
    offer = best("resnet18")
    one = One.of(offer.ranking, offer.at)
    alone = one.evaluator.bill(one.offers, one.here).epoch_usd[0]
    assert float(alone) == pytest.approx(offer.cost_usd_per_epoch)
    for lift in offer.advice().improvements:
        assert lift.epoch_usd is not None
        assert lift.epoch_usd < offer.cost_usd_per_epoch
        assert lift.epoch_h < offer.epoch_h
