"""Expected hours and dollars of a job from rent to last checkpoint at home.

The job is: pull and boot; data, process and cold cache (anew after a failure); the
training in equal checkpoint segments, each with a checkpoint that is sent home while it
goes on; the last one sent. A failure or a lost bid throws the work since the last
checkpoint away. After it the machine comes back, or patience ends and another like it
is rented. `advisor.cost.renewal` has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.cost.assumptions import Assumptions
from advisor.cost.renewal import best_interval_h, restart_phi, running_hours
from advisor.cost.terms import Terms

_LEAST_INTERVAL_H = 1.0 / 60.0


class Starts(NamedTuple):
    """How a job comes to run; each of shape (N,) or the same everywhere.

    Attributes
    ----------
    failed : starts that are expected to fail, for want of memory or since the image does
        not run; each is paid for up to its first step
    elsewhere : probability that the job does not run on this offer but on another one
    """

    failed: FloatArray | float = 0.0
    elsewhere: FloatArray | float = 0.0


AT_ONCE = Starts()
"""The job runs at its first start, here."""


@dataclass(frozen=True, slots=True)
class CostBreakdown:
    """Expected figures of the whole job: hours, dollars and counts, each (N,).

    Attributes
    ----------
    pull_h : image and boot, every time; bills storage alone
    begin_h : data set, process, cold first epoch; bills rent
    training_h : all epochs, nothing going wrong
    checkpoint_h : writing checkpoints
    send_h : sending the last one home
    repeated_h : work lost and done again, restarts, moves
    offline_h : waiting for machines that failed; bills nothing
    paused_h : waiting for a bid to run again; bills storage
    rent_usd : of the GPU part
    storage_usd : of the disk
    download_usd, upload_usd : traffic
    failed_h : starts that fail for want of memory, or since the image does not run;
        bills rent
    dearer_usd : what other machines cost more on which the job runs, in part or whole,
        see `Assumptions.next_machine_dearer`
    failures, preemptions, moves, checkpoints, failed_starts : how many
    """

    pull_h: FloatArray
    begin_h: FloatArray
    training_h: FloatArray
    checkpoint_h: FloatArray
    send_h: FloatArray
    repeated_h: FloatArray
    offline_h: FloatArray
    paused_h: FloatArray
    rent_usd: FloatArray
    storage_usd: FloatArray
    download_usd: FloatArray
    upload_usd: FloatArray
    failures: FloatArray
    preemptions: FloatArray
    moves: FloatArray
    checkpoints: FloatArray
    failed_h: FloatArray
    failed_starts: FloatArray
    dearer_usd: FloatArray

    @property
    def running_h(self) -> FloatArray:
        """Hours that bill rent."""
        total: FloatArray = (
            self.begin_h
            + self.training_h
            + self.checkpoint_h
            + self.send_h
            + self.repeated_h
            + self.failed_h
        )
        return total

    @property
    def wall_h(self) -> FloatArray:
        """Hours from rent to the last checkpoint at home."""
        total: FloatArray = self.pull_h + self.running_h + self.offline_h + self.paused_h
        return total

    @property
    def usd(self) -> FloatArray:
        """All dollars."""
        total: FloatArray = (
            self.rent_usd
            + self.storage_usd
            + self.download_usd
            + self.upload_usd
            + self.dearer_usd
        )
        return total

    def averaged(self, weights: FloatArray) -> CostBreakdown:
        """Return the expectation over the first axis."""
        return CostBreakdown(
            *(averaged(getattr(self, f.name), weights) for f in fields(self))
        )


def averaged(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the weighted sum over the first axis, whose weights add up to one.

    Term by term: a matrix product would round offers by their place in the array, and
    equal ones would not stay equal.
    """
    if values.strides[0] == 0:  # the same along that axis, see `full`
        same: FloatArray = values[0]
        return same
    total: FloatArray = weights[0] * values[0]
    for weight, value in zip(weights[1:], values[1:], strict=True):
        total += weight * value
    return total


def checkpoint_interval_h(terms: Terms, interruptions_per_h: FloatArray) -> FloatArray:
    """Return the hours of work after which a checkpoint is best written.

    A checkpoint costs its writing and the traffic of sending it, counted in hours of
    rent; it is not written before the last one is sent, nor within a minute of it.
    Infinite where nothing interrupts.
    """
    price = terms.gpu_usd_per_h + terms.storage_usd_per_h
    traffic_usd = terms.checkpoint_gb * terms.upload_usd_per_gb
    with np.errstate(divide="ignore", invalid="ignore"):
        cost_h = terms.write_h + np.where(traffic_usd > 0, traffic_usd / price, 0.0)
    best = best_interval_h(cost_h, interruptions_per_h)
    interval: FloatArray = np.maximum(np.maximum(best, terms.send_h), _LEAST_INTERVAL_H)
    return interval


def checkpoint_segments(training_h: FloatArray, interval_h: FloatArray) -> FloatArray:
    """Return into how many checkpoint segments, the training is cut.

    Not a whole number: the training time is uncertain, and the figure an expectation.
    """
    count = np.nan_to_num(training_h / interval_h, nan=1.0, posinf=1.0)
    at_least_one: FloatArray = np.maximum(count, 1.0)
    return at_least_one


def expected(
    terms: Terms,
    training_h: FloatArray,
    count: FloatArray,
    assumed: Assumptions,
    *,
    failures_per_h: FloatArray,
    preemptions_per_h: FloatArray | float = 0.0,
    planned_moves: FloatArray | float = 0.0,
    starts: Starts = AT_ONCE,
) -> CostBreakdown:
    """Return the expected cost breakdown of the job on each offer.

    All arrays broadcast against the terms' shape (N,).

    Parameters
    ----------
    terms : prices and times
    training_h : hours of all epochs with nothing going wrong
    count : checkpoint segments that it is cut into, see `checkpoint_segments`
    assumed : how long waits last
    failures_per_h, preemptions_per_h : rates while running
    planned_moves : moves because the offer ends before the job does
    starts : before the job runs, and where it does
    """
    stops = _Stops.of(terms, assumed, failures_per_h, preemptions_per_h)
    course = _Course.of(terms, training_h, count, stops, planned_moves)
    failed_starts = starts.failed
    failed_h = failed_starts * terms.start_h
    failures = stops.failed * course.interruptions
    preemptions = (1.0 - stops.failed) * course.interruptions
    pull_h = (1.0 + course.moves + failed_starts) * terms.pull_h
    paused_h = preemptions * assumed.pause_h * (1.0 - stops.gone_paused)
    paid_h = course.running_h + failed_h
    rent_usd = terms.gpu_usd_per_h * paid_h
    storage_usd = terms.storage_usd_per_h * (paid_h + pull_h + paused_h)
    downloaded_gb = _downloaded_gb(terms, stops, course, planned_moves, failed_starts)
    download_usd = terms.download_usd_per_gb * downloaded_gb
    upload_usd = terms.upload_usd_per_gb * terms.checkpoint_gb * count
    paid_usd = rent_usd + storage_usd + download_usd + upload_usd
    elsewhere = _share_elsewhere(stops, course, planned_moves, starts)
    breakdown = {
        "pull_h": pull_h,
        "begin_h": terms.begin_h,
        "training_h": training_h,
        "checkpoint_h": course.checkpoint_h,
        "send_h": terms.send_h,
        "repeated_h": course.repeated_h,
        "offline_h": failures * assumed.repair_h * (1.0 - stops.gone_failed),
        "paused_h": paused_h,
        "rent_usd": rent_usd,
        "storage_usd": storage_usd,
        "download_usd": download_usd,
        "upload_usd": upload_usd,
        "failures": failures,
        "preemptions": preemptions,
        "moves": course.moves,
        "checkpoints": count,
        "failed_h": failed_h,
        "failed_starts": failed_starts,
        "dearer_usd": elsewhere * assumed.next_machine_dearer * paid_usd,
    }
    shape = course.running_h.shape
    return CostBreakdown(**{name: _full(line, shape) for name, line in breakdown.items()})


def _full(values: FloatArray | float, shape: tuple[int, ...]) -> FloatArray:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), shape)


class _Stops(NamedTuple):
    """What interrupts a job while it runs, and how it goes on.

    Attributes
    ----------
    per_h : interruptions per hour
    failed : share of them that are failures; the others are lost bids
    gone_failed, gone_paused, gone : probability that the job moves rather than waits: of
        a failed machine, of a lost bid, and of either
    phi : see `restart_phi`
    """

    per_h: FloatArray
    failed: FloatArray
    gone_failed: FloatArray | float
    gone_paused: FloatArray | float
    gone: FloatArray
    phi: FloatArray

    @classmethod
    def of(
        cls,
        terms: Terms,
        assumed: Assumptions,
        failures_per_h: FloatArray,
        preemptions_per_h: FloatArray | float,
    ) -> Self:
        """Join the two kinds of interruption."""
        rate = failures_per_h + preemptions_per_h
        gone_failed = np.exp(-assumed.patience_h / assumed.repair_h)
        gone_paused = np.exp(-assumed.patience_h / assumed.pause_h)
        with np.errstate(divide="ignore", invalid="ignore"):
            failed = np.where(rate > 0.0, failures_per_h / rate, 1.0)
        gone = failed * gone_failed + (1.0 - failed) * gone_paused
        phi = restart_phi(rate, (terms.resume_h, terms.move_h), (1.0 - gone, gone))
        return cls(rate, failed, gone_failed, gone_paused, gone, phi)


class _Course(NamedTuple):
    """The hours that a job runs, interrupted as it is.

    Attributes
    ----------
    begun_h : of the beginning, until it succeeds
    moved_h : of planned moves
    checkpoint_h : of writing checkpoints
    repeated_h : of all that is done again
    running_h : all of them, the training's among them
    interruptions, moves : how many come in them, and how many moves, planned or not
    """

    begun_h: FloatArray
    moved_h: FloatArray
    checkpoint_h: FloatArray
    repeated_h: FloatArray
    running_h: FloatArray
    interruptions: FloatArray
    moves: FloatArray

    @classmethod
    def of(
        cls,
        terms: Terms,
        training_h: FloatArray,
        count: FloatArray,
        stops: _Stops,
        planned_moves: FloatArray | float,
    ) -> Self:
        """Return the course of a training of `count` checkpoint segments."""
        checkpoint_h = count * terms.write_h
        segment_h = training_h / count + terms.write_h
        move_h = terms.write_h + terms.move_h
        begun_h = running_hours(terms.begin_h, stops.per_h)
        moved_h = planned_moves * running_hours(move_h, stops.per_h)
        trained_h = running_hours(segment_h, stops.per_h, stops.phi)
        sent_h = running_hours(terms.send_h, stops.per_h, stops.phi)
        plain_h = terms.begin_h + training_h + checkpoint_h + terms.send_h
        repeated_h = (
            (begun_h - terms.begin_h)
            + count * (trained_h - segment_h)
            + (sent_h - terms.send_h)
            + moved_h
        )
        running_h = plain_h + repeated_h
        interruptions = stops.per_h * running_h
        moves = stops.gone * interruptions + planned_moves
        return cls(
            begun_h,
            moved_h,
            checkpoint_h,
            repeated_h,
            running_h,
            interruptions,
            moves,
        )


def _downloaded_gb(
    terms: Terms,
    stops: _Stops,
    course: _Course,
    planned_moves: FloatArray | float,
    failed_starts: FloatArray | float,
) -> FloatArray:
    """Return 10^9 bytes that are downloaded: data, images, checkpoints.

    What begins anew downloads its data anew; elsewhere only a move does.
    """
    anew = stops.per_h * (course.begun_h + course.moved_h)
    resumed = planned_moves + stops.gone * (course.interruptions - anew)
    downloaded: FloatArray = (
        (1.0 + anew + resumed + failed_starts) * terms.dataset_gb
        + (1.0 + course.moves + failed_starts) * terms.image_gb
        + (stops.per_h * course.moved_h + resumed) * terms.checkpoint_gb
    )
    return downloaded


def _share_elsewhere(
    stops: _Stops, course: _Course, planned_moves: FloatArray | float, starts: Starts
) -> FloatArray:
    """Return the share of a job that runs on other machines than this one."""
    here = _share_here(stops.gone * course.interruptions, planned_moves)
    elsewhere: FloatArray = 1.0 - (1.0 - starts.elsewhere) * here
    return elsewhere


def _share_here(moves: FloatArray, planned_moves: FloatArray | float) -> FloatArray:
    """Return the share of a job that runs on the machine where it began.

    Of a job that moves k times an equal part, 1 / (k + 1), runs on each machine. Moves
    that failures bring are Poisson: with a mean of m the expectation of it is
    (1 - exp(-m)) / m; beside p planned ones about (1 - exp(-n)) / n / (p + 1), n being
    m / (p + 1).
    """
    each = moves / (1.0 + planned_moves)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(each > 0.0, -np.expm1(-each) / each, 1.0)
    here: FloatArray = share / (1.0 + planned_moves)
    return here
