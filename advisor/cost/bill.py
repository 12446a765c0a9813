"""The bill of a job on each offer: dollars and hours, line by line, with an interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple, Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray
from advisor.cost.assumptions import Assumptions
from advisor.cost.bids import bid_curve, hazard_of
from advisor.cost.expected import (
    AT_ONCE,
    Lines,
    Starts,
    averaged,
    checkpoint_interval_h,
    expected,
    stretches,
)
from advisor.cost.hazard import CERTAIN, Prior, failure_prior, failures_per_h
from advisor.cost.job import Job
from advisor.cost.terms import SECONDS_PER_HOUR, Terms, terms
from advisor.hardware.machines import Machines
from advisor.market.offers import Offers
from advisor.throughput.predict import Throughput
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
    bid_usd_per_hour : the advised bid for the GPU part, NaN unless interruptible
    epoch_hours, epoch_hours_low, epoch_hours_high : training time per epoch with
        nothing going wrong, and its 90 % interval, h
    job : expected lines of the whole job
    job_hours, job_usd : expected, from rent to the last checkpoint at home
    epoch_usd : expected cost of the job over its epochs, $
    epoch_usd_low, epoch_usd_high : 90 % interval of that cost
    epoch_usd_middle : what it costs at the middle of the throughput's interval
    epoch_waiting_usd : what waiting for the job is worth, over its epochs, $; in no
        other figure, for nobody bills it
    checkpoint_h : advised hours of work between checkpoints, infinite where none but
        the last is needed
    planned_moves : moves that are expected because the offer ends before the job does
    lease_h : hours of training that there is time for until the offer ends
    ends_too_soon : the offer ends before anything could be done on it
    log_sd_low, log_sd_high : spread of the logarithm of the cost, either side
    log_sd_throughput : the part of the upper one that is the throughput's
    terms : prices and times that the lines follow from
    failures_per_h, losses_per_h : rates at which the machine fails and the bid loses
        its GPUs, in the middle of their priors
    flags : what is assumed of an offer; ``forced_move`` where it ends before the job
        does, in the middle of the throughput's interval or as expected;
        ``on_demand_cheaper`` where a rental on demand costs less than the best bid;
        ``start_doubtful`` where the job fails to run with more than
        `Assumptions.most_doubt`
    """

    usd_per_hour: FloatArray
    bid_usd_per_hour: FloatArray
    epoch_hours: FloatArray
    epoch_hours_low: FloatArray
    epoch_hours_high: FloatArray
    job: Lines
    job_hours: FloatArray
    job_usd: FloatArray
    epoch_usd: FloatArray
    epoch_usd_low: FloatArray
    epoch_usd_high: FloatArray
    epoch_usd_middle: FloatArray
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
) -> Bill:
    """Return what `job` costs on each offer.

    The expectation is over the error of the throughput, over the priors of the rates at
    which machines fail and bids lose, and over the failures themselves.

    Parameters
    ----------
    starts : how the job comes to run
    """
    assumed = job.assumptions
    epoch_hours = _epoch_hours(throughput.samples_per_s, job)
    cold_h = _epoch_hours(throughput.cold_samples_per_s, job) - epoch_hours
    training_h = epoch_hours * job.epochs
    listed = terms(offers, machines, np.maximum(cold_h, 0.0), job)
    failures, fail_prior = failures_per_h(offers, assumed), failure_prior(assumed)
    paid, losses, loss_prior = _paid(offers, listed, training_h, failures, job)
    mean_fail, mean_loss = failures * fail_prior.mean, losses * loss_prior.mean
    interval_h = checkpoint_interval_h(paid, mean_fail + mean_loss)
    count = stretches(training_h, interval_h)
    at_mean = expected(
        paid,
        training_h,
        count,
        assumed,
        failures_per_h=mean_fail,
        preemptions_per_h=mean_loss,
    )
    lease_h, too_soon = _lease_hours(paid, at_mean)
    fail_factor, loss_factor, weights = fail_prior.times(loss_prior)
    by_error_h = _epoch_hours(_rates(throughput), job) * job.epochs
    moves = _planned_moves(by_error_h, lease_h)
    lines = expected(
        paid,
        by_error_h,
        stretches(by_error_h, interval_h),
        assumed,
        failures_per_h=failures * fail_factor,
        preemptions_per_h=losses * loss_factor,
        planned_moves=moves,
        starts=starts,
    )
    by_error = lines.averaged(weights)
    whole = by_error.averaged(_WEIGHTS)
    calm = expected(paid, training_h, count, assumed, failures_per_h=0.0 * failures)
    dearer = np.zeros(len(offers), dtype=bool)
    if job.rental == "interruptible":
        listed_job = expected(
            listed,
            training_h,
            stretches(training_h, checkpoint_interval_h(listed, mean_fail)),
            assumed,
            failures_per_h=mean_fail,
        )
        dearer = listed_job.usd < at_mean.usd
    spread = _Spread.of(
        by_error.usd,
        _other_log_sd(lines.usd[:, 0], weights, at_mean, calm, paid, assumed),
    )
    middle, mean = by_error.usd[0] / job.epochs, whole.usd / job.epochs
    return Bill(
        usd_per_hour=paid.gpu_usd_per_h + paid.storage_usd_per_h,
        bid_usd_per_hour=(
            paid.gpu_usd_per_h
            if job.rental == "interruptible"
            else np.full(len(offers), np.nan)
        ),
        epoch_hours=epoch_hours,
        epoch_hours_low=_epoch_hours(throughput.high, job),
        epoch_hours_high=_epoch_hours(throughput.low, job),
        job=whole,
        job_hours=whole.wall_h,
        job_usd=whole.usd,
        epoch_usd=mean,
        epoch_usd_low=np.fmin(middle * np.exp(-Z90 * spread.low), mean),
        epoch_usd_high=np.fmax(middle * np.exp(Z90 * spread.high), mean),
        epoch_usd_middle=middle,
        epoch_waiting_usd=assumed.waiting_usd_per_h * whole.wall_h / job.epochs,
        checkpoint_h=interval_h,
        planned_moves=averaged(moves, _WEIGHTS),
        lease_h=lease_h,
        ends_too_soon=too_soon,
        log_sd_low=spread.low,
        log_sd_high=spread.high,
        log_sd_throughput=spread.of_throughput,
        terms=paid,
        failures_per_h=failures,
        losses_per_h=losses,
        flags={
            **paid.flags,
            "forced_move": (moves[0] > 0.0) | (whole.wall_h > paid.stands_h),
            "on_demand_cheaper": dearer,
            "start_doubtful": starts.elsewhere + 0.0 * mean > assumed.most_doubt,
        },
    )


def _paid(
    offers: Offers,
    listed: Terms,
    training_h: FloatArray,
    failures_per_h: FloatArray,
    job: Job,
) -> tuple[Terms, FloatArray, Prior]:
    """Return the terms at what is paid, the rate of lost bids, and the prior of it."""
    if job.rental != "interruptible":
        return listed, np.zeros(len(offers)), CERTAIN
    bids = bid_curve(offers, listed, training_h, failures_per_h, job).best()
    hazard = hazard_of(job)
    losses = hazard.per_hour(bids / offers.min_bid, offers.num_gpus)
    return replace(listed, gpu_usd_per_h=bids), losses, hazard.prior


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


def _epoch_hours(samples_per_s: FloatArray, job: Job) -> FloatArray:
    """Return the hours of an epoch at a rate."""
    hours: FloatArray = job.workload.samples_per_epoch / samples_per_s / SECONDS_PER_HOUR
    return hours


def _rates(throughput: Throughput) -> FloatArray:
    """Return samples/s at every one of `_DEVIATES`, shape (deviates, N)."""
    rate, by = throughput.samples_per_s, _DEVIATES[:, None] / Z90
    up, down = np.log(throughput.high / rate), np.log(rate / throughput.low)
    rates: FloatArray = rate * np.exp(np.where(by < 0.0, down, up) * by)
    return rates


def _lease_hours(paid: Terms, lines: Lines) -> tuple[FloatArray, BoolArray]:
    """Return hours of training until the offer ends, and where that is hopeless.

    Checkpoints and repairs take their part of the time, and before the offer ends a
    checkpoint is written. Hopeless is an offer that ends before there is one to write.
    """
    begin_h = np.maximum(paid.begin_h, paid.move_h) + paid.write_h
    useful_h = paid.stands_h - paid.pull_h - begin_h
    too_soon = useful_h <= 0.0
    to_do_h = lines.wall_h - paid.pull_h - paid.begin_h
    lease_h: FloatArray = np.where(too_soon, 0.0, useful_h * lines.training_h / to_do_h)
    return lease_h, too_soon


def _planned_moves(training_h: FloatArray, lease_h: FloatArray) -> FloatArray:
    """Return how often the job moves since offers end, of the shape of both.

    Offers that come after are taken to stand as long as this one.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.ceil(training_h / lease_h) - 1.0
    possible = np.isfinite(moves) & (moves > 0.0)
    planned: FloatArray = np.where(possible, moves, 0.0)
    return planned


def _other_log_sd(  # noqa: PLR0917  (each is a part of the spread)
    usd_by_rate: FloatArray,
    weights: FloatArray,
    at_mean: Lines,
    calm: Lines,
    paid: Terms,
    assumed: Assumptions,
) -> FloatArray:
    """Return the log-sd of the cost that is not the throughput's.

    It adds up what is not known of the rates, how many interruptions come at given
    rates (`at_mean` against `calm`, without any), and the delivered bandwidth.
    """
    mean = averaged(usd_by_rate, weights)
    of_rates = averaged((usd_by_rate - mean) ** 2, weights)
    number = at_mean.failures + at_mean.preemptions
    rent = paid.gpu_usd_per_h + paid.storage_usd_per_h
    of_link = (paid.download_h * rent * assumed.delivered_log_sd) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        of_luck = _LUCK * (at_mean.usd - calm.usd) ** 2 / number
        of_luck = np.where(number > 0.0, of_luck, 0.0)
        variance = (of_rates + of_luck + of_link) / mean**2
    spread: FloatArray = np.sqrt(np.log1p(variance))
    return spread
