"""Offers saved in a file and read back: gzipped JSON, written atomically."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple, overload

from advisor.base.errors import Given, UsageError
from advisor.base.files import write_output
from advisor.base.units import BYTES_PER_MIB
from advisor.market.columns import Row
from advisor.market.foreign import is_offer, wrong_records, wrong_text
from advisor.market.json_stream import JsonStream
from advisor.market.rows import as_rows, rows_of
from advisor.market.types import Answer, MarketContext, Query, Record

FILE_MARKET = "file"
"""Name of the market of a file that names none."""

LARGE = 1 << 23
"""Bytes of text beyond which a file is read in pieces: 3,000 offers."""

SCHEMA_VERSION = 1
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = BYTES_PER_MIB
_SAVE_ONE = "save one with 'advisor fetch -o'"
_NO_RECORDS = frozenset({list, str, int, float, bool, type(None)})
"""What JSON has beside objects."""

_TIME_KEYS = ("fetched_at", "updated")


def save_snapshot(answer: Answer, path: Path) -> None:
    """Write an answer to `path`, whole or not at all.

    The same answer gives the same bytes. NaN and Infinity, which markets send,
    survive.

    Raises
    ------
    UsageError
        if the file cannot be written
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "market": answer.market,
        "origin": answer.origin,
        "fetched_at": _stamp(answer.fetched_at),
        "complete": answer.complete,
        "simulated": answer.simulated,
        "notes": list(answer.notes),
        "offers": list(answer.records),
    }
    try:
        text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    except RecursionError as error:
        message = f"cannot write {path}: the market's offers are nested too deep"
        raise UsageError(message) from error
    body = text.encode("utf-8", "surrogatepass")
    write_output(path, gzip.compress(body, 9, mtime=0))


def load_snapshot(path: Path) -> Answer:
    """Read a file of offers, plain or gzipped.

    The file is one of ours, or any JSON object with a list `offers` (and perhaps
    a time, `fetched_at` or `updated`), a bare list of offers, one offer alone, or JSON
    lines, in any Unicode encoding.

    Raises
    ------
    UsageError
        if it cannot be read or holds no list of offers
    """
    stream = JsonStream(_blocks(path))
    records = list(chain.from_iterable(_chunks(stream, path)))
    return _answer(stream, records, path)


class _Begun(NamedTuple):
    """A file that is being read: what was read already, and the rest."""

    records: list[Record]
    stream: JsonStream
    chunks: Iterator[list[Any]]


class SnapshotRecords(Sequence[Record]):
    """The records of a file that is too large to hold, read anew for each pass.

    Parameters
    ----------
    path : a file that `load_snapshot` reads
    begun : the file, if it is being read already: that is the first pass
    """

    def __init__(self, path: Path, begun: _Begun | None = None) -> None:
        self._path = path
        self._begun = begun
        self._length: int | None = None

    def __iter__(self) -> Iterator[Record]:
        first, _, chunks = self._open()
        return chain(first, chain.from_iterable(chunks))

    def rows(self) -> Iterator[Row]:
        """Return the fields that columns are made of, in half the time of records."""
        first, stream, chunks = self._open()
        stream.read = rows_of
        return as_rows(chain([first], chunks))

    def _open(self) -> _Begun:
        begun, self._begun = self._begun, None
        stream = JsonStream(_blocks(self._path))
        return begun or _Begun([], stream, _chunks(stream, self._path))

    def __len__(self) -> int:
        if self._length is None:
            self._length = sum(1 for _ in self)
        return self._length

    @overload
    def __getitem__(self, index: int) -> Record: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...

    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        if isinstance(index, slice):
            return list(self)[index]
        place = index + len(self) if index < 0 else index
        if 0 <= place < len(self):
            return next(islice(self, place, None))
        raise IndexError(index)


@dataclass(frozen=True, slots=True)
class FileMarket:
    """A file of offers as a market.

    Attributes
    ----------
    path : the file
    large : bytes of text beyond which it is read in pieces, see `LARGE`
    """

    path: Path
    large: int = LARGE
    name: str = FILE_MARKET

    def search(self, query: Query) -> Answer:  # noqa: ARG002  (all is checked later)
        """Return every offer of the file; of a large one they are read when asked for.

        Raises
        ------
        UsageError
            if it cannot be read or holds none, naming what it is
        """
        blocks, head = _blocks(self.path), list[bytes]()
        with _readable(self.path):
            while sum(map(len, head)) <= self.large and (block := next(blocks, b"")):
                head.append(block)
            whole = not block or not self.path.is_file()
        stream = JsonStream(chain(head, blocks))
        chunks = _chunks(stream, self.path)
        if not whole:
            return self._large(stream, chunks)
        records = list(chain.from_iterable(chunks))
        self._check(records)
        return _answer(stream, records, self.path)

    def _large(self, stream: JsonStream, chunks: Iterator[list[Any]]) -> Answer:
        """Return the answer of a file whose records are not in memory."""
        first = next(chunks, [])
        begun: _Begun | None = _Begun(first, stream, chunks)
        if wrong_records(first):  # there may be offers behind them
            begun = None
            if all(wrong_records(chunk) for chunk in chunks):
                self._check(first)
        if stream.more_members and "schema_version" not in stream.members:
            begun = None
            deque(chunks, maxlen=0)  # what is not ours may have its time at its end
        return _answer(stream, SnapshotRecords(self.path, begun), self.path)

    def _check(self, records: Sequence[Record]) -> None:
        """Refuse records of which none is an offer."""
        if what := wrong_records(records):
            message = f"{self.path}: {what}; {_SAVE_ONE}"
            raise UsageError(message)


def open_file(context: MarketContext) -> FileMarket:
    """Return the file that is named after the colon, as a market.

    Raises
    ------
    UsageError
        if there is no such name
    """
    if not context.detail:
        raise UsageError(Given("market"), " file: name the file: PATH or file:PATH")
    return FileMarket(Path(context.detail))


def _answer(stream: JsonStream, records: Sequence[Record], path: Path) -> Answer:
    """Return what a document says, its optional parts only if they make sense."""
    document = stream.members
    if not stream.listed:
        alone: Any = document.get("offers", stream.value)
        if not is_offer(alone):
            instances = "instances" in document
            what = "a list of rented machines" if instances else "no list of offers in it"
            message = f"{path}: {what}; {_SAVE_ONE}"
            raise UsageError(message)
        records, document = [alone], {} if alone is stream.value else document
    version = document.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        message = f"{path}: written by another version of advisor; update this one"
        raise UsageError(message)
    market, complete = document.get("market"), document.get("complete")
    notes = document.get("notes")
    return Answer(
        records=records,
        market=market if isinstance(market, str) else FILE_MARKET,
        origin=os.fsencode(path).decode("utf-8", "replace"),
        fetched_at=_time(document),
        complete=complete if isinstance(complete, bool) else None,
        simulated=document.get("simulated") is True,
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
    )


def _blocks(path: Path) -> Iterator[bytes]:
    """Return the bytes of a file, unpacked where it is gzipped."""
    with path.open("rb") as file:
        packed = file.peek(len(_GZIP_MAGIC)).startswith(_GZIP_MAGIC)
        source = gzip.GzipFile(fileobj=file) if packed else file
        while block := source.read(_BLOCK):
            yield block


def _chunks(stream: JsonStream, path: Path) -> Iterator[list[Any]]:
    """Return the records of a file, or their rows, some at a time.

    Raises
    ------
    UsageError
        if it cannot be read, or its list holds other things
    """
    with _readable(path, stream):
        for chunk in stream.chunks():
            if not _NO_RECORDS.isdisjoint(map(type, chunk)):
                message = f"{path}: no list of offers in it; {_SAVE_ONE}"
                raise UsageError(message)
            yield chunk


@contextmanager
def _readable(path: Path, stream: JsonStream | None = None) -> Iterator[None]:
    """Turn what goes wrong with a file, and what a text is not, into one line.

    Raises
    ------
    UsageError
        naming the file, and what to do
    """
    try:
        yield
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        message = f"{path}: torn or damaged gzip file; save it again ({error})"
        raise UsageError(message) from error
    except OSError as error:
        reason = error.strerror or error
        message = f"cannot read {path}: {reason}; {_SAVE_ONE}"
        raise UsageError(message) from error
    except (ValueError, RecursionError) as error:
        what = wrong_text(stream.head if stream else b"")
        message = f"{path}: {what} instead of offers; save it again"
        raise UsageError(message) from error


def _stamp(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None


def _time(document: Mapping[str, Any]) -> datetime | None:
    """Return the time that a document names, if it names one that can be read."""
    for key in _TIME_KEYS:
        value = document.get(key)
        if isinstance(value, str):
            try:
                moment = datetime.fromisoformat(value)
                local = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
                return local.astimezone(UTC)
            except (ValueError, OverflowError):  # no time, or before the year 1 in UTC
                continue
    return None
