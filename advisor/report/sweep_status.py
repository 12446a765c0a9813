"""Where the jobs of sweeps are, as a document and for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from advisor.report.tables import Column, Fitted, fitted
from advisor.store.sweeps import StoredJob, StoredSweep

SCHEMA_VERSION = 1
"""Version of the JSON document; it rises when a key changes meaning or goes."""

Found = Sequence[tuple[StoredSweep, Sequence[StoredJob]]]
"""Sweeps, each with its jobs."""

_STATES = ("waiting", "assigned", "ended", "done", "failed")

_SWEEPS = (
    Column("sweep", least=8),
    Column("begun", dispensable=1),
    *(Column(name, "right") for name in _STATES),
    Column("state"),
)
_JOBS = (
    Column("job", least=8),
    Column("state"),
    Column("start", "right"),
    Column("exit", "right"),
    Column("machine", dispensable=1),
    Column("reason", dispensable=2),
)


def status_document(found: Found) -> dict[str, Any]:
    """Return the versioned JSON document."""
    return {
        "schema_version": SCHEMA_VERSION,
        "sweeps": [
            {
                "name": sweep.name,
                "market": sweep.market,
                "begun_at": _moment(sweep.begun_at),
                "ended_at": _moment(sweep.ended_at),
                "counts": _counts(jobs),
                "jobs": [_job(one) for one in jobs],
            }
            for sweep, jobs in found
        ],
    }


def status_text(
    found: Found, width: int | None = None, *, with_jobs: bool = False
) -> Fitted:
    """Return the sweeps for a terminal.

    Parameters
    ----------
    width : cells of a line; None: any number
    with_jobs : each job is a line, too
    """
    sweeps = fitted(_SWEEPS, [_sweep_row(*one) for one in found], width)
    if not with_jobs:
        return sweeps
    rows = [_job_row(one) for _, jobs in found for one in jobs]
    jobs = fitted(_JOBS, rows, width)
    return Fitted(f"{sweeps.text}\n\n{jobs.text}", [*sweeps.missing, *jobs.missing])


def _sweep_row(sweep: StoredSweep, jobs: Sequence[StoredJob]) -> tuple[str, ...]:
    counts = _counts(jobs)
    figures = (f"{counts[name]:,}" for name in _STATES)
    state = "open" if sweep.ended_at is None else "over"
    return (sweep.name, _moment(sweep.begun_at) or "", *figures, state)


def _job_row(one: StoredJob) -> tuple[str, ...]:
    code = "" if one.exit_code is None else str(one.exit_code)
    return (one.name, one.state, str(one.attempt), code, one.label, one.reason)


def _job(one: StoredJob) -> dict[str, Any]:
    return {
        "name": one.name,
        "state": one.state,
        "attempt": one.attempt,
        "exit_code": one.exit_code,
        "label": one.label,
        "reason": one.reason,
        "assigned_at": _moment(one.assigned_at),
        "ended_at": _moment(one.ended_at),
        "done_at": _moment(one.done_at),
    }


def _counts(jobs: Sequence[StoredJob]) -> dict[str, int]:
    counted = Counter(str(one.state) for one in jobs)
    return {name: counted[name] for name in _STATES}


def _moment(unix_s: float | None) -> str | None:
    """Return a moment in UTC, None where there is none."""
    if unix_s is None:
        return None
    return datetime.fromtimestamp(unix_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
