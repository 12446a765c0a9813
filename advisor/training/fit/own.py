"""What the user measured as rows of the tables: runs, and decode rates of cores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from advisor.app.contribution import decode_rows
from advisor.hardware.cpus import CpuTable
from advisor.hardware.gpus import Gpu
from advisor.store.benches import StoredBench
from advisor.throughput.user_runs import UserRun
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.cpu_tables import CpuTables, DecodeRates
from advisor.training.fit.row_use import TRAINING, RowUse, covered
from advisor.workloads.profile import Workload

SOURCE = "own"
"""What the rows say of where they are from."""


def own_rows(
    runs: Sequence[UserRun],
    profiles: Mapping[str, Workload],
    tables: Benchmarks,
    gpus: Mapping[str, Gpu],
    year: int,
) -> tuple[Benchmarks, list[bool]]:
    """Return the runs that can train the GPU model, and which of all they are.

    Those are of one covered GPU, of a profile that refers to a workload of the table, in
    the profile's precision. The others keep conditioning predictions one by one.

    Parameters
    ----------
    runs : of the user
    profiles : name -> profile
    tables : the shipped rows, for family, task and unit of a workload
    gpus : canonical name -> GPU
    year : of the runs
    """
    rows = {str(name): at for at, name in enumerate(tables.workload.tolist())}
    taken: list[tuple[UserRun, Workload, int]] = []
    is_training = []
    for run in runs:
        profile = profiles.get(run.workload)
        at = rows.get(profile.reference.benchmark, -1) if profile else -1
        usable = run.num_gpus == 1 and covered(gpus, run.gpu) and at >= 0
        usable = usable and profile is not None and profile.precision == run.precision
        is_training.append(usable)
        if usable and profile is not None:
            taken.append((run, profile, at))
    like = tables.select(np.array([at for *_, at in taken], dtype=np.int64))
    units = [profile.reference.benchmark_units_per_sample for _, profile, _ in taken]
    of_run = like.frame()[["workload", "task", "family", "unit", "params_m", "gmacs"]]
    frame = of_run.assign(
        series=[f"{SOURCE}/{run.workload}" for run, *_ in taken],
        framework="pytorch",
        year=float(year),
        gpu=[run.gpu for run, *_ in taken],
        num_gpus=1,
        precision=[run.precision for run, *_ in taken],
        batch_size=[float(run.batch_size) for run, *_ in taken],
        throughput=np.array([run.samples_per_s for run, *_ in taken]) * np.array(units),
        reports=1,
        cpu_name=[run.cpu or "" for run, *_ in taken],
        source=SOURCE,
    )
    return Benchmarks.from_frame(frame), is_training


def with_own(row_use: RowUse, tables: Benchmarks, own: Benchmarks) -> RowUse:
    """Return the use of the shipped rows and of own ones after them.

    A run is a training row where the shipped rows of its workload are, and else is one
    more measurement of a workload that one GPU ran.
    """
    training = set(tables.workload[row_use.training].tolist())
    use = [TRAINING if str(name) in training else "" for name in own.workload.tolist()]
    return RowUse(
        use=np.concatenate([row_use.use, np.array(use, dtype=np.object_)]),
        reason=np.concatenate([row_use.reason, np.full(len(own), "", dtype=np.object_)]),
        would_be_evaluated=np.concatenate(
            [row_use.would_be_evaluated, np.zeros(len(own), dtype=bool)]
        ),
    )


def with_own_decode(
    tables: CpuTables, benches: Sequence[StoredBench], cpus: CpuTable
) -> CpuTables:
    """Return the CPU tables with the decode rates of the user's benches after theirs.

    Their protocols are the bench's own, so that how they compare with published ones is
    fitted, and what they say of is CPUs against each other.
    """
    rows = decode_rows(benches, cpus, Counter())
    if not rows:
        return tables
    frame = pd.DataFrame(rows).astype({"rate": np.float64})
    return replace(tables, decode=tables.decode + DecodeRates.from_frame(frame))
