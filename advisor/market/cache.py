"""Answers of a market stored for a while, so that asking twice costs nothing.

Never used for renting: what is listed here may be gone.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from advisor.base.files import write_atomically
from advisor.base.log import happened
from advisor.market.fast_json import loads
from advisor.market.fields import PRICED
from advisor.market.merging import merged
from advisor.market.types import Answer, Query, Record

SCHEMA_VERSION = 1

_MOST = 64
"""Answers stored; a whole market is about 700 kB compressed."""

_NAME = "{}.answer.gz"
_FORMER_NAME = "*.json.gz"  # an answer was stored as a snapshot until November 2026
_LEVEL = 1
"""Of compression: 52 MB take 0.2 s and shrink to a fifth; the best level takes ten times
as long and shrinks them to an eighth."""


@dataclass(frozen=True, slots=True)
class AnswerCache:
    """A folder of answers, one file per question.

    A folder that cannot be written, or an entry that cannot be read, is as good
    as an empty one. Several processes may share it: entries are written whole.

    Attributes
    ----------
    folder : where the answers lie
    now : returns the time (UTC)
    """

    folder: Path
    now: Callable[[], datetime]

    def get(self, origin: str, query: Query, max_age_s: float) -> Answer | None:
        """Return the stored answer to a question, if it is at most `max_age_s` old."""
        try:
            packed = self._path(origin, query).read_bytes()
            answer = self._unpacked(packed, origin, max_age_s)
        except (OSError, EOFError, zlib.error):  # there is none, or a part of one
            return None
        except (ValueError, RecursionError, LookupError, TypeError):  # none of ours
            return None
        if answer is not None:
            happened("market", "%s, %d offers", answer.origin, len(answer.records))
        return answer

    def put(self, origin: str, query: Query, answer: Answer) -> None:
        """Store an answer and remove the oldest."""
        if answer.fetched_at is None:
            return
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomically(self._path(origin, query), _packed(answer), mode=0o600)
            for former in self.folder.glob(_FORMER_NAME):
                former.unlink(missing_ok=True)
            stored = self.folder.glob(_NAME.format("*"))
            for path in sorted(stored, key=_modified, reverse=True)[_MOST:]:
                path.unlink(missing_ok=True)
        except (OSError, RecursionError):
            return

    def _unpacked(self, packed: bytes, origin: str, max_age_s: float) -> Answer | None:
        """Return an answer as it was packed, unless it is too old."""
        header, _, rest = gzip.decompress(packed).partition(b"\n")
        about = loads(header)
        fetched_at = datetime.fromisoformat(about["fetched_at"])
        age_s = (self.now() - fetched_at).total_seconds()
        if about["schema_version"] != SCHEMA_VERSION or not 0 <= age_s <= max_age_s:
            return None
        pages: list[list[Record]] = []
        start = 0
        for length in about["lengths"]:
            pages.append(loads(rest[start : start + length])["offers"])
            start += length
        return Answer(
            records=merged(pages) if about["in_pages"] else pages[0],
            market=about["market"],
            origin=f"stored answer of {origin}, {age_s:.0f} s old",
            fetched_at=fetched_at,
            complete=about["complete"],
            simulated=about["simulated"],
            notes=tuple(about["notes"]),
        )

    def _path(self, origin: str, query: Query) -> Path:
        """Return the file of a question; its name shows nothing of it."""
        asked = asdict(query)
        prices = {one.field for one in query.conditions} & PRICED
        if query.max_usd_per_hour is None and not prices:
            del asked["disk_gb"]  # only changes a price that is made anew here
        question = json.dumps([origin, asked], sort_keys=True)
        digest = hashlib.sha256(question.encode()).hexdigest()[:32]
        return self.folder / _NAME.format(digest)


def _packed(answer: Answer) -> bytes:
    """Return an answer as a file: a line about it, then what the market sent.

    The market's documents are stored as they came: to write thousands of offers again
    would take longer than to read them.
    """
    bodies = answer.bodies or (json.dumps({"offers": list(answer.records)}).encode(),)
    about = {
        "schema_version": SCHEMA_VERSION,
        "market": answer.market,
        "fetched_at": answer.fetched_at and answer.fetched_at.isoformat(),
        "complete": answer.complete,
        "simulated": answer.simulated,
        "notes": list(answer.notes),
        "in_pages": bool(answer.bodies),
        "lengths": [len(body) for body in bodies],
    }
    return gzip.compress(
        b"\n".join([json.dumps(about).encode(), b"".join(bodies)]), _LEVEL
    )


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has removed it
        return 0.0
