"""The whole evaluation: right sums, promised keys, and a model better than baselines."""

from __future__ import annotations

import json

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.hardware.gpus import GpuTable
from advisor.throughput.artifact import read_model
from advisor.training.evaluate.baselines import (
    baseline_rates,
    load_dlperf,
    ratio_errors,
)
from advisor.training.evaluate.card import model_card
from advisor.training.evaluate.regressors import REGRESSORS
from advisor.training.evaluate.regret import load_prices
from advisor.training.evaluate.run import Evaluation, Inputs, evaluate
from advisor.training.evaluated import evaluation_table, panels
from advisor.training.fit.benchmarks import Benchmarks, load_benchmarks, table_hash
from advisor.training.fit.cpu_tables import load_cpu_tables
from advisor.training.fit.row_use import RowUse, load_row_use
from advisor.training.folder import AUXILIARY, CARD, PLOT, ROW_USE, TABLE

MODELS = models_folder()
RATIOS = ("pair", "gpu")


@pytest.fixture(scope="module")
def evaluation(small: Benchmarks, small_row_use: RowUse, gpus: GpuTable) -> Evaluation:
    """Return the evaluation of four workloads on two splits and the CPU side."""
    inputs = Inputs(
        tables=small,
        row_use=small_row_use,
        gpus=gpus,
        cpus=load_cpus(),
        dlperf=load_dlperf(MODELS / "dlperf.csv"),
        prices=load_prices(MODELS / "prices.csv"),
        cpu_tables=load_cpu_tables(MODELS),
        profiles={},
    )
    return evaluate(inputs, (*RATIOS, "cpu"))


@pytest.mark.slow
def test_the_model_beats_every_baseline(evaluation: Evaluation) -> None:
    """On both splits its mean and median error are the least."""
    for split in RATIOS:
        own = evaluation.splits[split]
        for baseline in evaluation.baselines[split].values():
            assert own["mape"] < baseline["mape"]
            assert own["median_ape"] < baseline["median_ape"]


def test_what_is_drawn_is_what_is_summed_up(evaluation: Evaluation) -> None:
    """The mean error of each panel's rows is that of its split, on each side."""
    drawn = {panel.name: panel for panel in panels(evaluation)}
    assert {*RATIOS, "cpu", "real_synthetic"} <= set(drawn)
    for name, panel in drawn.items():
        own = evaluation.splits[name]
        off = np.abs(panel.predicted / panel.measured - 1.0)
        assert len(off) == own["n"]
        assert off.mean() == pytest.approx(own["mape"])


def test_the_interval_covers_about_what_it_says(evaluation: Evaluation) -> None:
    """The 90 % interval holds 80 to 97 % of what was held out of these few rows."""
    for split in RATIOS:
        assert 0.80 < evaluation.splits[split]["coverage90"] < 0.97
        low, high = evaluation.splits[split]["intervals"]["coverage90"]
        assert low <= evaluation.splits[split]["coverage90"] <= high


def test_every_evaluated_row_is_evaluated_once(
    small_row_use: RowUse, evaluation: Evaluation
) -> None:
    """Rows evaluated and rows left out of it add up; the breakdowns do as well."""
    for split in RATIOS:
        own = evaluation.splits[split]
        assert own["n"] + own["unscored"] == small_row_use.evaluated.sum()
        assert own["with_left_out"]["n"] == small_row_use.would_be_evaluated.sum()
        for groups in (evaluation.by_gpu, evaluation.by_workload, evaluation.by_source):
            assert sum(row["n"] for row in groups[split].values()) == own["n"]


def test_the_result_is_json_with_the_promised_keys(evaluation: Evaluation) -> None:
    """What `advisor model evaluate --json` prints."""
    document = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    keys = {"mape", "median_ape", "p90_ape", "coverage90", "n"}
    for split in (*RATIOS, "cpu", "synergy_prior", "real_synthetic"):
        assert keys <= set(document["splits"][split])
    names = {"tflops", "bandwidth", "geometric_mean", "dlperf"}
    assert set(document["baselines"]["pair"]) == names
    for split in RATIOS:
        assert set(document["regressors"][split]) == set(REGRESSORS)
        for errors in document["regressors"][split].values():
            assert 0 < errors["n"] <= document["splits"][split]["n"]
    policies = {"advisor", "advisor_pair", "dlperf_per_usd", "tflops_per_usd", "cheapest"}
    for offers in ("all", "40gb"):
        assert policies <= set(document["regret"][offers])
        assert document["regret"][offers]["advisor"]["mean_extra"] >= 0.0


def test_the_tables_for_people_have_each_split_and_policy(evaluation: Evaluation) -> None:
    """Every split, what is left out with it, and every way to choose."""
    text = evaluation_table(evaluation)
    assert "with what is left out" in text
    for words in (*evaluation.splits, *REGRESSORS, *evaluation.regret["40gb"]):
        assert words in text


def test_baselines_are_logarithms_of_rates(
    small: Benchmarks, small_row_use: RowUse, gpus: GpuTable
) -> None:
    """The geometric mean lies midway; a card without a score has no DLPerf."""
    rows = small.select(small_row_use.training)
    rates = baseline_rates(rows, gpus, {"RTX 3090": 50.0})
    mean = 0.5 * (rates["tflops"] + rates["bandwidth"])
    assert rates["geometric_mean"] == pytest.approx(mean)
    known = np.isfinite(rates["dlperf"])
    assert set(rows.gpu[known]) == {"RTX 3090"}


def test_the_intercept_of_a_baseline_comes_from_the_rest_of_its_group() -> None:
    """Three rows of a group, two in one fold: the third gives their intercept."""
    measured, rate = np.array([1.0, 2.0, 4.0]), np.array([0.0, 0.5, 1.0])
    folds, comparison_group = np.array([0, 0, 1]), np.zeros(3, dtype=np.int64)
    error = ratio_errors(rate, measured, comparison_group, folds, np.ones(3, dtype=bool))
    # Levels: 3 for the first two, (1 + 1.5) / 2 for the third.
    assert error == pytest.approx([3.0 - 1.0, 3.0 - 1.5, 1.25 - 3.0])


def test_the_card_tells_data_errors_and_exclusions(
    small: Benchmarks, small_row_use: RowUse, evaluation: Evaluation
) -> None:
    """The card has each exclusion's reason and the figures of the evaluation."""
    model = read_model(MODELS / "throughput.npz")
    exclusions = {"figures read": 10, "figures used": 7, "torn in half": 3}
    card = model_card(model, evaluation, small, small_row_use, exclusions, needed=[])
    assert "torn in half | 3" in card
    for split in RATIOS:
        assert f"{100 * evaluation.splits[split]['mape']:.1f} %" in card
    assert "](calibration.svg)" in card


def test_the_shipped_files_belong_together(tables: Benchmarks) -> None:
    """Model and card are of the shipped tables: nobody forgot to make them anew."""
    about = read_model(MODELS / "throughput.npz").provenance.to_dict()
    card = (MODELS / CARD).read_text(encoding="utf-8")
    for name, file in (("table", TABLE), ("auxiliary", AUXILIARY), ("cells", ROW_USE)):
        assert about[name] == table_hash(MODELS / file)
        assert about[name] in card
    evaluated = load_row_use(MODELS / ROW_USE, tables).evaluated.sum()
    assert about["scored_rows"] == evaluated
    assert f"{len(load_benchmarks(MODELS / TABLE)):,} rows" in card
    assert (MODELS / PLOT).read_text(encoding="utf-8").startswith("<?xml")
