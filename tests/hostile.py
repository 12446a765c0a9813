"""Offers whose texts attack whoever shows them: pages, terminals, spreadsheets, people.

Every text of an offer is its host's to choose, in every format that shows it. `RECORDS`
are whole offers as a market's JSON has them, each with one attack in all its texts;
`save_market` writes them as a file that ``--market`` takes. `dangers` says what of a
shown text a terminal would obey, and `formulas` which cells of a CSV a spreadsheet would.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.conftest import RECORD

ATTACKS: Mapping[str, str] = {
    "script": "<script>alert(1)</script>",
    "attribute": "\"><img src=x onerror='alert(1)'>",
    "template": "{{7*7}}${7*7}</textarea></title></style>",
    "title": "\x1b]0;owned\x07RTX 4090",
    "clipboard": "\x1b]52;c;cm0gLXJmIH4=\x07RTX 4090",
    "clear": "\x1b[2J\x1b[3;1Hx",
    "red": "\x1b[31mred\x1b[0m",
    "8-bit": "\x9b2Jx\x9d0;owned\x9c",
    "link": "\x1b]8;;https://evil.example\x07RTX 4090\x1b]8;;\x07",
    "formula": '=HYPERLINK("https://evil.example","RTX 4090")',
    "command": "=cmd|' /C calc'!A0",
    "plus": "+1+1",
    "minus": "-1+1",
    "at": "@SUM(1+1)",
    "tab": "\t=1+1",
    "full width": "＝1+1",
    "markdown": "a | b [x](javascript:alert(1)) `$(id)`",
    "shell": "$(touch owned); `id` && 'x' \"y\" #",
    "right to left": "\u202eEPYC\u2066 0704\u2069\u200f",
    "invisible": "RTX\u200b40\u00ad90\ufeff",
    "lines": "RTX 4090\r\n1  99999999  1 x H100  0.001",
    "carriage return": "RTX 4090\rRent 99999999",
    "backspaces": "RTX 4090\x08\x08\x08\x0e",
    "surrogate": "\ud800RTX",
    "wide": "\u8d85" * 60,
    "stacked": "e" + "\u0301" * 200,
    "long": "RTX 4090 " + "A" * 10_000,
    "long words": "RTX 4090 " + "much too long a name " * 500,
    "format": "%s%n{0}{name!r}",
    "null": "RTX\x004090",
    "json": '","offer_id":1,"x":"',
}
"""What an attack is -> the text."""

TEXTS = ("gpu_name", "cpu_name", "geolocation", "driver_version", "verification")
"""Fields of an offer that hold a text of the host's."""

ODD_ID = 900_000_000
"""Offer id from which the hostile offers are numbered, in the order of `ATTACKS`."""


def record_of(attack: str, number: int = 0) -> dict[str, Any]:
    """Return an offer with one attack in all its texts; it can be ranked all the same."""
    return {
        **RECORD,
        "id": ODD_ID + number,
        "machine_id": 50_000 + number,
        "host_id": 60_000 + number,
        "gpu_ids": [70_000 + number],
        "gpu_ram": 24564,
        **dict.fromkeys(TEXTS, ATTACKS[attack]),
    }


RECORDS: Sequence[Mapping[str, Any]] = [
    record_of(name, number) for number, name in enumerate(ATTACKS)
]
"""One offer for each attack."""


def save_market(folder: Path, *more: Mapping[str, Any]) -> str:
    """Write a market of the hostile offers, and of `more`; return the file's path."""
    path = folder / "hostile.json"
    offers = [RECORD, *more, *RECORDS]
    path.write_text(json.dumps({"offers": offers}), encoding="ascii")
    return str(path)


# Our own colors are these, and nothing else that begins with an escape.
_COLOR = re.compile(r"\x1b\[[0-9;]{0,16}m")
_OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def dangers(shown: str, *, colors: bool = False) -> list[str]:
    """Return what of a text that is shown a terminal would obey, or people not see.

    Parameters
    ----------
    colors : colors of our own are expected in it
    """
    text = _COLOR.sub("", shown) if colors else shown
    return [repr(one) for one in _OBEYED.findall(text)]


_BEGINS_FORMULA = tuple("=+-@\t\r\n＝＋－＠")  # OWASP, CSV Injection


def formulas(text: str, delimiter: str = ",") -> list[str]:
    """Return the cells of a CSV that a spreadsheet would compute; numbers are none."""
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    cells = [cell for row in rows for cell in row]
    return [one for one in cells if one.startswith(_BEGINS_FORMULA) and not _number(one)]


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
