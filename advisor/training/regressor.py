"""The regression of one GPU's throughput, as scikit-learn's users expect one.

`ThroughputRegressor` is what `advisor.training.fit.train` trains; what ships is its
artifact (`advisor.throughput.gpu_model`), which NumPy alone reads, and which adds what is
no regression: intercepts of workloads that nobody measured, the ceiling of the data
sheet, the factor on the spread. A test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.validation import check_is_fitted, validate_data

from advisor.base.arrays import BoolArray, FloatArray
from advisor.base.progress import Progress, doing, quiet
from advisor.hardware.gpus import Gpu, load_gpus
from advisor.throughput.features import (
    batch_effect,
    feature_matrix,
    log_baseline,
    standardized,
)
from advisor.throughput.kernel import OWN_PARTS, PARTS, Inputs
from advisor.training.fit.benchmarks import Benchmarks
from advisor.training.fit.bounds import with_binding_bounds
from advisor.training.fit.design import (
    NOISE_GROUPS,
    design,
    label_texts,
    log_batch,
    noise_group,
    table_features,
)
from advisor.training.fit.likelihood import MAX_ROWS, fit_covariance
from advisor.workloads.profile import PRECISIONS

TEXTS = ("gpu", "workload", "family", "precision", "framework", "series", "source")
"""Columns of text that a frame must have, none of them with gaps."""

COLUMNS = (*TEXTS, "batch_size")
"""Columns that a frame must have; see `ThroughputRegressor.fit`."""

USUAL_NOISE = "lambda"
"""Group whose noise a user's run is given: the largest one measured with care."""

_KINDS = tuple(dict.fromkeys(part.kind for part in (*PARTS, *OWN_PARTS)))


class ThroughputRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gaussian-process regression of ln(units/s of one GPU) over benchmarks.

    What is learned is the logarithm of the ratio to a physical baseline, sqrt(matrix
    rate x memory bandwidth) of the GPU at the precision; the covariance is that of
    `advisor.throughput.kernel`, its parameters those of most posterior probability.

    Parameters
    ----------
    gpus : canonical name -> GPU; None: the GPU table that ships with the project
    max_rows : rows that the covariance is fitted on, whole comparison groups drawn at
        random (always the same ones), since that cost grows with the cube; mean and
        spread use all rows

    Attributes
    ----------
    covariance_ : `advisor.throughput.kernel.Covariance`, fitted
    noise_ : (G,) variance of the error of one row, of each of `NOISE_GROUPS`
    design_ : `advisor.training.fit.design.Design` of the training rows
    fitted_ : `covariance_` and `noise_` together
    posterior_ : `advisor.training.fit.posterior.Posterior` of the rows that count
    gpus_ : canonical name -> GPU
    n_features_in_, feature_names_in_ : of the frame

    Notes
    -----
    The target is a logarithm, so that the standard deviation that `predict` returns is
    in the target's unit: 0.1 is about 10 % of the throughput. For plain throughputs wrap
    it in `sklearn.compose.TransformedTargetRegressor` with ``func=np.log`` and
    ``inverse_func=np.exp``.

    References
    ----------
    Rasmussen and Williams 2006, Gaussian Processes for Machine Learning, eq. 2.25 and
    2.26 (prediction) and 5.9 (gradient of the marginal likelihood).

    Examples
    --------
    Two cards ran ResNet-50; how fast is one between them?

    >>> import numpy as np, pandas as pd
    >>> rows = pd.DataFrame(
    ...     {
    ...         "gpu": ["RTX 3090", "RTX 4090", "RTX 2080 Ti"],
    ...         "workload": "resnet50",
    ...         "family": "cnn",
    ...         "precision": "amp",
    ...         "framework": "pytorch",
    ...         "series": "lambda/one",
    ...         "source": "lambda",
    ...         "batch_size": 64.0,
    ...     }
    ... )
    >>> model = ThroughputRegressor().fit(rows, np.log([880.0, 1350.0, 560.0]))
    >>> rate, spread = model.predict(rows.assign(gpu="RTX 3080"), return_std=True)
    >>> bool(560 < np.exp(rate[0]) < 880)
    True
    """

    def __init__(
        self, gpus: Mapping[str, Gpu] | None = None, max_rows: int = MAX_ROWS
    ) -> None:
        self.gpus = gpus
        self.max_rows = max_rows

    def fit(
        self,
        X: pd.DataFrame,
        y: npt.ArrayLike,
        lower_bound: npt.ArrayLike | None = None,
        progress: Progress = quiet,
    ) -> Self:
        """Fit the covariance, then the posterior.

        Parameters
        ----------
        X : N benchmarks of one GPU each, with the columns

            - ``gpu``: canonical name, as in the GPU table;
            - ``workload``, ``family``: the net, and what kind of net it is;
            - ``precision``: of the matrix products; empty where unknown;
            - ``framework``: such as ``"pytorch"``; empty where unknown;
            - ``series``: the comparable set that the row is of (see
              `advisor.training.fit.benchmarks`), which also tells the memory format;
            - ``source``: repository of the figures, from which series share an intercept;
            - ``batch_size``: samples per GPU per step, NaN where unknown.

            Others are not looked at.
        y : (N,) ln(units/s of the GPU)
        lower_bound : (N,) whether something other than the GPU limited the row, so that
            the GPU is at least as fast; None: nothing did
        progress : is told how far the fit has come

        Raises
        ------
        ValueError
            if `X` is no such frame, or a GPU's rates are unknown
        """
        frame, y = self._frame(X, y, reset=True)
        bound = _flags(lower_bound, len(frame))
        self.gpus_ = load_gpus() if self.gpus is None else self.gpus
        of = design(self._rows(frame), self.gpus_)
        # `design` has taken the rate of each row, 1, for its throughput.
        self.design_ = replace(of, y=of.y + y)
        training = np.flatnonzero(~bound)
        if not len(training):
            message = "every row is a lower bound: at least one must be a measurement"
            raise ValueError(message)
        self.fitted_ = fit_covariance(self.design_, training, self.max_rows, progress)
        self.covariance_, self.noise_ = self.fitted_.covariance, self.fitted_.noise
        with doing(progress, "conditioning on the measurements"):
            self.posterior_ = with_binding_bounds(self.design_, training, self.fitted_)
        return self

    def predict(
        self, X: pd.DataFrame, return_std: bool = False
    ) -> FloatArray | tuple[FloatArray, FloatArray]:
        """Return ln(units/s of one GPU) of N benchmarks, and how far off it may be.

        Parameters
        ----------
        X : as in `fit`. A series or source that no training row has, such as an empty
            one, is a new one: its own intercept is part of the spread
        return_std : whether the spread is asked for

        Returns
        -------
        (N,) mean, and with `return_std` (N,) standard deviation of a measurement about
        it, its noise included
        """
        check_is_fitted(self)
        frame, _ = self._frame(X, None, reset=False)
        rows = self._rows(frame)
        inputs = self._inputs(rows)
        known = self.design_.inputs.take(self.posterior_.rows)
        shared = self.covariance_.between(inputs, known, own=True)
        baseline = log_baseline(table_features(rows, self.gpus_))
        mean = baseline + self.posterior_.mean + shared @ self.posterior_.weights
        if not return_std:
            return mean
        explained = np.einsum("ij,ij->i", shared @ self.posterior_.inverse, shared)
        variance = self.covariance_.at(inputs) + self.covariance_.own - explained
        return mean, np.sqrt(np.maximum(variance, 0.0) + self._noise(rows))

    def _frame(
        self, X: Any, y: Any, *, reset: bool
    ) -> tuple[pd.DataFrame, npt.NDArray[Any]]:
        """Return the frame and the target, checked (see `fit`)."""
        if not isinstance(X, pd.DataFrame):
            message = (
                f"X must be a pandas DataFrame with the columns {', '.join(COLUMNS)}; "
                f"it is a {type(X).__name__}"
            )
            raise TypeError(message)
        if missing := [name for name in COLUMNS if name not in X.columns]:
            message = f"X lacks the columns {', '.join(missing)}"
            raise ValueError(message)
        validate_data(self, X, reset=reset, skip_check_array=True)
        if gaps := [name for name in TEXTS if X[name].isna().any()]:
            message = f"X has gaps in {', '.join(gaps)}: write an empty text for unknown"
            raise ValueError(message)
        return X, _target(y, len(X)) if reset else np.empty(0)

    def _rows(self, frame: pd.DataFrame) -> Benchmarks:
        """Return the rows as the benchmark table has them, each at a rate of 1."""
        rows = Benchmarks.from_frame(
            frame[list(COLUMNS)].assign(throughput=1.0, num_gpus=1)
        )
        if odd := sorted(set(rows.precision.tolist()) - {"", *PRECISIONS}):
            message = f"X has precisions that nobody knows: {', '.join(odd)}"
            raise ValueError(message)
        baseline = log_baseline(table_features(rows, self.gpus_))
        if unknown := sorted(set(rows.gpu[~np.isfinite(baseline)].tolist())):
            message = f"X has GPUs whose rates are in no table: {', '.join(unknown)}"
            raise ValueError(message)
        return rows

    def _inputs(self, rows: Benchmarks) -> Inputs:
        """Return rows as the covariance sees them, labels in the codes of training."""
        of, features = self.design_, table_features(rows, self.gpus_)
        effect = batch_effect(
            log_batch(rows, of.usual_batch), log_baseline(features) - of.middle
        )
        texts = label_texts(rows)
        labels = {kind: _codes(of.names[kind], texts[kind]) for kind in (*_KINDS, "gpu")}
        z = standardized(feature_matrix(features), of.center, of.scale)
        return Inputs(z, effect, labels)

    def _noise(self, rows: Benchmarks) -> FloatArray:
        """Return the (N,) variance of the error of one measurement."""
        usual = list(NOISE_GROUPS).index(USUAL_NOISE)
        group = [noise_group(name) if name else usual for name in rows.series.tolist()]
        noise: FloatArray = self.noise_[np.array(group, dtype=np.int64)]
        return noise


def _codes(known: Iterable[str], texts: Iterable[str]) -> npt.NDArray[np.int64]:
    """Return the codes of labels; equal ones that training lacks share one below zero."""
    codes = {text: code for code, text in enumerate(known)}
    return np.array([codes.setdefault(t, -1 - len(codes)) for t in texts], dtype=np.int64)


def _target(y: Any, count: int) -> FloatArray:
    """Return the target as N finite numbers."""
    if y is None:
        message = "ThroughputRegressor requires y to be passed, but the target y is None"
        raise ValueError(message)
    target: FloatArray = check_array(
        column_or_1d(y, warn=True), ensure_2d=False, dtype=np.float64, input_name="y"
    )
    if len(target) != count:
        message = f"X has {count:,} rows and y {len(target):,}: they must be as many"
        raise ValueError(message)
    return target


def _flags(values: npt.ArrayLike | None, count: int) -> BoolArray:
    """Return N flags; None: none is set."""
    flags = np.zeros(count, dtype=bool) if values is None else np.asarray(values)
    if flags.shape != (count,) or flags.dtype != bool:
        message = f"lower_bound must be {count:,} booleans, one per row of X"
        raise ValueError(message)
    return flags


def regression_frame(rows: Benchmarks) -> tuple[pd.DataFrame, FloatArray]:
    """Return rows of the benchmark table as `ThroughputRegressor` takes them: X and y."""
    return rows.frame()[list(COLUMNS)], np.log(rows.throughput / rows.num_gpus)
