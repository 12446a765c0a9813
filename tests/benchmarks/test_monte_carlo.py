"""The closed forms of the cost against a simulation that knows nothing of them."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

from advisor.throughput.tables import load_tables

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "monte_carlo.py"


def test_the_expected_cost_is_that_of_simulated_jobs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Twelve random jobs, on demand and bid for, cost what playing them costs."""
    # Its dataclasses look their module up by name.
    monkeypatch.setitem(sys.modules, "monte_carlo", sys.modules[__name__])
    simulation = runpy.run_path(str(SCRIPT), run_name="monte_carlo")
    random = np.random.default_rng(20_261_125)
    inside = []
    for case, usd, low, high in simulation["cases"](12, random, load_tables()):
        mean, error, all_usd = simulation["simulate"](case, random, 0.006)
        assert error <= 0.006
        assert usd == pytest.approx(mean, rel=0.03)
        inside.append(np.mean((all_usd >= low) & (all_usd <= high)))
    assert 0.86 <= np.mean(inside) <= 0.97
