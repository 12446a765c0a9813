"""What to bid for an interruptible machine: the bid of the least expected cost."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.cost.expected import (
    AT_ONCE,
    Starts,
    averaged,
    checkpoint_interval_h,
    checkpoint_segments,
    expected,
)
from advisor.cost.hazard import BidHazard, failure_prior
from advisor.cost.job import Job
from advisor.cost.leases import TrainingHours, lease_hours, planned_moves
from advisor.cost.terms import Terms
from advisor.market.offers import Offers

_BIDS = 16
"""Bids that are tried on each offer, from the least to just below on demand."""


def hazard_of(job: Job) -> BidHazard:
    """Return how often a bid loses its GPUs: of snapshots, else the stated prior."""
    return job.bid_hazard or BidHazard.assumed(job.assumptions)


def candidates(offers: Offers, on_demand_usd_per_h: FloatArray) -> FloatArray:
    """Return bids to try, from the least one up to just below the price on demand.

    Evenly apart in their logarithms; NaN where the least bid is unknown or no lower
    than the price on demand, shape (B, N).
    """
    least = np.where(offers.min_bid < on_demand_usd_per_h, offers.min_bid, np.nan)
    steps = np.arange(_BIDS)[:, None] / _BIDS
    bids: FloatArray = least * (on_demand_usd_per_h / least) ** steps
    return bids


def best_bids(
    offers: Offers,
    terms: Terms,
    hours: TrainingHours,
    failures_per_h: FloatArray,
    job: Job,
    *,
    starts: Starts = AT_ONCE,
) -> FloatArray:
    """Return the bid of the least expected cost on each offer, $/h, shape (N,).

    NaN where no bid is below the price on demand. A bid costs what `advisor.cost.bill`
    says, but that the failure rate counts at its mean: with its prior every bid would be
    costed five times as often, and hardly another one be the least.

    Parameters
    ----------
    offers : N offers
    terms : of the job, at the price on demand
    hours : how long it trains
    failures_per_h : rate of failures, shape (N,)
    job : what is to be done
    starts : how the job comes to run
    """
    bids = candidates(offers, terms.gpu_usd_per_h)
    hazard = hazard_of(job)
    prior = hazard.prior
    rate = hazard.per_hour(bids / offers.min_bid, offers.num_gpus)
    failures = failures_per_h * failure_prior(job.assumptions).mean
    at_bid = replace(terms, gpu_usd_per_h=bids)
    interval_h = checkpoint_interval_h(at_bid, failures + rate * prior.mean)
    costed = partial(expected, at_bid, assumed=job.assumptions, failures_per_h=failures)
    usual = costed(
        hours.middle,
        checkpoint_segments(hours.middle, interval_h),
        preemptions_per_h=rate * prior.mean,
    )
    lease_h, _ = lease_hours(at_bid, usual)
    counts = hours.weights > 0.0
    by_error = hours.by_error[counts][:, None]
    breakdown = costed(
        by_error,
        checkpoint_segments(by_error, interval_h),
        preemptions_per_h=rate * prior.factors[:, None, None, None],
        planned_moves=planned_moves(by_error, lease_h),
        starts=starts,
    )
    usd = averaged(averaged(breakdown.usd, prior.weights), hours.weights[counts])
    least = np.argmin(np.where(np.isnan(usd), np.inf, usd), axis=0)
    best: FloatArray = bids[least, np.arange(len(offers))]
    return best
