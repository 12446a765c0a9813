"""The cost estimate of a job on each offer: hours and dollars, with an interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist
from typing import NamedTuple, Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray
from advisor.cost.assumptions import Assumptions
from advisor.cost.bids import best_bids, hazard_of
from advisor.cost.expected import (
    AT_ONCE,
    CostBreakdown,
    Starts,
    averaged,
    checkpoint_interval_h,
    checkpoint_segments,
    expected,
)
from advisor.cost.hazard import CERTAIN, Prior, failure_prior, failures_per_h
from advisor.cost.job import Job
from advisor.cost.leases import TrainingHours, lease_hours, planned_moves
from advisor.cost.terms import Terms, listed_usd_per_h, terms
from advisor.hardware.machines import Machines
from advisor.market.offers import Offers
from advisor.throughput.predict import Throughput, epoch_hours_at
from advisor.throughput.spread import Z90

_HALF_NODES = (0.26948425868, 1.19960929675, 2.54526845169)
_HALF_WEIGHTS = (0.25164535287, 0.22368327099, 0.02467137614)
"""Gauss quadrature of three points for one half of a normal error (exact to the fifth
power of it), since the throughput's interval is not the same on both sides."""

_DEVIATES = np.array([0.0, -Z90, Z90, *_HALF_NODES, *(-node for node in _HALF_NODES)])
_WEIGHTS = np.array([0.0, 0.0, 0.0, *_HALF_WEIGHTS, *_HALF_WEIGHTS])
"""Errors of the log throughput, in standard deviations, at which the job is costed: the
middle and both ends of the interval, to show, and the quadrature's."""

_LUCK = 2.0
"""Variance of the hours that an interruption costs, over the square of their mean, plus
one: they are nearly exponential."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What a job costs on N offers; all arrays have shape (N,).

    Attributes
    ----------
    usd_per_hour : price while it runs, with the job's disk, $/h
    listed_usd_per_hour : price of the GPU part on demand, which bids are below, $/h
    bid_usd_per_hour : the advised bid for the GPU part, NaN unless interruptible
    epoch_hours, epoch_hours_low, epoch_hours_high : training time per epoch with
        nothing going wrong, and its 90 % interval, h
    job : expected cost breakdown of the whole job
    job_hours, job_usd : expected, from rent to the last checkpoint at home
    epoch_usd : expected cost of the job over its epochs, $
    epoch_usd_low, epoch_usd_high : 90 % interval of that cost
    epoch_usd_middle : what it costs at the middle of the throughput's interval
    epoch_usd_few_losses, epoch_usd_many_losses : expected cost where a bid loses its
        GPUs at the least and at the greatest rate of the prior; `epoch_usd` without a bid
    epoch_waiting_usd : what waiting for the job is worth, over its epochs, $; in no
        other figure, for nobody bills it
    checkpoint_h : advised hours of work between checkpoints, infinite where none but
        the last is needed
    planned_moves : moves that are expected because the offer ends before the job does
    lease_h : hours of training that there is time for until the offer ends
    ends_too_soon : the offer ends before anything could be done on it
    log_sd_low, log_sd_high : spread of the logarithm of the cost, either side
    log_sd_throughput : the part of the upper one that is the throughput's
    terms : prices and times that the breakdown follows from
    failures_per_h, losses_per_h : rates at which the machine fails and the bid loses
        its GPUs, in the middle of their priors
    flags : what is assumed of an offer; ``forced_move`` where it ends before the job
        does, in the middle of the throughput's interval or as expected;
        ``on_demand_cheaper`` where a rental on demand costs less than the best bid;
        ``start_doubtful`` where the job fails to run with more than
        `Assumptions.most_doubt`
    """

    usd_per_hour: FloatArray
    listed_usd_per_hour: FloatArray
    bid_usd_per_hour: FloatArray
    epoch_hours: FloatArray
    epoch_hours_low: FloatArray
    epoch_hours_high: FloatArray
    job: CostBreakdown
    job_hours: FloatArray
    job_usd: FloatArray
    epoch_usd: FloatArray
    epoch_usd_low: FloatArray
    epoch_usd_high: FloatArray
    epoch_usd_middle: FloatArray
    epoch_usd_few_losses: FloatArray
    epoch_usd_many_losses: FloatArray
    epoch_waiting_usd: FloatArray
    checkpoint_h: FloatArray
    planned_moves: FloatArray
    lease_h: FloatArray
    ends_too_soon: BoolArray
    log_sd_low: FloatArray
    log_sd_high: FloatArray
    log_sd_throughput: FloatArray
    terms: Terms
    failures_per_h: FloatArray
    losses_per_h: FloatArray
    flags: Mapping[str, BoolArray]

    def quantile(self, q: float) -> FloatArray:
        """Return the cost per epoch that the job stays below with probability `q`."""
        z = NormalDist().inv_cdf(q)
        side = self.log_sd_low if z < 0 else self.log_sd_high
        quantile: FloatArray = self.epoch_usd_middle * np.exp(z * side)
        return quantile


def bill(
    offers: Offers,
    machines: Machines,
    throughput: Throughput,
    job: Job,
    starts: Starts = AT_ONCE,
    *,
    bids: FloatArray | None = None,
) -> Bill:
    """Return what `job` costs on each offer.

    The expectation is over the error of the throughput, over the priors of the rates at
    which machines fail and bids lose, and over the failures themselves.

    Parameters
    ----------
    starts : how the job comes to run
    bids : for the GPU part of each offer, $/h, shape (N,); None: the advised ones. Only
        for a job whose rental is interruptible
    """
    hours_at = partial(epoch_hours_at, workload=job.workload, num_gpus=machines.num_gpus)
    epoch_hours = hours_at(throughput.samples_per_s)
    by_error_h = hours_at(_rates(throughput))
    hours = TrainingHours(epoch_hours * job.epochs, by_error_h * job.epochs, _WEIGHTS)
    listed = terms(offers, machines, _cold_hours(throughput, hours_at), job)
    if job.rental == "interruptible" and bids is None:
        failures_here = failures_per_h(offers, job.assumptions)
        bids = best_bids(offers, listed, hours, failures_here, job, starts=starts)
    paid, stops = _paid(offers, listed, bids, job)
    plan = _Plan.of(paid, stops.mean_per_h, job)
    usual = plan.breakdown(hours.middle, stops.mean_failures, stops.mean_losses)
    lease_h, too_soon = lease_hours(paid, usual)
    moves = planned_moves(hours.by_error, lease_h)
    failures, losses, weights = stops.by_rate()
    every = plan.breakdown(hours.by_error, failures, losses, moves, starts)
    every_usd = every.usd
    by_error = every.averaged(weights)
    whole = by_error.averaged(_WEIGHTS)
    calm = plan.breakdown(hours.middle, 0.0 * stops.failures_per_h)
    spread = _Spread.of(
        by_error.usd, _other_log_sd(every_usd[:, 0], weights, usual, calm, plan)
    )
    few, many = stops.at_extreme_losses(every_usd)
    middle, mean = by_error.usd[0] / job.epochs, whole.usd / job.epochs
    return Bill(
        usd_per_hour=paid.gpu_usd_per_h + paid.storage_usd_per_h,
        listed_usd_per_hour=listed_usd_per_h(offers),
        bid_usd_per_hour=np.full(len(offers), np.nan) if bids is None else bids,
        epoch_hours=epoch_hours,
        epoch_hours_low=hours_at(throughput.high),
        epoch_hours_high=hours_at(throughput.low),
        job=whole,
        job_hours=whole.wall_h,
        job_usd=whole.usd,
        epoch_usd=mean,
        epoch_usd_low=np.fmin(middle * np.exp(-Z90 * spread.low), mean),
        epoch_usd_high=np.fmax(middle * np.exp(Z90 * spread.high), mean),
        epoch_usd_middle=middle,
        epoch_usd_few_losses=averaged(few, _WEIGHTS) / job.epochs,
        epoch_usd_many_losses=averaged(many, _WEIGHTS) / job.epochs,
        epoch_waiting_usd=(job.assumptions.waiting_usd_per_h * whole.wall_h / job.epochs),
        checkpoint_h=plan.interval_h,
        planned_moves=averaged(moves, _WEIGHTS),
        lease_h=lease_h,
        ends_too_soon=too_soon,
        log_sd_low=spread.low,
        log_sd_high=spread.high,
        log_sd_throughput=spread.of_throughput,
        terms=paid,
        failures_per_h=stops.failures_per_h,
        losses_per_h=stops.losses_per_h,
        flags={
            **paid.flags,
            "forced_move": (moves[0] > 0.0) | (whole.wall_h > paid.stands_h),
            "on_demand_cheaper": _dearer_than_listed(
                usual, listed, hours.middle, stops, job
            ),
            "start_doubtful": starts.elsewhere + 0.0 * mean > job.assumptions.most_doubt,
        },
    )


@dataclass(frozen=True, slots=True)
class _Stops:
    """What stops N machines: rates, in the middle of their priors, and these.

    Attributes
    ----------
    failures_per_h, losses_per_h : of the machine, and of the GPUs to a higher bid
    failure_prior, loss_prior : of the factor that each rate is known up to
    """

    failures_per_h: FloatArray
    failure_prior: Prior
    losses_per_h: FloatArray
    loss_prior: Prior

    @property
    def mean_failures(self) -> FloatArray:
        """Expected failures per hour."""
        return self.failures_per_h * self.failure_prior.mean

    @property
    def mean_losses(self) -> FloatArray:
        """Expected losses of the bid per hour."""
        return self.losses_per_h * self.loss_prior.mean

    @property
    def mean_per_h(self) -> FloatArray:
        """Expected interruptions per hour, of either kind."""
        return self.mean_failures + self.mean_losses

    def by_rate(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return both rates at each pair that is costed, and the weights of the pairs."""
        failure, loss, weights = self.failure_prior.times(self.loss_prior)
        return self.failures_per_h * failure, self.losses_per_h * loss, weights

    def at_extreme_losses(self, values: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return expectations at the least and the greatest rate of losses.

        Parameters
        ----------
        values : of the pairs of `by_rate`, along the first axis
        """
        count, weights = len(self.loss_prior.factors), self.failure_prior.weights
        return averaged(values[::count], weights), averaged(
            values[count - 1 :: count], weights
        )


@dataclass(frozen=True, slots=True)
class _Plan:
    """At what terms a job runs, and how often it writes a checkpoint."""

    terms: Terms
    interval_h: FloatArray
    assumed: Assumptions

    @classmethod
    def of(cls, terms_: Terms, stops_per_h: FloatArray, job: Job) -> Self:
        """Plan the checkpoints that are best where so much stops the job."""
        interval_h = checkpoint_interval_h(terms_, stops_per_h)
        return cls(terms_, interval_h, job.assumptions)

    def breakdown(
        self,
        training_h: FloatArray,
        failures_per_h: FloatArray,
        losses_per_h: FloatArray | float = 0.0,
        planned_moves: FloatArray | float = 0.0,
        starts: Starts = AT_ONCE,
    ) -> CostBreakdown:
        """Return the expected cost breakdown of a job that trains so long."""
        return expected(
            self.terms,
            training_h,
            checkpoint_segments(training_h, self.interval_h),
            self.assumed,
            failures_per_h=failures_per_h,
            preemptions_per_h=losses_per_h,
            planned_moves=planned_moves,
            starts=starts,
        )


def _cold_hours(
    throughput: Throughput, hours_at: Callable[[FloatArray], FloatArray]
) -> FloatArray:
    """Return how much longer an epoch takes while all data come from the disk, h."""
    cold_h = hours_at(throughput.cold_samples_per_s)
    warm_h = hours_at(throughput.samples_per_s)
    longer: FloatArray = np.maximum(cold_h - warm_h, 0.0)
    return longer


def _paid(
    offers: Offers, listed: Terms, bids: FloatArray | None, job: Job
) -> tuple[Terms, _Stops]:
    """Return the terms at what is paid, the bid where there is one, and what stops it."""
    failures = failures_per_h(offers, job.assumptions)
    prior = failure_prior(job.assumptions)
    if bids is None:
        return listed, _Stops(failures, prior, np.zeros(len(offers)), CERTAIN)
    hazard = hazard_of(job)
    losses = hazard.per_hour(bids / offers.min_bid, offers.num_gpus)
    stops = _Stops(failures, prior, losses, hazard.prior)
    return replace(listed, gpu_usd_per_h=bids), stops


def _dearer_than_listed(
    usual: CostBreakdown, listed: Terms, training_h: FloatArray, stops: _Stops, job: Job
) -> BoolArray:
    """Say where a rental on demand costs less than the best bid does (`usual`)."""
    if job.rental != "interruptible":
        return np.zeros(len(training_h), dtype=bool)
    on_demand = _Plan.of(listed, stops.mean_failures, job)
    cheaper: BoolArray = (
        on_demand.breakdown(training_h, stops.mean_failures).usd < usual.usd
    )
    return cheaper


class _Spread(NamedTuple):
    """Log-sd of the cost: of its lower and upper side, and the throughput's part."""

    low: FloatArray
    high: FloatArray
    of_throughput: FloatArray

    @classmethod
    def of(cls, usd_by_error: FloatArray, other: FloatArray) -> Self:
        """Add the spread of other causes to that of the throughput's interval."""
        with np.errstate(divide="ignore", invalid="ignore"):
            down = np.log(usd_by_error[0] / usd_by_error[2]) / Z90
            up = np.log(usd_by_error[1] / usd_by_error[0]) / Z90
        return cls(np.hypot(down, other), np.hypot(up, other), up)


def _rates(throughput: Throughput) -> FloatArray:
    """Return samples/s at every one of `_DEVIATES`, shape (deviates, N)."""
    rate, by = throughput.samples_per_s, _DEVIATES[:, None] / Z90
    up, down = np.log(throughput.high / rate), np.log(rate / throughput.low)
    rates: FloatArray = rate * np.exp(np.where(by < 0.0, down, up) * by)
    return rates


def _other_log_sd(
    usd_by_rate: FloatArray,
    weights: FloatArray,
    usual: CostBreakdown,
    calm: CostBreakdown,
    plan: _Plan,
) -> FloatArray:
    """Return the log-sd of the cost that is not the throughput's.

    It adds up what is not known of the rates, how many interruptions come at given
    rates (`usual` against `calm`, without any), and the delivered bandwidth.
    """
    mean = averaged(usd_by_rate, weights)
    of_rates = averaged((usd_by_rate - mean) ** 2, weights)
    number = usual.failures + usual.preemptions
    paid, log_sd = plan.terms, plan.assumed.delivered_log_sd
    rent = paid.gpu_usd_per_h + paid.storage_usd_per_h
    of_link = (paid.download_h * rent * log_sd) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        of_luck = _LUCK * (usual.usd - calm.usd) ** 2 / number
        of_luck = np.where(number > 0.0, of_luck, 0.0)
        variance = (of_rates + of_luck + of_link) / mean**2
    spread: FloatArray = np.sqrt(np.log1p(variance))
    return spread
