"""``python3 FILE --mode quick``: measure this machine, print one JSON document."""

from __future__ import annotations

import argparse
import json
import sys
import time

from advisor.measure.probe.core import Deflate
from advisor.measure.probe.cores import core_lines, granted_cores
from advisor.measure.probe.lines import Result
from advisor.measure.probe.machine import described
from advisor.measure.probe.samples import Samples

_SECONDS = {"quick": 90.0, "full": 600.0}
_BYTES = {"quick": 1e9, "full": 8e9}
_ROUNDS = {"quick": 5, "full": 9}


def main(argv: list[str] | None = None) -> int:
    """Measure, print the document as the last line of stdout, return the exit code."""
    asked = _parser().parse_args(argv)
    result = Result(asked.mode)
    began = time.monotonic()
    result.begun_unix_s = time.time()
    result.machine = described()
    cores = granted_cores()
    result.machine["cores"] = cores.granted
    result.lines += core_lines(cores)
    samples, deflate = Samples(), Deflate()
    for _ in range(_ROUNDS[asked.mode]):
        samples.add(deflate.name, deflate.rate(), deflate.unit, deflate.note)
    result.lines += samples.lines()
    result.seconds = time.monotonic() - began
    sys.stdout.write(f"{json.dumps(result.document(), allow_nan=False)}\n")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bench", description="Measure this machine; print one JSON document."
    )
    parser.add_argument("--mode", choices=sorted(_SECONDS), default="quick")
    parser.add_argument("--seconds", type=float, help="stop after so long")
    parser.add_argument("--bytes", type=float, help="write no more than that")
    parser.add_argument("--folder", help="folder for scratch files")
    parser.add_argument(
        "--url", action="append", default=[], help="download from it to measure the rate"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
