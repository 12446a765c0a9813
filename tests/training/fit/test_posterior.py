"""The posterior: held out without refitting, compressed without loss, kept as NumPy."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import Kernel

from advisor.hardware.gpus import GpuTable
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.throughput.gpu_model import GpuModel
from advisor.throughput.gpu_store import load_gpu_model, save_model
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.cells import Cells
from advisor.training.fit.design import Design, design, log_batch, run_of
from advisor.training.fit.design import table_features as features_of
from advisor.training.fit.likelihood import Fitted, fit_covariance
from advisor.training.fit.posterior import compress, held_out, posterior


@pytest.fixture(scope="module")
def taught(small: Benchmarks, small_cells: Cells) -> Benchmarks:
    """Return the rows that teach the small model."""
    return small.select(np.flatnonzero(small_cells.taught))


@pytest.fixture(scope="module")
def of(taught: Benchmarks, gpus: GpuTable) -> Design:
    """Return their design."""
    return design(taught, gpus)


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


def test_the_loaded_file_equals_the_fitted_estimator(
    taught: Benchmarks,
    of: Design,
    fitted: Fitted,
    rounding: float,
    gpus: GpuTable,
    tmp_path: Path,
) -> None:
    """NumPy's mean and variance are scikit-learn's but for rounding, for a new source."""
    rows = np.arange(len(of))
    kept = compress(of, posterior(of, rows, fitted))
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
    model = model_of(kept, of, fitted, taught)
    save_model(model, tmp_path / "model.npz")
    loaded = load_gpu_model(tmp_path / "model.npz")
    z, effect = loaded.standardize(
        features_of(taught.select(asked), gpus),
        log_batch(taught, of.usual_batch)[asked],
    )
    inputs = loaded.inputs(
        z,
        effect,
        [str(name) for name in taught.gpu[asked]],
        [
            (str(taught.workload[row]), str(taught.family[row]), run_of(taught, row))
            for row in asked
        ],
    )
    got, variance, _ = loaded.posterior(inputs)
    assert got == pytest.approx(mean + of.y.mean(), abs=rounding * np.abs(y).max())
    assert variance == pytest.approx(spread**2, abs=rounding * np.diag(matrix).max())


def model_of(kept, of: Design, fitted: Fitted, taught: Benchmarks) -> GpuModel:
    """Return a model of a posterior, everything else empty."""
    diagonal = np.diag(np.diag(kept.inverse)) / 2.0
    kinds = kept.points.labels
    return GpuModel(
        covariance=fitted.covariance,
        points=kept.points,
        half_inverse=np.triu(kept.inverse) - diagonal,
        weights=kept.weights,
        mean=kept.mean,
        centre=of.centre,
        scale=of.scale,
        middle=of.middle,
        labels={kind: of.names[kind] for kind in kinds},
        noise=0.0,
        usual_batch=of.usual_batch,
        families={},
        anchors={},
        family_levels={"": 0.0},
        family_slope=-1.0,
        family_spreads={"": 0.0},
        spread_factors={"gpu_seen": 1.0, "gpu_new": 1.0, "own": 1.0},
        unknown_log_sd=0.0,
        best_utilisation=1.0,
        workload_rows={},
        gpu_rows={},
        workload_gpus={},
        workload_series={},
        scaling={},
        cpu={},
        dlperf={},
        about={},
    )


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


def test_a_muted_row_teaches_nothing_and_is_predicted(of: Design, fitted: Fitted) -> None:
    """With a huge noise a row moves no other, and its own error is as without it."""
    rows = np.arange(len(of))
    mute = np.where(rows == 3, 1e6, 0.0)
    wild = of.y.copy()
    wild[3] += 1.0
    told = posterior(of, rows, fitted, extra_noise=mute)
    other = posterior(
        dataclasses.replace(of, y=wild), rows, fitted, extra_noise=mute, mean=told.mean
    )
    (one,) = held_out(told, rows, [9])
    (same,) = held_out(other, rows, [9])
    assert one.error == pytest.approx(same.error, abs=1e-5)
    (own,) = held_out(told, rows, [3])
    (plain,) = held_out(posterior(of, rows, fitted), rows, [3])
    assert own.error == pytest.approx(plain.error, abs=1e-4)


def test_compressing_keeps_every_query(
    of: Design, fitted: Fitted, rounding: float
) -> None:
    """Summed over rows that no profile tells apart, nothing is lost."""
    rows = np.arange(len(of))
    full = posterior(of, rows, fitted)
    kept = compress(of, full)
    assert len(kept.weights) < len(rows)
    shared = fitted.covariance.between(of.inputs, of.inputs)
    few = fitted.covariance.between(of.inputs, kept.points)
    size = np.abs(of.y - full.mean).max()
    assert few @ kept.weights == pytest.approx(shared @ full.weights, abs=rounding * size)
    explained = np.einsum("ij,ij->i", few @ kept.inverse, few)
    expected = np.einsum("ij,ij->i", shared @ full.inverse, shared)
    assert explained == pytest.approx(expected, abs=rounding * shared.max())


def test_the_key_of_a_profile_finds_the_labels_of_the_table(
    small_model: GpuModel, gpus: GpuTable
) -> None:
    """A profile of a measured workload shares its points, one of another does not."""
    card = GpuFeatures.of([gpus["RTX 3090"]], "amp")
    known = WorkloadKey("resnet50", "cnn", "amp", 24.6, framework="pytorch")
    new = WorkloadKey("", "cnn", "amp", 24.6, framework="pytorch")
    assert small_model.predict(card, known)[1] < small_model.predict(card, new)[1]
