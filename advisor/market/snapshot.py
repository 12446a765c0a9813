"""Offers saved in a file and read back: gzipped JSON, written atomically."""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from advisor.errors import UsageError
from advisor.files import write_atomically
from advisor.market.types import Answer, Query, Surroundings

FILE_MARKET = "file"
"""Name of the market of a file that names none."""

SCHEMA_VERSION = 1
_GZIP_MAGIC = b"\x1f\x8b"
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
    if path.exists() and not path.is_file():  # a device such as /dev/null
        message = f"cannot write {path}: it is no regular file; name another"
        raise UsageError(message)
    try:
        write_atomically(path, gzip.compress(body, 9, mtime=0))
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise UsageError(message) from error


def load_snapshot(path: Path) -> Answer:
    """Read a file of offers, plain or gzipped.

    The file is one of ours, or any JSON object with a list `offers` (and perhaps
    a time, `fetched_at` or `updated`), or a bare list of offers.

    Raises
    ------
    UsageError
        if it cannot be read or holds no list of offers
    """
    document = _document(path)
    if isinstance(document, list):
        document = {"offers": document}
    offers = document.get("offers") if isinstance(document, dict) else None
    if not isinstance(offers, list) or not all(isinstance(o, dict) for o in offers):
        message = f"{path}: no list of offers in it; save one with 'advisor fetch -o'"
        raise UsageError(message)
    version = document.get("schema_version", SCHEMA_VERSION)
    if version != SCHEMA_VERSION:
        message = f"{path}: written by another version of advisor; update this one"
        raise UsageError(message)
    return _answer(document, path)


@dataclass(frozen=True, slots=True)
class FileMarket:
    """A file of offers as a market."""

    path: Path
    name: str = FILE_MARKET

    def search(self, query: Query) -> Answer:  # noqa: ARG002  (all is checked later)
        """Return every offer of the file."""
        return load_snapshot(self.path)


def open_file(surroundings: Surroundings) -> FileMarket:
    """Return the file that is named after the colon, as a market.

    Raises
    ------
    UsageError
        if there is no such name
    """
    if not surroundings.detail:
        message = "say which file: --market PATH or --market file:PATH"
        raise UsageError(message)
    return FileMarket(Path(surroundings.detail))


def _answer(document: Mapping[str, Any], path: Path) -> Answer:
    """Return what a document says, its optional parts only if they make sense."""
    market, complete = document.get("market"), document.get("complete")
    notes = document.get("notes")
    return Answer(
        records=document["offers"],
        market=market if isinstance(market, str) else FILE_MARKET,
        origin=os.fsencode(path).decode("utf-8", "replace"),
        fetched_at=_time(document),
        complete=complete if isinstance(complete, bool) else None,
        simulated=document.get("simulated") is True,
        notes=tuple(map(str, notes)) if isinstance(notes, list) else (),
    )


def _document(path: Path) -> Any:
    """Return the JSON of a file."""
    try:
        body = path.read_bytes()
        if body.startswith(_GZIP_MAGIC):
            body = gzip.decompress(body)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        message = f"{path}: torn or damaged gzip file; save it again ({error})"
        raise UsageError(message) from error
    except OSError as error:
        reason = error.strerror or error
        message = f"cannot read {path}: {reason}; save one with 'advisor fetch -o'"
        raise UsageError(message) from error
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        what = "an HTML page" if body.lstrip()[:1] == b"<" else "torn or no JSON"
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
