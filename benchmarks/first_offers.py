"""The first offers of every built-in profile, and what an expert looks at before renting.

What is needed stands beside what the machine has, and the probability that it does not
suffice after it; "~" marks what cannot be told from a better offer. A judgment of each
offer of the bundled sample is in ``docs/first-offers.md``.

    python benchmarks/first_offers.py [FILE] [--top 3] [--workload NAME ...] [--markdown]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from advisor.base.errors import AdvisorError
from advisor.base.figures import figure
from advisor.cost.assumptions import Assumptions
from advisor.cost.job import Job, needed_disk_gb
from advisor.market.filters import Filters
from advisor.market.snapshot import load_snapshot
from advisor.ranking.policy import SORT_KEYS, Policy, SortKey
from advisor.ranking.rank import rank
from advisor.report.entries import Entry, entries
from advisor.throughput.tables import Tables, load_tables
from advisor.workloads.load import list_workloads
from advisor.workloads.profile import Workload

SAMPLE = Path(__file__).parents[1] / "fixtures" / "sample-market.json.gz"
HEADS = (
    "profile",
    "offer",
    "GPU",
    "CPU",
    "threads",
    "RAM GB",
    "GPU GB",
    "samples/s",
    "bound by",
    "disk MB/s",
    "down Mbit/s",
    "$/h",
    "job h",
    "job $",
    "reliability",
    "stands d",
    "flags",
)


def first(
    records: Sequence[Any], tables: Tables, workload: Workload, top: int, sort: SortKey
) -> list[Entry]:
    """Return the first offers of one profile, as the JSON document has them."""
    job = Job(workload, workload.epochs, needed_disk_gb(workload, Assumptions()))
    ranking = rank(records, job, tables, Filters(), Policy(sort))
    return entries(ranking, top)


def row(workload: Workload, entry: Entry) -> list[str]:
    """Return one offer as a row of the table."""
    gpu_gb = entry["memory_gb"] + entry["memory_margin_gb"]
    tied = "" if entry["tied_with"] is None else "~"
    days = None if entry["duration_s"] is None else entry["duration_s"] / 86400.0
    return [
        f"{workload.name} {entry['rank']}{tied}",
        str(entry["offer_id"]),
        f"{entry['num_gpus']} x {entry['gpu_name']}",
        entry["cpu_name"] or "?",
        figure(entry["cpu_cores"], 3),
        needed(entry["host_ram_needed_gb"], entry["host_ram_gb"], entry["host_ram_risk"]),
        needed(entry["memory_gb"], gpu_gb, entry["memory_risk"]),
        figure(entry["samples_per_s"], 3),
        entry["bound_by"],
        figure(entry["disk_mb_s"], 3),
        figure(entry["inet_down_mbit_s"], 3),
        f"{entry['usd_per_hour']:.3f}",
        figure(entry["job_hours"], 3),
        f"{entry['job_usd']:,.2f}",
        figure(entry["reliability"], 3),
        figure(days, 2),
        " ".join(entry["flags"]),
    ]


def needed(need: float, have: float | None, risk: float | None) -> str:
    """Return what is needed of what there is, and how likely it does not suffice."""
    if have is None or risk is None:
        return f"{need:.1f} of ?"
    return f"{need:.1f} of {have:.1f}, {risk:.0%}"


def main() -> None:
    """Print the first offers of the listing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=SAMPLE, metavar="FILE")
    parser.add_argument("--top", type=int, default=3)
    parser.add_argument("--workload", nargs="*", default=[], metavar="NAME")
    parser.add_argument("--sort", choices=SORT_KEYS, default=SORT_KEYS[0])
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    try:
        records = load_snapshot(options.file).records
    except AdvisorError as error:
        sys.exit(str(error))
    tables = load_tables()
    rows = [
        row(workload, entry)
        for workload in list_workloads()
        if not options.workload or workload.name in options.workload
        for entry in first(records, tables, workload, options.top, options.sort)
    ]
    style = "github" if options.markdown else "simple"
    print(tabulate(rows, HEADS, tablefmt=style, disable_numparse=True))


if __name__ == "__main__":
    main()
