"""Errors that predictions share: those of GPUs."""

from __future__ import annotations

import numpy as np
import pytest

from advisor.cost.job import Job
from advisor.market.filters import Filters
from advisor.ranking.policy import Policy
from advisor.ranking.rank import rank
from advisor.throughput.tables import load_tables
from advisor.throughput.user_runs import gpu_correlation
from advisor.workloads.load import list_workloads, load_workload

TABLES = load_tables()


@pytest.mark.parametrize("workload", [one.name for one in list_workloads()])
def test_the_correlation_of_gpus(plain_record: dict[str, object], workload: str) -> None:
    """Symmetric, within 0 and 1, below 1 even for one GPU, most for the same one."""
    names = ("RTX 4090", "RTX 3090", "H100 SXM", "RTX 9999")
    records = [
        {**plain_record, "id": at, "gpu_name": name, "gpu_ids": [at]}
        for at, name in enumerate(names, 1)
    ]
    job = Job(load_workload(workload), 1, 1.0)
    machines = rank(records, job, TABLES, Filters(), Policy()).machines
    correlation, code = gpu_correlation(TABLES.model, machines, job.workload)
    assert sorted(code) == list(range(4))
    assert np.allclose(correlation, correlation.T)
    assert np.all((correlation >= 0.0) & (correlation <= 1.0))
    own = np.diag(correlation)
    assert np.all(own < 1.0)
    assert np.all(correlation <= own[:, None] + 1e-9)
