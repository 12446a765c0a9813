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
the kind. The deviation of a kind has heavy tails as well where three machines agree on
one that is far off. That has several modes; from the one in which all are as usual, such
kinds and then the oddest machines are tried, one after the other, as what they seem to
be. One machine, however often it is measured, is one draw of its kind.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.threads import one_thread

DEGREES = 4.0
"""Degrees of freedom of the deviations of machines: the value that Lange et al. propose
where it is not estimated."""

FEWEST_AGREEING = 3
"""Machines that agree on what their kind is: of two that differ nobody knows which one is
odd, and two that are alike may be odd for one reason."""

_ROUNDS = 200
_ODD = 3.0  # scales of its own deviation from which a machine or kind may be odd
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
    most_by_few : what a kind's deviation is at most where no `FEWEST_AGREEING` machines
        of it agree; what is beyond that is put down to the machines
    """

    kind: Sequence[float]
    machine: float
    group: Sequence[float]
    line_of_kind: Sequence[float]
    occasion: Sequence[float]
    most_by_few: float = math.inf


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
    agreed : kinds on which `FEWEST_AGREEING` machines agree
    """

    kind: tuple[Effect, ...]
    machine: tuple[Effect, ...]
    own: tuple[Effect, ...]
    level: tuple[Effect, ...]
    agreed: frozenset[int]


def learned(readings: Sequence[Reading], spreads: Spreads) -> Effects:
    """Return what R readings say of K kinds and M machines.

    Parameters
    ----------
    readings : one at least; every machine occurs, and is of one kind
    spreads : before them
    """
    of_machine = {one.machine: one.kind for one in readings}
    shown = _shown(readings)
    agreed = _agreed(shown, of_machine, _ODD * spreads.machine)
    far = {
        kind: off for kind, off in agreed.items() if abs(off) > _ODD * spreads.kind[kind]
    }
    model = _Model.of(readings, spreads, sorted(far))
    at = model.machines
    with one_thread():
        found = model.settled(model.prior)
        for kind, off in far.items():
            found = max(found, model.as_odd(found, kind, off), key=lambda one: one.score)
        for machine, off in _oddest(shown, of_machine, agreed, _ODD * spreads.machine):
            other = model.as_odd(found, at.start + machine, off)
            if other.score <= found.score:
                break
            found = other
    mean, covariance = found.mean, found.covariance
    sums = [_effect(mean, covariance, (kind,)) for kind in range(at.start)]
    level = [
        one if kind in agreed else _bounded(one, spreads.most_by_few)
        for kind, one in enumerate(sums)
    ]
    beyond = [one.mean - kept.mean for one, kept in zip(sums, level, strict=True)]
    own = [_effect(mean, covariance, (place,)) for place in range(at.start, at.stop)]
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
            Effect(one.mean + beyond[of_machine[machine]], one.log_sd)
            for machine, one in enumerate(own)
        ),
        level=tuple(level),
        agreed=frozenset(agreed),
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
    heavy : places of the weights with heavy tails: of machines, and of some kinds
    """

    design: FloatArray
    y: FloatArray
    noise: FloatArray
    prior: FloatArray
    machines: slice
    heavy: IntArray

    @classmethod
    def of(
        cls, readings: Sequence[Reading], spreads: Spreads, heavy: Sequence[int]
    ) -> Self:
        """Return the model of some readings.

        Parameters
        ----------
        heavy : kinds that have heavy tails, as every machine has
        """
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
            np.array([*heavy, *range(starts[1], starts[2])], dtype=np.int64),
        )

    def as_odd(self, found: _Mode, place: int, off: float) -> _Mode:
        """Return the mode in which one weight, else as found, is as far off as that."""
        odd = found.prior.copy()
        odd[place] = off**2
        return self.settled(odd)

    def settled(self, prior: FloatArray) -> _Mode:
        """Return the mode that is found from some variances of the weights."""
        at, prior = self.heavy, prior.copy()
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
        own = prior[self.heavy]
        mixed = DEGREES * (np.log(own) + self.prior[self.heavy] / own)
        return -0.5 * float(log_determinant + distance + mixed.sum())


def _shown(readings: Sequence[Reading]) -> dict[int, float]:
    """Return machine -> the mean of its readings."""
    by_machine: dict[int, list[float]] = {}
    for one in readings:
        by_machine.setdefault(one.machine, []).append(one.value)
    return {machine: float(np.mean(values)) for machine, values in by_machine.items()}


def _agreed(
    shown: Mapping[int, float], of_machine: Mapping[int, int], within: float
) -> dict[int, float]:
    """Return kind -> what its machines show, where enough of them agree.

    Parameters
    ----------
    shown : machine -> what it shows
    of_machine : machine -> its kind
    within : that far from the median of the kind a machine agrees
    """
    of_kind: dict[int, list[float]] = {}
    for machine, mean in shown.items():
        of_kind.setdefault(of_machine[machine], []).append(mean)
    medians = {kind: float(np.median(means)) for kind, means in of_kind.items()}
    return {
        kind: medians[kind]
        for kind, means in of_kind.items()
        if sum(abs(one - medians[kind]) <= within for one in means) >= FEWEST_AGREEING
    }


def _oddest(
    shown: Mapping[int, float],
    of_machine: Mapping[int, int],
    agreed: Mapping[int, float],
    least: float,
) -> list[tuple[int, float]]:
    """Return the machines that are off the others by so much, and by how much.

    The others are those of its kind where these agree, or else all. The farthest first.
    """
    rest = float(np.median([*shown.values()])) if len(shown) > 1 else 0.0
    off = {
        machine: mean - agreed.get(of_machine[machine], rest)
        for machine, mean in shown.items()
    }
    odd = [(machine, by) for machine, by in off.items() if abs(by) > least]
    return sorted(odd, key=lambda one: -abs(one[1]))


def _bounded(effect: Effect, most: float) -> Effect:
    return Effect(min(max(effect.mean, -most), most), effect.log_sd)


def _effect(mean: FloatArray, covariance: FloatArray, places: tuple[int, ...]) -> Effect:
    """Return the sum of some weights."""
    at = list(places)
    variance = float(covariance[np.ix_(at, at)].sum())
    return Effect(float(mean[at].sum()), max(variance, 0.0) ** 0.5)
