"""The plot of a ranking: its axes hold what matters, and are marked at round figures."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.report.plots import need
from advisor.report.scatter import Axis, letters
from advisor.throughput.limits import LIMITS

FIGURES = st.just(0.0) | st.floats(1e-6, 1e6)
VALUES = st.lists(FIGURES, min_size=1, max_size=30).map(np.array)


@given(values=VALUES, place=st.integers(0, 29))
def test_an_axis_holds_what_it_must_and_most_of_the_rest(
    values: np.ndarray, place: int
) -> None:
    """The least too, and half of all; equal values are no line of no length."""
    must = np.zeros(len(values), dtype=bool)
    must[place % len(values)] = True
    axis = Axis.of("$", values, must)
    low, high = axis.ends
    assert low < high
    assert axis.holds(values)[must].all()
    assert axis.holds(values)[values.argmin()]
    assert axis.holds(values).sum() >= len(values) // 2


@given(values=VALUES, most=st.integers(2, 12))
def test_ticks_lie_on_the_axis(values: np.ndarray, most: int) -> None:
    """In their order, where their figures belong."""
    pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")
    axis = Axis.of("$", values, values == values.min())
    low, high = axis.ends
    ticks = axis.ticks(most)
    assert all(low <= tick <= high for tick in ticks)
    assert np.all(np.diff(axis.at(np.array(ticks))) > 0.0)


def test_what_is_far_out_is_off_the_axis_and_a_decade_never_is() -> None:
    """Ninety-nine offers side by side are told apart beside one that is far away."""
    near = np.linspace(1.0, 2.0, 99)
    values = np.append(near, 9.9), np.append(near, 1000.0)
    nothing = np.zeros(100, dtype=bool)
    nothing[0] = True
    holds_near, holds_far = (Axis.of("$", one, nothing) for one in values)
    assert holds_near.holds(values[0]).all()
    assert holds_far.holds(values[1]).sum() == 99


def test_an_axis_is_logarithmic_where_its_range_asks_for_it() -> None:
    """Beyond one decade, and never with a value of nothing."""
    ranges = {(1.0, 9.0): False, (1.0, 90.0): True, (0.0, 90.0): False}
    for ends, is_log in ranges.items():
        values = np.array(ends)
        assert Axis.of("$", values, values > 0.0).is_log is is_log


def test_each_limit_has_a_letter_of_its_own() -> None:
    """One of its name, so that a limit that is added gets one."""
    found = letters()
    assert list(found) == [limit.name for limit in LIMITS]
    assert len(set(found.values())) == len(LIMITS)
    assert all(letter in name for name, letter in found.items())


def test_a_missing_library_is_one_line_that_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before anything is computed."""
    monkeypatch.setitem(sys.modules, "plotext", None)
    with pytest.raises(
        UsageError, match=r"^--plot needs plotext: pip install '\.\[plots"
    ):
        need("plotext", "--plot")
