"""The evaluation: honest folds, right sums, and a model better than its baselines."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from advisor.hardware.gpus import load_gpus
from advisor.resources import models_folder
from advisor.throughput.evaluate.card import load_exclusions, model_card
from advisor.throughput.evaluate.ratios import (
    Evaluation,
    baseline_rates,
    evaluate,
    held_out_errors,
    load_dlperf,
    metrics,
    split_folds,
)
from advisor.throughput.fit.benchmarks import Benchmarks, load_benchmarks
from advisor.throughput.fit.cells import scored_rows, training_rows
from advisor.throughput.fit.kernel import design
from advisor.throughput.gpu_model import GpuModel

GPUS = load_gpus()
MODELS = models_folder()
WORKLOADS = ("resnet50", "bert-base-squad", "maskrcnn-r50-fpn", "ssd300-resnet50")


@pytest.fixture(scope="module")
def small() -> Benchmarks:
    """Return four workloads of the table: enough to evaluate on, quickly."""
    table = load_benchmarks(MODELS / "benchmarks.csv")
    return table.select(np.isin(table.workload, WORKLOADS))


@pytest.fixture(scope="module")
def evaluation(small: Benchmarks) -> Evaluation:
    """Return its evaluation on both splits."""
    return evaluate(small, GPUS, dlperf=load_dlperf(MODELS / "dlperf.csv"))


def test_the_model_beats_every_baseline(evaluation: Evaluation) -> None:
    """On both splits its mean and median error are the least."""
    for split, result in evaluation.splits.items():
        for baseline in evaluation.baselines[split].values():
            assert result["mape"] < baseline["mape"]
            assert result["median_ape"] < baseline["median_ape"]


def test_the_interval_covers_about_what_it_says(evaluation: Evaluation) -> None:
    """The 90 % interval holds 84 to 96 % of what was held out."""
    for result in evaluation.splits.values():
        assert 0.84 < result["coverage90"] < 0.96


def test_every_scored_row_is_scored_once(
    small: Benchmarks, evaluation: Evaluation
) -> None:
    """Rows scored and rows left unscored add up; the breakdowns do as well."""
    total = scored_rows(small, GPUS).sum()
    for split, result in evaluation.splits.items():
        assert result["n"] + result["unscored"] == total
        for groups in (evaluation.by_gpu, evaluation.by_workload):
            assert sum(row["n"] for row in groups[split].values()) == result["n"]


def test_the_result_is_json_with_the_promised_keys(evaluation: Evaluation) -> None:
    """What `advisor model evaluate --json` prints."""
    document = json.loads(json.dumps(evaluation.to_dict()))
    keys = {"mape", "median_ape", "p90_ape", "coverage90", "n"}
    assert keys <= set(document["splits"]["gpu"])
    names = {"tflops", "bandwidth", "geometric_mean", "dlperf"}
    assert set(document["baselines"]["pair"]) == names


def test_a_gpu_is_in_one_fold_and_a_pair_too(small: Benchmarks) -> None:
    """No row of a held-out GPU, or pair, is left in training."""
    rows = small.select(training_rows(small, GPUS))
    folds = {split: split_folds(rows, split) for split in ("gpu", "pair")}
    for name in np.unique(rows.gpu):
        assert len(set(folds["gpu"][rows.gpu == name])) == 1
        here = rows.gpu == name
        for workload in np.unique(rows.workload[here]):
            assert len(set(folds["pair"][here & (rows.workload == workload)])) == 1
    assert len(set(folds["pair"])) == 10


def test_an_unknown_split_is_refused(small: Benchmarks) -> None:
    """The message names the splits that there are."""
    with pytest.raises(ValueError, match="gpu, pair"):
        split_folds(small, "moon")


def test_a_prediction_does_not_see_what_is_held_out(small: Benchmarks) -> None:
    """Whatever a held-out GPU measured, what is predicted for it is the same."""
    rows = small.select(training_rows(small, GPUS))
    here = rows.gpu == "RTX 3090"
    scored = scored_rows(rows, GPUS)
    assert np.any(here & scored)
    of = design(rows, GPUS)
    other = dataclasses.replace(of, y=of.y + np.where(here, 0.7, 0.0))
    predicted = []
    for told in (of, other):
        error, _ = held_out_errors(told, here.astype(np.int64), scored)
        predicted.append((error + told.y)[here & scored])
    assert predicted[1] == pytest.approx(predicted[0], abs=1e-9, nan_ok=True)
    assert np.isfinite(predicted[0]).any()


def test_baselines_are_logarithms_of_rates(small: Benchmarks) -> None:
    """The geometric mean lies midway; DLPerf is absent without its table."""
    rates = baseline_rates(small.select(training_rows(small, GPUS)), GPUS, None)
    assert set(rates) == {"tflops", "bandwidth", "geometric_mean"}
    mean = 0.5 * (rates["tflops"] + rates["bandwidth"])
    assert rates["geometric_mean"] == pytest.approx(mean)


def test_metrics_by_hand() -> None:
    """Errors of 10 % up and 20 % up, and one that is not scored."""
    error = np.array([np.log(1.1), np.log(1.2), np.nan])
    result = metrics(error, np.array([0.1, 0.1, 0.1]))
    assert result["mape"] == pytest.approx(0.15)
    assert result["median_ape"] == pytest.approx(0.15)
    assert result["n"] == 2
    assert result["coverage90"] == pytest.approx(0.5)


def test_metrics_of_nothing_say_so() -> None:
    """Without a scored row there is a count of nought and no error figure."""
    assert metrics(np.array([np.nan])) == {"n": 0}


def test_the_card_tells_data_errors_and_exclusions(
    small: Benchmarks, evaluation: Evaluation
) -> None:
    """The card has each exclusion's reason and the figures of the evaluation."""
    model = GpuModel.load(MODELS / "throughput.json")
    exclusions = load_exclusions(MODELS / "benchmarks.exclusions.json")
    card = model_card(model, evaluation, small, exclusions)
    for reason in exclusions:
        assert reason in card or reason.startswith("figures")
    assert f"{100 * evaluation.splits['gpu']['mape']:.1f} %" in card
    assert str(model.about["table"]) in card
