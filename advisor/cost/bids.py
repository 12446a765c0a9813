"""What to bid for an interruptible machine: the bid of the least expected cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.cost.expected import (
    CostBreakdown,
    averaged,
    checkpoint_interval_h,
    checkpoint_segments,
    expected,
)
from advisor.cost.hazard import BidHazard, failure_prior
from advisor.cost.job import Job
from advisor.cost.terms import Terms
from advisor.market.offers import Offers

if TYPE_CHECKING:
    from advisor.cost.bill import Bill

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
    by_factor : the expected cost breakdown of the job at every rate of the prior, shape
        (rates, B, N) each
    weights : how likely each of these rates is
    """

    bids: FloatArray
    losses_per_h: FloatArray
    usd: FloatArray
    usd_low: FloatArray
    usd_high: FloatArray
    by_factor: CostBreakdown
    weights: FloatArray

    @property
    def breakdown(self) -> CostBreakdown:
        """The expected cost breakdown of the job, shape (B, N) each."""
        return self.by_factor.averaged(self.weights)

    def best(self) -> FloatArray:
        """Return the bid of the least cost of each offer, shape (N,)."""
        least = np.argmin(np.where(np.isnan(self.usd), np.inf, self.usd), axis=0)
        bids: FloatArray = self.bids[least, np.arange(self.bids.shape[1])]
        return bids


@dataclass(frozen=True, slots=True)
class Bid:
    """What one bid costs on one offer.

    Attributes
    ----------
    usd_per_h : for the GPU part, $/h
    over_min_bid : over the least bid of the offer
    losses_per_h : expected rate at which it loses its GPUs, 1/h
    preemptions : how often it is expected to lose them, in the whole job
    paused_h, repeated_h : expected hours of waiting for them, and of work done again
    job_h : expected, from rent to the last checkpoint at home, h
    cost_usd_per_epoch : expected cost of the job over its epochs, $
    cost_usd_per_epoch_low, cost_usd_per_epoch_high : the same at the least and the most
        likely rate of losses, $
    is_advised : it is the one of the least expected cost
    """

    usd_per_h: float
    over_min_bid: float
    losses_per_h: float
    preemptions: float
    paused_h: float
    repeated_h: float
    job_h: float
    cost_usd_per_epoch: float
    cost_usd_per_epoch_low: float
    cost_usd_per_epoch_high: float
    is_advised: bool


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
    count = checkpoint_segments(
        training_h, checkpoint_interval_h(at_bid, failures + mean)
    )
    breakdown = expected(
        at_bid,
        training_h,
        count,
        job.assumptions,
        failures_per_h=failures,
        preemptions_per_h=rate * prior.factors[:, None, None],
    )
    usd = breakdown.usd
    return BidCurve(
        bids=bids,
        losses_per_h=mean,
        usd=averaged(usd, prior.weights),
        usd_low=usd[0],
        usd_high=usd[-1],
        by_factor=breakdown,
        weights=prior.weights,
    )


def bids_on(offers: Offers, bill: Bill, job: Job, at: int) -> tuple[Bid, ...]:
    """Return what bids on the one offer at a position cost, the lowest first.

    Empty where no bid is below the price on demand.

    Parameters
    ----------
    offers : N offers
    bill : what the job is expected to cost on them, rented in whatever way
    job : what is to be done
    """
    here = np.array([at])
    one = offers.take(here)
    listed = replace(bill.terms.take(here), gpu_usd_per_h=one.dph_base)
    training_h = bill.epoch_hours[here] * job.epochs
    curve = bid_curve(one, listed, training_h, bill.failures_per_h[here], job)
    bids = curve.bids[:, 0].tolist()
    if np.isnan(bids[0]):
        return ()
    breakdown, best, least = (
        curve.breakdown,
        float(curve.best()[0]),
        float(one.min_bid[0]),
    )
    epoch_usd = curve.usd[:, 0] / job.epochs
    return tuple(
        Bid(
            usd_per_h=bid,
            over_min_bid=bid / least,
            losses_per_h=float(curve.losses_per_h[row, 0]),
            preemptions=float(breakdown.preemptions[row, 0]),
            paused_h=float(breakdown.paused_h[row, 0]),
            repeated_h=float(breakdown.repeated_h[row, 0]),
            job_h=float(breakdown.wall_h[row, 0]),
            cost_usd_per_epoch=float(epoch_usd[row]),
            cost_usd_per_epoch_low=float(curve.usd_low[row, 0] / job.epochs),
            cost_usd_per_epoch_high=float(curve.usd_high[row, 0] / job.epochs),
            is_advised=bid == best,
        )
        for row, bid in enumerate(bids)
    )
