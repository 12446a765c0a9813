"""How many measurements a card would take until its ratio to others is known well.

The posterior says it without a measurement being made: the variance of a Gaussian process
does not depend on what is measured, only on what of (Rasmussen and Williams 2006,
eq. 2.24). Asked for is ln of a card's rate over that of the card with the most rows, for
each workload of a panel in turn, given measurements of other workloads of the panel on
the card.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.throughput.features import GpuFeatures
from advisor.throughput.kernel import Inputs, Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from advisor.hardware.gpus import Gpu
    from advisor.throughput.artifact import ThroughputModel
    from advisor.throughput.gpu_model import GpuModel

PANEL = 8
"""Workloads of the panel: those with the most rows in mixed precision."""

ENOUGH = 0.08
"""Mean error of the ratio that is well known."""

ASKED_FOR = (
    "RTX 3060",
    "RTX 3090",
    "RTX 4060 Ti",
    "RTX 4070",
    "RTX 4070 Super",
    "RTX 4070 Ti",
    "RTX 4070 Ti Super",
    "RTX 4080",
    "RTX 4090",
    "RTX 5060 Ti",
    "RTX 5070",
    "RTX 5070 Ti",
    "RTX 5080",
    "RTX 5090",
    "RTX PRO 6000 Blackwell",
    "L40S",
    "A100-SXM4-80GB",
    "H100-SXM5-80GB",
    "B200-SXM-180GB",
)
"""Cards of whom the model card tells it: those that people rent."""

_RUN = Run("amp", "pytorch", "contiguous")


@dataclass(frozen=True, slots=True)
class Needed:
    """What is known of one card, and what it would take.

    Attributes
    ----------
    gpu : canonical name
    rows : measurements behind the model
    error : expected mean error of its ratio in a workload that it was not measured in
    after_three : the same after three measurements of other workloads
    count : measurements until it is at most `ENOUGH`; None: more than the panel has
    """

    gpu: str
    rows: int
    error: float
    after_three: float
    count: int | None


def measurements_needed(
    model: ThroughputModel, gpus: Mapping[str, Gpu], cards: Sequence[str]
) -> list[Needed]:
    """Return what each card would take; `cards` are names of `gpus`."""
    rows = model.coverage.gpu_rows
    beside = max(rows, key=lambda name: rows[name])
    found = []
    for card in cards:
        errors = _errors(
            _ratio_covariance(model.gpu, gpus, card, beside), model.gpu.noise
        )
        enough = np.flatnonzero(errors <= ENOUGH)
        found.append(
            Needed(
                card,
                rows.get(card, 0),
                float(errors[0]),
                float(errors[3]),
                int(enough[0]) if len(enough) else None,
            )
        )
    return found


def _ratio_covariance(
    model: GpuModel, gpus: Mapping[str, Gpu], card: str, beside: str
) -> FloatArray:
    """Return the (P, P) covariance of ln ratios of two cards on the panel."""
    ones = _inputs(model, gpus, card), _inputs(model, gpus, beside)
    (own, cross), (_, other) = (
        tuple(model.process.covariance_of(a, b) for b in ones) for a in ones
    )
    joint: FloatArray = own + other - cross - cross.T
    return joint


def _inputs(model: GpuModel, gpus: Mapping[str, Gpu], card: str) -> Inputs:
    """Return the panel on one card."""
    panel = _panel(model)
    features = GpuFeatures.of([gpus[card]] * len(panel), _RUN.precision)
    z, batch = model.standardize(features, np.zeros(len(panel)))
    work = [(name, model.families[name], _RUN) for name in panel]
    return model.inputs(z, batch, [card] * len(panel), work)


def _panel(model: GpuModel) -> list[str]:
    """Return the `PANEL` workloads with the most rows in mixed precision."""
    pairs = model.labels["pair"]
    names = [pairs[code] for code in model.process.rows.labels["pair"]]
    counts = Counter(n.removesuffix("|amp") for n in names if n.endswith("|amp"))
    return [name for name, _ in counts.most_common(PANEL)]


def _errors(covariance: FloatArray, noise: float) -> FloatArray:
    """Return (P,) expected mean errors after 0 to P - 1 measurements.

    Of each workload in turn, given those after it around the panel. The mean absolute
    value of a normal variable is sqrt(2 / pi) of its standard deviation.
    """
    size = len(covariance)
    errors = np.empty((size, size))
    for asked in range(size):
        others = (asked + 1 + np.arange(size - 1)) % size
        for count in range(size):
            given = others[:count]
            among = covariance[np.ix_(given, given)] + noise * np.eye(count)
            cross = covariance[given, asked]
            left = covariance[asked, asked] - cross @ np.linalg.solve(among, cross)
            errors[asked, count] = math.sqrt(2.0 / math.pi * max(left, 0.0))
    mean: FloatArray = errors.mean(axis=0)
    return mean
