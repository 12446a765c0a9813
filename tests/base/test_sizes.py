"""Numbers of bytes as people read them."""

from __future__ import annotations

import pytest

from advisor.base.sizes import size_in_words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (1_000_000, "1 MB"),
        (1_234_567_890, "1.23 GB"),
    ],
)
def test_a_size_is_told_in_three_digits(size: int, words: str) -> None:
    """Decimal, as rsync and the market count."""
    assert size_in_words(size) == words
