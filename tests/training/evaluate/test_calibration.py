"""Calibration: coverage is counted right, and drawn the same every time."""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.training.evaluate.calibration import (
    NOMINAL,
    calibration_plot,
    calibration_table,
)

ERRORS = st.lists(st.floats(-2.0, 2.0), min_size=1, max_size=20).map(np.array)


@given(errors=ERRORS, sd=st.floats(0.01, 1.0))
def test_a_wider_interval_holds_no_less(errors: np.ndarray, sd: float) -> None:
    """Observed coverage lies in [0, 1] and rises with the nominal one."""
    observed = calibration_table({"gpu": errors}, {"gpu": np.full(len(errors), sd)})
    steps = np.diff([0.0, *observed["gpu"], 1.0])
    assert len(observed["gpu"]) == len(NOMINAL)
    assert np.all(steps >= 0.0)


@pytest.mark.slow
@given(errors=ERRORS, power=st.integers(-8, 8))
def test_only_the_ratio_of_error_and_spread_matters(
    errors: np.ndarray, power: int
) -> None:
    """Twice the errors at twice the spread are as well calibrated."""
    sd, factor = np.full(len(errors), 0.25), 2.0**power
    table = calibration_table({"gpu": errors}, {"gpu": sd})
    assert calibration_table({"gpu": errors * factor}, {"gpu": sd * factor}) == table


def test_normal_errors_of_the_stated_spread_are_calibrated() -> None:
    """Each nominal coverage is then observed, whatever the spread of each row."""
    generator = np.random.default_rng(1)
    sd = generator.uniform(0.05, 0.4, 20_000)
    observed = calibration_table({"gpu": generator.normal(0.0, sd)}, {"gpu": sd})
    assert observed["gpu"] == pytest.approx(NOMINAL, abs=0.015)


def test_rows_that_are_not_evaluated_do_not_count() -> None:
    """NaN errors are left out, and so is a split that has nothing else."""
    sd = {"gpu": np.array([0.1, np.nan]), "pair": np.array([np.nan])}
    error = {"gpu": np.array([0.0, np.nan]), "pair": np.array([np.nan])}
    assert calibration_table(error, sd) == {"gpu": [1.0] * len(NOMINAL)}


def test_the_plot_is_the_same_every_time_and_names_every_split() -> None:
    """It is SVG whose bytes tell the data alone: no date, no version, no settings."""
    mpl = pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    error = {"gpu": np.linspace(-1.0, 1.0, 50), "pair": np.linspace(-0.5, 0.5, 50)}
    sd = dict.fromkeys(error, np.full(50, 0.5))
    plot = calibration_plot(error, sd)
    with mpl.rc_context({"font.size": 30.0, "svg.hashsalt": None}):
        assert calibration_plot(error, sd) == plot
    words = [text.strip() for text in ET.fromstring(plot).itertext()]  # noqa: S314
    assert {"gpu", "pair", "nominal coverage, %", "observed coverage, %"} <= set(words)
    assert mpl.__version__ not in plot
    assert "date" not in plot


def test_without_matplotlib_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is one line and names the extra."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"^the plot needs matplotlib: .*\[plots\]'"):
        calibration_plot({}, {})
