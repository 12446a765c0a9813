"""The posterior: held out without refitting, compressed without loss, kept as NumPy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from advisor.hardware.gpus import GpuTable
from advisor.throughput.artifact import ThroughputModel, read_model, save_model
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.kernel import LABELS, SHARED_KINDS, Inputs
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.design import Design, design, log_batch, run_of
from advisor.training.fit.design import table_features as features_of
from advisor.training.fit.likelihood import Fitted, fit_covariance
from advisor.training.fit.posterior import (
    LEFT_VARIANCE,
    compress,
    held_out,
    inducing_rows,
    posterior,
)
from advisor.training.fit.row_use import RowUse
from tests.training.fit.dense import Dense

LEFT = 1e-5
"""What the inducing inputs leave of a mean: their variance is within 1e-7 of all."""

SINGLE = 1e-4
"""What single precision may move a variance by: the matrix T has entries of thousands,
and multiplies covariances of tenths."""


@pytest.fixture(scope="module")
def training(small: Benchmarks, small_row_use: RowUse) -> Benchmarks:
    """Return the training rows of the small model."""
    return small.select(np.flatnonzero(small_row_use.training))


@pytest.fixture(scope="module")
def of(training: Benchmarks, gpus: GpuTable) -> Design:
    """Return their design."""
    return design(training, gpus)


@pytest.fixture(scope="module")
def fitted(of: Design) -> Fitted:
    """Return the covariance fitted on them."""
    return fit_covariance(of, np.arange(len(of)))


@pytest.fixture(scope="module")
def rounding(of: Design, fitted: Fitted) -> float:
    """Return what solving with the covariance of all rows may lose, relative.

    N eps cond(K), as for any backward stable solution (Higham 2002, theorem 7.2); about
    4e-7 here. Which part of it is lost depends on the kernels of BLAS and LAPACK.
    """
    matrix = fitted.covariance.between(of.inputs, of.inputs, own=True)
    matrix[np.diag_indices(len(of))] += fitted.noise[of.noise_group]
    return float(len(of) * np.finfo(np.float64).eps * np.linalg.cond(matrix))


class GivenKernel(Kernel):  # type: ignore[misc]
    """scikit-learn's view of a matrix of covariances; rows are named by position."""

    def __init__(self, matrix: np.ndarray) -> None:
        self.matrix = matrix

    def __call__(self, X, Y=None, eval_gradient=False):  # noqa: N803
        """Return the covariances of the positions."""
        other = X if Y is None else Y
        return self.matrix[np.ix_(X[:, 0].astype(int), other[:, 0].astype(int))]

    def diag(self, X):  # noqa: N803
        """Return the variances of the positions."""
        return np.diag(self.matrix)[X[:, 0].astype(int)]

    def is_stationary(self) -> bool:
        """Say that it is not."""
        return False


@pytest.mark.slow
def test_the_loaded_file_equals_the_fitted_estimator(
    training: Benchmarks,
    of: Design,
    fitted: Fitted,
    rounding: float,
    gpus: GpuTable,
    small_model: ThroughputModel,
    tmp_path: Path,
) -> None:
    """NumPy's mean and variance are scikit-learn's but for rounding, for a new source."""
    rows = np.arange(len(of))
    process, names = compress(of, posterior(of, rows, fitted), fitted)
    n = len(of)
    train = fitted.covariance.between(of.inputs, of.inputs, own=True)
    asked = np.arange(0, n, 5)
    across = fitted.covariance.between(of.inputs.take(asked), of.inputs)
    among = fitted.covariance.between(of.inputs.take(asked), of.inputs.take(asked))
    matrix = np.block([[train, across.T], [across, among]])
    estimator = GaussianProcessRegressor(
        GivenKernel(matrix), alpha=fitted.noise[of.noise_group], optimizer=None
    )
    y = of.y - of.y.mean()
    estimator.fit(np.arange(n)[:, None], y)
    mean, spread = estimator.predict(n + np.arange(len(asked))[:, None], return_std=True)
    gpu = dataclasses.replace(
        small_model.gpu,
        process=process,
        labels=names,
        center=of.center,
        scale=of.scale,
        middle=of.middle,
    )
    save_model(dataclasses.replace(small_model, gpu=gpu), tmp_path / "model.npz")
    loaded = read_model(tmp_path / "model.npz").gpu
    z, effect = loaded.standardize(
        features_of(training.select(asked), gpus),
        log_batch(training, of.usual_batch)[asked],
    )
    inputs = loaded.inputs(
        z,
        effect,
        [str(name) for name in training.gpu[asked]],
        [
            (
                str(training.workload[row]),
                str(training.family[row]),
                run_of(training, row),
            )
            for row in asked
        ],
    )
    got, variance = loaded.process.posterior(inputs)
    most = LEFT + rounding * np.abs(y).max()
    assert got == pytest.approx(mean + of.y.mean(), abs=most)
    assert variance == pytest.approx(spread**2, abs=SINGLE + rounding * matrix.max())


def test_holding_out_equals_refitting(
    of: Design, fitted: Fitted, rounding: float
) -> None:
    """The block formula gives mean and covariance of a fit without the fold."""
    rows = np.arange(len(of))
    full = posterior(of, rows, fitted)
    fold = of.gpu == of.gpu[7]
    (found,) = held_out(full, of.gpu, [int(of.gpu[7])])
    inside, out = rows[~fold], rows[fold]
    without = posterior(of, inside, fitted)
    across = fitted.covariance.between(
        of.inputs.take(out), of.inputs.take(inside), own=True
    )
    among = fitted.covariance.between(
        of.inputs.take(out), of.inputs.take(out), own=True
    ) + np.diag(fitted.noise[of.noise_group[out]])
    # The mean of y is a constant that both take off: use the one of all rows.
    expected = full.mean + across @ (without.inverse @ (of.y[inside] - full.mean))
    assert np.array_equal(found.places, out)
    size = np.abs(of.y[out] - full.mean).max()
    assert found.error == pytest.approx(of.y[out] - expected, abs=rounding * size)
    spread = among - across @ without.inverse @ across.T
    assert found.covariance == pytest.approx(spread, abs=rounding * among.max())


def test_a_muted_row_trains_nothing_and_is_predicted(of: Design, fitted: Fitted) -> None:
    """With a huge noise a row moves no other, and its own error is as without it."""
    rows = np.arange(len(of))
    mute = np.where(rows == 3, 1e6, 0.0)
    wild = of.y.copy()
    wild[3] += 1.0
    muted = posterior(of, rows, fitted, extra_noise=mute)
    other = posterior(
        dataclasses.replace(of, y=wild), rows, fitted, extra_noise=mute, mean=muted.mean
    )
    (one,) = held_out(muted, rows, [9])
    (same,) = held_out(other, rows, [9])
    assert one.error == pytest.approx(same.error, abs=1e-5)
    (own,) = held_out(muted, rows, [3])
    (plain,) = held_out(posterior(of, rows, fitted), rows, [3])
    assert own.error == pytest.approx(plain.error, abs=1e-4)


def queries(of: Design) -> Inputs:
    """Return rows as a profile would ask for them, moved to GPUs of other figures.

    Every other one is of a workload, a card and a precision that the table lacks.
    """
    asked = of.inputs.take(np.arange(0, len(of), 3))
    new = np.arange(len(asked)) % 2 == 1
    labels = {
        kind: np.where(new & (kind not in ("all", "family")), -7, codes)
        for kind, codes in asked.labels.items()
        if kind in LABELS
    }
    draw = np.random.default_rng(1)
    return Inputs(
        asked.z + 0.3 * draw.normal(size=asked.z.shape), asked.batch * 1.5, labels
    )


def test_the_small_form_is_the_posterior(
    of: Design, fitted: Fitted, rounding: float
) -> None:
    """Mean, variance and covariance, seen and new, are those of the whole matrix."""
    full = posterior(of, np.arange(len(of)), fitted)
    process, names = compress(of, full, fitted)
    assert len(process.inducing) < len(of)
    assert all(list(names[kind]) == list(of.names[kind]) for kind in LABELS)
    dense = Dense(fitted.covariance, of.inputs, full)
    asked = queries(of)
    mean, variance = process.posterior(asked)
    exact_mean, exact_variance = dense.posterior(asked)
    size = np.abs(of.y - full.mean).max()
    least = SINGLE + rounding * fitted.covariance.at(asked).max()
    assert mean == pytest.approx(exact_mean, abs=1e-4 + rounding * size)
    # Numbers of single precision, whose errors grow with what they are taken from.
    assert variance == pytest.approx(exact_variance, rel=1e-4, abs=least)
    some = asked.take(np.arange(0, len(asked), 4))
    joint = process.covariance_of(some, asked)
    assert joint == pytest.approx(dense.covariance_of(some, asked), abs=least)
    assert process.mean_at(some) == pytest.approx(mean[::4])


def test_a_part_that_workloads_do_not_share_names_the_workload(of: Design) -> None:
    """Rows that agree on a label of no shared kind are of one workload."""
    labels = of.inputs.labels
    for kind in set(labels) - {*SHARED_KINDS, "gpu"}:
        workloads = {
            code: set(labels["workload"][labels[kind] == code].tolist())
            for code in np.unique(labels[kind])
        }
        assert all(len(one) == 1 for one in workloads.values()), kind


def test_few_rows_tell_all_others() -> None:
    """Of 40 rows of rank 5, five tell the rest, each once, the loudest first."""
    rows = np.random.default_rng(2).normal(size=(40, 5))
    prior = rows @ rows.T
    chosen = inducing_rows(prior)
    assert len(chosen) == len(set(chosen.tolist())) == 5
    assert chosen[0] == np.diag(prior).argmax()
    at = prior[chosen]
    left = prior - at.T @ np.linalg.solve(at[:, chosen], at)
    assert np.abs(np.diag(left)).max() < LEFT_VARIANCE


def test_the_key_of_a_profile_finds_the_labels_of_the_table(
    small_model: ThroughputModel, gpus: GpuTable
) -> None:
    """A profile of a measured workload shares its points, one of another does not."""
    card = GpuFeatures.of([gpus["RTX 3090"]], "amp")
    known = WorkloadKey("resnet50", "cnn", "amp", 24.6, framework="pytorch")
    new = WorkloadKey("", "cnn", "amp", 24.6, framework="pytorch")
    assert small_model.gpu.predict(card, known)[1] < small_model.gpu.predict(card, new)[1]
