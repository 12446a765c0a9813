"""Time and memory of a ranking by the number of offers, beside another version.

The offers are simulated, of a hundred fields each. Of a listing of 20,000 two times are
taken: from a file of JSON to the best 20 (what `advisor rank` does after its start), and
from records that are in memory already. Each run is a process of its own; those of the
other version, if one is named, alternate with ours, so that a busy machine slows both,
and the ratio of the medians is what counts (at most 0.35 of commit 2f23e75).

Larger listings are ranked by the command from a gzipped snapshot, as `advisor fetch`
writes it: peak memory (at most 1.5 GB for a million), and time, which shall be linear.

    python benchmarks/scale.py [--against PYTHON] [--runs 7] [--sizes 100000 1000000]

PYTHON is the interpreter of an environment where the other version is installed.
"""

from __future__ import annotations

import argparse
import gzip
import inspect
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from advisor.cost.job import Job
from advisor.market.filters import Filters
from advisor.market.snapshot import FileMarket
from advisor.market.types import Query
from advisor.ranking.rank import rank
from advisor.report.entries import entries
from advisor.simulator.generate.sample import generate_offers
from advisor.throughput.tables import load_tables
from advisor.workloads.load import load_workload

OFFERS = 20_000
TOP = 20
MOST_GB = 1.5
MOST_RATIO = 0.35
WAYS = {"file": "from a file", "records": "from records in memory"}

_HEAD = {
    "schema_version": 1,
    "market": "sample",
    "origin": "benchmark",
    "fetched_at": "2026-11-01T00:00:00Z",
    "complete": True,
    "simulated": True,
    "notes": ["no such machines exist"],
}


def listing(count: int) -> Iterator[dict[str, Any]]:
    """Return `count` simulated offers, of which no two are alike."""
    drawn = generate_offers(min(count, OFFERS), 1, 1.8e9)
    for at in range(count):
        record, copy = drawn[at % len(drawn)], at // len(drawn)
        ids = ("id", "ask_contract_id", "bundle_id", "machine_id", "host_id")
        moved = {key: record[key] + copy * 10**9 for key in ids if key in record}
        dearer = 1.0 + 1e-3 * copy
        yield {**record, **moved, "dph_base": dearer * record["dph_base"]}


def write(path: Path, count: int) -> None:
    """Write a listing as a snapshot, gzipped where the name says so."""
    packed = path.suffix == ".gz"
    with gzip.open(path, "wb", 1) if packed else path.open("wb") as file:
        file.write(json.dumps(_HEAD, separators=(",", ":"))[:-1].encode())
        file.write(b',"offers":[')
        for at, record in enumerate(listing(count)):
            text = json.dumps(record, separators=(",", ":"), ensure_ascii=False)
            file.write((",\n" if at else "").encode() + text.encode())
        file.write(b"]}")


def work(path: Path) -> None:
    """Print the seconds of both ways, in whatever version this interpreter has."""
    profile, tables = load_workload("resnet50"), load_tables()
    job = Job(profile, profile.epochs, profile.disk_gb)
    # Each version as its command calls it.
    more = {"top": TOP} if "top" in inspect.signature(rank).parameters else {}

    def ranked(records: Any) -> None:
        ranking = rank(records, job, tables, Filters(), **more)
        entries(ranking, TOP)

    listed = json.loads(path.read_bytes())["offers"]
    ranked(listed[:500])  # what is loaded when it is first needed
    start = time.perf_counter()
    ranked(listed)
    from_records = time.perf_counter() - start
    del listed
    start = time.perf_counter()
    ranked(FileMarket(path).search(Query()).records)
    from_file = time.perf_counter() - start
    print(json.dumps({"records": from_records, "file": from_file}))


def seconds(python: str, path: Path) -> dict[str, float]:
    """Return what `work` prints in another process."""
    command = [python, __file__, "--work", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, cwd=path.parent)
    told: dict[str, float] = json.loads(done.stdout)
    return told


def compare(against: str | None, runs: int, folder: Path) -> None:
    """Print the medians of both ways, and the ratios to the other version."""
    path = folder / "listing.json"
    write(path, OFFERS)
    pythons = [sys.executable, *([against] if against else [])]
    found: list[list[dict[str, float]]] = [[] for _ in pythons]
    for _ in range(runs):
        for python, told in zip(pythons, found, strict=True):
            told.append(seconds(python, path))
    for way, words in WAYS.items():
        ours, *others = (statistics.median(one[way] for one in told) for told in found)
        line = f"{OFFERS:,} offers {words}: {ours * 1e3:,.0f} ms"
        for other in others:
            line += f"; other version {other * 1e3:,.0f} ms, ratio {ours / other:.2f}"
            line += f" (goal: at most {MOST_RATIO})"
        print(line, flush=True)


def grow(sizes: list[int], folder: Path) -> None:
    """Print time and peak memory of the command for each size."""
    for size in sizes:
        path = folder / f"{size}.json.gz"
        write(path, size)
        command = [sys.executable, "-m", "advisor", "rank", "--workload", "resnet50"]
        start = time.perf_counter()
        with (folder / "table").open("wb") as table:
            running = subprocess.Popen(
                [*command, "--market", str(path)], stdout=table, stderr=table, cwd=folder
            )
            _, status, usage = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        if running.returncode:
            raise SystemExit((folder / "table").read_text(encoding="utf-8"))
        wall = time.perf_counter() - start
        cpu = usage.ru_utime + usage.ru_stime
        peak_gb = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9
        print(
            f"{size:,} offers from a snapshot of {path.stat().st_size / 1e6:,.0f} MB: "
            f"{wall:.1f} s ({cpu / size * 1e6:.1f} us of processor time an offer), "
            f"peak {peak_gb:.2f} GB (goal: at most {MOST_GB} for a million)",
            flush=True,
        )
        path.unlink()


def main() -> None:
    """Compare with another version, then grow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", metavar="PYTHON")
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[100_000, 300_000, 1_000_000]
    )
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(options.against, options.runs, Path(folder))
        grow(options.sizes, Path(folder))


if __name__ == "__main__":
    main()
