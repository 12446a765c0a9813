"""What measurements of some machines say of these, and of others of their kind.

A reading y (ln of measured over expected) of a line l on machine i of kind q is

    y = k[q] + m[i] + c[g] + d[l, q] + o[j] + e

the kind's own deviation, the machine's own, an offset that a group g of lines has
everywhere (what they are compared with is known no better), what the line has of its own
on that kind, what all lines of one measurement j have of its day, and the noise of the
reading. All are normal with zero mean but m, which has heavy tails: most machines of a
kind are alike, and a few are at half speed. So the posterior of k and m is that of a
linear model (Rasmussen and Williams 2006, eq. 2.8, that of its weights), the variance of
each m found by expectation maximization for Student's t (Lange, Little and Taylor,
"Robust statistical modeling using the t distribution", JASA 84, 1989, section 3): a
surprise that one machine alone shows is put down to the machine, one that several show to
the kind. That has several modes; from the one in which all machines are as usual, the
oddest machines are tried, one after the other, as what they seem to be. One machine,
however often it is measured, is one draw of its kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.throughput.threads import one_thread

DEGREES = 4.0
"""Degrees of freedom of the deviations of machines: the value that Lange et al. propose
where it is not estimated."""

_ROUNDS = 200
_ODD = 3.0  # scales of its own deviation from which a machine may be odd
_SETTLED = 1e-3  # relative change of the variances at which they are taken as found


class Reading(NamedTuple):
    """One figure compared with what was expected.

    Attributes
    ----------
    kind, machine, group, line, occasion : codes from 0 up
    value : ln(measured / expected)
    variance : of its noise
    """

    kind: int
    machine: int
    group: int
    line: int
    occasion: int
    value: float
    variance: float


class Spreads(NamedTuple):
    """Standard deviations of what readings are made of, before any reading.

    Attributes
    ----------
    kind : of each kind, length K
    machine : scale of a machine's own deviation
    group : of the offset of each group of lines, length G
    line_of_kind : of what each line has of its own on one kind, length L
    occasion : of what each measurement has of its day, length J
    """

    kind: Sequence[float]
    machine: float
    group: Sequence[float]
    line_of_kind: Sequence[float]
    occasion: Sequence[float]


class Effect(NamedTuple):
    """What is known of a deviation: mean and standard deviation, of a logarithm."""

    mean: float
    log_sd: float


class Effects(NamedTuple):
    """What readings say.

    Attributes
    ----------
    kind : of each kind, length K: of its next machine, which nobody measured
    machine : of each machine, length M: kind and machine together
    own : of each machine alone, as it differs from its kind, length M
    level : of each kind alone, length K
    """

    kind: tuple[Effect, ...]
    machine: tuple[Effect, ...]
    own: tuple[Effect, ...]
    level: tuple[Effect, ...]


def learned(readings: Sequence[Reading], spreads: Spreads) -> Effects:
    """Return what R readings say of K kinds and M machines.

    Parameters
    ----------
    readings : one at least; every machine occurs, and is of one kind
    spreads : before them
    """
    model = _Model.of(readings, spreads)
    at = model.machines
    with one_thread():
        found = model.settled(model.prior)
        for machine, off in _oddest(readings, _ODD * spreads.machine):
            odd = found.prior.copy()
            odd[at.start + machine] = off**2
            other = model.settled(odd)
            if other.score <= found.score:
                break
            found = other
    mean, covariance = found.mean, found.covariance
    of_machine = {one.machine: one.kind for one in readings}
    level = [_effect(mean, covariance, (kind,)) for kind in range(at.start)]
    return Effects(
        kind=tuple(
            Effect(one.mean, float(np.hypot(one.log_sd, spreads.machine)))
            for one in level
        ),
        machine=tuple(
            _effect(mean, covariance, (of_machine[machine], at.start + machine))
            for machine in range(at.stop - at.start)
        ),
        own=tuple(
            _effect(mean, covariance, (place,)) for place in range(at.start, at.stop)
        ),
        level=tuple(level),
    )


class _Mode(NamedTuple):
    """Where expectation maximization ends.

    Attributes
    ----------
    prior : variances of the weights
    mean, covariance : of the weights
    score : log of the density of readings and variances, up to a constant
    """

    prior: FloatArray
    mean: FloatArray
    covariance: FloatArray
    score: float


@dataclass(frozen=True, slots=True)
class _Model:
    """The linear model of R readings, of n weights.

    These are, in this order: kinds, machines, groups, occasions, lines of kinds.

    Attributes
    ----------
    design : (R, n)
    y, noise : (R,) readings, and the variances of their noise
    prior : (n,) variances of the weights, before the readings
    machines : where the machines are
    """

    design: FloatArray
    y: FloatArray
    noise: FloatArray
    prior: FloatArray
    machines: slice

    @classmethod
    def of(cls, readings: Sequence[Reading], spreads: Spreads) -> Self:
        """Return the model of some readings."""
        kinds, groups = len(spreads.kind), len(spreads.group)
        machines = max(one.machine for one in readings) + 1
        pairs = list(dict.fromkeys((one.line, one.kind) for one in readings))
        parts = [0, kinds, machines, groups, len(spreads.occasion), len(pairs)]
        starts = np.cumsum(parts).tolist()
        design = np.zeros((len(readings), starts[-1]))
        for row, one in enumerate(readings):
            places = (
                one.kind,
                starts[1] + one.machine,
                starts[2] + one.group,
                starts[3] + one.occasion,
                starts[4] + pairs.index((one.line, one.kind)),
            )
            design[row, places] = 1.0
        log_sds = [
            *spreads.kind,
            *[spreads.machine] * machines,
            *spreads.group,
            *spreads.occasion,
            *(spreads.line_of_kind[line] for line, _ in pairs),
        ]
        return cls(
            design,
            np.array([one.value for one in readings]),
            np.array([one.variance for one in readings]),
            np.square(log_sds),
            slice(starts[1], starts[2]),
        )

    def settled(self, prior: FloatArray) -> _Mode:
        """Return the mode that is found from some variances of the weights."""
        at, prior = self.machines, prior.copy()
        usual = self.prior[at]
        mean, covariance = self._posterior(prior)
        for _ in range(_ROUNDS):
            square = mean[at] ** 2 + np.diag(covariance)[at]
            variance = (DEGREES * usual + square) / (DEGREES + 1.0)
            settled = np.allclose(variance, prior[at], rtol=_SETTLED, atol=0.0)
            prior[at] = variance
            mean, covariance = self._posterior(prior)
            if settled:
                break
        return _Mode(prior, mean, covariance, self._score(prior))

    def _posterior(self, prior: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and covariance of the weights, whose prior means are 0."""
        cross = prior[:, None] * self.design.T
        gain = np.linalg.solve(self.design @ cross + np.diag(self.noise), cross.T).T
        return gain @ self.y, np.diag(prior) - gain @ cross.T

    def _score(self, prior: FloatArray) -> float:
        """Return the log of the density of readings and variances, up to a constant.

        The variances have that of the scale mixture which makes Student's t of normals.
        """
        among = (self.design * prior) @ self.design.T + np.diag(self.noise)
        _, log_determinant = np.linalg.slogdet(among)
        distance = self.y @ np.linalg.solve(among, self.y)
        own = prior[self.machines]
        mixed = DEGREES * (np.log(own) + self.prior[self.machines] / own)
        return -0.5 * float(log_determinant + distance + mixed.sum())


def _oddest(readings: Sequence[Reading], least: float) -> list[tuple[int, float]]:
    """Return the machines that are off the others by so much, and by how much.

    The farthest first.
    """
    by_machine: dict[int, list[float]] = {}
    for one in readings:
        by_machine.setdefault(one.machine, []).append(one.value)
    means = {machine: float(np.mean(values)) for machine, values in by_machine.items()}
    rest = float(np.median([*means.values()])) if len(means) > 1 else 0.0
    off = [
        (machine, mean - rest)
        for machine, mean in means.items()
        if abs(mean - rest) > least
    ]
    return sorted(off, key=lambda one: -abs(one[1]))


def _effect(mean: FloatArray, covariance: FloatArray, places: tuple[int, ...]) -> Effect:
    """Return the sum of some weights."""
    at = list(places)
    variance = float(covariance[np.ix_(at, at)].sum())
    return Effect(float(mean[at].sum()), max(variance, 0.0) ** 0.5)
