"""The values of a market's record: a number, an id, a text, a country."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

UNKNOWN_ID = -1
"""Stands for an id that the market did not give."""

NO_FIGURE = -math.inf
"""Stands for a figure that the market gave as something else than a number: below any
that can be."""


def read_number(value: object) -> float:
    """Return a JSON value as a number: some clients send numbers as strings.

    NaN where it is none; a truth value is none.
    """
    kind = type(value)
    if kind is float or kind is int or kind is str:
        try:
            return math.nan if _is_for_python(value) else float(value)  # type: ignore[arg-type]
        except (ValueError, OverflowError):
            return math.nan
    return math.nan


def read_figure(value: object) -> float:
    """Return a JSON value as a number, `NO_FIGURE` for what is none.

    NaN where nothing is said: null, NaN, an empty text.
    """
    number = read_number(value)
    is_said = value is not None and value != "" and not isinstance(value, float)
    return NO_FIGURE if is_said and math.isnan(number) else number


def _is_for_python(value: object) -> bool:
    """Say whether Python alone would read a number there, as in ``"1_0"``."""
    return isinstance(value, str) and ("_" in value or not value.isascii())


def read_id(value: object) -> int:
    """Return a JSON value as an id, else `UNKNOWN_ID`."""
    if type(value) is not int:
        number = read_number(value)
        if not number.is_integer():  # also NaN and the infinities
            return UNKNOWN_ID
        value = int(number)
    return value if 0 <= value < 2**63 else UNKNOWN_ID


def held_id(found: int | None) -> int:
    """Return an id as columns and files hold it."""
    return UNKNOWN_ID if found is None else found


def read_text(value: object) -> str:
    """Return a text fit for a terminal: a host names its own CPU and place."""
    if not isinstance(value, str):
        return ""
    words = " ".join(value.split())
    return words if words.isprintable() else "".join(filter(str.isprintable, words))


CPU_ARCHS = ("amd64", "arm64")
"""CPU architectures of machines for rent, as the market and registries call them."""

_ARCH_WORDS = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "x64": "amd64",
    "aarch64": "arm64",
    "arm64v8": "arm64",
    "arm64/v8": "arm64",
}


def read_cpu_arch(value: object) -> str:
    """Return a CPU architecture as the market calls it; other words in small letters.

    Linux, Docker and Python say x86_64 and aarch64 (or AMD64, ARM64) for the same.
    """
    word = read_text(value).lower().replace(" ", "_")  # in a query _ is a blank
    return _ARCH_WORDS.get(word, word)


CONTINENTS = frozenset({"AF", "AN", "AS", "EU", "NA", "OC", "SA"})
"""Codes that a market may put behind the country."""

_NO_COUNTRIES = frozenset({"EU", "OC"})


def country_of(geolocation: str) -> str:
    """Return the 2-letter country that a geolocation ends in, else ``""``.

    A continent may stand behind it: NA is Namibia, but in "Ohio, US, NA" North America.
    """
    parts = [part.strip() for part in geolocation.split(",")]
    codes = [
        part.upper() if len(part) == 2 and part.isascii() and part.isalpha() else ""
        for part in parts
        if part
    ]
    *_, before, last = "", "", *codes
    if last in CONTINENTS and before:
        return before
    return "" if last in _NO_COUNTRIES else last


def renamed(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a record under the market's names, which some tools capitalize."""
    if "id" in record:
        return record
    return {str(key).lower(): value for key, value in record.items()}
