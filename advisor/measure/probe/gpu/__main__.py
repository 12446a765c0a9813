"""``python -m advisor.measure.probe.gpu --mode quick``: the GPUs alone, as JSON."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

from advisor.measure.probe.gpu.fit import check_fit
from advisor.measure.probe.gpu.measure import measure_gpu
from advisor.measure.probe.lines import Result


def main() -> int:
    """Check and measure, print the document, return the exit code."""
    parser = argparse.ArgumentParser(description="Measure the GPUs; print JSON.")
    parser.add_argument("--mode", choices=("quick", "full"), default="quick")
    parser.add_argument("--seconds", type=float, default=60.0, help="stop after so long")
    asked = parser.parse_args()
    result = Result(asked.mode)
    result.begun_unix_s = time.time()
    began = time.monotonic()
    check_fit(result)
    measure_gpu(
        result,
        asked.mode,
        began + asked.seconds,
        lambda words, share: sys.stderr.write(f"{share:4.0%} {words}\n"),
        cores=len(os.sched_getaffinity(0)),
    )
    result.seconds = time.monotonic() - began
    sys.stdout.write(json.dumps(result.document(), allow_nan=False) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
