"""The covariance of the GPU model: how alike two measurements are.

ln(units/s of one GPU / baseline) of one measurement is a sum of independent Gaussian
parts. Each part has a *similarity* of the two sides (linear or smooth in what the GPU
is, the same GPU, the product of the batch effects, or 1) and a *kind* of label on which
both must agree for the part to be shared (any work, family, workload, ...).

Parts of similarity ``"one"`` are intercepts: what a workload, a framework, a memory
format, a source or a container add to every GPU alike. A profile comes from no source:
what it shares with nobody is the variance of its own configuration (`Covariance.own`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from advisor.base.arrays import FloatArray, IntArray
from advisor.throughput.features import format_label


class Part(NamedTuple):
    """One part of the covariance.

    Attributes
    ----------
    similarity : ``"linear"``, ``"smooth"``, ``"gpu"``, ``"batch"`` or ``"one"``
    kind : label that both sides must share
    start : variance that the fit starts from and shrinks to (see `fit.likelihood`)
    """

    similarity: str
    kind: str
    start: float


INTERCEPT_VARIANCE = 30.0
"""Prior variance of a workload's intercept: units differ from images to tokens, so it is
free."""

PARTS = (
    Part("linear", "all", 0.08),
    Part("linear", "family", 0.01),
    Part("linear", "workload", 0.005),
    Part("smooth", "all", 0.02),
    Part("smooth", "family", 0.006),
    Part("smooth", "workload", 0.009),
    Part("smooth", "pair", 0.01),
    Part("smooth", "precision", 0.005),
    Part("gpu", "all", 0.002),
    Part("gpu", "family", 0.001),
    Part("gpu", "workload", 0.002),
    Part("gpu", "precision", 0.001),
    Part("batch", "all", 0.3),
    Part("batch", "workload", 0.3),
    Part("one", "workload", INTERCEPT_VARIANCE),
    Part("one", "pair", 0.1),
    Part("one", "framework_workload", 0.03),
    Part("one", "format_family", 0.05),
    Part("one", "format_workload", 0.02),
)
"""Parts that a profile can share with the table."""

OWN_PARTS = (
    Part("gpu", "series", 0.001),
    Part("one", "source", 0.01),
    Part("one", "source_workload", 0.03),
    Part("one", "series", 0.01),
    Part("one", "series_workload", 0.01),
    Part("one", "comparison_group", 0.003),
)
"""Parts of a configuration's own: host, source, container; shared within the table."""

LABELS = (*dict.fromkeys(part.kind for part in PARTS), "gpu")
"""Kinds of labels that a profile has."""


SHARED_KINDS = ("all", "family", "precision", "format_family", "source", "series")
"""Kinds of labels that measurements of different workloads can have in common. Any
other one names the workload too."""

Scope = Literal["all", "shared", "local"]
"""Which parts: those of `SHARED_KINDS`, those of one workload alone, or both."""


WORKLOAD_INTERCEPTS = ("workload", "pair", "framework_workload", "format_workload")
"""Intercepts that only measurements of the workload tell."""


class Run(NamedTuple):
    """How a measurement was made, or is to be.

    Attributes
    ----------
    precision : see `advisor.workloads.profile.Precision`; empty where unknown
    framework : such as ``"pytorch"``
    memory_format : ``"channels-last"``, ``"contiguous"`` or ``"n/a"``
    """

    precision: str
    framework: str
    memory_format: str


@dataclass(frozen=True, slots=True)
class Inputs:
    """N measurements (or queries) as the covariance sees them.

    Attributes
    ----------
    z : (N, D) standardized features of the GPU
    batch : (N,) see `advisor.throughput.features.batch_effect`
    labels : kind -> (N,) codes; equal codes are equal labels
    """

    z: FloatArray
    batch: FloatArray
    labels: Mapping[str, IntArray]

    def __len__(self) -> int:
        return len(self.batch)

    def take(self, rows: IntArray) -> Inputs:
        """Return the inputs of `rows`."""
        labels = {kind: codes[rows] for kind, codes in self.labels.items()}
        return Inputs(self.z[rows], self.batch[rows], labels)


@dataclass(frozen=True, slots=True)
class Covariance:
    """The fitted covariance.

    Attributes
    ----------
    variances : (P,) variance of each of `PARTS`
    own_variances : (O,) variance of each of `OWN_PARTS`
    lengths : (D,) length scales of the smooth parts, in standard deviations
    """

    variances: FloatArray
    own_variances: FloatArray
    lengths: FloatArray

    @property
    def own(self) -> float:
        """Variance of what a configuration shares with no other."""
        return float(self.own_variances.sum())

    def between(
        self,
        a: Inputs,
        b: Inputs,
        *,
        own: bool = False,
        intercepts: bool = True,
        scope: Scope = "all",
    ) -> FloatArray:
        """Return the (N, M) covariance of `a` and `b`.

        Parameters
        ----------
        a, b : inputs of N and M rows
        own : with `OWN_PARTS`, for which both need their labels
        intercepts : with the intercepts
        scope : which parts
        """
        parts = list(zip(PARTS, self.variances, strict=True))
        if not intercepts:
            parts = [(part, v) for part, v in parts if part.similarity != "one"]
        if own:
            parts += zip(OWN_PARTS, self.own_variances, strict=True)
        if scope != "all":
            wanted = scope == "shared"
            parts = [one for one in parts if (one[0].kind in SHARED_KINDS) is wanted]
        by_similarity: dict[str, list[tuple[Part, float]]] = {}
        for part, variance in parts:
            by_similarity.setdefault(part.similarity, []).append((part, variance))
        total = np.zeros((len(a), len(b)))
        for similarity, several in by_similarity.items():
            weight, place = _weights(several, a, b)
            total += weight[place] * similarities(similarity, a, b, self.lengths)
        return total

    def at(self, a: Inputs) -> FloatArray:
        """Return the (N,) variances of `a`, without `OWN_PARTS`."""
        linear = (a.z**2).mean(axis=1)
        factor = {"linear": linear, "batch": a.batch**2}
        total = np.zeros(len(a))
        for part, variance in zip(PARTS, self.variances, strict=True):
            total += variance * factor.get(part.similarity, 1.0)
        return total


def _weights(
    parts: Sequence[tuple[Part, float]], a: Inputs, b: Inputs
) -> tuple[FloatArray, IntArray]:
    """Return what a similarity is multiplied with, and which row each of `a` has.

    Queries and the rows of one workload have few distinct labels of the kinds that a
    similarity asks for: (L, M) weights of L of them, and the (N,) places of `a`.
    """
    labels = np.stack([a.labels[kind] for kind in {part.kind: 0 for part, _ in parts}])
    _, first, place = np.unique(labels, axis=1, return_index=True, return_inverse=True)
    weight = np.zeros((len(first), len(b)))
    for part, variance in parts:
        codes = a.labels[part.kind][first]
        weight += variance * (codes[:, None] == b.labels[part.kind][None, :])
    return weight, place.reshape(-1)


def same(a: Inputs, b: Inputs, kind: str) -> np.ndarray:
    """Return (N, M) whether both have the same label of a kind."""
    equal: np.ndarray = a.labels[kind][:, None] == b.labels[kind][None, :]
    return equal


def similarities(
    similarity: str, a: Inputs, b: Inputs, lengths: FloatArray
) -> FloatArray | float:
    """Return the (N, M) similarities of one sort, at most 1 but for the linear ones."""
    if similarity == "linear":
        linear: FloatArray = a.z @ b.z.T / a.z.shape[1]
        return linear
    if similarity == "smooth":
        return rbf(a.z / lengths, b.z / lengths)
    if similarity == "batch":
        return np.outer(a.batch, b.batch)
    if similarity == "gpu":
        return same(a, b, "gpu").astype(np.float64)
    return 1.0


def rbf(a: FloatArray, b: FloatArray) -> FloatArray:
    """Return exp(-d^2 / 2), (N, M), d the distance of rows of `a` and of `b`."""
    squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    kernel: FloatArray = np.exp(-0.5 * np.maximum(squares, 0.0))
    return kernel


def workload_intercept_variance(covariance: Covariance) -> float:
    """Return the prior variance of the intercepts that only measurements tell."""
    return float(
        sum(
            variance
            for part, variance in zip(PARTS, covariance.variances, strict=True)
            if part.similarity == "one" and part.kind in WORKLOAD_INTERCEPTS
        )
    )


def profile_labels(name: str, family: str, run: Run, gpu: str) -> dict[str, str]:
    """Return kind -> label of one run, for `advisor.throughput.kernel.PARTS`."""
    memory = format_label(run.memory_format, family, run.precision)
    return {
        "all": "",
        "family": family,
        "workload": name,
        "pair": f"{name}|{run.precision}",
        "precision": run.precision,
        "framework_workload": f"{run.framework}|{name}",
        "format_family": f"{memory}|{family}",
        "format_workload": f"{memory}|{name}",
        "gpu": gpu,
    }
