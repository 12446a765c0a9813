"""Answers of a market kept for a while, so that asking twice costs nothing.

Never used for renting: what is listed here may be gone.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from advisor.errors import AdvisorError
from advisor.market.fields import PRICED
from advisor.market.snapshot import load_snapshot, save_snapshot
from advisor.market.types import Answer, Query

_KEPT = 64
"""Answers kept; a whole market is about 300 kB compressed."""


@dataclass(frozen=True, slots=True)
class AnswerCache:
    """A folder of answers, one file a question.

    A folder that cannot be written, or an entry that cannot be read, is as good
    as an empty one. Several processes may share it: entries are written whole.

    Attributes
    ----------
    folder : where the answers lie
    now : tells the time (UTC)
    """

    folder: Path
    now: Callable[[], datetime]

    def get(self, origin: str, query: Query, max_age_s: float) -> Answer | None:
        """Return the kept answer to a question, if it is at most `max_age_s` old."""
        try:
            answer = load_snapshot(self._path(origin, query))
        except AdvisorError:
            return None
        if answer.fetched_at is None:
            return None
        age_s = (self.now() - answer.fetched_at).total_seconds()
        kept = f"kept answer of {origin}, {age_s:.0f} s old"
        fresh = 0 <= age_s <= max_age_s
        return replace(answer, origin=kept) if fresh else None

    def put(self, origin: str, query: Query, answer: Answer) -> None:
        """Keep an answer and let the oldest go."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            save_snapshot(answer, self._path(origin, query))
            kept = sorted(self.folder.glob("*.json.gz"), key=_modified, reverse=True)
            for path in kept[_KEPT:]:
                path.unlink(missing_ok=True)
        except (OSError, AdvisorError):
            return

    def _path(self, origin: str, query: Query) -> Path:
        """Return the file of a question; its name tells nothing of it."""
        asked = asdict(query)
        prices = {one.field for one in query.conditions} & PRICED
        if query.max_usd_per_hour is None and not prices:
            del asked["disk_gb"]  # only changes a price that is made anew here
        question = json.dumps([origin, asked], sort_keys=True)
        return (
            self.folder / f"{hashlib.sha256(question.encode()).hexdigest()[:32]}.json.gz"
        )


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # another process has let it go
        return 0.0
