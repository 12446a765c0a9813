"""Summaries of errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from advisor.base.arrays import BoolArray, FloatArray, StrArray
from advisor.throughput.spread import Z90


@dataclass(frozen=True, slots=True)
class Compared:
    """What was predicted of rows that were held out, beside what was measured.

    Attributes
    ----------
    unit : of what was measured
    measured : (N,)
    error : (N,) ln(predicted / measured), finite
    """

    unit: str
    measured: FloatArray
    error: FloatArray

    @classmethod
    def of(cls, unit: str, measured: FloatArray, error: FloatArray) -> Self:
        """Take the rows that were evaluated: those whose error is finite."""
        known = np.isfinite(error)
        return cls(unit, measured[known], error[known])

    @property
    def predicted(self) -> FloatArray:
        """(N,) what was predicted."""
        found: FloatArray = self.measured * np.exp(self.error)
        return found


def metrics(error: FloatArray, spread: FloatArray | None = None) -> dict[str, float]:
    """Return the summary of errors; NaN entries are not evaluated.

    Parameters
    ----------
    error : (N,) ln(predicted / measured); the absolute percentage error of a
        prediction is abs(exp(error) - 1)
    spread : (N,) log-sd of the prediction; None leaves the coverage out

    Returns
    -------
    ``mape``, ``median_ape``, ``p90_ape``, ``coverage90`` as fractions, and ``n``
    """
    known = np.isfinite(error)
    if not known.any():
        return {"n": 0}
    ape = np.abs(np.expm1(error[known]))
    result = {
        "mape": float(ape.mean()),
        "median_ape": float(np.median(ape)),
        "p90_ape": float(np.quantile(ape, 0.9)),
        "n": int(known.sum()),
    }
    if spread is not None:
        result["coverage90"] = float(covered(error, spread)[known].mean())
    return result


def covered(error: FloatArray, spread: FloatArray) -> BoolArray:
    """Return (N,) whether the 90 % interval holds the measurement."""
    inside: BoolArray = np.abs(error) <= Z90 * spread
    return inside


def grouped(
    names: StrArray, error: FloatArray, spread: FloatArray
) -> dict[str, dict[str, float]]:
    """Return name -> summary of the rows of that name that were evaluated."""
    rows = pd.Series(names[known := np.isfinite(error)])
    return {
        str(name): metrics(error[known][places], spread[known][places])
        for name, places in rows.groupby(rows).indices.items()
    }
