"""The covariance: a covariance indeed, and what its pieces mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.throughput.kernel import LABELS, OWN_PARTS, PARTS, Covariance, Inputs

KINDS = {*LABELS, *(part.kind for part in OWN_PARTS)}
FEATURES = 3


def inputs(seed: int, n: int) -> Inputs:
    """Return made-up inputs with a few labels of each kind."""
    draw = np.random.default_rng(seed)
    labels = {kind: draw.integers(0, 3, n) for kind in sorted(KINDS)}
    labels["all"] = np.zeros(n, dtype=np.int64)
    return Inputs(draw.normal(size=(n, FEATURES)), -draw.random(n), labels)


def covariance(seed: int) -> Covariance:
    """Return one with made-up variances and lengths."""
    draw = np.random.default_rng(seed)
    return Covariance(
        draw.random(len(PARTS)), draw.random(len(OWN_PARTS)), 0.5 + draw.random(FEATURES)
    )


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 25))
def test_it_is_a_covariance(seed: int, n: int) -> None:
    """Symmetric, with no negative eigenvalue, whatever the variances."""
    points, of = inputs(seed, n), covariance(seed + 1)
    matrix = of.between(points, points, own=True)
    assert matrix == pytest.approx(matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > -1e-9 * matrix.max()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_the_variance_is_the_diagonal(seed: int) -> None:
    """`at` says what `between` has on its diagonal; the own parts add a constant."""
    points, of = inputs(seed, 8), covariance(seed + 1)
    assert of.at(points) == pytest.approx(np.diag(of.between(points, points)))
    whole = np.diag(of.between(points, points, own=True))
    assert whole - of.at(points) == pytest.approx(of.own)


def test_without_intercepts_only_the_response_is_shared() -> None:
    """Without intercepts two rows share nothing but the response of their GPUs."""
    points, of = inputs(1, 6), covariance(2)
    difference = of.between(points, points) - of.between(points, points, intercepts=False)
    expected = np.zeros((6, 6))
    for part, variance in zip(PARTS, of.variances, strict=True):
        if part.similarity == "one":
            codes = points.labels[part.kind]
            expected += variance * (codes[:, None] == codes[None, :])
    assert difference == pytest.approx(expected)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.booleans())
def test_what_workloads_share_and_what_they_do_not_is_all(seed: int, own: bool) -> None:
    """The two scopes add up to the whole covariance."""
    points, of = inputs(seed, 9), covariance(seed + 1)
    shared = of.between(points, points, own=own, scope="shared")
    local = of.between(points, points, own=own, scope="local")
    assert shared + local == pytest.approx(of.between(points, points, own=own))


def test_rows_that_share_no_label_are_independent() -> None:
    """Two rows with no label in common have nothing to tell each other."""
    one, other = inputs(1, 1), inputs(1, 1)
    far = {kind: codes + 10 for kind, codes in other.labels.items()}
    apart = Inputs(other.z, other.batch, far)
    assert covariance(3).between(one, apart, own=True)[0, 0] == 0.0
