"""Records out of JSON text of any length, a piece at a time.

A listing may be larger than memory. Its text comes in blocks; a piece of it is cut where
one record seems to end, and read by msgspec as a list of its own. What is read whole was
cut between records: JSON is read from left to right, so that a cut inside a text or an
inner object leaves something open. Where a cut was wrong, or where markets send what is
no JSON (NaN), smaller pieces are tried, and at last one value by the standard library,
which needs no cut.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

from advisor.market.fast_json import strict_lines, strict_loads

LIST = "offers"
"""Member of an object whose list holds the records."""

_PIECE = 1 << 17
_LEAST = 1 << 13
"""Bytes of text that are read at once, and that a piece is not halved below."""

_MARK = 4  # bytes that show the encoding
_CUTS = 64  # closing braces that are tried for the end of a record
_BLANK = re.compile(rb"[ \t\n\r]*")
_RECORD_ENDS = re.compile(rb"[ \t\n\r]*(,[ \t\n\r]*\{|\])")
_FAILED_AT = re.compile(r"\(byte (\d+)\)")
_DECODER = json.JSONDecoder()


class JsonStream:
    """The records of one JSON document, or of JSON lines, in their order.

    The document is a list; an object with a list ``offers``, whose other members are
    `members`; or one value alone, `value`. Several objects one after the other are the
    records themselves.

    Parameters
    ----------
    blocks : the bytes of the text, in UTF-8, UTF-16 or UTF-32
    read : reads a JSON list of records, and refuses what is not JSON to the letter

    Attributes
    ----------
    read : as given; it may be changed between chunks
    head : the beginning of the text, in UTF-8
    members : members of the object beside the records, as far as it was read
    more_members : whether there may be more of them behind the records
    listed : whether a list of records was found
    value : the document where it holds no list; None until it is read
    """

    def __init__(
        self, blocks: Iterable[bytes], read: Callable[[bytes], list[Any]] = strict_loads
    ) -> None:
        self.read = read
        self._blocks = iter(utf8(blocks))
        self._buffer, self._at, self._ended = b"", 0, False
        self._size = _PIECE  # of the next piece: less where the last ones failed
        self.head = b""
        self.members: dict[str, Any] = {}
        self.more_members = self.listed = False
        self.value: Any = None

    def chunks(self) -> Iterator[list[Any]]:
        """Read on, some records at a time.

        Raises
        ------
        ValueError
            if it is no JSON, or ends before it should
        RecursionError
            if it is nested too deep
        """
        first = self._next()
        if first == b"[":
            self._at += 1
            yield from self._list()
        elif first == b"{":
            yield from self._object()
            if self._next() == b"{" and not self.listed:
                yield from self._lines()
        else:
            self.value = self._one()
        if self._next():
            message = "more behind the end"
            raise ValueError(message)

    def _object(self) -> Iterator[list[Any]]:
        """Read an object: its members, and the records where it has a list of them."""
        self._at += 1
        self.more_members = True
        if self._next() == b"}":
            self._at += 1
            self.value, self.more_members = {}, False
            return
        while True:
            key = self._one() if self._next() == b'"' else None
            if key is None or self._next() != b":":
                message = "no member of an object"
                raise ValueError(message)
            self._at += 1
            if key == LIST and self._next() == b"[":
                if self.listed:
                    message = "two lists of offers"
                    raise ValueError(message)
                self._at += 1
                yield from self._list()
            else:
                self.members[key] = self._one()
            if self._separator(b"}"):
                self.value, self.more_members = self.members, False
                return

    def _list(self) -> Iterator[list[Any]]:
        """Read the items of a list, from behind its bracket on."""
        self.listed = True
        if self._next() == b"]":
            self._at += 1
            return
        while True:
            yield self._piece(self._record_end, self._listed_in)
            if self._separator(b"]"):
                return

    def _lines(self) -> Iterator[list[Any]]:
        """Read JSON lines: objects that blanks alone are between, the first one read."""
        yield [self.members]
        self.listed, self.members, self.value = True, {}, None
        while self._next():
            yield self._piece(self._line_end, strict_lines)

    def _piece(
        self, end_of: Callable[[int], int], read: Callable[[bytes], list[Any]]
    ) -> list[Any]:
        """Read as many whole values as a piece of text holds, one at least.

        Parameters
        ----------
        end_of : returns where the last value seems to end in so many bytes, else -1
        read : reads values
        """
        size = self._size
        while True:
            self._need(size)
            end = end_of(size)
            if end < 0:
                break
            try:
                found = read(self._buffer[self._at : end])
            except (ValueError, RecursionError) as error:
                failed_at = _FAILED_AT.search(str(error))
                if failed_at is not None and int(failed_at[1]) < size:  # a hint, no more
                    size = int(failed_at[1])
                elif size > _LEAST:
                    size = max(_LEAST, min(size, end - self._at) // 2)
                else:
                    break
            else:
                self._at, self._size = end, min(2 * max(size, _LEAST), _PIECE)
                return found
        self._size = _LEAST
        return [self._one()]

    def _record_end(self, size: int) -> int:
        """Return where a record ends that another, or the list's end, seems to follow."""
        end = self._at + size
        for _ in range(_CUTS):
            end = self._buffer.rfind(b"}", self._at, end)
            if end < 0 or _RECORD_ENDS.match(self._buffer, end + 1):
                break
        return -1 if end < 0 else end + 1

    def _listed_in(self, text: bytes) -> list[Any]:
        return self.read(b"[" + text + b"]")

    def _line_end(self, size: int) -> int:
        end = self._buffer.rfind(b"\n", self._at, self._at + size)
        return -1 if end < 0 else end + 1

    def _one(self) -> Any:
        """Read one value by the standard library."""
        self._next()
        size = _LEAST
        while True:
            self._need(size)
            here = self._buffer[self._at : self._at + size]
            last = self._ended and len(self._buffer) - self._at <= size
            text = codecs.getincrementaldecoder("utf-8")("surrogatepass").decode(
                here, final=last
            )
            try:
                value, end = _DECODER.raw_decode(text)
            except ValueError:
                if last:
                    raise
            else:
                if last or end < len(text):  # else a number might go on
                    self._at += len(text[:end].encode("utf-8", "surrogatepass"))
                    return value
            size *= 2

    def _separator(self, closing: bytes) -> bool:
        """Go behind a comma, or behind the closing bracket: then it is True."""
        found = self._next()
        if found not in {b",", closing}:
            message = "no comma"
            raise ValueError(message)
        self._at += 1
        return found == closing

    def _next(self) -> bytes:
        """Go to what is not blank, and return that byte; nothing at the end."""
        while True:
            self._need(1)
            blank = _BLANK.match(self._buffer, self._at)
            self._at = blank.end() if blank else self._at
            if self._at < len(self._buffer) or self._ended:
                return self._buffer[self._at : self._at + 1]

    def _need(self, size: int) -> None:
        """Have so many bytes at hand, if there are as many."""
        have = len(self._buffer) - self._at
        if have >= size or self._ended:
            return
        parts = [self._buffer[self._at :]]
        while have < size and not self._ended:
            block = next(self._blocks, b"")
            self._ended = not block
            have += len(block)
            parts.append(block)
        self._buffer, self._at = b"".join(parts), 0
        self.head = self.head or self._buffer[:_LEAST]


def utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Return text in UTF-8, without a byte order mark, whatever Unicode it came in."""
    stream = iter(blocks)
    head = b""
    while len(head) < _MARK and (block := next(stream, b"")):
        head += block
    encoding = json.detect_encoding(head)
    if encoding in {"utf-8", "utf-8-sig"}:
        yield head.removeprefix(codecs.BOM_UTF8)
        yield from filter(None, stream)
        return
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for block in chain([head], stream):
        if text := decoder.decode(block):
            yield text.encode("utf-8", "surrogatepass")
    decoder.decode(b"", final=True)  # half a character at the end is an error
