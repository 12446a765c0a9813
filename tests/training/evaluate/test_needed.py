"""How many measurements a card would take, by the posterior's own spread."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from advisor.base.resources import models_folder
from advisor.hardware.gpus import GpuTable
from advisor.throughput.artifact import ARTIFACT, read_model
from advisor.training.evaluate.card_known import needed_section
from advisor.training.evaluate.needed import (
    ASKED_FOR,
    ENOUGH,
    PANEL,
    Needed,
    _errors,
    measurements_needed,
)


@pytest.fixture(scope="module")
def needed(gpus: GpuTable) -> dict[str, Needed]:
    """Return what the shipped model says."""
    model = read_model(models_folder() / ARTIFACT)
    found = measurements_needed(model, gpus, ASKED_FOR)
    return {one.gpu: one for one in found}


@pytest.mark.slow
def test_a_card_with_many_rows_needs_none_and_one_with_few_needs_some(
    needed: dict[str, Needed],
) -> None:
    """The RTX 4090 has over a hundred rows, the RTX 5070 none."""
    assert needed["RTX 4090"].count == 0
    assert needed["RTX 5070"].count != 0
    assert needed["RTX 5070"].error > ENOUGH > needed["RTX 4090"].error


def test_measurements_help(needed: dict[str, Needed]) -> None:
    """After three no card is known less well; a new one is known better."""
    assert all(one.after_three <= one.error for one in needed.values())
    assert needed["RTX 5070"].after_three < needed["RTX 5070"].error


@given(
    arrays(np.float64, (PANEL, PANEL), elements=st.floats(-0.3, 0.3)),
    st.floats(1e-4, 0.1),
)
def test_no_measurement_makes_a_ratio_less_certain(
    root: np.ndarray, noise: float
) -> None:
    """Of any covariance: conditioning never raises a variance."""
    errors = _errors(root @ root.T + 1e-6 * np.eye(PANEL), noise)
    assert (np.diff(errors) <= 1e-9).all()


def test_the_card_says_it_when_the_panel_is_not_enough() -> None:
    """A number that is not known is told as a bound, never as nothing."""
    words = needed_section([Needed("RTX 1", 0, 0.2, 0.15, None)])
    assert f"more than {PANEL - 1}" in words
