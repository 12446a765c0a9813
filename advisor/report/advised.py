"""What holds a machine back, as a document and in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from advisor.base.figures import figure
from advisor.report.entries import number
from advisor.throughput.advice import Advice, Improvement
from advisor.throughput.bottleneck import Bottleneck

_MILD = 0.15
"""A GPU that waits for less of its time is all but busy."""


def advice_document(advice: Advice, epoch_hours: float) -> dict[str, Any]:
    """Return the advice as JSON holds it, for epochs of so many hours."""
    return {
        **asdict(advice),
        "gpu_waits_hours_per_epoch": number(advice.gpu_waits * epoch_hours),
        "cpu_headroom": number(advice.cpu_headroom),
        "bottlenecks": [_bottleneck(one) for one in advice.bottlenecks],
        "improvements": [_improvement(one) for one in advice.improvements],
    }


def _bottleneck(one: Bottleneck) -> dict[str, Any]:
    return {
        **asdict(one),
        "limits": list(one.limits),
        "gpu_waits": number(one.gpu_waits),
        "headroom": number(one.headroom),
    }


def _improvement(one: Improvement) -> dict[str, Any]:
    return {
        "change": one.change,
        "samples_per_s": one.samples_per_s,
        "epoch_hours": number(one.epoch_h),
        "epoch_usd": number(one.epoch_usd),
    }


def advice_lines(advice: Advice, epoch_hours: float) -> list[tuple[str, str]]:
    """Return a verdict, the workers, and what would lift the machine.

    `epoch_hours` is the time of an epoch, h.
    """
    workers = f"{_count(advice.loader_workers, 'data loader worker')} for each GPU"
    lifts = [
        f"{one.change} would lift it to {figure(one.samples_per_s, 3)} samples/s"
        for one in advice.improvements
    ]
    rows = [("verdict", _verdict(advice, epoch_hours)), ("advised", workers)]
    return [*rows, ("faster", "; ".join(lifts) or "nothing but faster GPUs")]


def _verdict(advice: Advice, epoch_hours: float) -> str:
    hours = figure(advice.gpu_waits * epoch_hours, 2)
    waits = f"{100 * advice.gpu_waits:.0f} % of the time ({hours} h per epoch)"
    if advice.cpu_is_bottleneck is None:
        return _unnamed(advice, waits)
    if advice.cpu_is_bottleneck:
        mild = "a mild" if advice.gpu_waits < _MILD else "the"
        part = advice.bound_by_in_words
        return (
            f"the CPU is {mild} bottleneck: the GPU waits {waits} for {part}{_do(advice)}"
        )
    rest = (
        f"the CPU is no bottleneck: its input pipeline could feed "
        f"{figure(advice.cpu_headroom, 2)} x as much{_do(advice)}"
    )
    if advice.bound_by == "gpu" and advice.gpu_waits < _MILD:
        return rest
    part = advice.bound_by_in_words
    if advice.bound_by == "gpu":
        part = advice.waits_for_in_words
    return f"the GPU waits {waits}, most for {part}; {rest}"


def _unnamed(advice: Advice, waits: str) -> str:
    """Return what can be said of a machine whose CPU nobody knows."""
    enough = advice.enough_threads
    usual = "no number" if enough is None else f"about {enough}"
    verdict = (
        "none on the CPU, of which neither name nor threads are known: "
        f"{usual} of a usual one's threads would do"
    )
    if advice.bound_side in {"gpu", "cpu"}:
        return verdict
    return f"the GPU waits {waits}, most for {advice.bound_by_in_words}; {verdict}"


def _do(advice: Advice) -> str:
    enough = advice.enough_threads
    return "" if enough is None else f"; {_count(enough, 'thread')} of it would do"


def _count(number_of: int, thing: str) -> str:
    return f"{number_of} {thing}{'' if number_of == 1 else 's'}"
