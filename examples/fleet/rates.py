"""Train with several learning rates at once, by Dask, on rented machines.

    python rates.py 0.5 0.1 0.02 --workload resnet50 --budget 30 --machines 2

`train` stands for your training: it goes to the machines as it is, and what it imports
must be in their image. Its results come back here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from distributed import Client

import advisor


def train(rate: float, epochs: int = 100) -> float:
    """Fit y = 3 x by gradient descent; return the loss that is left."""
    points = [(x / 10, 3 * x / 10) for x in range(10)]
    slope = 0.0
    for _ in range(epochs):
        slope -= rate * sum(2 * (slope * x - y) * x for x, y in points) / len(points)
    return sum((slope * x - y) ** 2 for x, y in points) / len(points)


def main(argv: Sequence[str] | None = None, **more: Any) -> int:
    """Run it; `more` are further arguments of `advisor.Cluster`."""
    parser = argparse.ArgumentParser(description="Train with several learning rates.")
    parser.add_argument("rates", nargs="+", type=float, metavar="RATE")
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
        cluster.adapt(0, args.machines)
        with Client(cluster) as client:
            losses = client.gather(client.map(train, args.rates))
    for loss, rate in sorted(zip(losses, args.rates, strict=True)):
        print(f"{rate:>8g}  {loss:.3g}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
