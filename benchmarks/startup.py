"""Time of `advisor rank` on the bundled sample, as a ratio to its bare imports.

The reference is ``python -c "import numpy, click, httpx"``: what any tool of this
kind pays before it does anything. Both run in turn, so that a busy machine slows
both; the ratio of the medians is what counts (at most 2.0).

    python benchmarks/startup.py [--runs N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time

REFERENCE = [sys.executable, "-c", "import numpy, click, httpx"]
RANK = [
    *(sys.executable, "-m", "advisor", "rank"),
    *("--workload", "resnet50", "--market", "sample"),
]


def seconds(command: list[str]) -> float:
    """Return the wall time of one run of a command."""
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    return time.perf_counter() - start


def main() -> None:
    """Print both medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    for command in (REFERENCE, RANK):
        seconds(command)  # fills the disk cache and the byte code
    pairs = [(seconds(REFERENCE), seconds(RANK)) for _ in range(runs)]
    reference, rank = (statistics.median(column) for column in zip(*pairs, strict=True))
    print(f"import numpy, click, httpx: {reference * 1000:.0f} ms (median of {runs})")
    print(f"advisor rank, sample market: {rank * 1000:.0f} ms")
    print(f"ratio: {rank / reference:.2f} (target: at most 2.0)")


if __name__ == "__main__":
    main()
