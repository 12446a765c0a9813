"""The user's own runs as rows of the benchmark table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from advisor.hardware.gpus import Gpu
from advisor.throughput.user_runs import UserRun
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.cells import TAUGHT, Cells, covered
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
    """Return the runs that can teach the GPU model, and which of all they are.

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
    teaches = []
    for run in runs:
        profile = profiles.get(run.workload)
        at = rows.get(profile.reference.benchmark, -1) if profile else -1
        usable = run.num_gpus == 1 and covered(gpus, run.gpu) and at >= 0
        usable = usable and profile is not None and profile.precision == run.precision
        teaches.append(usable)
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
    return Benchmarks.from_frame(frame), teaches


def with_own(cells: Cells, tables: Benchmarks, own: Benchmarks) -> Cells:
    """Return the use of the shipped rows and of own ones after them.

    A run teaches where the shipped rows of its workload do, and else is one more
    measurement of a workload that one GPU ran.
    """
    taught = set(tables.workload[cells.taught].tolist())
    use = [TAUGHT if str(name) in taught else "" for name in own.workload.tolist()]
    return Cells(
        use=np.concatenate([cells.use, np.array(use, dtype=np.object_)]),
        reason=np.concatenate([cells.reason, np.full(len(own), "", dtype=np.object_)]),
        would_score=np.concatenate([cells.would_score, np.zeros(len(own), dtype=bool)]),
    )
