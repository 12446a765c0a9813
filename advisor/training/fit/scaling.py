"""Fit what several GPUs of one machine lose (`advisor.throughput.scaling` has the form).

**Model.** ln(exchange / step) is what physics gives (gradients over link and step) plus
an effect of the interconnect class, of the number of GPUs within it, of the GPU model,
the workload, the host, and the host with that number of GPUs. All but the class's are
shrunken towards zero. Those of hosts keep one odd machine from being read as a property
of its card or class; a prediction does not use them, for a rented host is new.

**Likelihood.** ln efficiency is off by a Student t with 2 degrees of freedom: most
hosts do as their links say, a few are wrong by factors, and so the effects of hosts and
workloads have the same tails. A pair weighs as one over its efficiency, as relative
errors count it.

**Shrinkage.** One scale for all effects, chosen of `SHRINKAGE` by the mean error on
GPUs that are held out of the rows at hand; the spread is estimated on rows held out
in the same way, so neither sees what an evaluation scores.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array

from advisor.base.arrays import FloatArray, IntArray, StrArray
from advisor.throughput.scaling import (
    CLASSES,
    KINDS,
    Scaling,
    efficiency,
    limit_bus,
    measured_class,
    moved_gb,
)
from advisor.throughput.spread import Z90
from advisor.throughput.threads import one_thread
from advisor.training.fit.pairs import Pairs, scaling_pairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks

NOISE = 0.047
"""Scale of the error of ln efficiency: a figure of the table repeats within 0.033
(median log-spread of the rows on several GPUs with three reports or more); a ratio has
two of them."""

FREEDOM = 2.0
"""Degrees of freedom of the tails of errors and of heavy-tailed effects."""

MAX_WEIGHT = 5.0
"""Weight of a pair whose efficiency is a fifth or less."""

SHRINKAGE = (0.3, 0.6, 1.2)
"""Scales of the effects, ln of the exchange's time, that are compared."""

INNER_FOLDS = 4
SEED = 20261125

_SHARE = (0.0, 1.5)
"""Prior mean and log-sd of ln(link / bus): the whole link, within a factor of 4.5."""

_CONTENTION = (0.3, 0.3)
"""Prior of the exponent by which the bus falls with GPUs; never below 0."""

_LOSS = (-5.0, 1.0)
"""Prior of ln(loss a doubling): 0.7 %, within a factor of 2.7."""

_GROWTHS = np.linspace(0.0, 0.2, 11)
_LONGEST = 9.0
"""ln(exchange / step) above which a trial step of the fit counts as this one."""

_SLOPES = np.linspace(0.0, 3.0, 31)
_LEAST_SPREAD = 0.005


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
    """Return kind -> effects of the pairs, `shrinkage` being the scale of all."""
    ones = np.ones(len(pairs))
    code = _class_code(pairs)
    names = np.array(CLASSES)
    count = pairs.num_gpus.astype(np.int64).astype(np.str_)
    crowded = np.char.add(np.char.add(pairs.host, "|"), count)

    def shrunken(labels: StrArray, *, heavy: bool) -> Term:
        unique, codes = np.unique(labels, return_inverse=True)
        return Term(codes, ones, unique, 0.0, shrinkage, heavy)

    doublings = np.log2(pairs.num_gpus / 2.0)
    return {
        "share": Term(code, ones, names, *_SHARE, heavy=False),
        "contention": Term(code, doublings, names, *_CONTENTION, heavy=False),
        "gpu": shrunken(pairs.gpu, heavy=False),
        "workload": shrunken(pairs.workload, heavy=True),
        "host": shrunken(pairs.host, heavy=True),
        "crowded host": shrunken(crowded, heavy=True),
    }


def _class_code(pairs: Pairs) -> IntArray:
    """Return the (N,) place of each pair's class in `CLASSES`."""
    of_class = measured_class(pairs.interconnect)
    return np.array([CLASSES.index(str(c)) for c in of_class], dtype=np.int64)


class Posterior:
    """Minus the log posterior of all effects, in standard deviations of their priors.

    Parameters
    ----------
    pairs : N pairs
    kinds : of `terms`; their coefficients come first, then ln(loss) of each class
    """

    def __init__(self, pairs: Pairs, kinds: Mapping[str, Term]) -> None:
        sizes = [len(term.names) for term in kinds.values()]
        starts = np.cumsum([0, *sizes[:-1]])
        code = np.stack([t.code + s for t, s in zip(kinds.values(), starts, strict=True)])
        factor = np.stack([t.factor for t in kinds.values()])
        of_pair = np.arange(len(pairs) + 1) * len(kinds)
        self._effects = csr_array(
            (factor.T.ravel(), code.T.ravel(), of_pair), (len(pairs), sum(sizes))
        )
        self._pairs = self._effects.T.tocsr()
        self._center = np.repeat([t.center for t in kinds.values()], sizes)
        self._scale = np.repeat([t.scale for t in kinds.values()], sizes)
        heavy = np.repeat([t.heavy for t in kinds.values()], sizes)
        self._heavy = np.append(heavy, np.zeros(len(CLASSES), dtype=bool))
        self._class = _class_code(pairs)
        self._doublings = np.log2(pairs.num_gpus)
        moved = moved_gb(pairs.num_gpus, pairs.gradient_gb)
        self._physics = np.log(moved / (pairs.link_gb_s * pairs.step_s))
        self._observed = np.log(pairs.efficiency)
        weight = np.minimum(1.0 / pairs.efficiency, MAX_WEIGHT)
        self._weight = weight / weight.mean()

    def values(self, at: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the coefficients and the losses of a place `at`."""
        many = len(self._center)
        loss = np.exp(_LOSS[0] + _LOSS[1] * at[many:])
        return self._center + self._scale * at[:many], loss

    def __call__(self, at: FloatArray) -> tuple[float, FloatArray]:
        """Return its value and its gradient at a place."""
        effect, loss_of = self.values(at)
        ratio = self._physics + self._effects @ effect
        exchange = np.exp(np.minimum(ratio, _LONGEST))
        loss = loss_of[self._class] * self._doublings
        off = self._observed + np.log1p(exchange) + np.log1p(loss)
        error, slope = _tail(off / NOISE, self._weight)
        slope /= NOISE
        by_effect = self._pairs @ (slope * exchange / (1.0 + exchange))
        by_loss = slope * loss / (1.0 + loss)
        gradient = np.concatenate(
            [
                self._scale * by_effect,
                _LOSS[1] * _sums(self._class, by_loss, len(loss_of)),
            ]
        )
        tailed, pull = _tail(np.where(self._heavy, at, 0.0))
        light = np.where(self._heavy, 0.0, at)
        return error + tailed + 0.5 * float(light @ light), gradient + pull + light


def _tail(off: FloatArray, weight: FloatArray | float = 1.0) -> tuple[float, FloatArray]:
    """Return minus the log density of a Student t, weighted, and its slope."""
    square = off * off
    value = 0.5 * (FREEDOM + 1.0) * float((weight * np.log1p(square / FREEDOM)).sum())
    return value, (FREEDOM + 1.0) * weight * off / (FREEDOM + square)


def _sums(code: IntArray, values: FloatArray, number: int) -> FloatArray:
    """Return the sum of the values of each code below `number`."""
    sums = np.bincount(code, weights=values, minlength=number)
    return sums.astype(np.float64)


def fit_effects(pairs: Pairs, shrinkage: float) -> Scaling:
    """Fit all effects; the spreads stay empty.

    Contention does not fall below zero, and the loss not above a whole step.
    """
    kinds = terms(pairs, shrinkage)
    posterior = Posterior(pairs, kinds)
    sizes = [len(term.names) for term in kinds.values()]
    low, high = np.full(sum(sizes), -np.inf), np.full(sum(sizes), np.inf)
    low[sizes[0] : sizes[0] + sizes[1]] = -_CONTENTION[0] / _CONTENTION[1]
    low = np.append(low, np.full(len(CLASSES), -np.inf))
    high = np.append(high, np.full(len(CLASSES), -_LOSS[0] / _LOSS[1]))
    start = np.zeros(len(low))
    bounds = np.column_stack([low, high])
    with one_thread():  # on vectors this short, threads
        # only wait for each other: a hundred times as long on a busy machine
        found: Any = minimize(
            posterior, start, jac=True, method="L-BFGS-B", bounds=bounds
        )
    effects, losses = posterior.values(found.x)
    parts = np.split(effects, np.cumsum(sizes)[:-1])
    value = {
        kind: dict(zip(term.names.tolist(), part.tolist(), strict=True))
        for (kind, term), part in zip(kinds.items(), parts, strict=True)
    }
    rows = _sums(_class_code(pairs), np.ones(len(pairs)), len(CLASSES))
    return Scaling(
        share={name: float(np.exp(-v)) for name, v in value["share"].items()},
        contention=value["contention"],
        loss=dict(zip(CLASSES, losses.tolist(), strict=True)),
        gpu=value["gpu"],
        workload=value["workload"],
        spread_floor={},
        spread_growth={},
        spread_slope={},
        rows=dict(zip(CLASSES, rows.tolist(), strict=True)),
    )


def predict(scaling: Scaling, pairs: Pairs) -> tuple[FloatArray, FloatArray]:
    """Return the (N,) efficiency of the pairs and its log-sd.

    The log-sd is NaN as long as the spreads are empty.
    """
    share, spread = np.empty(len(pairs)), np.empty(len(pairs))
    for name in np.unique(pairs.workload):
        here = pairs.select(rows := np.flatnonzero(pairs.workload == name))
        bus = scaling.bus_gb_s(
            here.interconnect, here.gpu, str(name), here.num_gpus, here.link_gb_s
        )
        ceiling = scaling.ceiling(here.interconnect, here.num_gpus)
        work = (here.num_gpus, here.gradient_gb, here.step_s)
        share[rows] = efficiency(*work, limit_bus(*work, bus, ceiling), ceiling)
        spread[rows] = scaling.log_sd(
            here.interconnect, here.gpu, str(name), here.num_gpus, share[rows]
        )
    return share, spread


def folds_of(pairs: Pairs, kind: str, number: int) -> IntArray:
    """Deal what `kind` (of `KINDS`) holds out into folds, return the (N,) fold."""
    labels = {
        "gpu": pairs.gpu,
        "workload": pairs.workload,
        "pair": np.char.add(np.char.add(pairs.gpu, "|"), pairs.workload),
    }[kind]
    unique, code = np.unique(labels, return_inverse=True)
    deal = np.random.default_rng(SEED).permutation(len(unique)) % number
    folds: IntArray = deal[code]
    return folds


def held_out(pairs: Pairs, folds: IntArray, shrinkage: float) -> FloatArray:
    """Return the (N,) efficiency of each pair by a fit without its fold."""
    share = np.empty(len(pairs))
    for fold in np.unique(folds):
        out = folds == fold
        scaling = fit_effects(pairs.select(~out), shrinkage)
        share[out], _ = predict(scaling, pairs.select(out))
    return share


def fit(pairs: Pairs) -> Scaling:
    """Choose the shrinkage, fit the effects and estimate the spreads."""
    folds = folds_of(pairs, "gpu", INNER_FOLDS)
    shares = {scale: held_out(pairs, folds, scale) for scale in SHRINKAGE}
    shrinkage = min(SHRINKAGE, key=lambda scale: mape(shares[scale], pairs))
    planes: dict[str, tuple[float, float, float]] = {}
    for kind in KINDS:
        share = shares[shrinkage]
        if kind != "gpu":
            share = held_out(pairs, folds_of(pairs, kind, INNER_FOLDS), shrinkage)
        planes |= {f"{kind}/{name}": p for name, p in spreads(pairs, share).items()}
    return replace(
        fit_effects(pairs, shrinkage),
        spread_floor={key: plane[0] for key, plane in planes.items()},
        spread_growth={key: plane[1] for key, plane in planes.items()},
        spread_slope={key: plane[2] for key, plane in planes.items()},
    )


def mape(share: FloatArray, pairs: Pairs) -> float:
    """Return the mean absolute error of an efficiency, relative to the measured."""
    return float(np.abs(share / pairs.efficiency - 1.0).mean())


def spreads(pairs: Pairs, share: FloatArray) -> dict[str, tuple[float, float, float]]:
    """Return class -> `quantile_plane` of the held-out predictions `share`.

    A class without pairs gets that of all.
    """
    errors = np.abs(np.log(pairs.efficiency / share))
    doublings = np.log2(pairs.num_gpus / 2.0)
    of_class = measured_class(pairs.interconnect)
    planes = {}
    for name in CLASSES:
        here = of_class == name
        rows = here if here.any() else np.ones_like(here)
        planes[name] = quantile_plane(doublings[rows], -np.log(share[rows]), errors[rows])
    return planes


def quantile_plane(
    doublings: FloatArray, loss: FloatArray, errors: FloatArray
) -> tuple[float, float, float]:
    """Return floor, growth and slope of a log-sd whose 90 % interval holds 90 %.

    The 90 % quantile of the absolute errors as a plane in `doublings` and `loss`, by
    least pinball loss (Koenker and Bassett 1978).

    Parameters
    ----------
    doublings : (N,) log2 of half the number of GPUs
    loss : (N,) minus ln of the predicted efficiency
    errors : (N,) absolute errors of ln efficiency, of predictions held out
    """
    growth, slope = np.array(list(itertools.product(_GROWTHS, _SLOPES))).T
    varying = growth[:, None] * doublings + slope[:, None] * loss
    rest = np.quantile(errors / Z90 - varying, 0.9, axis=1)
    floor = np.maximum(rest, _LEAST_SPREAD)
    over = errors - Z90 * (floor[:, None] + varying)
    best = int(np.maximum(0.9 * over, -0.1 * over).mean(axis=1).argmin())
    return float(floor[best]), float(growth[best]), float(slope[best])


def fit_scaling(
    benchmarks: Benchmarks, gpus: Mapping[str, Gpu]
) -> dict[str, dict[str, float]]:
    """Fit the scaling of several GPUs on the table.

    Returns
    -------
    the artifact's section, see `Scaling`; empty if the table has no pair
    """
    pairs = scaling_pairs(benchmarks, gpus)
    pairs = pairs.select(pairs.evaluated)
    if not len(pairs):
        return {}
    return fit(pairs).to_dict()
