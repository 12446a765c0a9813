"""Training: the artefact equals the estimator, the same input gives the same file."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest

from advisor.hardware.gpus import load_gpus
from advisor.resources import models_folder
from advisor.throughput.features import WorkloadKey
from advisor.throughput.fit.benchmarks import Benchmarks, load_benchmarks
from advisor.throughput.fit.cells import training_rows
from advisor.throughput.fit.kernel import (
    covariance,
    design,
    fit,
    held_out,
    log_batch,
    table_features,
)
from advisor.throughput.fit.levels import precision_offsets, series_spread
from advisor.throughput.fit.scaling import efficiency, fit_scaling, scaling_pairs
from advisor.throughput.fit.train import train
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.spread import spread90

GPUS = load_gpus()
WORKLOADS = ("resnet50", "bert-base-squad", "maskrcnn-r50-fpn", "ssd300-resnet50")


@pytest.fixture(scope="module")
def small() -> Benchmarks:
    """Return four workloads of the table: enough to train on, quickly."""
    table = load_benchmarks(models_folder() / "benchmarks.csv")
    return table.select(np.isin(table.workload, WORKLOADS))


@pytest.fixture(scope="module")
def model(small: Benchmarks) -> GpuModel:
    """Return the model trained on them."""
    return train(small, GPUS)


def test_the_artefact_equals_the_fitted_estimator(
    small: Benchmarks, model: GpuModel
) -> None:
    """NumPy's response of the loaded artefact is scikit-learn's, to 1e-8."""
    loaded = GpuModel.from_dict(model.to_dict())
    rows = small.select(training_rows(small, GPUS))
    of = design(rows, GPUS)
    estimator, _ = fit(covariance(of), of.y, of.noise)
    expected = estimator.predict(covariance(of, response_only=True))
    batch = log_batch(rows)
    for row in range(0, len(rows), 7):
        one = rows.select(np.array([row]))
        key = WorkloadKey(
            str(one.workload[0]), str(one.family[0]), str(one.precision[0]), 1.0
        )
        features = table_features(one, GPUS)
        got = loaded.response(features, key, batch[row : row + 1])[0]
        assert got == pytest.approx(expected[row], abs=1e-8)


def test_training_twice_gives_the_same_artefact(
    small: Benchmarks, model: GpuModel
) -> None:
    """No chance and no clock enter the artefact."""
    assert train(small, GPUS).to_dict() == model.to_dict()


def test_the_order_of_rows_does_not_matter(small: Benchmarks, model: GpuModel) -> None:
    """A shuffled table gives the same predictions."""
    order = np.random.default_rng(1).permutation(len(small))
    other = train(small.select(order), GPUS)
    key = WorkloadKey("resnet50", "cnn", "amp", 24.6)
    rows = small.select(small.workload == "resnet50").select(np.arange(10))
    features = table_features(rows, GPUS)
    assert other.predict(features, key)[0] == pytest.approx(
        model.predict(features, key)[0], abs=1e-7
    )


def test_held_out_errors_are_those_of_a_refit(small: Benchmarks) -> None:
    """The closed form gives what fitting without the fold gives."""
    rows = small.select(training_rows(small, GPUS))
    of = design(rows, GPUS)
    kernel = covariance(of)
    errors = held_out(kernel, of.y, of.noise, of.gpu)
    fold = of.gpu == of.gpu[0]
    estimator, _ = fit(kernel[np.ix_(~fold, ~fold)], of.y[~fold], of.noise[~fold])
    centred = of.y[~fold].mean()
    refit = estimator.predict(kernel[np.ix_(fold, ~fold)]) + centred
    assert errors[fold] == pytest.approx(of.y[fold] - refit, abs=1e-3)


def test_a_constant_factor_on_a_series_changes_its_level_alone(
    small: Benchmarks, model: GpuModel
) -> None:
    """Ratios within a series are what is learnt: its level may be anything."""
    series = small.series == "lambda/pytorch-1.13.0a0"
    assert series.any()
    scaled = dataclasses.replace(
        small, throughput=np.where(series, 3.0, 1.0) * small.throughput
    )
    other = train(scaled, GPUS)
    key = WorkloadKey("resnet50", "cnn", "amp", 24.6)
    rows = small.select(small.workload == "resnet50")
    features = table_features(rows, GPUS)
    change = other.response(features, key) - model.response(features, key)
    assert np.ptp(change) < 0.05


def test_spreads_are_ordered(model: GpuModel) -> None:
    """A new GPU is never more certain than one that was measured."""
    assert 0 < model.spreads["gpu_seen"] <= model.spreads["gpu_new"] < 0.5


def test_spread90_is_the_deviation_of_a_normal() -> None:
    """Of normal errors it is their standard deviation."""
    errors = np.random.default_rng(0).normal(0.0, 0.2, 100_000)
    assert spread90(errors) == pytest.approx(0.2, rel=0.02)


def test_precision_offsets_are_found_in_made_up_levels(model: GpuModel) -> None:
    """Levels that differ by a constant between precisions give that constant."""
    shifted = {
        workload: {
            precision: tuple(
                dataclasses.replace(
                    row,
                    intercept=len(workload) + {"amp": 0.0, "tf32": -0.4}[precision],
                )
                for row in rows
            )
            for precision, rows in by_precision.items()
            if precision in {"amp", "tf32"}
        }
        for workload, by_precision in model.levels.items()
    }
    offsets, spread = precision_offsets(shifted)
    assert offsets["tf32"] == pytest.approx(-0.4)
    assert spread == pytest.approx(0.0, abs=1e-9)
    assert series_spread(shifted) == pytest.approx(0.0, abs=1e-9)


def test_efficiency_by_hand() -> None:
    """4 GB over 2 GPUs at 4 GB/s take a second: as long as the step, so half."""
    share = efficiency(
        np.array([1.0, 2.0]), np.array([4.0, 4.0]), np.array([1.0, 1.0]), 4.0, 1.0
    )
    assert share[0] == 1.0
    assert share[1] == 0.5


def test_scaling_beats_linear_scaling(small: Benchmarks) -> None:
    """On every interconnect class the fit errs less than no loss at all does."""
    fits = fit_scaling(small, GPUS)
    assert "" in fits
    assert len(fits) > 1
    for row in fits.values():
        assert row["bus_gb_s"] > 0
        assert 0.8 <= row["ceiling"] <= 1.0
        assert row["mape"] < row["mape_linear"]


def test_pairs_compare_the_same_card_and_cell(small: Benchmarks) -> None:
    """A pair has 2 to 8 GPUs and an efficiency of the order of one."""
    pairs = scaling_pairs(small, GPUS)
    assert len(pairs.num_gpus) > 100
    assert set(pairs.num_gpus) <= {2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0}
    assert 0.5 < np.median(pairs.efficiency) < 1.0


def test_every_constant_has_unit_and_source(model: GpuModel) -> None:
    """Nothing outside the GPU is a number without an origin."""
    assert {"core_exponent", "norm_order", "launch_us"} <= set(model.cpu)
    for row in model.cpu.values():
        assert row["value"] > 0
        assert row["unit"]
        assert re.search(r"\w{4}", row["source"])
