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
    import msgspec  # noqa: PLC0415  (5 ms that who reads no JSON need not pay)

    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return json.loads(data)
