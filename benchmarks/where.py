"""Time of conditions on a market's records, as a ratio to decoding the same records.

The reference is `json.loads` of the market's answer, which whoever has the records has
paid. Both go through the same simulated offers in turn, so that a busy machine slows
both; the ratio of the medians is what counts (at most 0.25, also where every offer
meets all five conditions and each is looked at).

    python benchmarks/where.py [--offers 20000] [--runs 7]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from advisor.market.conditions import sifted
from advisor.market.types import Condition, Record
from advisor.market.where import parse_where
from advisor.simulator.generate.sample import generate_offers

QUERIES = (
    "cpu_ram>=48 cuda_max_good>=12.8 gpu_name!=RTX_3060 geolocation notin [CN,VN]",
    "gpu_name!=Xyzzy geolocation!=XX num_gpus>=1 gpu_ram>=0.1 dph<1000000",
)
DISK_GB = 40.0


def sift(records: Iterable[Record], conditions: Sequence[Condition]) -> list[Record]:
    """Return the records that meet all conditions."""
    return list(sifted(records, conditions, DISK_GB, Counter()))


def seconds(run: Callable[[], object]) -> float:
    """Return the wall time of one run."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    """Print the medians and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--offers", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    records = generate_offers(options.offers, 1, 1.8e9)
    text = json.dumps(records)
    decoding: list[float] = []
    sifting: dict[str, list[float]] = {query: [] for query in QUERIES}
    for _ in range(options.runs):
        decoding.append(seconds(lambda: json.loads(text)))
        for query, times in sifting.items():
            conditions = parse_where(query)
            times.append(seconds(lambda asked=conditions: sift(records, asked)))
    decode = statistics.median(decoding)
    print(f"json.loads of {len(records):,} records: {decode * 1e3:.0f} ms")
    for query, times in sifting.items():
        taken = statistics.median(times)
        kept = sift(records, parse_where(query))
        print(f"{query}: {taken * 1e3:.0f} ms, {len(kept):,} kept, "
              f"ratio {taken / decode:.3f} (target: at most 0.25)")  # fmt: skip


if __name__ == "__main__":
    main()
