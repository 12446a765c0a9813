"""Peak memory of the built-in profiles against published figures.

``models/memory.csv`` has each figure with its source: measured peaks, estimates of other
tools, and bounds (a batch that fits a card). Errors are of peaks and estimates; a bound
is met or not.

    python benchmarks/memory.py
"""

from __future__ import annotations

import csv
import statistics

from tabulate import tabulate

from advisor.base.resources import models_folder
from advisor.workloads.load import load_workload
from advisor.workloads.memory import memory_gb
from advisor.workloads.override import assigned, override


def main() -> None:
    """Print each figure beside the model's, and the errors."""
    rows, errors, met = [], list[float](), list[bool]()
    with (models_folder() / "memory.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            figures = assigned(filter(None, row["figures"].split(";")))
            workload = override(load_workload(row["workload"]), figures)
            own = float(
                memory_gb(workload, int(row["micro_batch"]), int(row["num_gpus"]))
            )
            published = float(row["published_gb"])
            error = own / published - 1.0
            if row["kind"] == "upper bound":
                met.append(own <= published)
                told = "fits" if met[-1] else f"{error:+.0%}"
            else:
                errors.append(abs(error))
                told = f"{error:+.0%}"
            names = ("workload", "micro_batch", "published_gb", "kind")
            texts = [row[name] for name in names]
            rows.append((*texts[:2], f"{own:.1f}", *texts[2:], told, row["source"][:60]))
    heads = ("workload", "batch", "own GB", "published", "kind", "error", "source")
    print(tabulate(rows, heads))
    middle, mean = statistics.median(errors), statistics.mean(errors)
    print(f"\n{len(errors)} peaks and estimates: median error {middle:.0%}, "
          f"mean {mean:.0%}, largest {max(errors):.0%}; "
          f"{sum(met)} of {len(met)} bounds are met")  # fmt: skip


if __name__ == "__main__":
    main()
