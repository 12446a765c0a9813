"""Time of a ranking with all terms of the cost, as a ratio to the plain one.

The plain one is what a spreadsheet has: parse, filter, predict, price over throughput
and the download, sorted. Both rank the same simulated offers in turn; the ratio of the
medians is what counts (at most 1.5).

    python benchmarks/ranking.py [--offers 3000] [--runs 15]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from advisor.cost.assumptions import Assumptions
from advisor.cost.job import RENTALS, Job, needed_disk_gb
from advisor.hardware.machines import describe
from advisor.market.filters import Filters, apply_filters
from advisor.market.offers import parse_offers
from advisor.ranking.rank import rank
from advisor.ranking.ties import compare
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.dlperf import dlperf_adjustment
from advisor.throughput.predict import predict
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.load import load_workload

TABLE_ROWS = 20


def plain(records: Sequence[Any], job: Job, tables: Tables) -> None:
    """Rank by price over throughput and the download."""
    offers, _ = parse_offers(records)
    keep, _ = apply_filters(offers, Filters(), job.disk_gb)
    offers = offers.take(keep)
    machines = describe(offers, tables.gpus, tables.cpus, tables.model.cpu)
    adjustment = dlperf_adjustment(offers, machines, tables.model.dlperf)
    rate = predict(machines, job.workload, tables.model, adjustment).samples_per_s
    price, _ = offers.usd_per_hour(job.disk_gb)
    rent = price * job.workload.samples_per_epoch / rate / 3600
    traffic = offers.inet_down_usd_per_gb * job.workload.dataset_gb / job.epochs
    np.lexsort((offers.offer_id, rent + traffic))


def full(records: Sequence[Any], job: Job, tables: Tables) -> None:
    """Rank with all terms, and judge the ties of what a table shows."""
    compare(rank(records, job, tables, Filters()), TABLE_ROWS)


def seconds(run: Callable[[], None]) -> float:
    """Return the wall time of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and their ratio for each way of renting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=3000)
    parser.add_argument("--runs", type=int, default=15)
    options = parser.parse_args()
    records = generate_offers(options.offers, 1, 1.8e9)
    workload, tables = load_workload("resnet50"), load_tables()
    for rental in RENTALS:
        disk_gb = needed_disk_gb(workload, Assumptions())
        job = Job(workload, workload.epochs, disk_gb, rental)

        def run_plain(job: Job = job) -> None:
            plain(records, job, tables)

        def run_full(job: Job = job) -> None:
            full(records, job, tables)

        run_plain(), run_full()
        pairs = [(seconds(run_plain), seconds(run_full)) for _ in range(options.runs)]
        short, long = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(f"{rental}: plain {short * 1e3:.0f} ms, all terms {long * 1e3:.0f} ms, "
              f"ratio {long / short:.2f} (target: at most 1.5)")  # fmt: skip


if __name__ == "__main__":
    main()
