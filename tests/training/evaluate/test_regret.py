"""Decision regret: laws of any market, figures by hand, and the real prices."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.base.arrays import FloatArray, StrArray
from advisor.base.errors import UsageError
from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.training.evaluate.baselines import baseline_rates
from advisor.training.evaluate.regret import Prices, decision_regret, load_prices
from advisor.training.fit.benchmarks import load_benchmarks
from advisor.training.fit.row_use import choose

PRICES = models_folder() / "prices.csv"


class Case(NamedTuple):
    """Rows of a benchmark table, a prediction of each, and a market."""

    groups: StrArray
    workloads: StrArray
    gpus: StrArray
    measured: FloatArray
    predicted: FloatArray
    prices: Prices
    tflops: FloatArray

    def regret(self) -> dict[str, dict[str, dict[str, float]]]:
        return decision_regret(
            *self[:5],
            prices=self.prices,
            baselines={"tflops_per_usd": self.tflops},
        )


def drawn_case(seed: int) -> Case:
    """Return two to four groups of three to six GPUs, up to five offers per GPU."""
    generator = np.random.default_rng(seed)
    number, groups = generator.integers(3, 7), generator.integers(2, 5)
    offers = np.repeat(np.arange(number), generator.integers(1, 6, number))
    names = np.array([f"gpu {code}" for code in range(number)])
    size, count = number * groups, len(offers)
    group = np.repeat(np.arange(groups), number)
    return Case(
        groups=group.astype(np.str_),
        workloads=(group // 2).astype(np.str_),
        gpus=np.tile(names, groups),
        measured=generator.normal(3.0, 0.6, size),
        predicted=generator.normal(3.0, 0.6, size),
        prices=Prices(
            gpu=names[offers],
            memory_gb=generator.choice([24.0, 80.0], count),
            usd_per_hour=np.exp(generator.normal(0.0, 0.7, count)),
            dlperf=np.where(generator.random(count) < 0.1, np.nan, 50.0),
        ),
        tflops=generator.normal(3.0, 0.6, size),
    )


CASES = st.integers(0, 2**32).map(drawn_case)
few = settings(max_examples=40)


@pytest.fixture
def case() -> Case:
    """Return one group of four GPUs, one offer each, whose costs are 2, 1, 4 and 3.

    Of memories 24, 40, 48 and 80 GB, the second as the market reports it: 39.
    """
    usd = np.array([1.0, 2.0, 2.0, 6.0])
    rate = usd / [2.0, 1.0, 4.0, 3.0]
    return Case(
        groups=np.array(["s|w|amp"] * 4),
        workloads=np.array(["w|amp"] * 4),
        gpus=np.array(["a", "b", "c", "d"]),
        measured=np.log(rate),
        predicted=np.log(usd / [1.0, 2.0, 3.0, 4.0]),
        prices=Prices(
            np.array(["a", "b", "c", "d"]),
            np.array([24.0, 39.0, 48.0, 80.0]),
            usd,
            np.array([1.0, 3.0, 8.0, 30.0]),
        ),
        tflops=np.log([1.0, 1.0, 1.0, 1.0]),
    )


@few
@given(case=CASES)
def test_who_knows_the_outcome_loses_nothing(case: Case) -> None:
    """Predicted as measured, but for the intercept: no regret, every order right."""
    oracle = case._replace(predicted=case.measured + 1.0)
    for policies in oracle.regret().values():
        own = policies["advisor"]
        if own["n"]:
            assert own["mean_extra"] == pytest.approx(0.0, abs=1e-12)
            assert own["kendall_tau"] == pytest.approx(1.0)
            assert own.get("hit3", 1.0) == 1.0


@few
@given(case=CASES)
def test_nobody_beats_the_best_in_hindsight(case: Case) -> None:
    """No regret is negative, no share or tau out of its range, at every policy."""
    for policies in case.regret().values():
        for figures in policies.values():
            if figures["n"]:
                assert figures["mean_extra"] >= 0.0
                assert figures["mean_extra_cells"] >= 0.0
                assert -1.0 - 1e-12 <= figures["kendall_tau"] <= 1.0 + 1e-12
                assert 0.0 <= figures.get("hit3", 0.0) <= 1.0


@pytest.mark.slow
@few
@given(case=CASES, power=st.integers(-20, 20))
def test_the_currency_does_not_matter(case: Case, power: int) -> None:
    """Prices times a common factor (a power of two, which is exact) change nothing."""
    scaled = dataclasses.replace(
        case.prices, usd_per_hour=np.ldexp(case.prices.usd_per_hour, power)
    )
    assert case._replace(prices=scaled).regret() == case.regret()


@few
@given(case=CASES, seed=st.integers(0, 1000))
def test_the_order_of_rows_and_offers_does_not_matter(case: Case, seed: int) -> None:
    """Where no two offers are equal, shuffled tables give the same figures."""
    generator = np.random.default_rng(seed)
    rows = generator.permutation(len(case.groups))
    columns = {
        name: getattr(case, name)[rows]
        for name in case._fields
        if isinstance(getattr(case, name), np.ndarray)
    }
    offers = case.prices.select(generator.permutation(len(case.prices)))
    shuffled = case._replace(**columns, prices=offers).regret()
    for offer_set, policies in case.regret().items():
        for policy, figures in policies.items():
            assert shuffled[offer_set][policy] == pytest.approx(figures)


def test_figures_by_hand(case: Case) -> None:
    """The advisor puts a (cost 2) before b (cost 1): twice the best, one pair wrong."""
    figures = case.regret()["all"]
    advisor = figures["advisor"]
    assert advisor["mean_extra"] == pytest.approx(1.0)
    assert advisor["hit3"] == 1.0
    # Of six pairs, (a, b) and (c, d) are the wrong way round.
    assert advisor["kendall_tau"] == pytest.approx((4 - 2) / 6)
    assert (advisor["n"], advisor["n_hit3"], advisor["workloads"]) == (1, 1, 1)
    # DLPerf a dollar is 1, 1.5, 4 and 5: d, c and b come first.
    assert figures["dlperf_per_usd"]["mean_extra"] == pytest.approx(2.0)
    assert figures["dlperf_per_usd"]["hit3"] == 1.0
    assert figures["cheapest"]["mean_extra"] == pytest.approx(1.0)


def test_the_best_gpu_may_be_missed(case: Case) -> None:
    """A policy that puts the best GPU fourth has no hit."""
    last = case._replace(predicted=np.log([1.0, 1e-6, 1.0, 1.0]))
    assert last.regret()["all"]["advisor"]["hit3"] == 0.0


def test_a_set_holds_the_cards_sold_with_so_much(case: Case) -> None:
    """Of 40 GB and more are the last three, one of which reports 39."""
    figures = case.regret()["40gb"]["advisor"]
    assert figures["n"] == 1
    # Of b, c and d the first choice is b, the best. Three are no test of the first three.
    assert figures["mean_extra"] == pytest.approx(0.0)
    assert "hit3" not in figures


def test_two_gpus_are_no_choice(case: Case) -> None:
    """Without the offers of c and d there is no decision, and no figure but counts."""
    few = case._replace(prices=case.prices.select(np.arange(2)))
    for figures in few.regret()["all"].values():
        assert figures == {"n": 0, "n_hit3": 0, "workloads": 0}


def test_what_was_not_predicted_is_not_chosen_from(case: Case) -> None:
    """Without a held-out prediction of b, the best is a, which the advisor takes."""
    without = case._replace(predicted=np.where(case.gpus == "b", np.nan, case.predicted))
    assert without.regret()["all"]["advisor"]["mean_extra"] == pytest.approx(0.0)


def test_an_offer_that_cannot_be_rated_comes_last(case: Case) -> None:
    """Without d's score c is first; without any the cheapest is."""
    scores = np.array([1.0, 3.0, 8.0, np.nan])
    unrated = dataclasses.replace(case.prices, dlperf=scores)
    regret = case._replace(prices=unrated).regret()["all"]["dlperf_per_usd"]
    assert regret["mean_extra"] == pytest.approx(3.0)
    # Of six pairs, (a, c), (b, c) and (c, d) are the wrong way round.
    assert regret["kendall_tau"] == pytest.approx(0.0)
    nothing = dataclasses.replace(case.prices, dlperf=np.full(4, np.nan))
    figures = case._replace(prices=nothing).regret()["all"]
    assert figures["dlperf_per_usd"]["mean_extra"] == figures["cheapest"]["mean_extra"]
    assert figures["dlperf_per_usd"]["kendall_tau"] == 0.0


def test_equal_scores_are_broken_by_price(case: Case) -> None:
    """Of offers with equal DLPerf a dollar the cheapest is taken, though listed last."""
    equal = dataclasses.replace(case.prices, dlperf=3.0 * case.prices.usd_per_hour)
    listed = equal.select(np.array([3, 2, 1, 0]))
    policies = case._replace(prices=listed).regret()["all"]
    assert policies["dlperf_per_usd"]["mean_extra"] == pytest.approx(1.0)


def test_a_workload_counts_once_however_many_measured_it(case: Case) -> None:
    """Three comparison groups of one workload and one of another weigh alike."""
    right = case.measured
    groups = np.repeat(["s1", "s2", "s3", "s4"], 4)
    four = case._replace(
        groups=groups,
        workloads=np.where(groups == "s4", "x|amp", "w|amp"),
        gpus=np.tile(case.gpus, 4),
        measured=np.tile(case.measured, 4),
        predicted=np.concatenate([case.predicted, case.predicted, case.predicted, right]),
        tflops=np.tile(case.tflops, 4),
    )
    figures = four.regret()["all"]["advisor"]
    assert figures["mean_extra"] == pytest.approx(0.5)
    assert figures["mean_extra_cells"] == pytest.approx(0.75)
    assert (figures["n"], figures["workloads"]) == (4, 2)
    assert figures["mean_extra_low"] == pytest.approx(0.0)
    assert figures["mean_extra_high"] == pytest.approx(1.0)


def test_the_shipped_prices_are_sound() -> None:
    """Every GPU is in the GPU table, every figure positive and plausible."""
    prices = load_prices(PRICES)
    assert len(prices) > 500
    assert set(prices.gpu) <= set(load_gpus())
    assert np.all((prices.usd_per_hour > 0.01) & (prices.usd_per_hour < 50.0))
    assert np.all((prices.memory_gb > 2.0) & (prices.memory_gb < 300.0))
    assert np.all(prices.dlperf[np.isfinite(prices.dlperf)] > 0.0)


def test_real_prices_and_groups_make_decisions() -> None:
    """Both sets have groups, and physics chooses better than the price alone."""
    gpus, table = load_gpus(), load_benchmarks(models_folder() / "benchmarks.csv")
    rows = table.select(choose(table, gpus).evaluated)
    rates = baseline_rates(rows, gpus, {})
    regret = decision_regret(
        rows.comparison_group,
        rows.workload,
        rows.gpu,
        np.log(rows.throughput),
        rates["geometric_mean"],
        prices=load_prices(PRICES),
        baselines={"tflops_per_usd": rates["tflops"]},
    )
    for policies in regret.values():
        assert policies["advisor"]["n"] > 50
        assert policies["advisor"]["mean_extra"] < policies["cheapest"]["mean_extra"]


def test_a_broken_table_of_prices_is_refused(tmp_path: Path) -> None:
    """The message names the file, whether it is absent or not such a table."""
    broken = tmp_path / "prices.csv"
    with pytest.raises(UsageError, match=r"prices\.csv: not a table of prices"):
        load_prices(broken)
    broken.write_text("gpu,usd\nA10,0.2\n")
    with pytest.raises(UsageError, match=r"prices\.csv: not a table of prices"):
        load_prices(broken)
