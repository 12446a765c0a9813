"""What a stranger's machine prints, as a terminal may be given it.

A terminal obeys what it is shown: a sequence of characters sets the clipboard (OSC 52),
the window's title, or clears the screen. Of all that only colors stay.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import TextIO

_LONGEST_SEQUENCE = 256

# ECMA-48, 5.4 (control sequences) and 5.6 (control strings), 8-bit forms not among them:
# their characters are dropped below. A string ends with its line, too: no program means
# one that does not end.
_SEQUENCE = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\n\x18\x1a]*(?:\x07|\x1b\\|(?=[\x1b\n\x18\x1a]))"
    r"|\x1b[ -/]*[0-Z\\`-~]"
)
_BEGUN = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n\x18\x1a]*\x1b?|[ -/]*)?\Z"
)
_STRING = re.compile(r"\x1b[\]PX^_]")
_STRING_END = re.compile(r"\x07|\x1b\\|(?=[\x1b\n\x18\x1a])")

_OBEYED = re.compile(
    # C0 but for tab, line feed and carriage return; DEL; C1; marks of direction
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
_KEPT_SEQUENCE = re.compile(r"(\x1b\[[0-9;:]{0,64}m)")


class Plain:
    r"""Takes from a stream of bytes what a terminal would obey, piece by piece.

    Line feeds, carriage returns (of progress bars), tabs and colors stay.

    Parameters
    ----------
    encoding : of the terminal

    Examples
    --------
    >>> plain = Plain()
    >>> plain.feed(b"\x1b]0;title\x07\x1b[31mred") + plain.feed(b"\x1b[2J\n")
    b'\x1b[31mred\n'
    """

    def __init__(self, encoding: str = "utf-8") -> None:
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._begun = ""
        self._in_string = False

    def feed(self, piece: bytes) -> bytes:
        """Return what of the next piece may be shown."""
        text = self._begun + self._decoder.decode(piece)
        self._begun = ""
        if self._in_string:
            end = _STRING_END.search(text)
            if end is None:
                return b""
            text = text[end.end() :]
            self._in_string = False
        begun = _BEGUN.search(text)
        if begun is not None:
            text, self._begun = text[: begun.start()], begun[0]
            if len(self._begun) > _LONGEST_SEQUENCE:
                self._in_string = _STRING.match(self._begun) is not None
                self._begun = ""
        parts = _KEPT_SEQUENCE.split(_SEQUENCE.sub(_colors, text))
        # Every second one is a sequence that stays.
        parts[::2] = [_OBEYED.sub("", part) for part in parts[::2]]
        return "".join(parts).encode(self._encoding, "replace")


def _colors(sequence: re.Match[str]) -> str:
    return "" if sequence["sgr"] is None else sequence[0]


def plain_for(stream: TextIO | None) -> Callable[[bytes], bytes]:
    """Return what may be shown of a next piece; a pipe may end at a terminal, too."""
    return Plain((stream and stream.encoding) or "utf-8").feed
