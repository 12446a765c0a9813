"""How many faults put into renting the tests find: mutants, by Cosmic Ray's operators.

    python benchmarks/mutation.py                      # 40 mutants of each module
    python benchmarks/mutation.py caps labels --most 0 # all mutants of two modules

Prints the score of each module, and the diff of each mutant that lives. Cosmic Ray says
what a mutant is, and `RemoveStatement` here adds the one that it lacks; its own runner
would start the whole suite for each. So a run of the tests under coverage comes first: a
mutant then meets only the tests that come by its line, the quickest first, until one
fails, in a process forked from one that has imported what does not change. Each place and
kind of change counts once. Needs the extra `mutation`; takes minutes to hours.

A mutant that lives costs the time of all its tests, which are hundreds at a line that
runs on import. With ``--longest`` it meets as many as that takes, the quickest first: the
score is a lower bound then.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import math
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from queue import SimpleQueue

from mutation_parts.run import Tested, Tree, import_what_stays, run_with_coverage
from mutation_parts.spots import Mutant, mutants_of

ROOT = Path(__file__).parents[1]
BESIDE = (
    *("base/background", "base/interrupts"),
    *(
        f"store/{name}"
        for name in ("backup", "database", "entry", "ledger", "reserve", "rows")
    ),
)
"""What renting stands on, in other rooms."""

TESTS = (
    "tests/base",
    "tests/rental",
    "tests/store",
    "tests/app",
    "tests/market",
    "tests/cli",
)
_LEAST_S = 20.0
_SLOWER = 5.0


def modules(names: Sequence[str]) -> list[Path]:
    """Return the modules of renting, those of some names alone, below the root."""
    rental = sorted((ROOT / "advisor" / "rental").rglob("*.py"))
    beside = [ROOT / "advisor" / f"{name}.py" for name in BESIDE]
    found = [path.relative_to(ROOT) for path in (*rental, *beside)]
    return [path for path in found if not names or path.stem in names]


def sample(path: Path, most: int, seed: int) -> list[Mutant]:
    """Return mutants of a module: the same for the same source, number and seed."""
    draw = random.Random(f"{seed}/{path}")  # noqa: S311  (a sample, no secret)
    source = (ROOT / path).read_text(encoding="utf-8")
    return mutants_of(path, source, draw, most)


def tests_of(mutant: Mutant, tested: Tested, longest_s: float) -> list[str]:
    """Return the tests that come by a mutant's lines, the quickest first.

    A line that runs when its module is imported is every test's that meets the module,
    and after those every test's that meets one which imports it. So is one that no test
    comes by: coverage does not see what a test begins in another process.

    Parameters
    ----------
    longest_s : seconds that they take together at most, but for the first
    """
    lines = tested.lines.get(str(mutant.path), {})
    near = {test for line in mutant.lines for test in lines.get(line, ())}
    far: set[str] = set()
    if not near or "" in near or _runs_on_import(mutant):
        near = {test for tests in lines.values() for test in tests}
        far = set().union(
            *(
                tests
                for path in _importers(mutant.path, tested)
                for tests in tested.lines[path].values()
            )
        )
    tests = sorted(
        (near | far) - {""},
        key=lambda test: (test not in near, tested.seconds[test], test),
    )
    ends = accumulate(tested.seconds[test] for test in tests)
    return [
        test
        for place, (test, end) in enumerate(zip(tests, ends, strict=True))
        if not place or end <= longest_s
    ]


def _runs_on_import(mutant: Mutant) -> bool:
    """Say whether a place is in no function's body: one test alone imports it, mostly."""
    tree = ast.parse((ROOT / mutant.path).read_text(encoding="utf-8"))
    return not any(
        node.body[0].lineno <= mutant.lines[0] <= (node.end_lineno or 0)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    )


def _importers(path: Path, tested: Tested) -> Iterator[str]:
    """Yield the modules here that import one."""
    *above, name = path.with_suffix("").parts
    room = re.escape(".".join(above))
    imports = re.compile(
        rf"^from {room}(?:\.{name} import | import .*\b{name}\b)", re.MULTILINE
    )
    for other in tested.lines:
        if imports.search((ROOT / other).read_text(encoding="utf-8")):
            yield other


def judge(
    mutants: Sequence[Mutant], tested: Tested, jobs: int, longest_s: float
) -> Iterator[bool]:
    """Yield of each mutant, in order, whether a test finds it.

    What fails with a mutant must pass without it, after the same tests.
    """
    trees: SimpleQueue[Tree] = SimpleQueue()
    unsteady: set[str] = set()
    for _ in range(jobs):
        trees.put(Tree(ROOT))

    def is_found(mutant: Mutant) -> bool:
        tests = tests_of(mutant, tested, longest_s)
        tree = trees.get()
        try:
            while tests := [test for test in tests if test not in unsteady]:
                time_s = sum(tested.seconds[test] for test in tests)
                limit_s = max(_LEAST_S, _SLOWER * time_s)
                failing = tree.failing(mutant, tests, limit_s)
                if not failing:
                    return failing is not None
                until = tests[: tests.index(failing) + 1]
                if not tree.fails_whole(until, limit_s):
                    return True
                unsteady.add(failing)
                print(f"left out, it may fail without a mutant: {failing}", flush=True)
            return False
        finally:
            trees.put(tree)

    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(is_found, mutants)
    finally:
        pool.shutdown(cancel_futures=True)
        while not trees.empty():
            trees.get().close()


def diff(mutant: Mutant) -> str:
    """Return what a mutant changes."""
    before = (ROOT / mutant.path).read_text(encoding="utf-8").splitlines()
    after = mutant.source.splitlines()
    lines = list(difflib.unified_diff(before, after, lineterm="", n=1))[2:]
    return "\n".join(f"    {line}" for line in lines)


def main() -> None:
    """Print the score of each module, and the mutants that live."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", help="names without .py; none: all")
    parser.add_argument("--most", type=int, default=40, help="of a module; 0: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tests", nargs="+", default=list(TESTS))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--lines", type=Path, help="file that keeps who runs which line")
    parser.add_argument(
        "--longest", type=float, default=math.inf, help="s of tests for one mutant"
    )
    options = parser.parse_args()
    began = time.monotonic()
    paths = modules(options.modules)
    for name in options.tests:  # without any, pytest would run them all
        if not (ROOT / name).exists():
            parser.error(f"there is no {name}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))  # what it began ends, too
    import_what_stays()
    mutants = [one for path in paths for one in sample(path, options.most, options.seed)]
    with tempfile.TemporaryDirectory() as scratch:
        kept = (options.lines or Path(scratch) / "lines.json").resolve()
        tested = run_with_coverage(ROOT, paths, options.tests, kept)
    print(
        f"{len(tested.seconds):,} tests, {sum(tested.seconds.values()):.0f} s", flush=True
    )
    for test in tested.failed:
        print(f"left out, it fails as it is: {test}", flush=True)
    found: Counter[Path] = Counter()
    count: Counter[Path] = Counter()
    for mutant, is_found in zip(
        mutants, judge(mutants, tested, options.jobs, options.longest), strict=True
    ):
        count[mutant.path] += 1
        found[mutant.path] += is_found
        if not is_found:
            reached = len(tests_of(mutant, tested, options.longest))
            print(f"{mutant.path}:{mutant.lines[0]} {mutant.kind} ({reached} tests)")
            print(diff(mutant), flush=True)
    print()
    for path in paths:
        if count[path]:
            score = found[path] / count[path]
            print(f"{score:5.0%}  {found[path]:4} of {count[path]:4}  {path}")
    share = found.total() / max(count.total(), 1)
    took = time.monotonic() - began
    print(f"{share:5.1%} of {count.total():,} mutants found ({took / 60:.0f} min)")


if __name__ == "__main__":
    sys.exit(main())
