"""The fit of core speeds: it finds what was put in, and only ratios matter."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.base.resources import models_folder
from advisor.hardware.cpus import load_cpus
from advisor.training.fit.core_speed import (
    ScorePrior,
    SpeedRows,
    fit_core_speed,
    predict_held_out,
    speed_rows,
)
from advisor.training.fit.cpu import certain
from advisor.training.fit.cpu_tables import load_cpu_tables

CPUS = load_cpus()
RATES = certain(load_cpu_tables(models_folder()).decode)
ROWS = speed_rows(RATES, CPUS)
USUAL = ScorePrior.usual()


def made_up(exponent: float, weight: float, cpus: int, seed: int) -> SpeedRows:
    """Return rates of CPUs in six libraries that follow the law but for 1 %."""
    random = np.random.default_rng(seed)
    scores = random.normal(0.0, 0.4, (cpus, 2))
    cpu, library = np.divmod(np.arange(6 * cpus), 6)
    speed = exponent * scores @ np.array([weight, 1.0 - weight])
    noise = random.normal(0.0, 0.01, len(cpu))
    return SpeedRows(
        log_rate=6.0 + 0.2 * library + speed[cpu] + noise,
        scores=scores[cpu],
        prior_log_sd=np.full(len(cpu), 0.02),
        cpu=cpu,
        intercept=library,
        protocol=np.zeros_like(cpu),
        series=library,
    )


@pytest.mark.parametrize(("exponent", "weight"), [(0.7, 0.8), (0.9, 0.5), (1.0, 0.2)])
def test_exponent_and_weight_are_found(exponent: float, weight: float) -> None:
    """Of many made-up CPUs the fit gives the constants that made them."""
    fit = fit_core_speed(made_up(exponent, weight, cpus=40, seed=1))
    assert fit.score_exponent == pytest.approx(exponent, abs=0.02)
    assert fit.score_weight == pytest.approx(weight, abs=0.03)
    assert fit.score_exponent_sd < 0.05


def test_a_few_rows_leave_the_prior() -> None:
    """One CPU says nothing of the exponent: value and spread stay the prior's."""
    fit = fit_core_speed(made_up(0.5, 0.5, cpus=1, seed=2))
    assert fit.score_exponent == pytest.approx(0.9, abs=0.02)
    assert fit.score_exponent_sd == pytest.approx(0.1, abs=0.01)


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(1e-2, 1e2), library=st.sampled_from(["pillow", "opencv", "vips"]))
def test_a_library_that_counts_otherwise_changes_nothing(
    factor: float, library: str
) -> None:
    """Rates of a library in another unit give the same constants."""
    scale = np.where(RATES.library == library, factor, 1.0)
    other = dataclasses.replace(RATES, rate=RATES.rate * scale)
    found, expected = (fit_core_speed(speed_rows(r, CPUS)) for r in (other, RATES))
    assert found.score_exponent == pytest.approx(expected.score_exponent, abs=0.02)
    assert found.score_weight == pytest.approx(expected.score_weight, abs=0.02)


@pytest.mark.parametrize("cpu", ["AMD EPYC 7702", "Intel Core i5-4430"])
def test_a_held_out_cpu_says_nothing_of_itself(cpu: str) -> None:
    """Twice the rates of a CPU leave its prediction where it was."""
    out = RATES.cpu == cpu
    twice = dataclasses.replace(ROWS, log_rate=ROWS.log_rate + np.log(2.0) * out)
    error, spread = predict_held_out(ROWS, out, USUAL)
    moved, same = predict_held_out(twice, out, USUAL)
    # The search for the variances ends within about 1e-5 of its end.
    assert moved == pytest.approx(error - np.log(2.0), abs=1e-4)
    assert same == pytest.approx(spread, abs=1e-4)


def test_a_library_of_one_cpu_is_not_predicted() -> None:
    """Without another CPU there is no intercept to predict from: NaN, not a guess."""
    library = np.where(
        RATES.cpu == "AMD EPYC 7702", ROWS.intercept + 1000, ROWS.intercept
    )
    rows = dataclasses.replace(ROWS, intercept=library)
    error, spread = predict_held_out(rows, RATES.cpu == "AMD EPYC 7702", USUAL)
    assert np.isnan(error).all()
    assert np.isnan(spread).all()


def test_an_unknown_cpu_is_an_error() -> None:
    """A rate whose CPU is in no table is refused by its name."""
    one = RATES.select(np.arange(1))
    other = dataclasses.replace(one, cpu=np.array(["Abacus 1"]))
    with pytest.raises(ValueError, match="Abacus 1"):
        speed_rows(other, CPUS)
