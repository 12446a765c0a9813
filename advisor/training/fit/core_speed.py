"""What decode rates say of the speed of a core: exponent, weight, spreads.

A Gaussian model of ln rate, solved in closed form: an intercept for each library and
unit; what its protocol and its version add; the CPU, exponent x (weighted scores), with
the two constants under their priors; what the CPU does beside that, whose spread is
the ladder's; and what is left of a row. The rows of a CPU that was held out are
predicted by the other CPUs alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from advisor.base.arrays import BoolArray, FloatArray, IntArray, StrArray
from advisor.hardware.core_speed import REFERENCE_SCORE
from advisor.training.fit.constants import CORE_SPEED

if TYPE_CHECKING:
    from advisor.hardware.cpus import CpuTable
    from advisor.training.fit.cpu_tables import DecodeRates

RUNGS = ("passmark", "geekbench6", "microarchitecture")
"""What a named CPU's score may rest on, see `advisor.hardware.cpus.Cpu`."""

# Log-sd of an intercept before anything is known: wider than libraries differ.
_INTERCEPT_LOG_SD = 3.0

# Where the spreads start, as natural logarithms: a factor on the ladder's spreads, the
# log-sd of a row, of a protocol, and of a library's version or protocol. Each is known
# to within a factor of about 1.5 (log-sd 0.4) before the fit, an assumption.
_START = np.log([1.0, 0.06, 0.1, 0.05])
_START_LOG_SD = 0.4


@dataclass(frozen=True, slots=True)
class SpeedRows:
    """What the model sees of N decode rates.

    Attributes
    ----------
    log_rate : natural logarithm of the rate, shape (N,)
    scores : ln(score / 2100) of the CPU's own score and of its class, shape (N, 2);
        the class score stands in for one's own where that rests on it
    prior_log_sd : of the speed by what the score rests on, before the fit, shape (N,)
    cpu, intercept, protocol, series : codes of what rows share, shape (N,) each
    """

    log_rate: FloatArray
    scores: FloatArray
    prior_log_sd: FloatArray
    cpu: IntArray
    intercept: IntArray
    protocol: IntArray
    series: IntArray


@dataclass(frozen=True, slots=True)
class ScorePrior:
    """Mean and covariance of what the two log scores are multiplied with."""

    mean: FloatArray
    covariance: FloatArray

    @classmethod
    def usual(cls) -> ScorePrior:
        """Return the prior of exponent e and weight w: ``(e w, e (1 - w))``."""
        exponent, weight = (CORE_SPEED[n] for n in ("score_exponent", "score_weight"))
        e, w = float(exponent["value"]), float(weight["value"])
        # Linear in the errors of e and w.
        slope = np.array([[w, e], [1.0 - w, -e]])
        variance = np.diag([float(exponent["sd"]) ** 2, float(weight["sd"]) ** 2])
        return cls(np.array([e * w, e * (1.0 - w)]), slope @ variance @ slope.T)

    @classmethod
    def fixed(cls, own: float, of_class: float) -> ScorePrior:
        """Return a prior that no data move, for baselines."""
        return cls(np.array([own, of_class]), np.zeros((2, 2)))


def speed_rows(rates: DecodeRates, cpus: CpuTable) -> SpeedRows:
    """Return what the model sees of decode rates whose CPUs are in the table."""
    models = [cpus.resolve(str(name)) for name in rates.cpu]
    known = [model for model in models if model is not None]
    if len(known) < len(models):
        missing = sorted({str(n) for n in rates.cpu if cpus.resolve(str(n)) is None})
        message = f"decode rates of CPUs that are in no table: {missing}"
        raise ValueError(message)
    own = np.array([cpu.single_thread_score for cpu in known])
    of_class = np.array([cpu.class_score for cpu in known])
    scores = np.stack([own, np.where(np.isnan(of_class), own, of_class)], axis=1)
    spreads = [float(CORE_SPEED[f"{cpu.score_basis}_log_sd"]["value"]) for cpu in known]
    library = np.char.add(rates.unit, np.char.add("|", rates.library))
    build = np.char.add(library, np.char.add("|", rates.version))
    return SpeedRows(
        log_rate=np.log(rates.rate),
        scores=np.log(scores / REFERENCE_SCORE),
        prior_log_sd=np.array(spreads),
        cpu=_codes(rates.cpu),
        intercept=_codes(library),
        protocol=_codes(rates.protocol),
        series=_codes(np.char.add(build, np.char.add("|", rates.protocol))),
    )


@dataclass(frozen=True, slots=True)
class SpeedFit:
    """The constants that decode rates give.

    Attributes
    ----------
    score_exponent, score_exponent_sd, score_weight, score_weight_sd : fitted values
        and their standard deviations
    spread_factor : what the prior spreads of the ladder are multiplied with
    row_log_sd, protocol_log_sd, series_log_sd : spreads of the rates themselves
    """

    score_exponent: float
    score_exponent_sd: float
    score_weight: float
    score_weight_sd: float
    spread_factor: float
    row_log_sd: float
    protocol_log_sd: float
    series_log_sd: float


def fit_core_speed(rows: SpeedRows) -> SpeedFit:
    """Fit exponent, weight and spreads, with the starting values as priors."""
    prior = ScorePrior.usual()
    spreads = fit_spreads(rows, prior)
    covariance = _covariance(rows, prior, spreads)
    left = rows.log_rate - rows.scores @ prior.mean
    centered = left - left.mean()
    cross = rows.scores @ prior.covariance
    gain = np.linalg.solve(covariance, cross).T
    coefficients = prior.mean + gain @ centered
    posterior = prior.covariance - gain @ cross
    exponent = float(coefficients.sum())
    weight = float(coefficients[0]) / exponent
    slope = np.array([1.0 - weight, -weight]) / exponent
    factor, row, protocol, series = (float(v) for v in np.exp(spreads))
    return SpeedFit(
        score_exponent=exponent,
        score_exponent_sd=float(np.sqrt(posterior.sum())),
        score_weight=float(np.clip(weight, 0.0, 1.0)),
        score_weight_sd=float(np.sqrt(slope @ posterior @ slope)),
        spread_factor=factor,
        row_log_sd=row,
        protocol_log_sd=protocol,
        series_log_sd=series,
    )


def fit_spreads(rows: SpeedRows, prior: ScorePrior) -> FloatArray:
    """Return the logarithms of the four spreads of most posterior probability."""
    left = rows.log_rate - rows.scores @ prior.mean
    centered = left - left.mean()

    def loss(logs: FloatArray) -> float:
        covariance = _covariance(rows, prior, logs)
        fit = centered @ np.linalg.solve(covariance, centered)
        _, size = np.linalg.slogdet(covariance)
        unusual = np.sum(((logs - _START) / _START_LOG_SD) ** 2)
        return float(0.5 * (fit + size + unusual))

    best: FloatArray = minimize(loss, _START, method="L-BFGS-B").x
    return best


def predict_held_out(
    rows: SpeedRows, held_out: BoolArray, prior: ScorePrior
) -> tuple[FloatArray, FloatArray]:
    """Predict the rows that were held out from the others, spreads fitted on these.

    Returns
    -------
    error, log_sd : ln(predicted / measured) and the standard deviation of the
        prediction, shape (held out,); NaN where no other row has the library
    """
    inside = ~held_out
    spreads = fit_spreads(_take(rows, inside), prior)
    covariance = _covariance(rows, prior, spreads)
    left = rows.log_rate - rows.scores @ prior.mean
    center = left[inside].mean()
    weights = np.linalg.solve(
        covariance[np.ix_(inside, inside)], covariance[np.ix_(inside, held_out)]
    )
    mean = center + weights.T @ (left[inside] - center)
    explained = np.sum(weights * covariance[np.ix_(inside, held_out)], axis=0)
    log_sd = np.sqrt(np.diag(covariance)[held_out] - explained)
    known = np.isin(rows.intercept[held_out], rows.intercept[inside])
    error = mean - left[held_out]
    return np.where(known, error, np.nan), np.where(known, log_sd, np.nan)


def _covariance(
    rows: SpeedRows, prior: ScorePrior, log_spreads: FloatArray
) -> FloatArray:
    """Return the (N, N) covariance of ln rate."""
    factor, row, protocol, series = np.exp(log_spreads)
    speed = factor * rows.prior_log_sd
    covariance: FloatArray = (
        _INTERCEPT_LOG_SD**2 * _same(rows.intercept)
        + protocol**2 * _same(rows.protocol)
        + series**2 * _same(rows.series)
        + rows.scores @ prior.covariance @ rows.scores.T
        + np.outer(speed, speed) * _same(rows.cpu)
        + row**2 * np.eye(len(rows.log_rate))
    )
    return covariance


def _same(codes: IntArray) -> FloatArray:
    shared: FloatArray = (codes[:, None] == codes[None, :]).astype(np.float64)
    return shared


def _codes(names: StrArray) -> IntArray:
    codes: IntArray = np.unique(names, return_inverse=True)[1]
    return codes


def _take(rows: SpeedRows, mask: BoolArray) -> SpeedRows:
    return SpeedRows(**{n: getattr(rows, n)[mask] for n in SpeedRows.__slots__})
