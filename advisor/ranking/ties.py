"""Which offers cannot be told apart, under the errors that they share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np

from advisor.base.arrays import IntArray
from advisor.ranking.policy import COST_KEYS, judged_cost
from advisor.ranking.ranking import Ranking
from advisor.throughput.spread import Z90
from advisor.throughput.user_runs import gpu_correlation

SURE = 0.75
"""Two offers are tied unless one is cheaper with at least this probability: three to one,
an assumption of what people call clearly better."""


def tied_with(ranking: Ranking, top: int | None = None) -> list[int | None]:
    """Return with which better offer each of the best `top` is tied, by its place.

    The best offer leads a group; each after it belongs to the group as long as it cannot
    be told from the leader; the first that can leads the next. The errors of throughput,
    rates and bandwidth count, those of workload, GPU and input pipeline as far as both
    offers share them; the number of epochs is the same for all. An order by time or
    price has no ties of cost.

    Returns
    -------
    a place in the order, 0 for the best, None for a leader; in the order of the ranking
    """
    order = ranking.order[:top]
    if not len(order) or ranking.policy.sort not in COST_KEYS:
        return [None] * len(order)
    covariance = _Covariance.of(ranking, order)
    cost = np.log(judged_cost(ranking.bill, ranking.policy)[order]).tolist()
    sd = ranking.bill.log_sd_high[order].tolist()
    threshold = NormalDist().inv_cdf(SURE)
    groups: list[int | None] = [None]
    leader = 0
    for at in range(1, len(order)):
        variance = sd[leader] ** 2 + sd[at] ** 2 - 2.0 * covariance.between(leader, at)
        if abs(cost[at] - cost[leader]) < threshold * math.sqrt(max(variance, 0.0)):
            groups.append(leader)
        else:
            leader = at
            groups.append(None)
    return groups


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
    """

    gpu: Sequence[int]
    correlation: Sequence[Sequence[float]]
    of_gpu: Sequence[float]
    of_cpu: Sequence[float]

    @classmethod
    def of(cls, ranking: Ranking, order: IntArray) -> Self:
        """Read what the offers at the positions `order` share."""
        throughput, bill, model = ranking.throughput, ranking.bill, ranking.tables.model
        limits = throughput.rates(model).take(order)
        shares = dict(zip(limits.names, limits.shares(), strict=True))
        workload = ranking.job.workload
        correlation, gpu = gpu_correlation(
            model, ranking.machines.take(order), workload, ranking.measured
        )
        of_gpu = shares["gpu"] * bill.log_sd_throughput[order]
        rate_sd = np.log(throughput.samples_per_s / throughput.low)[order] / Z90
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.nan_to_num(bill.log_sd_throughput[order] / rate_sd)
        of_cpu = shares["cpu"] * workload.cpu_ms_log_sd * reach
        arrays = (gpu, correlation, of_gpu, of_cpu)
        return cls(*(array.tolist() for array in arrays))

    def between(self, one: int, other: int) -> float:
        """Return the covariance of two of the offers."""
        correlation = self.correlation[self.gpu[one]][self.gpu[other]]
        through_gpu = correlation * self.of_gpu[one] * self.of_gpu[other]
        return through_gpu + self.of_cpu[one] * self.of_cpu[other]
