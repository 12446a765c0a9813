"""The model of what several GPUs lose, and how likely a table's pairs are under it.

**Model.** ln(exchange / step) is what physics gives (gradients over link and step) plus
an effect of the interconnect class, of the number of GPUs within it, of the GPU model,
the workload, the host, and the host with that number of GPUs. All but the class's are
shrunken towards zero. Those of hosts keep one odd machine from being read as a property
of its card or class; a prediction does not use them, for a rented host is new.

**Likelihood.** ln efficiency is off by a Student t with 2 degrees of freedom: most
hosts do as their links say, a few are wrong by factors, and so the effects of hosts and
workloads have the same tails. A pair weighs as one over its efficiency, as relative
errors count it.

**Width.** Such tails leave many maxima. `Posterior.near` widens them: within `width`
times the noise an error counts as the square that the t has at its center, and so the
wider, the fewer the maxima (graduated non-convexity, Blake and Zisserman 1987).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csc_array, csr_array

from advisor.base.arrays import FloatArray, IntArray, StrArray
from advisor.throughput.scaling import CLASSES, measured_class, moved_gb
from advisor.training.fit.newton import Near
from advisor.training.fit.pairs import Pairs

NOISE = 0.047
"""Scale of the error of ln efficiency: a figure of the table repeats within 0.033
(median log-spread of the rows on several GPUs with three reports or more); a ratio has
two of them."""

FREEDOM = 2.0
"""Degrees of freedom of the tails of errors and of heavy-tailed effects."""

MAX_WEIGHT = 5.0
"""Weight of a pair whose efficiency is a fifth or less."""

_SHARE = (0.0, 1.5)
"""Prior mean and log-sd of ln(link / bus): the whole link, within a factor of 4.5."""

_CONTENTION = (0.3, 0.3)
"""Prior of the exponent by which the bus falls with GPUs; never below 0."""

_LOSS = (-5.0, 1.0)
"""Prior of ln(loss a doubling): 0.7 %, within a factor of 2.7."""

_LONGEST = 9.0
"""ln(exchange / step) above which a trial step of the fit counts as this one."""

_LEAST_CURVATURE = 0.3
"""Of the reweighted square that touches a tail: what a tail counts as at least. Beyond
the bend of a t its own curvature is negative, and a step by it would go uphill."""


@dataclass(frozen=True, slots=True)
class Term:
    """One kind of effect on ln(exchange / step).

    Attributes
    ----------
    code : (N,) which coefficient a row takes
    factor : (N,) what it is multiplied by
    names : of the coefficients
    center, scale : of their prior
    heavy : whether the prior has the tails of a Student t
    """

    code: IntArray
    factor: FloatArray
    names: StrArray
    center: float
    scale: float
    heavy: bool


def terms(pairs: Pairs, shrinkage: float) -> dict[str, Term]:
    """Return kind -> effects of the pairs, `shrinkage` being the scale of all.

    Those that meet the fewest others come first, as `newton.minimum` likes it: a host
    with a number of GPUs meets one host, which meets one GPU.
    """
    ones = np.ones(len(pairs))
    code = class_code(pairs)
    names = np.array(CLASSES)
    count = pairs.num_gpus.astype(np.int64).astype(np.str_)
    crowded = np.char.add(np.char.add(pairs.host, "|"), count)

    def shrunken(labels: StrArray, *, heavy: bool) -> Term:
        unique, codes = np.unique(labels, return_inverse=True)
        return Term(codes, ones, unique, 0.0, shrinkage, heavy)

    doublings = np.log2(pairs.num_gpus / 2.0)
    return {
        "crowded host": shrunken(crowded, heavy=True),
        "host": shrunken(pairs.host, heavy=True),
        "workload": shrunken(pairs.workload, heavy=True),
        "gpu": shrunken(pairs.gpu, heavy=False),
        "share": Term(code, ones, names, *_SHARE, heavy=False),
        "contention": Term(code, doublings, names, *_CONTENTION, heavy=False),
    }


def class_code(pairs: Pairs) -> IntArray:
    """Return the (N,) place of each pair's class in `CLASSES`."""
    of_class = measured_class(pairs.interconnect)
    return np.array([CLASSES.index(str(c)) for c in of_class], dtype=np.int64)


class Posterior:
    """Minus the log posterior of all effects, in standard deviations of their priors.

    Parameters
    ----------
    pairs : N pairs
    kinds : of `terms`; their coefficients come first, then ln(loss) of each class

    Attributes
    ----------
    low, high : bounds of the unknowns
    """

    def __init__(self, pairs: Pairs, kinds: Mapping[str, Term]) -> None:
        sizes = [len(term.names) for term in kinds.values()]
        self._center = np.repeat([t.center for t in kinds.values()], sizes)
        self._scale = np.repeat([t.scale for t in kinds.values()], sizes)
        heavy = np.repeat([t.heavy for t in kinds.values()], sizes)
        self._heavy = np.append(heavy, np.zeros(len(CLASSES), dtype=bool))
        self._class = class_code(pairs)
        self._doublings = np.log2(pairs.num_gpus)
        moved = moved_gb(pairs.num_gpus, pairs.gradient_gb)
        self._physics = np.log(moved / (pairs.link_gb_s * pairs.step_s))
        self._observed = np.log(pairs.efficiency)
        weight = np.minimum(1.0 / pairs.efficiency, MAX_WEIGHT)
        self._weight = weight / weight.mean()
        contention = np.repeat([kind == "contention" for kind in kinds], sizes)
        self.low = np.full(len(self._heavy), -np.inf)
        self.low[: len(contention)][contention] = -_CONTENTION[0] / _CONTENTION[1]
        self.high = np.full(len(self._heavy), np.inf)
        self.high[len(contention) :] = -_LOSS[0] / _LOSS[1]

        starts = np.cumsum([0, *sizes])
        of_kind = zip(kinds.values(), starts[:-1], strict=True)
        code = np.stack([*(t.code + s for t, s in of_kind), self._class + starts[-1]])
        one = np.ones(len(pairs))
        factor = np.stack([*(t.factor for t in kinds.values()), _LOSS[1] * one])
        scale = np.append(self._scale, np.ones(len(CLASSES)))
        self._slopes = _Slopes(code.T, factor.T * scale[code.T], len(scale))
        of_pair = np.arange(len(pairs) + 1) * len(kinds)
        self._effects = csr_array(
            (factor[:-1].T.ravel(), code[:-1].T.ravel(), of_pair),
            (len(pairs), starts[-1]),
        )

    def values(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the coefficients and the losses of a place `at`."""
        many = len(self._center)
        loss = np.exp(_LOSS[0] + _LOSS[1] * at[many:])
        return self._center + self._scale * at[:many], loss

    def near(self, at: FloatArray, width: float = 1.0) -> Near:
        """Return its value, slope and curvature at a place, the tails `width` wide.

        The curvature is that of Gauss and Newton, never below `_LEAST_CURVATURE`.
        """
        effect, loss_of = self.values(at)
        ratio = self._physics + self._effects @ effect
        exchange = np.exp(np.minimum(ratio, _LONGEST))
        loss = loss_of[self._class] * self._doublings
        off = (self._observed + np.log1p(exchange) + np.log1p(loss)) / NOISE
        by_effect = exchange / (1.0 + exchange) / NOISE
        by_loss = loss / (1.0 + loss) / NOISE
        errors, pull, bend = _tail(off, width)
        pull, bend = self._weight * pull, self._weight * bend
        slope = self._slopes.sums(pull * by_effect, pull * by_loss)
        tailed, back, hold = _tail(at, width)
        prior = np.where(self._heavy, tailed, 0.5 * at * at)
        curvature = self._slopes.products(
            bend * by_effect**2,
            bend * by_effect * by_loss,
            bend * by_loss**2,
            np.where(self._heavy, hold, 1.0),
        )
        return Near(
            value=float((self._weight * errors).sum() + prior.sum()),
            slope=slope + np.where(self._heavy, back, at),
            curvature=curvature,
            diagonal=self._slopes.diagonal,
        )


class _Slopes:
    """Sums over pairs of what the unknowns of each change, in one sparse product each.

    Parameters
    ----------
    code : (N, K) the unknowns of each pair, the last being that of its loss
    factor : (N, K) what a change of each is multiplied by
    size : number of unknowns

    Attributes
    ----------
    diagonal : (size,) where the data of `products` have its diagonal
    """

    def __init__(self, code: IntArray, factor: FloatArray, size: int) -> None:
        number, many = code.shape
        rows = np.arange(number)
        is_loss = np.arange(many) == many - 1
        columns = rows[:, None] + number * is_loss
        self._first = csr_array(
            (factor.ravel(), (code.ravel(), columns.ravel())), (size, 2 * number)
        )
        one, other = (place.ravel() for place in np.indices((many, many)))
        flat = code[:, other].astype(np.int64) * size + code[:, one]
        own = np.arange(size)
        places, inverse = np.unique(
            np.append(flat.ravel(), own * (size + 1)), return_inverse=True
        )
        # By two effects, by an effect and a loss, by two losses; then the prior's.
        by = is_loss[one].astype(np.int64) + is_loss[other]
        columns = rows[:, None] + number * by
        product = factor[:, one] * factor[:, other]
        self._second = csr_array(
            (
                np.append(product.ravel(), np.ones(size)),
                (inverse, np.append(columns.ravel(), 3 * number + own)),
            ),
            (len(places), 3 * number + size),
        )
        self.diagonal = inverse[-size:]
        self._indices = (places % size).astype(np.int32)
        self._starts = np.searchsorted(places // size, np.arange(size + 1)).astype(
            np.int32
        )
        self._size = size

    def sums(self, by_effect: FloatArray, by_loss: FloatArray) -> FloatArray:
        """Return the (size,) sums of (N,) slopes."""
        sums: FloatArray = self._first @ np.concatenate([by_effect, by_loss])
        return sums

    def products(
        self,
        effects: FloatArray,
        mixed: FloatArray,
        losses: FloatArray,
        prior: FloatArray,
    ) -> csc_array:
        """Return the (size, size) sums of (N,) products of slopes, and the prior."""
        data = self._second @ np.concatenate([effects, mixed, losses, prior])
        return csc_array((data, self._indices, self._starts), (self._size, self._size))


def _tail(off: FloatArray, width: float) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return minus the log density of a Student t, its slope and its curvature.

    `width` stretches it to both sides and upwards, which leaves its center as it is.
    """
    square = (off / width) ** 2
    value = 0.5 * (FREEDOM + 1.0) * width**2 * np.log1p(square / FREEDOM)
    touching = (FREEDOM + 1.0) / (FREEDOM + square)
    bend = np.maximum((FREEDOM - square) / (FREEDOM + square), _LEAST_CURVATURE)
    return value, touching * off, touching * bend
