"""Time of NumPy's functions of each number of an array, one core.

    python benchmarks/numpy_functions.py --ghz 4.0

prints nanoseconds a number and, at the clock that is told, cycles: the figures of
`advisor.throughput.functions` are of such a run. Set NPY_DISABLE_CPU_FEATURES to what
NumPy found beyond 256 bits (such as "X86_V4 AVX512_ICL") for those without wide vectors.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from advisor.throughput.functions import FUNCTIONS

NUMBERS, ROUNDS = 1_000_000, 7


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ghz", type=float, required=True, help="clock of a core")
    ghz = parser.parse_args().ghz
    random = np.random.default_rng(0)
    print(f"NumPy {np.__version__}, {NUMBERS:,} numbers, best of {ROUNDS}")
    for name, function in FUNCTIONS.items():
        cells = []
        for kind in (np.float64, np.float32):
            arrays = [
                (0.1 + 4.0 * random.random(NUMBERS)).astype(kind)
                for _ in range(function.arguments)
            ]
            out = np.empty_like(arrays[0])
            spent = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                getattr(np, name)(*arrays, out=out)
                spent.append(time.perf_counter() - start)
            each = min(spent) / NUMBERS * 1e9
            cells.append(f"{each:6.2f} ns {each * ghz:6.1f} cycles")
        print(f"{name:10} double {cells[0]}   single {cells[1]}")


if __name__ == "__main__":
    main()
