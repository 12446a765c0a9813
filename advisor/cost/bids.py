"""What to bid for an interruptible machine: the bid of the least expected cost."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.cost.expected import (
    Lines,
    averaged,
    checkpoint_interval_h,
    expected,
    stretches,
)
from advisor.cost.hazard import BidHazard, failure_prior
from advisor.cost.job import Job
from advisor.cost.terms import Terms
from advisor.market.offers import Offers

_BIDS = 16
"""Bids that are tried on each offer, from the least to just below on demand."""


@dataclass(frozen=True, slots=True)
class BidCurve:
    """What each of B bids costs on N offers.

    Attributes
    ----------
    bids : $/h of the GPU part, NaN where no bid is below the price on demand,
        shape (B, N)
    losses_per_h : expected rate at which the bid loses its GPUs, shape (B, N)
    usd, usd_low, usd_high : expected cost of the job, and at the least and the most
        likely rate of the prior, shape (B, N)
    by_factor : the expected lines of the job at every rate of the prior, shape
        (rates, B, N) each
    weights : how likely each of these rates is
    """

    bids: FloatArray
    losses_per_h: FloatArray
    usd: FloatArray
    usd_low: FloatArray
    usd_high: FloatArray
    by_factor: Lines
    weights: FloatArray

    @property
    def lines(self) -> Lines:
        """The expected lines of the job, shape (B, N) each."""
        return self.by_factor.averaged(self.weights)

    def best(self) -> FloatArray:
        """Return the bid of the least cost of each offer, shape (N,)."""
        least = np.argmin(np.where(np.isnan(self.usd), np.inf, self.usd), axis=0)
        bids: FloatArray = self.bids[least, np.arange(self.bids.shape[1])]
        return bids


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


def bid_curve(
    offers: Offers,
    terms: Terms,
    training_h: FloatArray,
    failures_per_h: FloatArray,
    job: Job,
) -> BidCurve:
    """Return what bids cost on each offer.

    The failure rate counts at its mean, the bid's hazard with its prior.

    Parameters
    ----------
    offers : N offers
    terms : of the job, at the price on demand
    training_h : hours of all epochs with nothing going wrong, shape (N,)
    failures_per_h : rate of failures, shape (N,)
    job : what is to be done
    """
    bids = candidates(offers, terms.gpu_usd_per_h)
    hazard = hazard_of(job)
    prior = hazard.prior
    rate = hazard.per_hour(bids / offers.min_bid, offers.num_gpus)
    failures = failures_per_h * failure_prior(job.assumptions).mean
    at_bid = replace(terms, gpu_usd_per_h=bids)
    mean = rate * prior.mean
    count = stretches(training_h, checkpoint_interval_h(at_bid, failures + mean))
    lines = expected(
        at_bid,
        training_h,
        count,
        job.assumptions,
        failures_per_h=failures,
        preemptions_per_h=rate * prior.factors[:, None, None],
    )
    usd = lines.usd
    return BidCurve(
        bids=bids,
        losses_per_h=mean,
        usd=averaged(usd, prior.weights),
        usd_low=usd[0],
        usd_high=usd[-1],
        by_factor=lines,
        weights=prior.weights,
    )
