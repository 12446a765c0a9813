"""How offers compare under the errors that they share, and which cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.ranking.policy import COST_KEYS, judged_cost
from advisor.ranking.ranking import Ranking
from advisor.throughput.spread import Z90, Spread
from advisor.throughput.user_runs import gpu_correlation

SURE = 0.75
"""Two offers are tied unless one is cheaper with at least this probability: three to one,
an assumption of what people call clearly better."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the best R offers of a ranking compare; all arrays have shape (R,).

    The log-sd of a cost has two parts: that of the level, an error that moves the costs
    of all offers together, and what is the offer's own.

    Attributes
    ----------
    tied_with : place of the better offer that it cannot be told from, 0 for the best,
        None for a leader
    level, own : log-sd of the cost per epoch through the level, and without it
    first_cheaper : probability that the first offer costs less; NaN of itself, and where
        the order is not by cost
    """

    tied_with: Sequence[int | None]
    level: Spread
    own: Spread
    first_cheaper: FloatArray

    def __len__(self) -> int:
        return len(self.tied_with)


def compare(ranking: Ranking, top: int | None = None) -> Comparison:
    """Return how the best `top` offers of a ranking compare, all if None.

    The best offer leads a group; each after it belongs to the group as long as it cannot
    be told from the leader; the first that can leads the next. The errors of throughput,
    rates and bandwidth count, those of workload, GPU and input pipeline as far as both
    offers share them; the number of epochs is the same for all. An order by time or
    price has no ties of cost.
    """
    order = ranking.order[:top]
    if not len(order):
        none = np.zeros(0)
        return Comparison([], Spread(none, none), Spread(none, none), none)
    covariance = _Covariance.of(ranking, order)
    low, high = ranking.bill.log_sd_low[order], ranking.bill.log_sd_high[order]
    with np.errstate(divide="ignore", invalid="ignore"):
        of_level = np.nan_to_num((covariance.of_level / high) ** 2)
    of_level = np.clip(of_level, 0.0, 1.0)
    level, own = (np.sqrt(share) for share in (of_level, 1.0 - of_level))
    tied: list[int | None] = [None] * len(order)
    first_cheaper = np.full(len(order), np.nan)
    if ranking.policy.sort in COST_KEYS:
        cost = np.log(judged_cost(ranking.bill, ranking.policy)[order]).tolist()
        tied = _tied(cost, high.tolist(), covariance)
        first_cheaper = _first_cheaper(cost, high.tolist(), covariance)
    return Comparison(
        tied,
        Spread(level * low, level * high),
        Spread(own * low, own * high),
        first_cheaper,
    )


def _tied(
    cost: Sequence[float], sd: Sequence[float], covariance: _Covariance
) -> list[int | None]:
    """Return `Comparison.tied_with` of offers with these log costs and log-sds."""
    threshold = NormalDist().inv_cdf(SURE)
    groups: list[int | None] = [None]
    leader = 0
    for at in range(1, len(cost)):
        apart = covariance.apart(sd, leader, at)
        if abs(cost[at] - cost[leader]) < threshold * apart:
            groups.append(leader)
        else:
            leader = at
            groups.append(None)
    return groups


def _first_cheaper(
    cost: Sequence[float], sd: Sequence[float], covariance: _Covariance
) -> FloatArray:
    """Return `Comparison.first_cheaper`; of equal offers each is with one half."""
    normal, found = NormalDist(), [math.nan]
    for at in range(1, len(cost)):
        apart, difference = covariance.apart(sd, 0, at), cost[at] - cost[0]
        if apart > 0.0:
            found.append(normal.cdf(difference / apart))
        else:
            found.append(0.5 + 0.5 * np.sign(difference))
    return np.array(found)


@dataclass(frozen=True, slots=True)
class _Covariance:
    """Covariance of the log costs of R offers through what they share.

    Of pairs, when they are asked for: all of them would be R^2.

    Attributes
    ----------
    gpu : which of G GPUs each offer has
    correlation : G x G, between the errors of the GPU side
    of_gpu, of_cpu : log-sd of the cost through the GPU side, and through the time of a
        sample on a core
    of_level : log-sd of it through what moves all offers together: the level of the GPU
        side, and that time; shape (R,)
    """

    gpu: Sequence[int]
    correlation: Sequence[Sequence[float]]
    of_gpu: Sequence[float]
    of_cpu: Sequence[float]
    of_level: FloatArray

    @classmethod
    def of(cls, ranking: Ranking, order: IntArray) -> Self:
        """Read what the offers at the positions `order` share."""
        throughput, bill, model = ranking.throughput, ranking.bill, ranking.tables.model
        limits = throughput.rates(model).take(order)
        shares = dict(zip(limits.names, limits.shares(), strict=True))
        workload = ranking.job.workload
        errors = gpu_correlation(
            model,
            ranking.machines.take(order),
            workload,
            ranking.tables.gpus,
            ranking.measured,
        )
        of_gpu = shares["gpu"] * bill.log_sd_throughput[order]
        rate_sd = np.log(throughput.samples_per_s / throughput.low)[order] / Z90
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.nan_to_num(bill.log_sd_throughput[order] / rate_sd)
        of_cpu = shares["cpu"] * workload.cpu_ms_log_sd * reach
        return cls(
            gpu=errors.code.tolist(),
            correlation=errors.between.tolist(),
            of_gpu=of_gpu.tolist(),
            of_cpu=of_cpu.tolist(),
            of_level=np.hypot(errors.level[errors.code] * of_gpu, of_cpu),
        )

    def between(self, one: int, other: int) -> float:
        """Return the covariance of two of the offers."""
        correlation = self.correlation[self.gpu[one]][self.gpu[other]]
        through_gpu = correlation * self.of_gpu[one] * self.of_gpu[other]
        return through_gpu + self.of_cpu[one] * self.of_cpu[other]

    def apart(self, sd: Sequence[float], one: int, other: int) -> float:
        """Return the sd of how far two offers are apart, given the log-sd of each."""
        shared = 2.0 * self.between(one, other)
        return math.sqrt(max(sd[one] ** 2 + sd[other] ** 2 - shared, 0.0))
