"""Flags of an offer in words."""

from advisor.report.flags import FLAG_WORDS, flags_in_words


def test_a_known_flag_is_told_in_words() -> None:
    """What has words is told by them."""
    assert flags_in_words(["cpu_unknown", "start_doubtful"]) == (
        "CPU unknown, may fail to run"
    )


def test_a_flag_without_words_is_told_without_its_underscores() -> None:
    """A flag that no table spells out is readable all the same."""
    assert "batch_fitted" not in FLAG_WORDS
    assert flags_in_words(["batch_fitted"]) == "batch fitted"


def test_no_flags_are_no_words() -> None:
    """An offer without a flag is told nothing."""
    assert flags_in_words([]) == ""
