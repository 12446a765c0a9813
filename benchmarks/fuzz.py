"""Files of the user's that are wrong: nothing ends in a traceback, nothing is lost.

Three kinds of files are wronged at random, each many times: the user's SQLite file, of
this version and of an older one (bits flipped, cut off, zeroed, wild values in any row of
any table, other versions of the schema, a torn journal), records of jobs, and profiles
and ``advisor.toml``. Each is then read and written as the commands do. A fault is an
error that is none of advisor's, a warning, a good row that is not read any more, a row
that is neither read nor told, an error where SQLite itself finds the file whole, and a
file that was changed by reading or is gone. What is right is said by SQLite alone.

    python benchmarks/fuzz.py [--count 3000] [--seed 0] [--kind ledger|job|profile]

Prints the figures of each kind; exits 1 if there is a fault.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fuzz_parts.jobs import fuzz_jobs
from fuzz_parts.ledgers import fuzz_ledgers
from fuzz_parts.profiles import fuzz_profiles

if TYPE_CHECKING:
    from fuzz_parts.tally import Tally

KINDS: Mapping[str, Callable[[int, random.Random, Path], Tally]] = {
    "ledger": fuzz_ledgers,
    "job": fuzz_jobs,
    "profile": fuzz_profiles,
}


def main() -> int:
    """Print the figures of each kind; return 1 if there is a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3000, help="files of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*KINDS], action="append")
    options = parser.parse_args()
    warnings.simplefilter("error")  # a warning that a user would see is a fault, too
    faults = 0
    for kind in options.kind or KINDS:
        begun = time.monotonic()
        rnd = random.Random(f"{options.seed} {kind}")  # noqa: S311  (no secret)
        with tempfile.TemporaryDirectory() as name:
            tally = KINDS[kind](options.count, rnd, Path(name))
        faults += tally.faults.total()
        print(
            f"{kind}: {tally.tried} files wronged, {tally.refused} refused, "
            f"{tally.faults.total()} faults, {time.monotonic() - begun:.0f} s"
        )
        for what, times in tally.faults.most_common(20):
            print(f"  {times} x {what}")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
