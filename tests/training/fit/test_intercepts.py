"""The level of a workload that nobody measured: found in made-up ones, and bounded."""

from __future__ import annotations

import numpy as np
import pytest

from advisor.throughput.intercept import Needs, lineage_of
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.intercepts import fit_intercepts, training_gflops


@pytest.fixture(name="rows", scope="module")
def rows_(tables: Benchmarks) -> Benchmarks:
    known = np.isfinite(tables.gmacs) & np.isin(tables.family, ["cnn", "transformer"])
    return tables.select(known & (tables.task != "inference"))


def needs(family: str, lineage: str, gflops: float, params_m: float = 30.0) -> Needs:
    return Needs([family], [lineage], np.array([gflops]), np.array([params_m]))


def test_frozen_weights_get_no_gradient(tables: Benchmarks) -> None:
    """Adapters cost two passes whatever the family: language models, and diffusion."""
    rows = tables.select(np.isfinite(tables.gmacs))
    passes = training_gflops(rows) / (2.0 * rows.gmacs)
    adapters = np.isin(rows.family, ["llm-lora", "llm-qlora"])
    images = rows.task == "diffusion-lora-train"
    assert images.any()
    assert adapters.any()
    assert passes == pytest.approx(np.where(adapters | images, 2.0, 3.0))


def test_the_law_of_made_up_levels_is_found(rows: Benchmarks) -> None:
    """Levels by operations, family and lineage come back, and the spread is small."""
    vit = np.array([lineage_of(name) == "vit" for name in rows.workload.tolist()])
    step = np.where(rows.family == "cnn", 1.0, 2.0) + 0.5 * vit
    found = fit_intercepts(rows, step - 0.8 * np.log(training_gflops(rows)))
    assert np.abs(found.errors).max() < 0.3
    small, large = (
        found.model.predict(needs("cnn", "resnet", gflops))[0] for gflops in (10.0, 80.0)
    )
    assert large - small == pytest.approx(-0.8 * np.log(8.0), abs=0.1)
    mean, sd = found.model.predict(needs("transformer", "vit", 50.0))
    assert mean == pytest.approx(2.5 - 0.8 * np.log(50.0), abs=0.15)
    assert sd < 0.25


def test_what_nobody_measured_is_less_sure(rows: Benchmarks) -> None:
    """A new lineage widens the interval, a new family once more."""
    chance = np.random.default_rng(0)
    kinds = {name: chance.normal(0.0, 0.5) for name in np.unique(rows.workload)}
    lineages = {lineage_of(name): chance.normal(0.0, 0.7) for name in kinds}
    left = [kinds[n] + lineages[lineage_of(n)] for n in rows.workload.tolist()]
    model = fit_intercepts(rows, np.array(left)).model
    known, lineage, both = (
        model.predict(needs(*one, 20.0))[1][0]
        for one in (("cnn", "resnet"), ("cnn", "new"), ("new", "new"))
    )
    assert known < lineage < both


def test_unknown_parameters_are_the_usual_ones(rows: Benchmarks) -> None:
    """NaN does not spread: the level is that of a net with the usual number."""
    model = fit_intercepts(rows, -np.log(training_gflops(rows))).model
    mean, sd = model.predict(needs("cnn", "resnet", 20.0, float("nan")))
    assert np.isfinite([mean, sd]).all()
    usual = 20.0 * np.exp(model.center[1])
    assert mean == pytest.approx(model.predict(needs("cnn", "resnet", 20.0, usual))[0])


def test_left_out_errors_are_those_of_a_fit_without_the_workload(
    rows: Benchmarks,
) -> None:
    """The short cut over leverages predicts as well as refitting says."""
    chance = np.random.default_rng(1)
    level = {name: chance.normal(0.0, 0.4) for name in np.unique(rows.workload)}
    left = np.array([level[n] for n in rows.workload.tolist()])
    left -= np.log(training_gflops(rows))
    found = fit_intercepts(rows, left)
    name = "resnet50"
    here = rows.workload == name
    without = fit_intercepts(rows.select(~here), left[~here]).model
    of = rows.select(here)
    mean, _ = without.predict(
        Needs(["cnn"], ["resnet"], training_gflops(of)[:1], of.params_m[:1])
    )
    error = found.errors[found.workloads == name][0]
    assert left[here].mean() - mean[0] == pytest.approx(error, abs=0.05)
