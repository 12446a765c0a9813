"""Observations by hand, and a core."""

from __future__ import annotations

import pytest

from advisor.measure.hooks.observation import Observation
from advisor.workloads.dataset import Core
from tests.measure.observations import of_pictures, of_texts


@pytest.fixture
def core() -> Core:
    """Return a core of twice the reference's speed."""
    return Core(2.0, 0.1, "a CPU")


@pytest.fixture
def pictures() -> Observation:
    """Return what is seen of a small net of pictures that trains on a CPU."""
    return of_pictures()


@pytest.fixture
def texts() -> Observation:
    """Return what is seen of a language model, gradients of two batches added up."""
    return of_texts()
