"""A ranking that is wider than its terminal does without columns, and says which."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

Advisor = Callable[..., Any]
RANK = ("rank", "resnet50", "--market", "sample", "--top", "4")


WIDTHS = ("80", "100", "120", "200")
IN_ORDER = (
    *("#", "offer", "GPU", "$/epoch", "time/epoch", "$/h", "bound by", "CPU"),
    *("threads", "interval", "notes"),
)
"""Columns that matter, what is missed most first."""


@pytest.mark.parametrize("width", WIDTHS)
def test_the_table_fits_the_terminal(advisor: Advisor, width: str) -> None:
    """No line is longer; what is missing is named, and is what matters least."""
    outcome = advisor(*RANK, variables={"COLUMNS": width})
    lines = (outcome.stdout + outcome.stderr).splitlines()
    assert max(map(len, lines)) <= int(width)
    head = outcome.stdout.splitlines()[0]
    shown = [name for name in IN_ORDER if name in head.replace("time/epoch", "")]
    shown += ["time/epoch"] * ("time/epoch" in head)
    told = " ".join(outcome.stderr.split())
    missing = [name for name in IN_ORDER if name not in shown]
    assert missing == list(IN_ORDER[len(IN_ORDER) - len(missing) :])
    assert ("too wide for this terminal: " in told) == bool(missing) or width == "120"
    assert all(f"{name}," in told or f"{name};" in told for name in missing)


@pytest.mark.parametrize("variables", [{}, {"COLUMNS": "500"}, {"COLUMNS": "no number"}])
def test_a_table_with_room_has_every_column(
    advisor: Advisor, variables: dict[str, str]
) -> None:
    """In a pipe, too, whose reader may want any of them."""
    outcome = advisor(*RANK, variables=variables)
    assert "CPU" in outcome.stdout.splitlines()[0]
    assert "notes" in outcome.stdout.splitlines()[0]
    assert "too wide" not in outcome.stderr


def test_other_formats_are_as_wide_as_they_are(advisor: Advisor) -> None:
    """Programs read them."""
    narrow, wide = (
        advisor(*RANK, "--format", "csv", variables=variables).stdout
        for variables in ({"COLUMNS": "40"}, {})
    )
    assert narrow == wide
    assert len(next(csv.reader(narrow.splitlines()))) > 50


@pytest.mark.parametrize(
    "words",
    [
        ("bid", "23122054", "resnet50", "--market", "sample"),
    ],
    ids=lambda words: words[0],
)
def test_text_is_wrapped_and_nothing_is_cut(
    advisor: Advisor, words: tuple[str, ...]
) -> None:
    """Within 100 columns, on stdout and stderr, the same words as without a limit."""
    narrow, wide = (
        advisor(*words, variables=variables) for variables in ({"COLUMNS": "100"}, {})
    )
    lines = (narrow.stdout + narrow.stderr).splitlines()
    assert max(map(len, lines)) <= 100
    heads = {"value", "unit", "source"}  # of a table that has no room
    words_of = (
        Counter(
            word
            for word in f"{one.stdout} {one.stderr}".split()
            if word not in heads and set(word) != {"-"}
        )
        for one in (narrow, wide)
    )
    assert next(words_of) == next(words_of)
