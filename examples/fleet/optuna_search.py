"""Search a learning rate with Optuna, whose trials run on rented machines.

    pip install optuna 'optuna-integration[dask]'
    python optuna_search.py --workload resnet50 --budget 30 --machines 2 --trials 20

The study is in the memory of Dask's scheduler, in this process: trials on all machines
learn from one another. The image of the machines needs both packages, too.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

import optuna
from distributed import Client
from optuna_integration import DaskStorage

import advisor


def objective(trial: optuna.Trial) -> float:
    """Fit y = 3 x by gradient descent; return the loss that is left."""
    rate = trial.suggest_float("rate", 1e-3, 1.0, log=True)
    points = [(x / 10, 3 * x / 10) for x in range(10)]
    slope = 0.0
    for _ in range(100):
        slope -= rate * sum(2 * (slope * x - y) * x for x, y in points) / len(points)
    return sum((slope * x - y) ** 2 for x, y in points) / len(points)


def main(argv: Sequence[str] | None = None, **more: Any) -> int:
    """Run it; `more` are further arguments of `advisor.Cluster`."""
    parser = argparse.ArgumentParser(description="Search a learning rate.")
    parser.add_argument("--workload", required=True, help="what a training is like")
    parser.add_argument("--epochs", type=int, default=1, help="that a task trains")
    parser.add_argument("--budget", type=float, required=True, help="of all, $")
    parser.add_argument("--hours", type=float, default=24.0, help="until all is gone")
    parser.add_argument("--machines", type=int, default=2)
    parser.add_argument("--trials", type=int, default=20)
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
        with Client(cluster) as client:
            study = optuna.create_study(storage=DaskStorage(client=client))
            trials = [
                client.submit(study.optimize, objective, n_trials=1, pure=False)
                for _ in range(args.trials)
            ]
            client.gather(trials)
            print(f"{len(study.trials)} trials; the best: {study.best_params}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
