"""The rules of a contribution hold for what ships, and for what was contributed."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from advisor.app.context import Context
from advisor.app.contribution import Name, shipped
from advisor.app.contribution_check import check_table
from advisor.base.resources import models_folder

CONTRIBUTED = sorted(models_folder().glob("contributed/*/*.csv"))

MIXTURES = 3
"""Rows of mixtures of experts whose operations are counted of all experts."""


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context({"ADVISOR_DATA_DIR": str(tmp_path)}, tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("name", "odd"), [("benchmarks", MIXTURES), ("cpu_decode", 0), ("matmul", 0)]
)
def test_the_rules_refuse_no_row_that_ships_but_as_there_already(
    context: Context, name: Name, odd: int
) -> None:
    """Bounds that real measurements break are no bounds."""
    found = check_table(context, shipped(name))
    already = f"{shipped(name).name} has this measurement already"
    words = Counter(one.words for one in found.problems)
    assert words.pop(already) + words.pop("it is line", 0) <= found.rows
    beyond = [one for one in words if one.endswith("at most")]
    assert sum(words[one] for one in beyond) == odd
    assert set(words) == set(beyond)


@pytest.mark.parametrize("path", CONTRIBUTED, ids=lambda path: str(path.parent.name))
def test_what_was_contributed_can_be_taken(context: Context, path: Path) -> None:
    """As `advisor records check` says."""
    assert check_table(context, path).problems == ()
