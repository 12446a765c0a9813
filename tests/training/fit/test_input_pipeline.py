"""The fit of the input limits: it finds what was put in, hosts count as they are."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.constants import read_constants
from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.cpus import load_cpus
from advisor.throughput.limit import near_minimum
from advisor.training.fit.constants import INPUT_PIPELINE
from advisor.training.fit.cpu_tables import load_cpu_tables
from advisor.training.fit.input_pipeline import (
    FITTED,
    curve_limits,
    describe_hosts,
    fit_input_pipeline,
    known_hosts,
    pair_limits,
    plateaus,
)

CPUS = load_cpus()
TABLES = load_cpu_tables(models_folder())
CURVES, PAIRS = TABLES.scaling, TABLES.pairs.select(known_hosts(TABLES.pairs))
SPEED = read_constants(CpuConstants, INPUT_PIPELINE)


def test_constants_that_made_the_tables_are_found() -> None:
    """Rates that the law itself gives lead back to its constants."""
    start = {name: float(INPUT_PIPELINE[name]["value"]) for name in FITTED}
    law = start | {"core_exponent": 0.92, "tf_data_core_ms": 3.0, "copy_gb_s": 6.0}
    law |= {"dali_core_ms": 3.0, "fed_share": 0.97}
    hosts = describe_hosts(PAIRS, CPUS, SPEED)
    limits = np.stack(pair_limits(PAIRS, hosts, law))
    pairs = dataclasses.replace(PAIRS, real=near_minimum(limits, law["norm_order"]))
    dali = CURVES.select(CURVES.pipeline == "dali")
    of_gpu = plateaus(dali)
    ms = np.full(len(dali), law["dali_core_ms"])
    limits = np.stack(curve_limits(dali.cores, of_gpu, ms, law))
    rates = near_minimum(limits, law["norm_order"])
    curves = dataclasses.replace(dali, samples_per_s=rates)
    fit = fit_input_pipeline(curves, pairs, CPUS, SPEED)
    for name in ("core_exponent", "tf_data_core_ms", "dali_core_ms", "copy_gb_s"):
        assert fit.value[name] == pytest.approx(law[name], rel=0.05), name
    assert fit.value["fed_share"] == pytest.approx(0.97, abs=0.01)
    assert fit.curve_log_sd < 0.02


def test_the_fit_tightens_every_prior() -> None:
    """No constant is less certain after the tables than before them."""
    fit = fit_input_pipeline(CURVES, PAIRS, CPUS, SPEED)
    for name in FITTED:
        entry = INPUT_PIPELINE[name]
        prior = entry.get("sd") or entry["log_sd"]
        assert 0 < fit.spread[name] <= prior * (1 + 1e-6), name
    assert 0.88 <= fit.value["core_exponent"] <= 1.0
    assert 4.0 <= fit.value["norm_order"] <= 12.0


def test_the_unit_of_a_curve_does_not_matter() -> None:
    """A net in thousandths of its samples and its time gives the same constants."""
    speech = np.where(CURVES.model == "DeepSpeech", 1e3, 1.0)
    other = dataclasses.replace(CURVES, samples_per_s=CURVES.samples_per_s * speech)
    found = fit_input_pipeline(other, PAIRS, CPUS, SPEED)
    expected = fit_input_pipeline(CURVES, PAIRS, CPUS, SPEED)
    for name in FITTED:
        assert found.value[name] == pytest.approx(expected.value[name], rel=1e-3), name


def test_hosts_count_every_thread() -> None:
    """Two EPYC 7742: 256 threads of 0.55 core; six whole cores are six."""
    epyc = PAIRS.select(PAIRS.cpu == "AMD EPYC 7742").select(np.arange(1))
    assert describe_hosts(epyc, CPUS, SPEED).cores[0] == pytest.approx(256 * 0.55)
    six = dataclasses.replace(
        epyc, cpu=np.array(["Intel Xeon Bronze 3104"]), cores=np.array([6.0])
    )
    assert describe_hosts(six, CPUS, SPEED).cores[0] == 6.0
    nobody = dataclasses.replace(epyc, cpu=np.array(["Abacus 1"]))
    with pytest.raises(ValueError, match="Abacus 1"):
        describe_hosts(nobody, CPUS, SPEED)
