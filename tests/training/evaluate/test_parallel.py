"""Folds in parallel: the same figures, whatever the number of jobs."""

from __future__ import annotations

import dataclasses
import os

import joblib
import numpy as np
import pytest

from advisor.base.parallel import each
from advisor.hardware.gpus import GpuTable
from advisor.training.evaluate.splits import Rows, Split, gpu_splits, groups_of
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.row_use import RowUse

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows(small: Benchmarks, small_row_use: RowUse, gpus: GpuTable) -> Rows:
    """Return what is evaluated of two sources: two groups, a fit for each."""
    rows = Rows.choose(small, small_row_use, gpus)
    folds = rows.fold_codes("source", gpus)
    first, *_, last = np.unique(folds[rows.evaluated])
    two = rows.evaluated & np.isin(folds, (first, last))
    return dataclasses.replace(rows, evaluated=two, left_out=rows.left_out & two)


def sources(rows: Rows, gpus: GpuTable) -> Split:
    groups = groups_of(rows, gpus, ["source"])
    return gpu_splits(rows, groups)[0]["source"]


def same(one: Split, other: Split) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
        for name in ("error", "log_sd", "response", "folds")
    )


def test_the_number_of_jobs_changes_no_bit(rows: Rows, gpus: GpuTable) -> None:
    """Two processes find what one finds."""
    with joblib.parallel_config(n_jobs=2):
        pids = set(each("processes", os.getpid, [()] * 4))
        two = sources(rows, gpus)
    assert os.getpid() not in pids
    assert np.isfinite(two.error).any()
    assert same(two, sources(rows, gpus))


def test_a_dask_cluster_finds_the_same(rows: Rows, gpus: GpuTable) -> None:
    """As documented: the workers of a cluster, and nothing else to change."""
    distributed = pytest.importorskip(
        "distributed", reason="distributed is not installed: pip install distributed"
    )
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", processes=True
    )
    with cluster, distributed.Client(cluster), joblib.parallel_config(backend="dask"):
        pids = set(each("processes", os.getpid, [()] * 4))
        many = sources(rows, gpus)
    assert os.getpid() not in pids
    assert same(many, sources(rows, gpus))
