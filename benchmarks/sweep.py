"""Four sweeps on the sample market: what their plans cost, against what else there is.

Each cost is the expected one of the same model. *bound* is what no plan can cost less
than; *at once* one machine per job, each job on the cheapest that is left; *one by one*
one machine per job on the cheapest of all, one after the other, as ``examples/sweep.py``
does without ``--parallel``; it takes the hours beside it.

    python benchmarks/sweep.py [FILE] [--markdown]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tabulate import tabulate

from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.sweep import SweepSpec, jobs_of
from advisor.app.sweep_parts import ListedJob
from advisor.base.units import SECONDS_PER_HOUR
from advisor.fleet.plan import plan_sweep
from advisor.fleet.plan.choices import Choices
from advisor.fleet.plan.greedy import rivals_of
from advisor.fleet.plan.kinds import Kind, kinds_of
from advisor.fleet.plan.listing import Listing
from advisor.fleet.plan.loads import loaded
from advisor.market.snapshot import load_snapshot
from advisor.market.types import Answer

SAMPLE = Path(__file__).parents[1] / "fixtures" / "sample-market.json.gz"
HEADS = (
    "sweep",
    "machines",
    "done h",
    "probability",
    "$",
    "bound $",
    "over bound",
    "at once $",
    "over plan",
    "one by one $",
    "over plan",
    "and h",
    "s",
)


@dataclass(frozen=True)
class Sweep:
    """One sweep: its name, its jobs with their deadline."""

    name: str
    spec: SweepSpec


def sweeps() -> list[Sweep]:
    """Return the four: equal short jobs, tiny ones, jobs of two GPUs, and a mixture."""
    tiny = _grid(JobSpec("ncf", epochs=2), 500)
    pairs = _grid(JobSpec("gpt2-124m", epochs=1), 12, gpus=2)
    mixed = [
        ListedJob(f"{workload}-{at}", workload=workload, epochs=epochs)
        for workload, epochs in (("resnet50", 2), ("bert-base", 2), ("vit-s16", 2))
        for at in range(20)
    ]
    return [
        Sweep("200 x ResNet-18, 24 h", _within(_grid(JobSpec("resnet18", epochs=5)), 24)),
        Sweep("500 x NCF, 12 h, 12 machines", _within(tiny, 12, max_machines=12)),
        Sweep("12 x GPT-2 on 2 GPUs, 72 h", _within(pairs, 72)),
        Sweep("60 of three workloads, 48 h", _within(_listed(mixed), 48)),
    ]


def _grid(job: JobSpec, count: int = 200, **more: object) -> dict[str, object]:
    return {
        "job": job,
        "command": "python train.py --seed {seed}",
        "grid": (("seed", tuple(range(count))),),
        **more,
    }


def _listed(jobs: Sequence[ListedJob]) -> dict[str, object]:
    return {"job": JobSpec("resnet50"), "command": "./train.sh", "jobs": tuple(jobs)}


def _within(fields: dict[str, object], hours: float, **more: object) -> SweepSpec:
    deadline_s = hours * SECONDS_PER_HOUR
    return SweepSpec(folder="/", deadline_s=deadline_s, **fields, **more)  # type: ignore[arg-type]


def at_once_usd(choices: Choices, kinds: Sequence[Kind]) -> float:
    """Return what one machine per job costs, each on the cheapest that is left."""
    rivals, free, total = rivals_of(choices), np.ones(len(choices), dtype=bool), 0.0
    for kind, usd in enumerate(_alone(choices, kinds)):
        for _ in kinds[kind].names:
            at = int(np.argmin(np.where(free, usd, np.inf)))
            total += usd[at]
            free[rivals[at]] = False
    return total


def one_by_one(choices: Choices, kinds: Sequence[Kind]) -> tuple[float, float]:
    """Return what one machine per job costs, the cheapest each time, and the hours."""
    usd = hours = 0.0
    for kind, costs in enumerate(_alone(choices, kinds)):
        at = int(np.argmin(costs))
        usd += costs[at] * len(kinds[kind].names)
        took = choices.setup_h[at] + choices.job_h[kind, at]
        hours += took * len(kinds[kind].names)
    return usd, hours


def _alone(choices: Choices, kinds: Sequence[Kind]) -> list[np.ndarray]:
    """Return what one job of each kind costs on each machine, (N,)."""
    return [
        np.array(
            [
                loaded(choices, at, np.eye(len(kinds), dtype=np.int64)[kind], 0.0).usd
                if runs
                else np.inf
                for at, runs in enumerate(choices.runs[kind].tolist())
            ]
        )
        for kind in range(len(kinds))
    ]


def row(context: Context, answer: Answer, sweep: Sweep) -> list[str]:
    """Return one sweep as a row of the table."""
    jobs = jobs_of(sweep.spec)
    start = time.perf_counter()
    plan = plan_sweep(context, sweep.spec, jobs, answer=answer, with_curve=False)
    took_s = time.perf_counter() - start
    kinds = kinds_of(jobs)
    choices = Listing.of(context, sweep.spec, kinds).choices(answer)
    at_once, (by_one, hours) = at_once_usd(choices, kinds), one_by_one(choices, kinds)
    return [
        sweep.name,
        f"{len(plan.machines)}",
        f"{plan.hours:.1f}",
        f"{plan.deadline_probability:.2f}",
        f"{plan.usd:.2f}",
        f"{plan.bound_usd:.2f}",
        f"{plan.usd / plan.bound_usd:.3f}",
        f"{at_once:.2f}",
        f"{at_once / plan.usd:.2f}",
        f"{by_one:.2f}",
        f"{by_one / plan.usd:.2f}",
        f"{hours:.0f}",
        f"{took_s:.1f}",
    ]


def main() -> None:
    """Print the table; end with 1 if a plan is more than 2 % above its bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLE, metavar="FILE")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    context = Context.of_this_process()
    answer = load_snapshot(options.file)
    rows = [row(context, answer, sweep) for sweep in sweeps()]
    style = "github" if options.markdown else "simple"
    print(tabulate(rows, HEADS, tablefmt=style, disable_numparse=True))
    sys.exit(max(float(one[6]) for one in rows) > 1.02)


if __name__ == "__main__":
    main()
