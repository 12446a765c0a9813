"""How a test of the suite fails: in words that say what to change, and no traceback."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice

import pytest

from advisor.base.errors import AdvisorError
from advisor.market.conformance import rules

_SHOWN = 5
_LONGEST_MESSAGE = 1000


def refuse(complaints: Iterable[str]) -> None:
    """Fail a test with the first of its complaints, if there are any."""
    found = iter(complaints)
    shown = list(islice(found, _SHOWN))
    more = sum(1 for _ in found)
    if shown:
        rest = [f"... and {more} more"] if more else []
        pytest.fail("\n".join([*shown, *rest]), pytrace=False)


def need(holds: bool, complaint: str) -> None:
    """Fail a test unless something holds."""
    refuse([] if holds else [complaint])


def fails_with(
    call: Callable[[], object], expected: type[AdvisorError], when: str
) -> AdvisorError:
    """Return the error that a call ends in, which must be of this kind, and one line."""
    name = expected.__name__
    try:
        result = call()
    except expected as error:
        message = str(error)
        need(
            rules.is_line(message) and len(message) <= _LONGEST_MESSAGE,
            f"with {when} the message is not one line for people: {message!r}",
        )
        return error
    except Exception as error:
        text = f"with {when} it raises {type(error).__name__} ({error}), no {name}"
        raise AssertionError(f"{text} of advisor.base.errors") from error
    pytest.fail(f"with {when} it returns {result!r:.200}, and must raise {name}")
