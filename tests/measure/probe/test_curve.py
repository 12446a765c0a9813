"""The scaling exponent out of a curve of workers."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.measure.probe.curve import counts_up_to, exponent_of


@given(st.floats(0.2, 1.2), st.floats(1.0, 1e4), st.integers(2, 128))
def test_the_exponent_of_a_power_law_is_found(
    exponent: float, core: float, most: int
) -> None:
    """Workers whose rate is ``core * n ** exponent``."""
    per_core = {n: core * n ** (exponent - 1.0) for n in counts_up_to(most)}
    assert exponent_of(per_core) == pytest.approx(exponent)


def test_one_number_of_workers_has_no_exponent() -> None:
    """A line through one point has any slope."""
    assert exponent_of({1: 240.0}) is None
    assert exponent_of({}) is None
    assert exponent_of({2: 240.0}) is None


@given(st.integers(1, 1000))
def test_the_numbers_double_up_to_all(most: int) -> None:
    """From one worker to all of them, each at most twice the one before."""
    counts = counts_up_to(most)
    assert (counts[0], counts[-1]) == (1, most)
    assert all(a < b <= 2 * a for a, b in pairwise(counts))
