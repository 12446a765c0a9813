"""What holds a machine back, as a document and in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from advisor.report.entries import number
from advisor.report.sentences import amount, bottleneck_answers, time_text
from advisor.throughput.advice import Advice, Improvement
from advisor.throughput.bottleneck import Bottleneck


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
    """Return what holds a machine back, what to set, and what would help, in words.

    `epoch_hours` is the time of an epoch, h.
    """
    workers = f"{advice.loader_workers} for each GPU"
    lifts = [_lift(one, epoch_hours) for one in advice.improvements]
    return [
        ("bottleneck", " ".join(bottleneck_answers(advice))),
        ("data loader workers", workers),
        ("would help", "; ".join(lifts) or "nothing but faster GPUs"),
    ]


def _lift(one: Improvement, epoch_hours: float) -> str:
    costs = "" if one.epoch_usd is None else f" and ${amount(one.epoch_usd)}"
    less = 100.0 * (1.0 - one.epoch_h / epoch_hours)
    took = time_text(one.epoch_h)
    return f"{one.change}: {took}{costs} per epoch, {less:.0f} % less time"
