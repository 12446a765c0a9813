"""Each argument has its bounds, which are its own to the last digit."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest

from advisor.base.errors import ArgumentError
from advisor.rental import arguments as check

LONGEST_S = 5 * 365 * 86400.0


@pytest.mark.parametrize(
    ("call", "good", "bad"),
    [
        (
            lambda value: check.above_zero("x", value, "dollars"),
            [1e-300, 1, 1e9, Fraction(1, 2)],
            [0, -1e-300, math.nextafter(1e9, math.inf), math.nan, math.inf, True, "1"],
        ),
        (
            lambda value: check.finite("x", value),
            [0, -1e308],
            [math.nan, -math.inf, False, None, 10**400, "0"],
        ),
        (
            lambda value: check.seconds("x", value),
            [60.0, LONGEST_S],
            [59.999, math.nextafter(LONGEST_S, math.inf), None, True],
        ),
        (
            lambda value: check.share("x", value, 0.5),
            [0.0, 0.5],
            [-1e-9, 0.5001, None, True],
        ),
        (lambda value: check.share("x", value), [1.0], [1.001]),
        (
            lambda value: check.whole("x", value, 5),
            [1, 5],
            [0, 6, True, 2.0, None, "1"],
        ),
        (lambda value: check.whole("x", value), [10**9], [10**9 + 1]),
        (lambda value: check.flag("x", value), [True, False], [None, 0, "true"]),
        (
            lambda value: check.one_of("x", value, ("a", "b")),
            ["a", "b"],
            ["c", "", None, "ab"],
        ),
        (
            lambda value: check.text("x", value),
            ["a", " a", "x" * 4096],
            ["", "  ", "x" * 4097, "a\0", None, 3],
        ),
    ],
)
def test_a_value_is_taken_within_its_bounds(
    call: Any, good: list[Any], bad: list[Any]
) -> None:
    """As plain data; what is outside is refused by its name."""
    for value in good:
        found = call(value)
        assert found == value
        assert type(found) in (float, int, bool, str)
    for value in bad:
        with pytest.raises(ArgumentError, match="expected"):
            call(value)


def test_what_may_lack_is_none() -> None:
    """Where that is said, and there alone."""
    assert check.above_zero("x", None, "dollars", may_lack=True) is None
    assert check.seconds("x", None, may_lack=True) is None
    assert check.share("x", None, may_lack=True) is None
    assert check.whole("x", None, may_lack=True) is None
    assert check.flag("x", None, may_lack=True) is None
    assert check.text("x", None, may_lack=True) is None


@pytest.mark.parametrize(
    ("call", "good", "bad"),
    [
        (
            lambda values: check.names("x", values),
            [(), ["a"], ("a", "b"), ["a"] * 1000],
            ["ab", ["a"] * 1001, [1], None, ["a\0"], {"a": 1}],
        ),
        (
            lambda values: check.counts("x", values, 3),
            [(), [1, 3], {2}],
            [[4], [0], ["1"], "1", [1.0], [True]],
        ),
        (
            lambda values: check.pairs("x", values),
            [(), [("a", 1)], [["a", 1]], [("a", 1), ("b", None)]],
            [[("a",)], [("a", 1), ("a", 1)], [("", 1)], ["ab"], [("a", 1, 2)], "ab"],
        ),
    ],
)
def test_a_list_is_taken_with_all_its_values(
    call: Any, good: list[Any], bad: list[Any]
) -> None:
    """As a tuple; each value has bounds of its own."""
    for values in good:
        assert call(values) == tuple(
            tuple(one) if isinstance(one, list) else one for one in values
        )
    for values in bad:
        with pytest.raises(ArgumentError):
            call(values)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 58, repr("x" * 58)),  # sixty characters with its quotes
        ("x" * 59, "'" + "x" * 59 + "..."),
        pytest.param(10**9000, "<int>", id="a long integer"),
    ],
)
def test_a_value_is_shown_as_far_as_it_fits(value: object, shown: str) -> None:
    """Sixty characters of it."""
    assert str(check.wrong("x", value, "it is not")) == f"x={shown}: it is not"


def test_a_text_in_the_place_of_a_list_is_told_how_it_is_meant() -> None:
    """With brackets; an amount that is too large, with the most."""
    with pytest.raises(ArgumentError, match=r"such as \['gpu'\]"):
        check.names("x", "gpu")
    with pytest.raises(ArgumentError, match="above 0 and at most 1,000,000,000 is"):
        check.above_zero("x", 1e10, "dollars")
    with pytest.raises(ArgumentError, match="above 0 is expected"):
        check.above_zero("x", -1, "dollars")
