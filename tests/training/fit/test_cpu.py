"""The host section: all constants, fitted ones with spread, equal to the artifact's."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from advisor.base.resources import models_folder
from advisor.hardware.constants import read_constants
from advisor.hardware.core_speed import CpuConstants
from advisor.hardware.cpus import load_cpus
from advisor.throughput.artifact import load_model
from advisor.training.fit.constants import INPUT_PIPELINE
from advisor.training.fit.cpu import WORKER_IPC_BYTES, fit_host, fit_worker_ipc
from advisor.training.fit.cpu_tables import load_cpu_tables

CPUS = load_cpus()
TABLES = load_cpu_tables(models_folder())


@pytest.fixture(scope="module")
def host() -> dict[str, dict[str, Any]]:
    """Return the host section as fitted on the tables that ship."""
    return fit_host(TABLES, CPUS)


def test_the_artifact_holds_what_the_tables_give(host: dict[str, Any]) -> None:
    """The artifact that ships was trained on the tables that ship.

    Optimizers of other versions and processors stop at figures 1e-4 apart.
    """
    shipped = load_model(models_folder()).constants
    assert set(shipped) == set(host) == set(INPUT_PIPELINE)
    for name, entry in host.items():
        assert shipped[name].value == pytest.approx(entry["value"], rel=1e-3), name


def test_what_was_fitted_says_on_what(host: dict[str, Any]) -> None:
    """A fitted constant has rows and its source names the table."""
    fitted = {name for name, entry in host.items() if "rows" in entry}
    assert {"score_exponent", "core_exponent", "norm_order", "handoff_gb_s"} <= fitted
    for name in fitted:
        assert host[name]["rows"] > 10
        assert ".csv" in host[name]["source"]


def test_each_step_of_the_ladder_is_wider(host: dict[str, Any]) -> None:
    """Own measurement, PassMark, bridged, class, clock, PCIe, nothing."""
    steps = ("measured", "passmark", "geekbench6", "microarchitecture")
    steps += ("clock", "pcie", "nothing")
    spreads = [host[f"{step}_log_sd"]["value"] for step in steps]
    assert np.all(np.diff(spreads) > 0)


def test_a_faster_hand_off_on_a_faster_core_is_the_same() -> None:
    """The constant is of the reference core: rates in proportion to speed give one."""
    speed = read_constants(CpuConstants, INPUT_PIPELINE)
    eight = TABLES.worker_ipc.select(TABLES.worker_ipc.workers == 8)
    names = ("AMD EPYC 7702", "AMD Ryzen Threadripper 3970X")
    two = dataclasses.replace(
        eight.select(np.arange(2)),
        cpu=np.array(names),
        images_per_s=np.array([1000.0, 1264.0]),
    )
    each = [fit_worker_ipc(two.select(np.array([i])), CPUS, speed) for i in range(2)]
    assert each[0] == pytest.approx(1000 * WORKER_IPC_BYTES / 1e9, rel=0.01)
    assert each[0] == pytest.approx(each[1], rel=0.02)
    assert fit_worker_ipc(two, CPUS, speed) == pytest.approx(np.sqrt(np.prod(each)))
