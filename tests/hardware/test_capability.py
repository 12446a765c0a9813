"""Which cards compiled code runs on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.base.errors import UsageError
from advisor.hardware.capability import Architectures

CARDS = st.sampled_from([5.0, 6.1, 7.0, 7.5, 8.0, 8.6, 8.9, 9.0, 10.0, 10.3, 12.0, 12.1])


def runs(archs: str, card: float) -> bool:
    return bool(Architectures.parse(archs).run_on(np.array([card]))[0])


@pytest.mark.parametrize(
    ("archs", "card", "expected"),
    [
        ("5.0;6.0;7.0;7.5;8.0;8.6;9.0", 12.0, False),  # a Blackwell card, CUDA 12.6
        ("5.0;6.0;7.0;7.5;8.0;8.6;9.0", 8.9, True),  # Ada runs Ampere's code
        ("5.0;6.0;7.0;7.5;8.0;8.6;9.0", 6.1, True),
        ("7.5;8.0;8.6;9.0;10.0;12.0", 7.0, False),  # nothing older than it is built for
        ("7.5;8.0;8.6;9.0;10.0;12.0", 10.3, True),
        ("7.5;8.0;8.6;9.0;10.0;12.0", 11.0, False),
        ("8.0", 8.6, True),
        ("8.6", 8.0, False),
        ("9.0+PTX", 12.0, True),  # compiled on the card
        ("9.0;PTX", 12.0, True),
        ("9.0+PTX", 8.9, False),
        ("9.0a", 9.0, True),
        ("12.0a", 12.1, False),  # of one architecture: no other card
        ("10.0a+PTX", 12.0, False),  # nor as PTX
        ("10.0a;PTX", 10.3, False),
        ("10.0f", 10.3, True),  # of one family
        ("10.3f", 10.0, False),
        ("10.0f+PTX", 12.0, False),
        ("8.0+PTX;12.0a;PTX", 12.1, True),  # of the plain code before it
        ("8.0, 8.6  9.0", 9.0, True),
    ],
)
def test_the_rule_of_binary_and_ptx_code(archs: str, card: float, expected: bool) -> None:
    """Code runs on cards of its major number from its minor one on, PTX on later ones."""
    assert runs(archs, card) is expected


def test_compiled_code_is_not_ptx() -> None:
    """What is compiled on the card only is no binary for it."""
    archs = Architectures.parse("8.0;9.0+PTX;12.1a")
    cards = np.array([8.6, 9.0, 12.0, 12.1, np.nan])
    assert archs.compiled_for(cards).tolist() == [True, True, False, True, False]
    assert archs.run_on(cards).tolist() == [True, True, True, True, False]


def test_an_unknown_card_runs_nothing_for_sure() -> None:
    """NaN is no capability."""
    assert not runs("5.0+PTX", float("nan"))


@given(CARDS, st.sets(CARDS, min_size=1))
def test_a_build_for_a_card_runs_on_it(card: float, others: set[float]) -> None:
    """Whatever else a build has code for."""
    assert runs(";".join(f"{one:.1f}" for one in {card, *others}), card)


@given(st.sets(CARDS, min_size=1))
def test_what_is_printed_is_read_back(cards: set[float]) -> None:
    """As PyTorch writes it."""
    text = ";".join(f"{one:.1f}" for one in sorted(cards)) + "+PTX"
    for archs in map(Architectures.parse, (text, f"{text};9.0a;12.0f;12.0a")):
        assert Architectures.parse(str(archs)) == archs


@pytest.mark.parametrize(
    "text", ["", "  ", "eight", "8", "8.6+", "8.6+sass", "PTX", "8.66", "9.0b"]
)
def test_what_is_no_list_is_an_error(text: str) -> None:
    """In one line that shows what a list looks like."""
    with pytest.raises(UsageError, match="compute capabilities") as caught:
        Architectures.parse(text, "image_archs")
    assert "\n" not in str(caught.value)
