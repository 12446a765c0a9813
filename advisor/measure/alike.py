"""What another machine that was measured for the same job does as well.

Two machines of a kind that do the same are as they are: then it is the expectation that
is wrong. That holds for what a kind decides, and for no more: cores that are granted, a
disk, memory and errors are each machine's own, whatever is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from advisor.hardware.names import cpu_words
from advisor.measure.bench import BenchResult
from advisor.measure.verdict import Verdict

_AS_ANOTHER = 0.9
"""Share of what another machine of the same kind did from which a machine is as that one
(assumption: the bench's own repeats differ by a few percent)."""

_OF_CARD = re.compile(r"gpu(\d+)\.(matmul\.\w+|bandwidth)", re.ASCII)
_OF_LINK = re.compile(r"(gpu\d+)\.(h2d\.pinned)", re.ASCII)
_OF_CPU = re.compile(
    r"(?:gpu\d+\.)?(launch|core\.zlib|tokenize\.\w+\.core"
    r"|decode\.\w+\.(?:alone|core|ceiling))",
    re.ASCII,
)


class Seen(NamedTuple):
    """A machine that was measured for the same job.

    Attributes
    ----------
    result : what it showed
    verdicts : on that, beside what was expected of it
    """

    result: BenchResult
    verdicts: tuple[Verdict, ...]


def as_others(verdict: Verdict, result: BenchResult, others: Iterable[Seen]) -> Verdict:
    """Return a fault as none where another machine of the kind does no better.

    Both are measured by what was expected of each: one card may be limited to less power
    than the other.

    Parameters
    ----------
    verdict : on a line of `result`
    others : of machines that were measured for the same job
    """
    kind = _kind(verdict.name, result)
    if kind is None:
        return verdict
    shares = [
        one.share
        for other in others
        for one in other.verdicts
        if one.share > 0.0 and _kind(one.name, other.result) == kind
    ]
    if not shares or verdict.share < _AS_ANOTHER * max(shares):
        return verdict
    words = f"{verdict.share:.0%} of {verdict.of}, as another machine of its kind"
    return replace(verdict, is_fault=False, words=words)


def _kind(name: str, result: BenchResult) -> tuple[object, ...] | None:
    """Return what a line is of, and what decides over it; None: the machine alone."""
    if found := _OF_CARD.fullmatch(name):
        at, gpus = int(found[1]), result.machine.gpus
        return (found[2], gpus[at].name) if at < len(gpus) and gpus[at].name else None
    if found := _OF_LINK.fullmatch(name):
        link = [result.value(f"{found[1]}.pcie.{part}.max") for part in ("gen", "width")]
        return (found[2], *link) if all(value > 0.0 for value in link) else None
    if found := _OF_CPU.fullmatch(name):
        cpu = cpu_words(result.machine.cpu_name)
        return (found[1], cpu) if cpu else None
    return None
