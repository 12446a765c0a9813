"""Whether intervals hold as often as they say: observed against nominal coverage."""

from __future__ import annotations

from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.report.plots import STYLES, rendered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

NOMINAL = tuple(percent / 100 for percent in range(5, 100, 5))
"""Nominal coverages of the table and the plot, as fractions."""


def calibration_table(
    error: Mapping[str, FloatArray], log_sd: Mapping[str, FloatArray]
) -> dict[str, list[float]]:
    """Return split -> observed coverage at each of `NOMINAL`, as fractions.

    The interval that should hold a share p of the errors is +- log_sd times the
    standard normal deviate of (1 + p) / 2.

    Parameters
    ----------
    error : split -> (N,) ln(predicted / measured), NaN where not evaluated
    log_sd : split -> (N,) its predicted standard deviation

    Notes
    -----
    A split without an evaluated row is left out.
    """
    deviates = np.array([NormalDist().inv_cdf((1 + share) / 2) for share in NOMINAL])
    table = {}
    for split, errors in error.items():
        known = np.isfinite(errors)
        if known.any():
            scaled = np.abs(errors[known]) / log_sd[split][known]
            inside = scaled[:, None] <= deviates
            table[split] = [float(share) for share in inside.mean(axis=0)]
    return table


def calibration_plot(
    error: Mapping[str, FloatArray], log_sd: Mapping[str, FloatArray]
) -> str:
    """Return the plot of `calibration_table` as SVG, the same for the same data.

    See `advisor.report.plots`; the last digits of coordinates may differ.

    Raises
    ------
    advisor.base.errors.UsageError
        if matplotlib is not installed
    """
    table = calibration_table(error, log_sd)
    return rendered(partial(_draw, table=table), (4.8, 4.4), "svg").decode("utf-8")


def _draw(figure: Figure, table: Mapping[str, list[float]]) -> None:
    """Draw one curve a split over the diagonal of perfect calibration."""
    axes = figure.add_subplot(
        xlim=(0, 100),
        ylim=(0, 100),
        aspect="equal",
        xlabel="nominal coverage, %",
        ylabel="observed coverage, %",
    )
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.plot((0, 100), (0, 100), color="#666666", linestyle="--", label="as stated")
    nominal = 100 * np.array(NOMINAL)
    for place, (split, observed) in enumerate(table.items()):
        color, marker = STYLES[place % len(STYLES)]
        share = 100 * np.array(observed)
        axes.plot(nominal, share, color=color, marker=marker, markersize=4, label=split)
    axes.legend(loc="lower right", title="held out")
