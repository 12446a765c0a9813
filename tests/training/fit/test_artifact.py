"""The shipped artifact beside the full posterior of the tables that it is made of."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.gpus import GpuTable
from advisor.throughput.artifact import ARTIFACT, ThroughputModel, read_model
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.shared import gpu_errors
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.bounds import with_binding_bounds
from advisor.training.fit.design import NOISE_GROUPS, design
from advisor.training.fit.likelihood import Fitted
from advisor.training.fit.row_use import load_row_use
from advisor.training.fit.train import lower_bounds
from advisor.training.folder import ROW_USE
from advisor.workloads.load import list_workloads
from tests.training.fit.dense import Dense

RATE = 0.002
"""How far a rate may be from that of the full posterior, relative."""

SPREAD = 0.02
"""How far a spread may be, relative."""

SHARED = 0.005
"""How far the covariance of two errors may be, as a share of their variances."""

LEAST_GPUS, LEAST_WORKLOADS = 60, 42
MOST_BYTES = 2_000_000


@pytest.fixture(scope="module")
def shipped() -> ThroughputModel:
    """Return the model that ships."""
    return read_model(models_folder() / ARTIFACT)


@pytest.fixture(scope="module")
def full(shipped: ThroughputModel, tables: Benchmarks, gpus: GpuTable) -> GpuModel:
    """Return it with the whole posterior, computed anew from the tables.

    The fit of the covariance is not repeated: it is read from the artifact.
    """
    row_use = load_row_use(models_folder() / ROW_USE, tables)
    bounds = lower_bounds(tables, row_use, gpus)
    rows = np.concatenate([np.flatnonzero(row_use.training), bounds])
    of = design(tables.select(rows), gpus)
    training = np.arange(len(rows) - len(bounds))
    process = shipped.gpu.process
    noise = np.full(len(NOISE_GROUPS), np.nan)
    noise[of.noise_group[training]] = process.noise[training]
    posterior = with_binding_bounds(of, training, Fitted(process.covariance, noise))
    dense = Dense(process.covariance, of.inputs.take(posterior.rows), posterior)
    labels = {kind: of.names[kind] for kind in shipped.gpu.labels}
    return dataclasses.replace(shipped.gpu, process=cast("Any", dense), labels=labels)


def keys(model: GpuModel) -> list[WorkloadKey]:
    """Return every built-in profile, and workloads of the table and of one GPU."""
    built_in = [WorkloadKey.of(one) for one in list_workloads()]
    pairs = [label.split("|") for label in model.labels["pair"]]
    pairs += [[name, one[0].run.precision] for name, one in model.observations.items()][
        ::40
    ]
    asked = (key for key in pairs[::6] if key[1])
    return built_in + [
        WorkloadKey(name, model.families[name], precision, 20.0, framework="pytorch")
        for name, precision in asked
    ]


@pytest.mark.slow
def test_every_pair_is_that_of_the_full_posterior(
    shipped: ThroughputModel, full: GpuModel, gpus: GpuTable
) -> None:
    """Rates within 0.2 %, spreads within 2 %, GPUs measured, new and unknown."""
    cards = [*list(gpus.values())[::3], None]
    workloads = keys(full)
    assert len(cards) > LEAST_GPUS
    assert len(list_workloads()) >= LEAST_WORKLOADS
    for key in workloads:
        card = GpuFeatures.of(cards, key.precision)
        for log_batch in (0.0, -1.5):
            batch = np.full(len(card), log_batch)
            rate, spread = shipped.gpu.predict(card, key, batch)
            all_rate, all_spread = full.predict(card, key, batch)
            assert rate == pytest.approx(all_rate, abs=RATE, nan_ok=True), key
            assert spread == pytest.approx(all_spread, rel=SPREAD), key


@pytest.mark.slow
def test_errors_vary_together_as_in_the_full_posterior(
    shipped: ThroughputModel, full: GpuModel, gpus: GpuTable
) -> None:
    """Covariances between GPUs within half a percent of their variances.

    Ties and what a user's run tells of other GPUs rest on them.
    """
    cards = [*list(gpus.values())[::7], None]
    for key in keys(full)[::2]:
        card = GpuFeatures.of(cards, key.precision)
        each = [key] * len(card)
        small, whole = (
            gpu_errors(model, card, each).errors for model in (shipped.gpu, full)
        )
        scale = np.sqrt(np.outer(whole.variance, whole.variance))
        assert small.shared / scale == pytest.approx(whole.shared / scale, abs=SHARED)
        assert small.variance == pytest.approx(whole.variance, rel=SHARED)


def test_the_file_is_small() -> None:
    """Each retraining adds it to the history and to every installation."""
    assert (models_folder() / ARTIFACT).stat().st_size < MOST_BYTES
