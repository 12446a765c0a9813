"""What choosing by a prediction costs: dollars lost against the best in hindsight.

**Decision.** For one comparison group of the benchmark table (series, workload,
precision), choose among real offers of those GPUs that the group measured and that were
predicted while held out. An offer costs its price per hour over the throughput that the
group measured for its GPU: dollars per sample, but for a factor that is the same for the
whole group. A group takes part where at least `MIN_GPUS` GPUs have an offer in the set.

**Policies.** ``advisor``: least price over predicted throughput. ``dlperf_per_usd``:
most DLPerf per dollar, the score being the offer's own. ``cheapest``: least price. Each
of the `baselines`: most of its rate per dollar. Equal offers are taken by price, then in
the table's order; an offer that a policy cannot rate comes last.

**Figures**, for each set of offers and policy:

``mean_extra``
    cost of the offer that the policy puts first, over that of the best offer in
    hindsight, less 1. A workload that many series measured counts once: the mean over
    the groups of each (workload, precision), then the mean over those.
``mean_extra_low``, ``mean_extra_high``
    ends of its 90 % interval, by bootstrap over the (workload, precision) pairs.
``mean_extra_cells``
    the plain mean over groups.
``hit3``
    share of decisions in which the GPU of the best offer in hindsight is among the
    first three different GPUs of the policy's order, averaged as `mean_extra`, over
    groups with more than three GPUs (with three it always is); ``n_hit3`` groups.
``kendall_tau``
    Kendall's tau-b between the policy's order of the GPUs and the one in hindsight,
    each GPU stood for by its cheapest offer, averaged as `mean_extra`; 0 for a policy
    that tells no two of them apart.
``n``, ``workloads``
    groups, and (workload, precision) pairs.

A figure that nothing is known of is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import kendalltau

from advisor.base.arrays import FloatArray, IntArray, StrArray
from advisor.base.bootstrap import clustered_interval, weighted_mean
from advisor.training.fit.tables import Columns, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MIN_GPUS = 3
"""GPUs with an offer that make a choice; as many as an evaluated group has."""

OFFER_SETS = {"all": 0.0, "40gb": 38.0}
"""Set of offers -> least memory of a GPU, GiB as the market reports it, which is 39.0
for some cards sold with 40 GB; no card is sold with more than 32 and less than 40."""

SEED = 20261125
"""Of the bootstrap."""

_FIRST = 3


@dataclass(frozen=True, slots=True)
class Prices(Columns):
    """Real offers of one GPU each, as ``tools/compile_offers.py`` wrote them.

    Attributes
    ----------
    gpu : (M,) canonical names
    memory_gb : (M,) of the GPU as the market reports it, GiB
    usd_per_hour : (M,)
    dlperf : (M,) the offer's own score; NaN where it has none
    """

    gpu: StrArray
    memory_gb: FloatArray
    usd_per_hour: FloatArray
    dlperf: FloatArray


def load_prices(path: Path) -> Prices:
    """Read the table of offers.

    Raises
    ------
    advisor.base.errors.UsageError
        if the file cannot be read or is not such a table
    """
    return read_table(path, Prices, "table of prices")


@dataclass(frozen=True, slots=True)
class Decision:
    """The offers of one comparison group, costs in a unit of its own.

    Attributes
    ----------
    gpu : (K,) codes of the GPUs
    usd_per_hour : (K,)
    cost : (K,) in hindsight, dollars per unit of work
    claimed : policy -> (K,) what it takes the cost to be in proportion to, NaN
        where it cannot say
    """

    gpu: IntArray
    usd_per_hour: FloatArray
    cost: FloatArray
    claimed: Mapping[str, FloatArray]

    def order(self, policy: str) -> IntArray:
        """Return the (K,) offers, the policy's first choice first."""
        order: IntArray = np.lexsort((self.usd_per_hour, self.claimed[policy]))
        return order

    def regret(self, policy: str) -> float:
        """Return what the first choice costs more than the best, as a fraction."""
        return float(self.cost[self.order(policy)[0]] / self.cost.min() - 1.0)

    def hit(self, policy: str) -> float:
        """Return 1 if the best offer's GPU is among the policy's first three.

        NaN where there are no more than three GPUs.
        """
        if len(np.unique(self.gpu)) <= _FIRST:
            return np.nan
        ranked = self.gpu[self.order(policy)]
        first = ranked[np.sort(np.unique(ranked, return_index=True)[1])][:_FIRST]
        return float(self.gpu[self.cost.argmin()] in first)

    def tau(self, policy: str) -> float:
        """Return Kendall's tau-b of the GPUs, each at its cheapest offer."""
        by_price = np.argsort(self.usd_per_hour, kind="stable")
        cheapest = by_price[np.unique(self.gpu[by_price], return_index=True)[1]]
        claimed = np.nan_to_num(self.claimed[policy][cheapest], nan=np.inf)
        tau = kendalltau(claimed, self.cost[cheapest]).statistic
        return float(tau) if np.isfinite(tau) else 0.0


def decision_regret(
    groups: StrArray,
    workloads: StrArray,
    gpus: StrArray,
    log_measured: FloatArray,
    log_predicted: FloatArray,
    *,
    prices: Prices,
    baselines: Mapping[str, FloatArray],
) -> dict[str, dict[str, dict[str, float]]]:
    """Return set of offers -> policy -> figures, as the module's docstring says.

    Parameters
    ----------
    groups : (N,) the comparison group of each row of the benchmark table
    workloads : (N,) its workload and precision, which groups are averaged over
    gpus : (N,) its canonical GPU name
    log_measured : (N,) ln throughput of one GPU, in a unit of its group's own
    log_predicted : (N,) held-out prediction of it, NaN where there is none. Only
        differences within a group matter. An intercept that was learned for each row
        apart is an error that no user has, who ranks one workload at one intercept: leave
        it out
    prices : the offers
    baselines : policy -> (N,) ln of the rate that it takes throughput to be in
        proportion to, such as the matrix rate for ``tflops_per_usd``; NaN unknown
    """
    known = np.isfinite(log_predicted) & np.isfinite(log_measured)
    rates = {"advisor": log_predicted, **baselines}
    result = {}
    for name, least_gb in OFFER_SETS.items():
        offers = prices.select(prices.memory_gb >= least_gb)
        decisions, of_workload = [], []
        for group in np.unique(groups[known]):
            rows = np.flatnonzero(known & (groups == group))
            own = {policy: rate[rows] for policy, rate in rates.items()}
            decision = _decision(gpus[rows], log_measured[rows], own, offers)
            if decision is not None:
                decisions.append(decision)
                of_workload.append(str(workloads[rows[0]]))
        policies = ("advisor", "dlperf_per_usd", *baselines, "cheapest")
        result[name] = {p: _figures(decisions, of_workload, p) for p in policies}
    return result


def _decision(
    gpus: StrArray,
    log_measured: FloatArray,
    log_rates: Mapping[str, FloatArray],
    prices: Prices,
) -> Decision | None:
    """Return the choice among the offers of a group's GPUs, None if there is none."""
    names, first = np.unique(gpus, return_index=True)
    offers = prices.select(np.isin(prices.gpu, names))
    if len(np.unique(offers.gpu)) < MIN_GPUS:
        return None
    row = first[np.searchsorted(names, offers.gpu)]
    usd = offers.usd_per_hour
    claimed = {policy: usd / np.exp(rate[row]) for policy, rate in log_rates.items()}
    return Decision(
        gpu=row.astype(np.int64),
        usd_per_hour=usd,
        cost=usd / np.exp(log_measured[row]),
        claimed={**claimed, "dlperf_per_usd": usd / offers.dlperf, "cheapest": usd},
    )


def _figures(
    decisions: Sequence[Decision], workloads: Sequence[str], policy: str
) -> dict[str, float]:
    """Return one policy's figures over the decisions."""
    extra = np.array([d.regret(policy) for d in decisions])
    hit = np.array([d.hit(policy) for d in decisions])
    by_workload = _means(extra, workloads)
    low, high = clustered_interval(
        by_workload, np.arange(len(by_workload)), weighted_mean, SEED
    )
    figures = {
        "mean_extra": _mean(by_workload),
        "mean_extra_low": low,
        "mean_extra_high": high,
        "mean_extra_cells": _mean(extra),
        "hit3": _mean(_means(hit, workloads)),
        "kendall_tau": _mean(
            _means(np.array([d.tau(policy) for d in decisions]), workloads)
        ),
        "n": len(decisions),
        "n_hit3": int(np.isfinite(hit).sum()),
        "workloads": len(by_workload),
    }
    return {name: value for name, value in figures.items() if np.isfinite(value)}


def _means(values: FloatArray, workloads: Sequence[str]) -> FloatArray:
    """Return the mean of each workload's values, without those that have none."""
    known = np.isfinite(values)
    code = np.unique(np.array(workloads)[known], return_inverse=True)[1]
    means: FloatArray = np.bincount(code, values[known]) / np.bincount(code)
    return means


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if len(values) else np.nan
