"""What an offer says that a machine does, beside what its GPU and CPU usually do.

The market states the threads that a container gets and the disk's bandwidth; the model
says what launching kernels takes on the core that is named. And a card can be another one
than the offer names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from advisor.base.units import BYTES_PER_MB
from advisor.measure.bench import BenchResult
from advisor.measure.expected import Expected, gpu_of
from advisor.measure.verdict import LEAST_SHORTFALL, Verdict
from advisor.ranking.offer import RankedOffer

_RANDOM_READ_BYTES = 128 * 1024
_CORES = {"cores.granted": 0.02, "cores.delivered": 0.1}
"""Log-sd of what a container gets of the threads that are listed, by line: the market
counts them by the GPUs that are rented, and rounds; and for a second or two others on the
host take some of them (assumptions: three of these are a quarter of the cores)."""

_SOURCE = "the offer"

_LAUNCH = re.compile(r"gpu\d+\.launch")


def offered_lines(result: BenchResult, candidate: RankedOffer) -> Mapping[str, Expected]:
    """Return what lines of a bench should be by the machine's offer, by name."""
    return {one.name: one for one in _offered(result, candidate)}


def _offered(result: BenchResult, candidate: RankedOffer) -> Iterator[Expected]:
    machines, at = candidate.ranking.machines, candidate.at
    host = candidate.ranking.tables.model.host
    if not machines.flags["cores_unknown"][at]:
        threads = float(machines.threads[at])
        promised = "the threads of its offer"
        for name, log_sd in _CORES.items():
            yield Expected(name, "cores", threads, 0.0, log_sd, promised, _SOURCE)
    disk_mb_s = float(machines.disk_mb_s[at]) * host.disk_random_share
    if math.isfinite(disk_mb_s) and disk_mb_s > 0.0:
        reads = disk_mb_s * BYTES_PER_MB / _RANDOM_READ_BYTES
        of = "the disk of its offer"
        yield Expected(
            "disk.read.random", "disk", reads, 0.0, host.disk_log_sd, of, _SOURCE
        )
    launches = float(machines.core_speed[at]) * 1e6 / host.launch_us
    level, spread = float(machines.core_speed_log_sd[at]), host.launch_log_sd
    for line in result.lines:
        if _LAUNCH.fullmatch(line.name):
            of = "its core, by the model"
            yield Expected(line.name, "launch", launches, level, spread, of, _SOURCE)


def other_cards(result: BenchResult, candidate: RankedOffer) -> tuple[Verdict, ...]:
    """Return a verdict for each card that is another one than the offer names.

    Its share is that of their FP16 rates by the data sheets.
    """
    named = candidate.gpu
    if named is None:
        return ()
    found = []
    for number, seen in enumerate(result.machine.gpus):
        gpu = gpu_of(seen, candidate.ranking.tables)
        if gpu is None or gpu == named:
            continue
        share = gpu.fp16_tflops / named.fp16_tflops
        found.append(
            Verdict(
                name=f"gpu{number}.model",
                unit="TFLOP/s",
                measured=gpu.fp16_tflops,
                expected=named.fp16_tflops,
                expected_log_sd=0.0,
                share=share,
                is_fault=share < LEAST_SHORTFALL,
                words=f"it is an {gpu.name}, not the {named.name} that was offered",
                least=LEAST_SHORTFALL * named.fp16_tflops,
                of=named.name,
                source="data sheets",
            )
        )
    return tuple(found)
