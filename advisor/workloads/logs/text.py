"""A log of any size and encoding, as numbered lines in bounded memory."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from advisor.base.errors import UsageError
from advisor.base.units import BYTES_PER_MIB

HEAD_BYTES = BYTES_PER_MIB
"""Read of the beginning, where a run says its batch."""

TAIL_BYTES = 4 * BYTES_PER_MIB
"""Read of the end, where a run says how it went."""

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_UP_OR_DOWN = re.compile(r"\x1b\[\d*[ABEFHJ]")
"""Moves of the cursor by which bars stand above one another."""

_STYLE = re.compile(r"\x1b\[[;?0-9]*[a-zA-Z]")
"""What sets colors, and the other moves of the cursor."""

_PREFIX = re.compile(
    r"^(?:[\w.-]+-\d+ +\| |\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d) "
    r"|\[[a-z]*\d+\]: ?|rank ?\d+: )"
)
"""What Docker, Kubernetes and torchrun put before the lines of a process."""

_TORN = re.compile(r"^[^\r\n]*[\r\n]")

_LONGEST = 20_000  # characters of a line that are looked at

_QUOTED = 160  # characters of a line that a message shows


@dataclass(frozen=True, slots=True)
class Line:
    """One line, or one state of a line that a carriage return redraws.

    Attributes
    ----------
    number : in the file from 1; from the end, -1 the last, behind what was not read
    text : without colors
    """

    number: int
    text: str

    @property
    def where(self) -> str:
        """What a message calls it."""
        if self.number > 0:
            return f"line {self.number:,}"
        return f"line {-self.number:,} from the end"

    @property
    def quote(self) -> str:
        """Where it is and what it says, in short."""
        text = " ".join(self.text.split())
        cut = text if len(text) <= _QUOTED else f"{text[: _QUOTED - 3]}..."
        return f"{self.where}: {cut}"


def read_lines(path: Path) -> list[Line]:
    """Return the lines of a log; of one that is large, those of both ends.

    Raises
    ------
    advisor.base.errors.UsageError
        if there is none, or it is no text
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            whole = size <= HEAD_BYTES + TAIL_BYTES
            file.seek(0)
            head = file.read(size if whole else HEAD_BYTES)
            tail = b""
            if not whole:
                # Both lengths are even, so that UTF-16 is cut between characters.
                file.seek(size - TAIL_BYTES - size % 2)
                tail = file.read()
    except IsADirectoryError:
        raise UsageError(f"{path} is a folder; give a log inside it") from None
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read: {reason}") from None
    encoding = _encoding_of(head)
    first = head.decode(encoding, errors="replace").lstrip("\ufeff")
    if "\0" in first[:HEAD_BYTES]:
        raise UsageError(f"{path} is not text: give the log that the training printed")
    found = numbered(first, 1)
    if tail:
        # The first line of the tail is a part of one.
        text = _TORN.sub("", tail.decode(encoding, errors="replace"), count=1)
        found = found[:-1] + numbered(text, -(text.rstrip("\n").count("\n") + 1))
    return found


def _encoding_of(head: bytes) -> str:
    """Return the encoding that a file's first bytes show (PowerShell writes UTF-16)."""
    for mark, encoding in _BOMS:
        if head.startswith(mark):
            return encoding
    sample = head[:4096]
    if sample[1::2].count(0) > len(sample) // 4:
        return "utf-16-le"
    if sample[::2].count(0) > len(sample) // 4:
        return "utf-16-be"
    return "utf-8"


def numbered(text: str, first: int) -> list[Line]:
    """Return the lines of a text, the first of which has the number `first`."""
    found: list[Line] = []
    for at, physical in enumerate(text.replace("\r\n", "\n").split("\n")):
        broken = _UP_OR_DOWN.sub("\r", physical) if "\x1b" in physical else physical
        for state in broken.split("\r"):
            cut = state[:_LONGEST]
            shown = _STYLE.sub("", cut) if "\x1b" in cut else cut
            shown = _PREFIX.sub("", shown, count=1)
            if shown.strip():
                found.append(Line(first + at, shown))
    return found
