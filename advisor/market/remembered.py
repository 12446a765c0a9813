"""What a market has let us know of its limits, remembered from one run to the next.

One small file for an address and a key, which its name does not show. A file that
is torn, or that cannot be read or written, is as good as none: what is learned then
lasts as long as the process. Several processes may share it: it is changed under a lock
and replaced whole.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from advisor.base.files import write_atomically
from advisor.base.units import SECONDS_PER_DAY
from advisor.market.fast_json import loads

SCHEMA_VERSION = 1

REMEMBERED_S, HALF_LIFE_S = 1800.0, 1800.0
"""An interval is remembered for so many seconds after the last refusal, and then halves
in as many, so that a bad day is forgotten: 6 s are none after four hours. Our choice."""

_LEAST_INTERVAL_S = 0.1
_LONGEST_INTERVAL_S = 60.0
_LONGEST_QUEUE_S = 600.0  # what lies further ahead was written by another clock
_CUTS_LAST_S = 30 * SECONDS_PER_DAY
_MOST_CUTS = 8
_LOCK_WAIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Limit:
    """How fast a market lets calls of one kind come.

    Attributes
    ----------
    interval_s : seconds between two calls, as it was when the last one was refused
    refused_unix_s : when that was, seconds since 1970
    free_unix_s : when the next call may be made
    """

    interval_s: float
    refused_unix_s: float
    free_unix_s: float

    def interval_at(self, now: float) -> float:
        """Return the seconds between two calls at a moment; 0: no need to wait."""
        age_s = now - self.refused_unix_s
        if age_s < -_LONGEST_QUEUE_S:  # the clock was set back since
            return 0.0
        interval_s = self.interval_s * 0.5 ** (
            max(age_s - REMEMBERED_S, 0.0) / HALF_LIFE_S
        )
        return interval_s if interval_s >= _LEAST_INTERVAL_S else 0.0

    def wait_at(self, now: float) -> float:
        """Return the seconds until the next call may be made."""
        wait_s = max(self.free_unix_s - now, 0.0)
        return wait_s if wait_s <= _LONGEST_QUEUE_S else 0.0


@dataclass(frozen=True, slots=True)
class Remembered:
    """What is known of a market's limits.

    Attributes
    ----------
    limits : kind of call -> how fast such calls may come
    cuts : rows at which an answer was found to be cut -> when, seconds since 1970
    """

    limits: Mapping[str, Limit] = field(default_factory=dict)
    cuts: Mapping[int, float] = field(default_factory=dict)

    def cuts_at(self, now: float) -> frozenset[int]:
        """Return the rows at which answers were cut, of the last while."""
        return frozenset(
            rows for rows, seen in self.cuts.items() if abs(now - seen) <= _CUTS_LAST_S
        )

    def with_cut(self, rows: int, now: float) -> Remembered:
        """Return the same with one more such number; the oldest goes."""
        cuts = {**self.cuts, rows: now}
        newest = sorted(cuts, key=lambda one: cuts[one], reverse=True)[:_MOST_CUTS]
        return Remembered(self.limits, {one: cuts[one] for one in newest})

    def with_limit(self, kind: str, limit: Limit) -> Remembered:
        """Return the same with another limit of a kind of calls."""
        return Remembered({**self.limits, kind: limit}, self.cuts)


class Memory:
    """What is remembered of one market; threads may share it.

    Parameters
    ----------
    path : the file; None for a memory that is lost with the process
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._own = Remembered()

    def read(self) -> Remembered:
        """Return what is remembered now."""
        with self._lock:
            return self._read()

    def change(self, change: Callable[[Remembered], Remembered]) -> None:
        """Replace what is remembered by what `change` makes of it."""
        with self._lock:
            if self._path is not None and self._changed(self._path, change):
                return
            self._path = None
            self._own = change(self._own)

    def _read(self) -> Remembered:
        if self._path is None:
            return self._own
        try:
            self._own = _remembered(loads(self._path.read_bytes()))
        except (OSError, ValueError, RecursionError):
            self._own = Remembered()
        return self._own

    def _changed(self, path: Path, change: Callable[[Remembered], Remembered]) -> bool:
        """Change the file; say whether that could be done."""
        from filelock import FileLock, Timeout  # noqa: PLC0415  (who is slowed down)

        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with FileLock(path.with_suffix(".lock"), timeout=_LOCK_WAIT_S):
                body = json.dumps(_document(change(self._read()))).encode()
                write_atomically(path, body, mode=0o600)
        except (OSError, Timeout):
            return False
        return True


def memory_file(folder: Path, address: str, key: str | None) -> Path:
    """Return the file for an address and a key (None: without one) in a folder."""
    digest = hashlib.sha256(json.dumps([address, key]).encode()).hexdigest()
    return folder / f"limits-{digest[:32]}.json"


def _document(remembered: Remembered) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "limits": {kind: asdict(limit) for kind, limit in remembered.limits.items()},
        "cuts": {str(rows): seen for rows, seen in remembered.cuts.items()},
    }


def _remembered(document: Any) -> Remembered:
    """Return what a document says, as far as that can be."""
    if not isinstance(document, dict):
        return Remembered()
    if document.get("schema_version") != SCHEMA_VERSION:
        return Remembered()
    limits, cuts = document.get("limits"), document.get("cuts")
    return Remembered(
        {
            kind: limit
            for kind, written in (limits if isinstance(limits, dict) else {}).items()
            if (limit := _limit(written)) is not None
        },
        {
            int(rows): float(seen)
            for rows, seen in (cuts if isinstance(cuts, dict) else {}).items()
            if rows.isdecimal() and len(rows) <= 9 and _is_amount(seen)
        },
    )


def _limit(written: Any) -> Limit | None:
    """Return the limit that a part of the file describes, None if it is none."""
    names = {one.name for one in fields(Limit)}
    if not isinstance(written, dict) or set(written) != names:
        return None
    if not all(map(_is_amount, written.values())):
        return None
    limit = Limit(**written)
    return limit if limit.interval_s <= _LONGEST_INTERVAL_S else None


def _is_amount(value: Any) -> bool:
    """Say whether a value is a number from 0 up that can be one of seconds."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value < 1e12
