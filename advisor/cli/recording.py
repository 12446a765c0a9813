"""What `record` and `run` share: a measured run is compared, kept, and told of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.cli.output import remark
from advisor.report.formats import figure
from advisor.store.database import open_store
from advisor.store.runs import keep_run
from advisor.throughput.expected import Expected, expected_of
from advisor.throughput.own_runs import LEAST_SHARE, OwnRun
from advisor.throughput.tables import load_tables
from advisor.workloads.profile import Workload


def compared(
    context: Context, run: OwnRun, workload: Workload, kept: Workload
) -> Expected:
    """Return what is expected of a run, see `expected_of`.

    Raises
    ------
    UsageError
        if physics forbids what was measured
    """
    tables = load_tables(context.models)
    expected = expected_of(
        run, workload, kept, model=tables.model, gpus=tables.gpus, cpus=tables.cpus
    )
    if run.samples_per_s > expected.most:
        message = (
            f"{figure(run.samples_per_s, 3)} samples/s cannot be: with all units busy "
            f"{run.num_gpus} x {run.gpu} does {figure(expected.most, 3)} of "
            f"{workload.name}: check the batch, the GPU, and that a sample is what the "
            "workload says"
        )
        raise UsageError(message)
    return expected


def too_slow(run: OwnRun, expected: Expected) -> bool:
    """Say whether a run is below a hundredth of what is predicted."""
    return run.samples_per_s < LEAST_SHARE * expected.samples_per_s


def keep_compared(
    context: Context,
    run: OwnRun,
    expected: Expected,
    source: str,
    evidence: Mapping[str, Any],
) -> None:
    """Keep a run with its evidence, and say what becomes of it."""
    marks = [*evidence["marks"]]
    known = not math.isnan(expected.samples_per_s)
    if known:
        predicted = (
            f"predicted {figure(expected.samples_per_s, 3)} samples/s "
            f"({figure(expected.low, 3)} to {figure(expected.high, 3)}), "
            f"got {figure(run.samples_per_s, 3)}"
        )
        remark(predicted)
        if not expected.low <= run.samples_per_s <= expected.high:
            marks.append(f"surprising: {predicted}")
            remark("that is outside the interval: it is marked as surprising")
    else:
        marks.append("by its profile the workload does not fit this GPU")
        remark(f"by its profile {run.workload} does not fit {run.gpu}: no prediction")
    with open_store(context.data_folder) as connection:
        number = keep_run(
            connection, run, source, context.now(), {**evidence, "marks": marks}
        )
    if expected.silent:
        remark(f"record {number}: kept, but not used: {expected.silent}")
    else:
        remark(f"record {number}: predictions of {run.workload} use it from now on")
