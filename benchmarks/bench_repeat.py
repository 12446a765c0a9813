"""Whether benches of one machine agree: each line over some runs.

Lines per second of CPU time are to agree whatever else the machine does; those by the
wall clock (workers together, disk) agree as far as others leave the machine alone, which
`cores.delivered` shows.

    python benchmarks/bench_repeat.py --runs 4
    python benchmarks/bench_repeat.py --runs 4 --python FILE --json spread.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tabulate import tabulate

from advisor.measure.bench import BenchResult, parse_output
from advisor.measure.program import program

AGREES = 0.10
BY_CPU_TIME = ("per second of CPU time", "by CPU time")
"""Words in the note of lines that other processes do not slow."""


def main() -> None:
    """Run the benches one after the other, and print the spread of each line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--mode", choices=("quick", "full"), default="quick")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write figures")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bench.pyz"
        file.write_bytes(program())
        command = [asked.python, str(file), "--mode", asked.mode, "--bytes", "5e8"]
        results = [_measured(command, number) for number in range(asked.runs)]
    figures = defaultdict[str, list[float]](list)
    notes: dict[str, str] = {}
    for result in results:
        for line in result.lines:
            figures[line.name].append(line.value)
            notes[line.name] = line.note
    rows, apart = [], dict[bool, list[float]]({True: [], False: []})
    for name, values in figures.items():
        if len(values) < len(results):
            continue
        two = max(abs(a / b - 1.0) for a, b in itertools.permutations(values, 2))
        is_own = any(words in notes[name] for words in BY_CPU_TIME)
        apart[is_own].append(two)
        told = [f"{value:.4g}" for value in (min(values), max(values))]
        clock, middle = "CPU" if is_own else "wall", statistics.median(values)
        far = "" if two <= AGREES else "apart"
        rows.append((name, clock, middle, *told, f"{two:.1%}", far))
    heads = ("line", "time", "median", "least", "most", "two runs differ by", "")
    print(tabulate(rows, heads, floatfmt=".4g"))
    for is_own, name in ((True, "CPU"), (False, "wall")):
        found = apart[is_own]
        near = sum(one <= AGREES for one in found)
        print(f"by {name} time: {near} of {len(found)} lines agree within {AGREES:.0%} "
              f"in any two of {len(results)} runs")  # fmt: skip
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")


def _measured(command: list[str], number: int) -> BenchResult:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return parse_output(done.stdout, f"run {number + 1}")


if __name__ == "__main__":
    main()
