"""Offers that end before the job does: how long they hold it, and how often it moves."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray
from advisor.cost.expected import CostBreakdown
from advisor.cost.terms import Terms


class TrainingHours(NamedTuple):
    """Hours of all epochs with nothing going wrong, as far as they are known.

    Attributes
    ----------
    middle : in the middle of the throughput's interval, h, shape (N,)
    by_error : at E errors of the throughput, h, shape (E, N)
    weights : how likely each error is, shape (E,); adds up to one
    """

    middle: FloatArray
    by_error: FloatArray
    weights: FloatArray

    @classmethod
    def certain(cls, hours: FloatArray) -> Self:
        """Return hours that are known, shape (N,)."""
        return cls(hours, hours[None], np.ones(1))


def lease_hours(paid: Terms, breakdown: CostBreakdown) -> tuple[FloatArray, BoolArray]:
    """Return hours of training until the offer ends, and where that is hopeless.

    Checkpoints and repairs take their part of the time, and before the offer ends a
    checkpoint is written. Hopeless is an offer that ends before there is one to write.
    """
    begin_h = np.maximum(paid.begin_h, paid.move_h) + paid.write_h
    useful_h = paid.stands_h - paid.pull_h - begin_h
    too_soon = useful_h <= 0.0
    to_do_h = breakdown.wall_h - paid.pull_h - paid.begin_h
    lease_h: FloatArray = np.where(
        too_soon, 0.0, useful_h * breakdown.training_h / to_do_h
    )
    return lease_h, too_soon


def planned_moves(training_h: FloatArray, lease_h: FloatArray) -> FloatArray:
    """Return how often the job moves since offers end, of the shape of both.

    Offers that come after are taken to stand as long as this one.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        moves = np.ceil(training_h / lease_h) - 1.0
    possible = np.isfinite(moves) & (moves > 0.0)
    planned: FloatArray = np.where(possible, moves, 0.0)
    return planned
