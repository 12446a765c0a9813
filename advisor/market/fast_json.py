"""JSON read fast, and exactly as the standard library reads it.

msgspec reads what RFC 8259 allows, and that to the same objects as `json` (integers of
any length among them). Markets send more: NaN and Infinity, half surrogates, numbers
beyond 1e308, a byte order mark, UTF-16. Whatever msgspec refuses is read once more by
`json`, whose answer, or whose error, stands.
"""

from __future__ import annotations

import json
from typing import Any


def loads(data: bytes) -> Any:
    """Return the value of a JSON document, UTF-8, -16 or -32.

    Raises
    ------
    ValueError
        if it is none
    RecursionError
        if it is nested too deep
    """
    try:
        return strict_loads(data)
    except (ValueError, RecursionError):
        return json.loads(data)


def strict_loads(data: bytes) -> Any:
    """Return the value of a document that is JSON to the letter, in UTF-8.

    Raises
    ------
    ValueError
        if it is none, which `loads` may still read
    RecursionError
        if it is nested too deep
    """
    import msgspec  # noqa: PLC0415  (5 ms that who reads no JSON need not pay)

    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError as error:  # a ValueError in newer releases alone
        raise ValueError(str(error)) from error


def strict_lines(data: bytes) -> list[Any]:
    """Return the values of JSON lines, each to the letter; errors as `strict_loads`."""
    import msgspec  # noqa: PLC0415

    try:
        return msgspec.json.Decoder().decode_lines(data)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
