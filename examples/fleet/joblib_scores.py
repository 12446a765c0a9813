"""Run what is written for joblib on rented machines: its backend is a Dask cluster.

    python joblib_scores.py --workload resnet50 --budget 30 --machines 2

So does whatever uses joblib, such as scikit-learn's `cross_val_score(..., n_jobs=-1)`.
The image of the machines needs joblib, and what the function imports.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import joblib
from distributed import Client

import advisor


def score(fold: int, folds: int = 5) -> float:
    """Fit a line to all points but those of one fold; return its error on these."""
    points = [(x, 3 * x + (x * 7919) % 13 / 13) for x in range(50)]
    kept = [point for number, point in enumerate(points) if number % folds != fold]
    held_out = [point for number, point in enumerate(points) if number % folds == fold]
    mean_x = sum(x for x, _ in kept) / len(kept)
    mean_y = sum(y for _, y in kept) / len(kept)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in kept)
    slope /= sum((x - mean_x) ** 2 for x, _ in kept)
    errors = [(mean_y + slope * (x - mean_x) - y) ** 2 for x, y in held_out]
    return sum(errors) / len(errors)


def main(argv: Sequence[str] | None = None, **more: Any) -> int:
    """Run it; `more` are further arguments of `advisor.Cluster`."""
    parser = argparse.ArgumentParser(description="Validate across folds.")
    parser.add_argument("--workload", required=True, help="what a training is like")
    parser.add_argument("--epochs", type=int, default=1, help="that a task trains")
    parser.add_argument("--budget", type=float, required=True, help="of all, $")
    parser.add_argument("--hours", type=float, default=24.0, help="until all is gone")
    parser.add_argument("--machines", type=int, default=2)
    args = parser.parse_args(argv)
    with advisor.Cluster(
        args.workload,
        epochs=args.epochs,
        budget_usd=args.budget,
        deadline_s=args.hours * 3600.0,
        max_machines=args.machines,
        **more,
    ) as cluster:
        cluster.scale(args.machines)
        with Client(cluster) as client, joblib.parallel_config("dask", client=client):
            client.wait_for_workers(1)  # joblib sizes its batches by what there is
            scores = joblib.Parallel()(joblib.delayed(score)(fold) for fold in range(5))
    print(f"error {sum(scores) / len(scores):.4f} over {len(scores)} folds")
    return 0


if __name__ == "__main__":
    sys.exit(main())
