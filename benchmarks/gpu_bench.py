"""Ten minutes on one GPU: what no published table has, as JSON for `models/measurements`.

Training fed from JPEG files by 1, 2, 4, 8, 16 cores; steps on random data, eager and
compiled, channels last and first, TF32 on and off; what the cores decode; prefill and
decoding of a small transformer; and every part of the GPU. The most telling come first,
and what the time does not suffice for is left out and named. The file is written anew
after each of them: whatever ends the program, what was measured by then is there.

    python benchmarks/gpu_bench.py -o models/measurements/h200.json
    python benchmarks/gpu_bench.py --device cpu --tiny -o /tmp/rehearsal.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # advisor need not be installed there
sys.path.insert(0, str(Path(__file__).parent))

from advisor.measure.probe.cores import core_lines, granted_cores
from advisor.measure.probe.gpu.apart import run_apart
from advisor.measure.probe.gpu.fit import check_fit
from advisor.measure.probe.images import jpegs
from advisor.measure.probe.lines import Check, Line, Result, Skipped
from advisor.measure.probe.machine import described
from gpu_parts.cases import Case, Plan

KIND, VERSION = "advisor-gpu-bench", 1
PATIENCE = 2.5
"""A process that takes so many times as long as foreseen hangs."""


class Record:
    """The file, as far as it has come.

    Parameters
    ----------
    path : of the file
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.result = Result("full")
        self.result.begun_unix_s = time.time()
        self._began = time.monotonic()
        self._rows: list[dict[str, Any]] = []

    def take(self, case: Case, message: Any) -> None:
        """Take what a process has sent."""
        if isinstance(message, Line):
            self._rows.append({**message._asdict(), "setting": case.setting})
            print(f"    {message.name}: {message.value:.4g} {message.unit}", flush=True)
        elif isinstance(message, Check):
            self.result.checks.append(message)
        elif isinstance(message, Skipped):
            name = f"{case.name}: {message.name}"
            self.result.skipped.append(message._replace(name=name))

    def write(self) -> None:
        """Write the file in one go."""
        self.result.seconds = time.monotonic() - self._began
        document = {
            **self.result.document(),
            "kind": KIND,
            "version": VERSION,
            "rows": self._rows,
        }
        text = json.dumps(document, indent=1, allow_nan=False)
        part = self._path.with_suffix(".part")
        part.write_text(text + "\n")
        part.replace(self._path)


def main() -> None:
    """Measure, and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda:0", help="as PyTorch names it")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal")
    parser.add_argument("--seconds", type=float, default=570.0, help="for all of it")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    asked = parser.parse_args()
    ends = time.monotonic() + asked.seconds
    if asked.tiny:  # threads that wait for one another take longer than what they compute
        os.environ["OMP_NUM_THREADS"] = "1"
    record = Record(asked.output)
    result, cores = record.result, granted_cores()
    result.machine = {**described(), "cores": cores.granted}
    result.lines += core_lines(cores)
    check_fit(result)
    for check in result.checks:
        print(f"{check.name}: {'fails, ' * (check.ok is False)}{check.words}", flush=True)
    record.write()
    with tempfile.TemporaryDirectory() as folder:
        plan = Plan(asked.device, asked.tiny, cores.workers, _written(Path(folder)))
        for case in plan.cases():
            _measure(record, case, ends, math.inf if asked.tiny else PATIENCE)
            record.write()


def _written(folder: Path) -> tuple[str, ...]:
    """Write the pictures; return their paths."""
    paths = []
    for number, file in enumerate(jpegs()):
        path = folder / f"{number}.jpg"
        path.write_bytes(file)
        paths.append(str(path))
    return tuple(paths)


def _measure(record: Record, case: Case, ends: float, patience: float) -> None:
    """Run a process, unless the time does not suffice.

    Parameters
    ----------
    record : takes what it sends
    case : that is run
    ends : when all of it ends, by `time.monotonic`
    patience : how many times as long as foreseen it may take
    """
    began = time.monotonic()
    if began + case.seconds > ends:
        record.result.skipped.append(Skipped(case.name, "there was no time left for it"))
        return
    print(f"{ends - began:4.0f} s left: {case.name}", flush=True)
    with _cores(case.cores):
        why = run_apart(
            case.function,
            (*case.arguments, case.reads_s),
            min(ends, began + patience * case.seconds),
            lambda message: record.take(case, message),
        )
    if why:
        print(f"    {why}", flush=True)
        record.result.skipped.append(Skipped(case.name, why))


@contextlib.contextmanager
def _cores(number: int | None) -> Iterator[None]:
    """Let what is started inside run on so many cores, as taskset does."""
    before = os.sched_getaffinity(0)
    if number is not None:
        os.sched_setaffinity(0, sorted(before)[:number])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


if __name__ == "__main__":
    main()
