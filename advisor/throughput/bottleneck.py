"""Which parts of a machine its GPUs wait for, and by a rule with names: how much."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from advisor.hardware.machines import Machines
from advisor.throughput.limit import Limit, LimitRates
from advisor.workloads.profile import Workload

Degree = Literal["no", "mild", "yes", "unknown"]
"""How much of a bottleneck a part is."""

MILD_FROM = 0.05
"""Share of the time that the GPUs wait for a part from which it is a mild bottleneck
(assumption; what a machine with enough threads loses at most, `advice.ENOUGH`)."""

SEVERE_FROM = 0.15
"""Share of the time from which it is the bottleneck without a word to soften it
(assumption)."""


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """One part of a machine, and whether its GPUs wait for it.

    Attributes
    ----------
    part : ``"cpu"`` for all limits of the CPU together, else the name of the limit
    title : what that is, such as ``"the disk"``
    limits : names of the limits that it consists of
    degree : by `MILD_FROM` and `SEVERE_FROM`; ``"unknown"`` where nobody says what the
        part is like
    gpu_waits : share of the time that would be saved if it did not limit at all
    headroom : how many times what the machine reaches the part would allow; infinite
        where it does not limit
    waits_for_in_words : what of it the GPUs wait for most
    """

    part: str
    title: str
    limits: tuple[str, ...]
    degree: Degree
    gpu_waits: float
    headroom: float
    waits_for_in_words: str


def degree_of(gpu_waits: float) -> Degree:
    """Return how much of a bottleneck a part is for which GPUs wait so much of the time.

    Examples
    --------
    >>> [degree_of(share) for share in (0.01, 0.1, 0.4)]
    ['no', 'mild', 'yes']
    """
    if gpu_waits < MILD_FROM:
        return "no"
    return "mild" if gpu_waits < SEVERE_FROM else "yes"


def bottlenecks(
    rates: LimitRates, machine: Machines, workload: Workload
) -> tuple[Bottleneck, ...]:
    """Return the parts of one machine but for the GPUs, those of the CPU as one.

    Parameters
    ----------
    rates : what each limit allows on it, and first of all it alone (N >= 1)
    machine, workload : it alone (N = 1), and the profile
    """
    reached = float(rates.joined()[0])
    found = []
    for part, title, limits in _parts(rates.limits):
        names = tuple(one.name for one in limits)
        waits = 1.0 - reached / float(rates.without(names).joined()[0])
        known = all(one.is_known(machine, workload) for one in limits)
        allowed = [float(rates.by_name[name][0]) for name in names]
        least = limits[allowed.index(min(allowed))]
        found.append(
            Bottleneck(
                part,
                title,
                names,
                degree_of(waits) if known else "unknown",
                max(waits, 0.0),
                min(allowed) / reached if known else math.inf,
                least.waits_for,
            )
        )
    return tuple(found)


def _parts(limits: Sequence[Limit]) -> Iterator[tuple[str, str, tuple[Limit, ...]]]:
    """Yield name, title and limits of each part that GPUs may wait for."""
    of_cpu = tuple(one for one in limits if one.side == "cpu")
    if of_cpu:
        yield "cpu", "the CPU", of_cpu
    for one in limits:
        if one.side not in {"cpu", "gpu"}:
            yield one.name, one.title, (one,)
