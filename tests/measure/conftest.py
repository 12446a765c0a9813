"""What offers of a day are ranked for, once for all tests."""

from __future__ import annotations

import pytest

import advisor
from advisor.ranking.ranking import Ranking
from tests.measure.rented import ranked


@pytest.fixture(scope="session")
def long() -> Ranking:
    """Return offers for days of training that the card bounds."""
    return ranked("bert-base", epochs=60)


@pytest.fixture(scope="session")
def pictures() -> Ranking:
    """Return offers for hours of training that takes many pictures."""
    return ranked("resnet50", epochs=90)


@pytest.fixture(scope="session")
def every() -> Ranking:
    """Return the same on all cards of the day."""
    return advisor.rank("resnet50", market="sample", epochs=90)
