"""Which offers cannot be told apart, under the errors that they share."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np

from advisor.arrays import FloatArray, IntArray
from advisor.choice import judged_cost
from advisor.ranking import Ranking
from advisor.throughput.limits import LIMITS
from advisor.throughput.own_runs import gpu_correlation
from advisor.throughput.shared import limit_shares
from advisor.throughput.spread import Z90

SURE = 0.75
"""Two offers are tied unless one is cheaper with at least this probability: three to one,
an assumption of what people call clearly better."""


def tied_with(ranking: Ranking, top: int | None = None) -> list[int | None]:
    """Return with which better offer each of the best `top` is tied, as a position.

    The best offer leads a group; each after it belongs to the group as long as it cannot
    be told from the leader; the first that can leads the next. The errors of throughput,
    rates and bandwidth count, those of workload, GPU and input pipeline as far as both
    offers share them; the number of epochs is the same for all. An order by time or
    price has no ties of cost.

    Returns
    -------
    a position in the ranking's arrays, None for a leader; in the order of the ranking
    """
    order = ranking.order[:top]
    if not len(order) or ranking.choice.sort != "epoch-cost":
        return [None] * len(order)
    covariance = _covariance(ranking, order)
    cost = np.log(judged_cost(ranking.bill, ranking.choice)[order])
    sd = ranking.bill.log_sd_high[order]
    threshold = NormalDist().inv_cdf(SURE)
    groups: list[int | None] = [None]
    leader = 0
    for at in range(1, len(order)):
        variance = sd[leader] ** 2 + sd[at] ** 2 - 2.0 * covariance[leader, at]
        if abs(cost[at] - cost[leader]) < threshold * np.sqrt(max(variance, 0.0)):
            groups.append(int(order[leader]))
        else:
            leader = at
            groups.append(None)
    return groups


def _covariance(ranking: Ranking, order: IntArray) -> FloatArray:
    """Return the covariance of the log costs through what offers share, (R, R)."""
    throughput, bill, model = ranking.throughput, ranking.bill, ranking.tables.model
    limits = np.stack([throughput.limits[name][order] for name in LIMITS])
    shares = limit_shares(limits, model.host.norm_order)
    workload = ranking.job.workload
    correlation, gpu = gpu_correlation(
        model, ranking.machines.take(order), workload, ranking.measured
    )
    of_gpu = shares[LIMITS.index("gpu")] * bill.log_sd_throughput[order]
    rate_sd = np.log(throughput.samples_per_s / throughput.low)[order] / Z90
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = np.nan_to_num(bill.log_sd_throughput[order] / rate_sd)
    of_cpu = shares[LIMITS.index("cpu")] * workload.cpu_ms_log_sd * reach
    covariance: FloatArray = correlation[np.ix_(gpu, gpu)] * np.outer(of_gpu, of_gpu)
    return covariance + np.outer(of_cpu, of_cpu)
