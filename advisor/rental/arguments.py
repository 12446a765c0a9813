"""What may be asked for: each argument is checked once, whichever face it comes from.

Each check returns the value as plain data (a number of any library as Python's own, a
list as a tuple), or raises `ArgumentError` with the argument's name. None, which stands
for an argument that was not given, is right only where it `may_lack`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Collection, Sequence
from difflib import get_close_matches

from advisor.base.errors import ArgumentError, Given
from advisor.base.units import SECONDS_PER_DAY

SHORTEST_S = 60.0
"""A shorter lifetime, wait or silence is over before a machine has started; an
assumption: it is also what a launcher that beats each quarter of it can keep."""

LONGEST_LIFETIME_S = 5 * 365 * SECONDS_PER_DAY
"""Longer than any market's offer stands; a label holds no moment after 2106."""

LARGEST = 1e9
"""More dollars, gigabytes or epochs are a slip of the keyboard."""

_LONGEST_TEXT = 4096
_MOST_VALUES = 1000
_SHOWN = 60


def above_zero(
    name: str, value: object, unit: str, *, may_lack: bool = False
) -> float | None:
    """Return a finite number above zero."""
    if value is None and may_lack:
        return None
    number = _finite(value)
    if number is None or not 0.0 < number <= LARGEST:
        most = f" and at most {LARGEST:,.0f}" if number and number > LARGEST else ""
        raise wrong(name, value, f"a number of {unit} above 0{most} is expected")
    return number


def finite(name: str, value: object) -> float:
    """Return a finite number."""
    number = _finite(value)
    if number is None:
        raise wrong(name, value, "a finite number is expected")
    return number


def seconds(name: str, value: object, *, may_lack: bool = False) -> float | None:
    """Return a time that a rental can have."""
    if value is None and may_lack:
        return None
    number = _finite(value)
    if number is None or not SHORTEST_S <= number <= LONGEST_LIFETIME_S:
        expected = (
            f"a time from {SHORTEST_S:.0f} seconds to "
            f"{LONGEST_LIFETIME_S / SECONDS_PER_DAY:,.0f} days is expected"
        )
        raise wrong(name, value, expected)
    return number


def share(
    name: str, value: object, most: float = 1.0, *, may_lack: bool = False
) -> float | None:
    """Return a number from 0 to `most`."""
    if value is None and may_lack:
        return None
    number = _finite(value)
    if number is None or not 0.0 <= number <= most:
        raise wrong(name, value, f"a number from 0 to {most:g} is expected")
    return number


def whole(
    name: str, value: object, most: int = int(LARGEST), *, may_lack: bool = False
) -> int | None:
    """Return a whole number from 1 on."""
    if value is None and may_lack:
        return None
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not (is_whole and 1 <= value <= most):  # type: ignore[operator]
        raise wrong(name, value, f"a whole number from 1 to {most:,} is expected")
    return int(value)  # type: ignore[call-overload, no-any-return]


def flag(name: str, value: object, *, may_lack: bool = False) -> bool | None:
    """Return a truth."""
    if not (isinstance(value, bool) or (value is None and may_lack)):
        raise wrong(name, value, "true or false is expected")
    return value


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    """Return a word that is known."""
    if not isinstance(value, str) or value not in known:
        raise wrong(name, value, f"one of {', '.join(known)} is expected")
    return value


def text(name: str, value: object, *, may_lack: bool = False) -> str | None:
    """Return a text that says something."""
    if value is None and may_lack:
        return None
    if not (isinstance(value, str) and value.strip()):
        raise wrong(name, value, "a text is expected")
    return _short(name, value)


def names(name: str, values: object) -> tuple[str, ...]:
    """Return a list of texts; one text alone is none."""
    meant = f", such as [{_shown(values)}]" if isinstance(values, str) else ""
    expected = f"a list of texts is expected{meant}"
    found = []
    for value in _list(name, values, expected):
        if not isinstance(value, str):
            raise wrong(name, values, expected)
        found.append(_short(name, value))
    return tuple(found)


def counts(name: str, values: object, most: int) -> tuple[int, ...]:
    """Return a list of whole numbers from 1 on."""
    expected = "a list of whole numbers is expected, such as [1, 2]"
    found = _list(name, values, expected)
    if not all(isinstance(value, numbers.Integral) for value in found):
        raise wrong(name, values, expected)
    return tuple(whole(name, value, most) or 0 for value in found)


def pairs(name: str, values: object) -> tuple[tuple[str, object], ...]:
    """Return names, each once, with their values."""
    expected = "names with values are expected"
    found = []
    for pair in _list(name, values, expected):
        if not (isinstance(pair, tuple | list) and len(pair) == 2):
            raise wrong(name, values, expected)
        key = text(name, pair[0])
        found.append((str(key), pair[1]))
    if len({key for key, _ in found}) < len(found):
        raise wrong(name, values, "each name is expected once")
    return tuple(found)


def only_known(given: Collection[str], known: Collection[str]) -> None:
    """Refuse the names of arguments that nothing takes."""
    for name in given:
        if name not in known:
            units = (one for one in known if one.rpartition("_")[0] == name)
            near = next(units, None) or next(
                iter(get_close_matches(name, known, 1)), None
            )
            hint = f"; did you mean {near}?" if near else ""
            raise ArgumentError(Given(name), f": there is no such argument{hint}")


def wrong(name: str, value: object, expected: str) -> ArgumentError:
    """Return the error of an argument that cannot be."""
    return ArgumentError(Given(name, _shown(value)), f": {expected}")


def _finite(value: object) -> float | None:
    """Return a finite number; None for anything else, a truth too."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _list(name: str, values: object, expected: str) -> list[object]:
    if not isinstance(values, list | tuple | set | frozenset):
        raise wrong(name, values, expected)
    if len(values) > _MOST_VALUES:
        raise ArgumentError(Given(name), f": at most {_MOST_VALUES:,} are expected")
    return list(values)


def _short(name: str, value: str) -> str:
    if "\0" in value or len(value) > _LONGEST_TEXT:
        expected = f"at most {_LONGEST_TEXT:,} characters, none of them NUL, are expected"
        raise wrong(name, value, expected)
    return value


def _shown(value: object) -> str:
    """Return a value for people, however large it is."""
    try:
        whole_text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"<{type(value).__name__}>"
    return whole_text if len(whole_text) <= _SHOWN else f"{whole_text[:_SHOWN]}..."
