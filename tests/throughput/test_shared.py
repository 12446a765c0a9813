"""Errors that predictions share: limits and GPUs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.cost.job import Job
from advisor.market.filters import Filters
from advisor.ranking.policy import Choice
from advisor.ranking.rank import rank
from advisor.throughput.limits import LIMITS, join
from advisor.throughput.own_runs import gpu_correlation
from advisor.throughput.shared import limit_shares
from advisor.throughput.tables import load_tables
from advisor.workloads.load import list_workloads, load_workload

TABLES = load_tables()
rates = st.lists(st.floats(1.0, 1e4), min_size=len(LIMITS), max_size=len(LIMITS))


@given(rates)
def test_the_shares_are_the_derivatives(values: list[float]) -> None:
    """Of 1 % more of a limit the rate gains its share, about; all shares add up."""
    limits = np.array(values)[:, None]
    shares = limit_shares(limits, 7.0)[:, 0]
    assert shares.sum() == pytest.approx(1.0)
    gradients, step = LIMITS.index("gradients"), 1e-6
    for row in range(len(LIMITS)):
        if row in (gradients, LIMITS.index("gpu")):
            continue  # these two share theirs
        moved = limits.copy()
        moved[row] *= 1 + step
        gain = np.log(join(moved, 7.0) / join(limits, 7.0))[0] / step
        assert gain == pytest.approx(shares[row], abs=1e-3)


@pytest.mark.parametrize("workload", [one.name for one in list_workloads()])
def test_the_correlation_of_gpus(plain_record: dict[str, object], workload: str) -> None:
    """Symmetric, within 0 and 1, below 1 even for one GPU, most for the same one."""
    names = ("RTX 4090", "RTX 3090", "H100 SXM", "RTX 9999")
    records = [
        {**plain_record, "id": at, "gpu_name": name, "gpu_ids": [at]}
        for at, name in enumerate(names, 1)
    ]
    job = Job(load_workload(workload), 1, 1.0)
    machines = rank(records, job, TABLES, Filters(), Choice()).machines
    correlation, code = gpu_correlation(TABLES.model, machines, job.workload)
    assert sorted(code) == list(range(4))
    assert np.allclose(correlation, correlation.T)
    assert np.all((correlation >= 0.0) & (correlation <= 1.0))
    own = np.diag(correlation)
    assert np.all(own < 1.0)
    assert np.all(correlation <= own[:, None] + 1e-9)
