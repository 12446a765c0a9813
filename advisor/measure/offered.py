"""What a rented machine should do by its offer, beside what its kind usually does.

A container may be shown all threads of its host: it is held to those that were predicted,
which are those that are listed, or what is usual where nobody counts them. What it grants
too few is a fault of its own, and none of those that it does grant. And a card can be
another one than the offer names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from advisor.measure.bench import BenchResult
from advisor.measure.claimed import claimed_lines
from advisor.measure.expected import WORKERS, Expected, expected_lines, gpu_of
from advisor.measure.verdict import LEAST_SHORTFALL, Verdict
from advisor.ranking.offer import RankedOffer

_DELIVERED_LOG_SD = 0.1
"""Log-sd of the cores' worth of time that a container gets for a second or two
while others on its host work as they usually do (assumption: three of these are a quarter
of the cores)."""

_BY_NUMBER = re.compile(r"decode\.\w+\.w(\d+)", re.ASCII)


def expected_of(result: BenchResult, candidate: RankedOffer) -> Mapping[str, Expected]:
    """Return what lines of a bench should be: as its kind is, and as it was offered."""
    ranking, at = candidate.ranking, candidate.at
    offered = ranking.offers.take(np.array([at]))
    expected = {
        **expected_lines(result, ranking.tables, offered),
        **claimed_lines(result, ranking.tables, offered),
    }
    predicted = float(ranking.machines.threads[at])
    threads = float(np.fmin(predicted, result.cores_granted))
    usable = {name: one for name, one in expected.items() if _is_usable(one, threads)}
    if threads > 0.0:
        usable["cores.delivered"] = Expected(
            "cores.delivered",
            WORKERS,
            threads,
            0.0,
            _DELIVERED_LOG_SD,
            "the threads that were predicted",
            "the prediction",
        )
    return usable


def _is_usable(one: Expected, threads: float) -> bool:
    """Say whether a line is of no more workers than there are threads."""
    found = _BY_NUMBER.fullmatch(one.name)
    return found is None or int(found[1]) <= threads


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
                words=f"the card is {gpu.name}, offered was {named.name}",
                least=LEAST_SHORTFALL * named.fp16_tflops,
                of=named.name,
                source="data sheets",
            )
        )
    return tuple(found)
