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
    found = gpu_correlation(TABLES.model, machines, job.workload, TABLES.gpus)
    correlation, code = found.between, found.code
    assert sorted(code) == list(range(4))
    assert np.allclose(correlation, correlation.T)
    assert np.all((correlation >= 0.0) & (correlation <= 1.0))
    own = np.diag(correlation)
    assert np.all(own < 1.0)
    assert np.all(correlation <= own[:, None] + 1e-9)
    assert np.all((found.level > 0.0) & (found.level < 1.0))


def test_the_level_does_not_depend_on_what_is_for_rent(
    plain_record: dict[str, object],
) -> None:
    """A GPU's part in it is the same beside one other card and beside many."""
    job = Job(load_workload("resnet50"), 1, 1.0)

    def level_of(*names: str) -> float:
        records = [
            {**plain_record, "id": at, "gpu_name": name, "gpu_ids": [at]}
            for at, name in enumerate(names, 1)
        ]
        machines = rank(records, job, TABLES, Filters(), Policy()).machines
        found = gpu_correlation(TABLES.model, machines, job.workload, TABLES.gpus)
        return float(found.level[found.code[0]])

    alone = level_of("RTX 4090", "RTX 3090")
    assert alone == pytest.approx(level_of("RTX 4090", "H100 SXM", "GTX 1080", "V100"))
