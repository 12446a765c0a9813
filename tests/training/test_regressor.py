"""The estimator: what scikit-learn asks of one, and the same answers as the artifact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator
from sklearn.utils.validation import validate_data

from advisor.hardware.gpus import GpuTable
from advisor.throughput.artifact import ThroughputModel
from advisor.throughput.features import GpuFeatures, WorkloadKey
from advisor.training import ThroughputRegressor
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.row_use import RowUse
from advisor.training.fit.train import lower_bounds
from advisor.training.regressor import COLUMNS, regression_frame

CARDS = ("RTX 2080 Ti", "RTX 3090", "RTX 4090", "A100-SXM4-80GB", "T4", "L40S")


FEEDS_MATRICES = "X must be a pandas DataFrame"
"""What the estimator says to most of scikit-learn's checks, which feed matrices."""

EXCEPTIONS = {
    "check_estimator_sparse_array": "wants the word 'sparse' in the message",
    "check_estimator_sparse_matrix": "wants the word 'sparse' in the message",
    "check_estimator_sparse_tag": "wants no TypeError for a sparse matrix",
    "check_estimators_empty_data_messages": "wants a ValueError for an empty matrix",
    "check_estimators_nan_inf": "wants a ValueError for a matrix with NaN",
    "check_positive_only_tag_during_fit": "wants no TypeError for a matrix",
    "check_regressors_train": "wants a ValueError for rows that y lacks, in a matrix",
    "check_supervised_y_no_nan": "wants a ValueError for y, looked at after the matrix",
}
"""Check of scikit-learn -> why a frame-taking estimator fails it in other words."""


def benchmarks_of(numbers: np.ndarray) -> pd.DataFrame:
    """Return a frame of benchmarks, each given by one row of numbers alone."""
    first = np.clip(numbers[:, 0], -3.0, 3.0)
    place = np.floor(first).astype(np.int64) % len(CARDS)
    nets = ["net " + " ".join(f"{number:.1f}" for number in row) for row in numbers]
    return pd.DataFrame(
        {
            "gpu": np.array(CARDS)[place],
            "workload": nets,
            "family": "cnn",
            "precision": "amp",
            "framework": "pytorch",
            "series": "lambda/one",
            "source": "lambda",
            "batch_size": np.exp2(first + 5.0),
        }
    )


class OnNumbers(ThroughputRegressor):
    """The estimator behind what scikit-learn's checks feed: matrices of numbers."""

    def _frame(self, X: Any, y: Any, *, reset: bool) -> tuple[pd.DataFrame, Any]:
        if reset:
            found = validate_data(self, X, y, y_numeric=True, dtype=np.float64)
            return benchmarks_of(found[0]), found[1]
        return benchmarks_of(validate_data(self, X, reset=False)), np.empty(0)


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(OnNumbers(max_rows=20))),
    ids=lambda value: getattr(getattr(value, "func", None), "__name__", ""),
)
def test_it_behaves_as_scikit_learn_asks(
    estimator: OnNumbers, check: Callable[[OnNumbers], None]
) -> None:
    """Every check, through a frame that is made of the check's matrix: no exception."""
    check(estimator)


def test_on_matrices_it_fails_with_its_own_words_or_for_a_listed_reason() -> None:
    """Fed as they are, the checks pass, meet the message about frames, or are listed."""
    results = check_estimator(ThroughputRegressor(), on_skip=None, on_fail=None)
    failed = [one for one in results if one["status"] == "failed"]
    others = {
        one["check_name"] for one in failed if FEEDS_MATRICES not in str(one["exception"])
    }
    assert others == set(EXCEPTIONS) & {one["check_name"] for one in results}
    assert len(failed) < len(results)


@pytest.fixture(scope="module")
def learned(
    small: Benchmarks, small_row_use: RowUse, gpus: GpuTable
) -> tuple[ThroughputRegressor, pd.DataFrame, np.ndarray]:
    """Return the estimator fitted on what trains the small model, X and y."""
    training = np.flatnonzero(small_row_use.training)
    bounds = lower_bounds(small, small_row_use, gpus)
    rows = small.select(np.concatenate([training, bounds]))
    X, y = regression_frame(rows)
    is_bound = np.arange(len(rows)) >= len(training)
    return ThroughputRegressor(gpus).fit(X, y, lower_bound=is_bound), X, y


Learned = tuple[ThroughputRegressor, pd.DataFrame, np.ndarray]


def query(gpu: list[str], workload: str, family: str, precision: str) -> pd.DataFrame:
    """Return what a profile asks: no series, no source, the usual batch."""
    return pd.DataFrame(
        {
            "gpu": gpu,
            "workload": workload,
            "family": family,
            "precision": precision,
            "framework": "pytorch",
            "series": "",
            "source": "",
            "batch_size": np.nan,
        }
    )


@pytest.mark.parametrize(
    ("workload", "precision"),
    [
        ("resnet50", "amp"),
        ("resnet50", "fp32"),
        ("bert-base-squad", "amp"),
        ("maskrcnn-r50-fpn", "amp"),
    ],
)
def test_the_artifact_says_what_the_estimator_says(
    learned: Learned,
    small: Benchmarks,
    small_model: ThroughputModel,
    gpus: GpuTable,
    workload: str,
    precision: str,
) -> None:
    """Mean and spread on every card with tensor cores, read without scikit-learn.

    The artifact has numbers of single precision. Its spread is the estimator's times a
    factor; the ceiling that it has in addition is out of reach here.
    """
    family = str(small.family[small.workload == workload][0])
    names = [n for n in small_model.coverage.gpu_rows if gpus[n].fp16_tflops > 0.0]
    asked = query(names, workload, family, precision)
    mean, spread = learned[0].predict(asked, return_std=True)
    features = GpuFeatures.of([gpus[name] for name in names], precision)
    key = WorkloadKey(
        name=workload,
        family=family,
        precision=precision,
        training_gflops_per_sample=1e-6,
        framework="pytorch",
        memory_format="contiguous",
    )
    rate, log_sd = small_model.gpu.predict(features, key)
    factor = max(small_model.gpu.spread_factors[case] for case in ("gpu_seen", "own"))
    assert len(names) > 20
    assert rate == pytest.approx(mean, abs=1e-4)
    assert log_sd == pytest.approx(factor * spread, rel=1e-3)


def test_it_repeats_what_it_was_fitted_on(learned: Learned) -> None:
    """Within its noise: R2 in logarithms is high, and most errors are inside."""
    model, X, y = learned
    assert model.score(X, y) > 0.95
    mean, spread = model.predict(X, return_std=True)
    assert spread.shape == mean.shape == y.shape
    assert np.mean(np.abs(mean - y) < 1.645 * spread) > 0.9


def test_more_is_known_of_a_source_that_was_seen(learned: Learned) -> None:
    """A row of a known series is predicted more closely than one of a new set-up."""
    model, X, _ = learned
    known = model.predict(X[:50], return_std=True)[1]
    new = model.predict(X[:50].assign(series="", source=""), return_std=True)[1]
    assert np.all(known < new)


def test_a_lower_bound_pulls_up_and_never_down(learned: Learned) -> None:
    """A bound below what is expected says nothing, one above counts as measured."""
    _, X, y = learned
    few = (X["workload"] == "resnet50") & (X["precision"] == "amp")
    X, y = X[few][:60], y[few][:60]
    plain = ThroughputRegressor().fit(X, y).predict(X)
    both, flag = pd.concat([X, X[:1]]), np.arange(len(X) + 1) == len(X)
    low = ThroughputRegressor().fit(both, [*y, y[0] - 2.0], lower_bound=flag)
    high = ThroughputRegressor().fit(both, [*y, y[0] + 0.5], lower_bound=flag)
    assert low.predict(X[:1])[0] == pytest.approx(plain[0], abs=0.05)
    assert high.predict(X[:1])[0] > plain[0] + 0.05


def test_a_clone_is_new_and_keeps_its_parameters(gpus: GpuTable) -> None:
    """As model selection clones it."""
    model = ThroughputRegressor(gpus, max_rows=7)
    assert clone(model).get_params() == model.get_params()
    assert not hasattr(clone(model), "covariance_")


FRAME = query(["RTX 3090", "T4"], "resnet50", "cnn", "amp")


@pytest.mark.parametrize(
    ("frame", "y", "message"),
    [
        (FRAME.drop(columns=["series"]), [1.0, 2.0], "lacks the columns series"),
        (FRAME.assign(gpu=["T4", None]), [1.0, 2.0], "gaps in gpu"),
        (FRAME.assign(gpu=["T4", "Voodoo 2"]), [1.0, 2.0], "no table: Voodoo 2"),
        (FRAME.assign(precision="fp3"), [1.0, 2.0], "nobody knows: fp3"),
        (FRAME, [1.0], "2 rows and y 1"),
        (FRAME, [1.0, np.nan], "NaN"),
        (FRAME, None, "requires y"),
    ],
)
def test_what_is_no_benchmark_is_refused(
    frame: pd.DataFrame, y: list[float] | None, message: str
) -> None:
    """One line that names what is wrong."""
    with pytest.raises(ValueError, match=message):
        ThroughputRegressor().fit(frame, y)


@pytest.mark.parametrize("flags", [[True], [0, 1], [[True, False]]])
def test_lower_bounds_are_one_flag_a_row(flags: Any) -> None:
    """Anything else, such as places, is refused; so is a fit on bounds alone."""
    with pytest.raises(ValueError, match="2 booleans"):
        ThroughputRegressor().fit(FRAME, [1.0, 2.0], lower_bound=flags)
    with pytest.raises(ValueError, match="at least one"):
        ThroughputRegressor().fit(FRAME, [1.0, 2.0], lower_bound=[True, True])


def test_other_columns_are_not_looked_at() -> None:
    """A wider frame gives the same answers; its columns are the promised ones."""
    wide = FRAME.assign(note="by hand")
    predicted = ThroughputRegressor().fit(wide, [6.0, 5.0]).predict(wide)
    plain = ThroughputRegressor().fit(FRAME, [6.0, 5.0])
    assert predicted == pytest.approx(plain.predict(FRAME))
    assert set(plain.feature_names_in_) == set(COLUMNS)
