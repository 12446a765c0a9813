"""What plays show of each policy, with intervals, and which policy is advised."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.backtest.plays import Results
from advisor.backtest.policies import Policy
from advisor.base.arrays import FloatArray, IntArray
from advisor.base.bootstrap import clustered_interval, weighted_mean
from advisor.throughput.spread import Z90

KEEPS = 0.95
"""Share of the plays in which the advised policy keeps the deadline."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 90 % interval, whose ends are NaN where nobody knows them."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class PolicyResult:
    """What a policy came to.

    Attributes
    ----------
    policy : which
    usd : mean cost of the job, $
    hours : mean hours until it was done, or given up
    hours_95 : hours within which 95 % of the plays were done; infinite where fewer were
    misses : share of the plays that missed the deadline; NaN without one
    unfinished : plays in which the job was given up; its cost and hours are of then
    machines, lost, failed : mean number of machines rented, of bids that lost their GPUs,
        and of machines that failed
    """

    policy: Policy
    usd: Estimate
    hours: Estimate
    hours_95: float
    misses: Estimate
    unfinished: int
    machines: float
    lost: float
    failed: float

    @property
    def keeps_deadline(self) -> bool:
        """Whether it may be advised: a job that is not done costs nobody knows what."""
        if math.isnan(self.misses.value):
            return self.unfinished == 0
        return self.misses.value <= 1.0 - KEEPS + 1e-9


def summarize(
    results: Results,
    policies: Sequence[Policy],
    deadline_h: float,
    horizon_h: float,
    seed: int,
) -> tuple[PolicyResult, ...]:
    """Return what each policy came to.

    Intervals are over when the job starts: for costs and hours whole blocks of starts
    (`Results.blocks`) are drawn with replacement (`clustered_interval`); in that of a
    share (E. B. Wilson, Journal of the American Statistical Association 22, 1927) each
    block counts as one observation, also where no play missed the deadline.

    Parameters
    ----------
    results : of the policies, in their order
    deadline_h : hours that the job may take; infinite: any
    horizon_h : hours after which a job is given up
    seed : of the draws
    """
    blocks = results.blocks(horizon_h)
    number = len(np.unique(blocks))
    done_h = np.where(results.is_done, results.hours, np.inf)

    def mean(values: FloatArray) -> Estimate:
        low, high = clustered_interval(values, blocks, weighted_mean, seed)
        return Estimate(float(values.mean()), low, high)

    def of(at: int, policy: Policy) -> PolicyResult:
        missed = float(np.mean(done_h[at] > deadline_h))
        timed = math.isfinite(deadline_h)
        return PolicyResult(
            policy=policy,
            usd=mean(results.usd[at]),
            hours=mean(results.hours[at]),
            hours_95=_quantile(done_h[at], KEEPS),
            misses=_share(missed, number)
            if timed
            else Estimate(math.nan, math.nan, math.nan),
            unfinished=int(np.sum(~results.is_done[at])),
            machines=_mean(results.machines[at]),
            lost=_mean(results.lost[at]),
            failed=_mean(results.failed[at]),
        )

    return tuple(of(at, policy) for at, policy in enumerate(policies))


def advised(found: Sequence[PolicyResult]) -> PolicyResult | None:
    """Return the cheapest policy that keeps the deadline in enough plays, if one does."""
    able = [one for one in found if one.keeps_deadline]
    return min(able, key=lambda one: one.usd.value, default=None)


def _mean(counts: IntArray) -> float:
    return float(counts.mean())


def _quantile(hours: FloatArray, share: float) -> float:
    """Return the hours within which a share of the plays were done."""
    return float(np.sort(hours)[math.ceil(share * len(hours)) - 1])


def _share(share: float, number: int) -> Estimate:
    """Return a share of so many independent observations with Wilson's interval."""
    if number < 2:
        return Estimate(share, math.nan, math.nan)
    weight = Z90**2 / number
    middle = (share + weight / 2.0) / (1.0 + weight)
    spread = share * (1.0 - share) / number + weight / (4.0 * number)
    half = Z90 * math.sqrt(spread) / (1.0 + weight)
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0))
