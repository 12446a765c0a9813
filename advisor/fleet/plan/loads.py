"""Jobs on the slots of one machine: how long they take, and what they cost.

A load says how many jobs of each kind run on a machine. Its jobs go to the slots longest
first, each to the slot that is free soonest, which is about what happens when each slot
takes the next job as it ends one.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray
from advisor.fleet.plan.choices import Choices

_NORMAL = NormalDist()
ERRORS = np.linspace(-6.0, 6.0, 61)
ERROR_WEIGHTS = np.exp(-0.5 * ERRORS**2) / np.exp(-0.5 * ERRORS**2).sum()
"""Normal errors of the throughput at which plans are judged, and their weights."""

_LEAST_SD_H = 1e-12
"""Hours of spread below which there is none."""

_ROUNDED = 1e-9
"""Share by which hours may be above a limit: rounding."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A machine with its load.

    Attributes
    ----------
    at : which machine of the choices
    load : jobs of each kind, shape (K,)
    hours, hours_high : until the last job has ended, expected, and with the probability
        that was asked for
    usd : expected cost
    in_time : whether `hours_high` is within the machine's limit
    """

    at: int
    load: IntArray
    hours: float
    hours_high: float
    usd: float
    in_time: bool


@dataclass(frozen=True, slots=True)
class SlotHours:
    """Hours until each slot that is used has ended, shape (S,).

    Attributes
    ----------
    counts : jobs of each kind on each slot, shape (S, K)
    mean : of these hours
    common_sd : standard deviation that the throughput brings
    own_sd : that of interruptions and of the network
    """

    counts: IntArray
    mean: FloatArray
    common_sd: FloatArray
    own_sd: FloatArray

    def high(self, z: float) -> FloatArray:
        """Return the hours at so many standard deviations above the mean."""
        high: FloatArray = self.mean + z * np.hypot(self.common_sd, self.own_sd)
        return high


def z_of(probability: float, slots: int = 1) -> float:
    """Return how many standard deviations each of several slots keeps from its limit.

    With them all slots are in time with `probability` at least, even if nothing that
    makes one late made others late, too.
    """
    return _NORMAL.inv_cdf(probability ** (1.0 / max(slots, 1)))


def slots_of(choices: Choices, at: int, load: IntArray) -> SlotHours:
    """Return what runs on the slots of a machine, and for how long."""
    hours, used = choices.job_h[:, at], min(int(choices.slots[at]), int(load.sum()))
    counts = np.zeros((used, len(load)), dtype=np.int64)
    busy = np.zeros(used)
    for kind in np.argsort(-np.where(load > 0, hours, 0.0), kind="stable").tolist():
        if load[kind]:
            counts[:, kind] = _shared_out(busy, float(hours[kind]), int(load[kind]))
            busy = busy + counts[:, kind] * hours[kind]
    sd = counts.astype(np.float64) @ np.where(load > 0, choices.job_sd_h[:, at], 0.0)
    variance = counts @ np.where(load > 0, choices.job_var_h2[:, at], 0.0)
    return SlotHours(
        counts,
        choices.setup_h[at] + busy,
        sd,
        np.sqrt(choices.setup_var_h2[at] + variance),
    )


def _shared_out(busy: FloatArray, hours: float, jobs: int) -> IntArray:
    """Return how many of equal jobs go to each slot, each to the one that is free first.

    What every slot surely takes is not counted out one by one.
    """
    uneven = math.ceil((busy.max() - busy.min()) / hours)
    each = max(jobs // len(busy) - uneven - 1, 0)
    counts = np.full(len(busy), each, dtype=np.int64)
    free_at = [(one + each * hours, slot) for slot, one in enumerate(busy.tolist())]
    heapq.heapify(free_at)
    for _ in range(jobs - each * len(busy)):
        when, slot = free_at[0]
        counts[slot] += 1
        heapq.heapreplace(free_at, (when + hours, slot))
    return counts


def loaded(choices: Choices, at: int, load: IntArray, z: float) -> Loaded:
    """Return a machine with a load, one job at least, all of which can run there.

    What it costs is what its jobs cost, and the price of slots that are done while
    others still work.
    """
    slots = slots_of(choices, at, load)
    hours = float(slots.mean.max())
    high = float(slots.high(z).max())
    each_usd = np.where(load > 0, choices.job_usd[:, at], 0.0)
    free_h = hours * choices.slots[at] - slots.mean.sum()
    free_h -= choices.setup_h[at] * (choices.slots[at] - len(slots.mean))
    idle_usd = choices.usd_per_h[at] / choices.slots[at] * free_h
    usd = float(choices.setup_usd[at] + load @ each_usd + idle_usd)
    limit = choices.limit_h[at]
    return Loaded(at, load, hours, high, usd, bool(high <= limit * (1.0 + _ROUNDED)))


def probability_in_time(
    choices: Choices, machines: Sequence[Loaded], limits_h: float | Sequence[float]
) -> float:
    """Return how likely all slots of all machines end in time.

    All errors are taken to be normal. That of the throughput is taken to be one for all
    machines (assumption): it is of one model and one profile, and what is a machine's
    own evens out, for jobs that wait go to where there is time. Interruptions come to
    each slot on its own.

    Parameters
    ----------
    limits_h : hours that all machines have, or each of them, shape (M,)
    """
    in_time = chances_in_time(choices, machines, limits_h, ERRORS)
    return float(ERROR_WEIGHTS @ in_time)


def chances_in_time(
    choices: Choices,
    machines: Sequence[Loaded],
    limits_h: float | Sequence[float],
    errors: FloatArray,
) -> FloatArray:
    """Return how likely all slots of all machines end in time, by what is common to all.

    Parameters
    ----------
    limits_h : hours that all machines have, or each of them, shape (M,)
    errors : of the throughput, in standard deviations, shape (U,)

    Returns
    -------
    probabilities, shape (U,); they fall with the error
    """
    slots = [slots_of(choices, one.at, one.load) for one in machines]
    limits = np.broadcast_to(limits_h, len(slots))
    limit_of = np.repeat(limits, [len(one.mean) for one in slots])
    spare = limit_of * (1.0 + _ROUNDED) - np.concatenate([one.mean for one in slots])
    common = np.concatenate([one.common_sd for one in slots])
    own = np.maximum(np.concatenate([one.own_sd for one in slots]), _LEAST_SD_H)
    chances: FloatArray = _cdf((spare - common * errors[:, None]) / own).prod(axis=1)
    return chances


def _cdf(z: FloatArray) -> FloatArray:
    """Return the normal distribution function of each value."""
    shares = map(_NORMAL.cdf, z.ravel().tolist())
    return np.fromiter(shares, dtype=np.float64, count=z.size).reshape(z.shape)


@dataclass(frozen=True, slots=True)
class Filling:
    """How full each of some machines is; all arrays are of their number.

    Attributes
    ----------
    hours : expected, of a slot
    sd_h, var_h2 : what adds up of their spread, and what of its square
    """

    hours: FloatArray
    sd_h: FloatArray
    var_h2: FloatArray


def empty(choices: Choices, here: IntArray) -> Filling:
    """Return the machines `here`, on which nothing runs yet."""
    nothing = np.zeros(len(here))
    return Filling(choices.setup_h[here], nothing, choices.setup_var_h2[here])


def room_for(
    choices: Choices, here: IntArray, kinds: IntArray, filling: Filling, z: float
) -> tuple[FloatArray, BoolArray]:
    """Return how many jobs of one kind each slot still takes, not rounded, and who can.

    The most n with ``H + n h + z sqrt((A + n a)^2 + B + n b) <= limit``, the smaller root
    of a quadratic equation.

    Parameters
    ----------
    here : places of the machines that are asked for, M of them
    kinds : the kind that is asked for, of each of them, shape (M,)
    filling : how full each of them is
    """
    h, a = choices.job_h[kinds, here], choices.job_sd_h[kinds, here]
    b = choices.job_var_h2[kinds, here]
    able = np.isfinite(h)
    h = np.where(able, h, 1.0)
    left = choices.limit_h[here] - filling.hours
    square = z**2
    c = left**2 - square * (filling.sd_h**2 + filling.var_h2)
    able &= (left > 0.0) & (c >= 0.0)
    c = np.maximum(c, 0.0)
    linear = 2.0 * left * h + square * (2.0 * filling.sd_h * a + b)
    root = np.sqrt(np.maximum(linear**2 - 4.0 * (h**2 - square * a**2) * c, 0.0))
    below = linear + root
    able &= below > 0.0
    room: FloatArray = np.where(able, 2.0 * c / np.where(able, below, 1.0), 0.0)
    return room, able


def filled(
    choices: Choices, kinds: IntArray, filling: Filling, each: FloatArray
) -> Filling:
    """Return machines with `each` more jobs of a kind on every slot."""
    here = np.arange(len(choices))
    h = np.where(each > 0.0, choices.job_h[kinds, here], 0.0)
    return Filling(
        filling.hours + each * h,
        filling.sd_h + each * choices.job_sd_h[kinds, here],
        filling.var_h2 + each * choices.job_var_h2[kinds, here],
    )
