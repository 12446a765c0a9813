"""Fit what several GPUs of one machine lose (`advisor.throughput.scaling` has the form).

`advisor.training.fit.scaling_posterior` has the model and the likelihood,
`advisor.training.fit.newton` finds the place of their maximum.

**Shrinkage.** One scale for all effects, chosen of `SHRINKAGE` by the mean error on
GPUs that are held out of the rows at hand; the spread is estimated on rows held out
in the same way, so neither sees what an evaluation scores.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.scaling import (
    CLASSES,
    KINDS,
    Scaling,
    efficiency,
    limit_bus,
    measured_class,
)
from advisor.throughput.spread import Z90, Spread
from advisor.throughput.threads import one_thread
from advisor.training.fit.newton import minimum
from advisor.training.fit.pairs import Pairs, scaling_pairs
from advisor.training.fit.scaling_posterior import Posterior, class_code, terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from advisor.hardware.gpus import Gpu
    from advisor.training.fit.benchmarks import Benchmarks

SHRINKAGE = (0.3, 0.6, 1.2)
"""Scales of the effects, ln of the exchange's time, that are compared."""

INNER_FOLDS = 4
SEED = 20261125

_GROWTHS = np.linspace(0.0, 0.2, 11)
_SLOPES = np.linspace(0.0, 3.0, 31)
_LEAST_SPREAD = 0.005
_LEAST_RISE = 0.1

_TAIL = 0.05
"""Share of the errors that a 90 % interval leaves to either side."""


def fit_effects(pairs: Pairs, shrinkage: float) -> Scaling:
    """Fit all effects; the spreads stay empty.

    Contention does not fall below zero, and the loss not above a whole step.
    """
    kinds = terms(pairs, shrinkage)
    posterior = Posterior(pairs, kinds)
    with one_thread():  # on vectors this short, threads
        # only wait for each other: a hundred times as long on a busy machine
        effects, losses = posterior.values(minimum(posterior))
    ends = np.cumsum([len(term.names) for term in kinds.values()])
    value = {
        kind: dict(zip(term.names.tolist(), part.tolist(), strict=True))
        for (kind, term), part in zip(
            kinds.items(), np.split(effects, ends[:-1]), strict=True
        )
    }
    rows = np.bincount(class_code(pairs), minlength=len(CLASSES))
    return Scaling(
        share={name: float(np.exp(-v)) for name, v in value["share"].items()},
        contention=value["contention"],
        loss=dict(zip(CLASSES, losses.tolist(), strict=True)),
        gpu=value["gpu"],
        workload=value["workload"],
        spread_floor={},
        spread_growth={},
        spread_slope={},
        spread_rise={},
        rows=dict(zip(CLASSES, rows.astype(np.float64).tolist(), strict=True)),
    )


def predict(scaling: Scaling, pairs: Pairs) -> tuple[FloatArray, Spread]:
    """Return the (N,) efficiency of the pairs and its spread.

    The spread is NaN as long as those of the fit are empty.
    """
    holds = scaling.of(pairs.interconnect, pairs.gpu, pairs.workload)
    bus = holds.bus_gb_s(pairs.num_gpus, pairs.link_gb_s)
    ceiling = holds.ceiling(pairs.num_gpus)
    work = (pairs.num_gpus, pairs.gradient_gb, pairs.step_s)
    share = efficiency(*work, limit_bus(*work, bus, ceiling), ceiling)
    return share, holds.log_sd(pairs.num_gpus, share)


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
    planes: dict[str, Plane] = {}
    for kind in KINDS:
        share = shares[shrinkage]
        if kind != "gpu":
            share = held_out(pairs, folds_of(pairs, kind, INNER_FOLDS), shrinkage)
        planes |= {f"{kind}/{name}": p for name, p in spreads(pairs, share).items()}
    return replace(
        fit_effects(pairs, shrinkage),
        spread_floor={key: plane.floor for key, plane in planes.items()},
        spread_growth={key: plane.growth for key, plane in planes.items()},
        spread_slope={key: plane.slope for key, plane in planes.items()},
        spread_rise={key: plane.rise for key, plane in planes.items()},
    )


def mape(share: FloatArray, pairs: Pairs) -> float:
    """Return the mean absolute error of an efficiency, relative to the measured."""
    return float(np.abs(share / pairs.efficiency - 1.0).mean())


def spreads(pairs: Pairs, share: FloatArray) -> dict[str, Plane]:
    """Return class -> `quantile_plane` of the held-out predictions `share`.

    A class without pairs gets that of all.
    """
    errors = np.log(pairs.efficiency / share)
    doublings = np.log2(pairs.num_gpus / 2.0)
    of_class = measured_class(pairs.interconnect)
    planes = {}
    for name in CLASSES:
        here = of_class == name
        rows = here if here.any() else np.ones_like(here)
        planes[name] = quantile_plane(doublings[rows], -np.log(share[rows]), errors[rows])
    return planes


class Plane(NamedTuple):
    """A log-sd downwards, as a plane, and what that upwards is of it."""

    floor: float
    growth: float
    slope: float
    rise: float


def quantile_plane(doublings: FloatArray, loss: FloatArray, errors: FloatArray) -> Plane:
    """Return the log-sd whose 90 % interval leaves 5 % of the errors to either side.

    Downwards the 5 % quantile as a plane in `doublings` and `loss`, by least pinball loss
    (Koenker and Bassett 1978); upwards a share of it.

    Parameters
    ----------
    doublings : (N,) log2 of half the number of GPUs
    loss : (N,) minus ln of the predicted efficiency
    errors : (N,) ln of measured over predicted efficiency, of predictions held out
    """
    growth, slope = np.array(list(itertools.product(_GROWTHS, _SLOPES))).T
    varying = growth[:, None] * doublings + slope[:, None] * loss
    rest = np.quantile(-errors / Z90 - varying, 1.0 - _TAIL, axis=1)
    floor = np.maximum(rest, _LEAST_SPREAD)
    over = -errors - Z90 * (floor[:, None] + varying)
    best = int(np.maximum((1.0 - _TAIL) * over, -_TAIL * over).mean(axis=1).argmin())
    fall = floor[best] + varying[best]
    rise = max(float(np.quantile(errors / (Z90 * fall), 1.0 - _TAIL)), _LEAST_RISE)
    return Plane(float(floor[best]), float(growth[best]), float(slope[best]), rise)


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
