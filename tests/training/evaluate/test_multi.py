"""The evaluation of several GPUs: nothing leaks, sums are right, baselines are beaten."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from advisor.base.arrays import IntArray
from advisor.base.resources import models_folder
from advisor.hardware.gpus import load_gpus
from advisor.throughput.scaling import CLASSES, KINDS
from advisor.training.evaluate.multi import (
    constant_share,
    evaluate_multi,
    nested,
    outer_folds,
)
from advisor.training.fit.benchmarks import Benchmarks, load_benchmarks
from advisor.training.fit.pairs import Pairs, scaling_pairs

pytestmark = pytest.mark.slow  # a fit for each card that is held out

GPUS = load_gpus()
ENDS_WITHIN = 1e-6
"""How near two fits of the same pairs come to each other: sums that are rounded another
way move each step a little."""

CARDS = ("RTX 2080 Ti", "RTX 3090", "A100-PCIe-40GB", "RTX A6000", "A100-SXM4-40GB")


@pytest.fixture(scope="module")
def small() -> Benchmarks:
    """Return five cards and three workloads: enough to evaluate on, quickly."""
    table = load_benchmarks(models_folder() / "benchmarks.csv")
    rows = np.isin(table.gpu, CARDS)
    rows &= np.isin(table.workload, ("resnet50", "bert-base-squad", "gnmt"))
    return table.select(rows)


@pytest.fixture(scope="module")
def pairs(small: Benchmarks) -> Pairs:
    """Return its pairs."""
    found = scaling_pairs(small, GPUS)
    return found.select(found.predictable)


def three_folds(pairs: Pairs) -> IntArray:
    """Return the fold of each pair, as each fold is a fit: the first card, two others."""
    return np.array([(CARDS.index(str(gpu)) + 1) // 2 for gpu in pairs.gpu])


@pytest.fixture(scope="module")
def result(small: Benchmarks) -> dict[str, Any]:
    """Return its evaluation."""
    return evaluate_multi(small, GPUS)


def test_the_result_has_every_split_count_and_class(result: dict[str, Any]) -> None:
    """Splits and baselines have the same groups, as plain data for JSON."""
    groups = {"all", "2", "4", "8", *CLASSES}
    assert set(result["splits"]) == set(result["baselines"]) == set(KINDS)
    for split in KINDS:
        assert set(result["splits"][split]) == groups
        for baseline in ("linear", "constant"):
            assert set(result["baselines"][split][baseline]) == groups
        for summary in result["splits"][split].values():
            wanted = {"mape", "median_ape", "p90_ape", "coverage90", "n"}
            assert set(summary) == wanted
    plain = {name: part for name, part in result.items() if name != "compared"}
    assert json.loads(json.dumps(plain)) == plain


def test_every_evaluated_pair_is_evaluated_once(
    pairs: Pairs, result: dict[str, Any]
) -> None:
    """Counts and classes add up to all, in each split."""
    for split in result["splits"].values():
        assert split["all"]["n"] == pairs.evaluated.sum()
        assert sum(split[name]["n"] for name in CLASSES) == split["all"]["n"]


def test_a_held_out_card_is_seen_by_nobody(pairs: Pairs) -> None:
    """Other measurements of a card change no prediction of its own."""
    card = pairs.gpu == CARDS[0]
    folds = three_folds(pairs)
    other = replace(pairs, efficiency=np.where(card, 0.4, 1.0) * pairs.efficiency)
    before, after = (nested(p, {"gpu": folds})["gpu"] for p in (pairs, other))
    for one, two in zip((before[0], *before[1]), (after[0], *after[1]), strict=True):
        assert two[card] == pytest.approx(one[card], abs=ENDS_WITHIN)
    assert np.abs(after[0][~card] - before[0][~card]).max() > 10 * ENDS_WITHIN


def test_what_is_left_out_trains_nothing(pairs: Pairs) -> None:
    """A pair with a reason is predicted, and changes no other prediction."""
    reason = np.where(pairs.num_gpus == 8, "a reason", "").astype("U64")
    left_out = replace(pairs, left_out=reason)
    absurd = np.where(pairs.num_gpus == 8, 0.01, pairs.efficiency)
    folds = three_folds(pairs)
    plain, changed = (
        nested(p, {"gpu": folds})["gpu"]
        for p in (left_out, replace(left_out, efficiency=absurd))
    )
    assert changed[0] == pytest.approx(plain[0], abs=ENDS_WITHIN)


def test_the_constant_is_the_median_of_the_others(pairs: Pairs) -> None:
    """By number of GPUs, without the fold itself."""
    folds = outer_folds(pairs, "gpu")
    share = constant_share(pairs, folds)
    row = int(np.flatnonzero(pairs.num_gpus == 2)[0])
    others = (pairs.num_gpus == 2) & (folds != folds[row]) & pairs.evaluated
    assert share[row] == np.median(pairs.efficiency[others])


def test_linear_scaling_errs_by_what_is_lost(
    pairs: Pairs, result: dict[str, Any]
) -> None:
    """Its error is one over the efficiency, less one."""
    evaluated = pairs.select(pairs.evaluated)
    expected = np.abs(1.0 / evaluated.efficiency - 1.0).mean()
    linear = result["baselines"]["gpu"]["linear"]["all"]["mape"]
    assert linear == pytest.approx(expected)


def test_the_model_beats_both_baselines(result: dict[str, Any]) -> None:
    """On known cards and nets its mean error is the least, whatever the count."""
    for group in ("all", "4", "8"):
        errors = result["splits"]["pair"][group]["mape"]
        for baseline in result["baselines"]["pair"].values():
            assert errors < baseline[group]["mape"]


def test_exclusions_are_counted_and_evaluated(result: dict[str, Any]) -> None:
    """Every reason has its number of pairs; those that can be are evaluated with it."""
    assert all(count > 0 for count in result["excluded"].values())
    evaluated = result["splits"]["gpu"]["all"]["n"]
    for reason, summary in result["with_excluded"]["gpu"].items():
        assert evaluated < summary["all"]["n"] <= evaluated + result["excluded"][reason]
