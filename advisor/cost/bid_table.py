"""What each of several bids on one offer costs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from advisor.cost.bids import candidates, hazard_of
from advisor.cost.bill import bill
from advisor.cost.expected import Starts
from advisor.cost.job import Job
from advisor.cost.terms import listed_usd_per_h
from advisor.hardware.machines import Machines
from advisor.market.offers import Offers
from advisor.throughput.predict import Throughput


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
    cost_usd_per_epoch_low, cost_usd_per_epoch_high : the same at the least and the
        greatest rate of losses of the prior, $
    is_advised : it is the one of the least expected cost, which a ranking takes
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


def bids_on(
    offers: Offers, machines: Machines, throughput: Throughput, job: Job, starts: Starts
) -> tuple[Bid, ...]:
    """Return what bids on one offer cost, the lowest first.

    Each costs what the offer's bill says at that bid. Empty where no bid is below the
    price on demand.

    Parameters
    ----------
    offers, machines, throughput : of the offer alone (N = 1)
    job : what is to be done, rented in whatever way
    starts : how the job comes to run there
    """
    job = replace(job, rental="interruptible")
    bids = candidates(offers, listed_usd_per_h(offers))[:, 0]
    if np.isnan(bids[0]):
        return ()
    advised = bill(offers, machines, throughput, job, starts).bid_usd_per_hour[0]
    every = np.zeros(len(bids), dtype=np.int64)
    cost = bill(
        offers.take(every),
        machines.take(every),
        throughput.take(every),
        job,
        starts,
        bids=bids,
    )
    losses_per_h = cost.losses_per_h * hazard_of(job).prior.mean
    best = int(np.argmin(np.abs(bids - advised)))
    whole = cost.job
    return tuple(
        Bid(
            usd_per_h=float(bids[row]),
            over_min_bid=float(bids[row] / offers.min_bid[0]),
            losses_per_h=float(losses_per_h[row]),
            preemptions=float(whole.preemptions[row]),
            paused_h=float(whole.paused_h[row]),
            repeated_h=float(whole.repeated_h[row]),
            job_h=float(whole.wall_h[row]),
            cost_usd_per_epoch=float(cost.epoch_usd[row]),
            cost_usd_per_epoch_low=float(cost.epoch_usd_few_losses[row]),
            cost_usd_per_epoch_high=float(cost.epoch_usd_many_losses[row]),
            is_advised=row == best,
        )
        for row in range(len(bids))
    )
