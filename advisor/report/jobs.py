"""How jobs of `advisor run` end, as documents for programs and as words for people."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from advisor.base.errors import AdvisorError, CommandFailedError, Given
from advisor.rental.jobs import JobRecord
from advisor.rental.run import Ended
from advisor.report.failure import with_error
from advisor.report.rental import SCHEMA_VERSION

_SIGNALED = 128
"""Exit codes above it are of a command that a signal ended, as shells have it."""


def ended_document(job: JobRecord, ended: Ended | None = None) -> dict[str, Any]:
    """Return the document of a job whose command has ended.

    Parameters
    ----------
    ended : how it ended now; None: it had ended before
    """
    symptom = None if ended is None else ended.symptom
    document = {
        "schema_version": SCHEMA_VERSION,
        "state": "ended",
        "job": job.name,
        "exit_code": job.exit_code,
        "signal": signal_name(job.exit_code),
        "misfit": None if symptom is None else symptom.misfit,
        "reason": None if symptom is None else str(symptom),
        "log": None if ended is None else str(ended.log),
        "folder": job.folder,
        "results": job.results,
        "checkpoints": job.checkpoints,
        "measured": None if ended is None else ended.measured,
    }
    return with_error(document, None if ended is None else failed(ended))


def not_ended_document(
    job: JobRecord, error: AdvisorError, words: Callable[[Given], str] = str
) -> dict[str, Any]:
    """Return the document of a job whose command has not ended, and why.

    Parameters
    ----------
    words : returns what the user's face calls an argument
    """
    document = {
        "schema_version": SCHEMA_VERSION,
        "state": "not_ended",
        "job": job.name,
        "exit_code": None,
        "signal": None,
        "reason": error.worded(words),
    }
    return with_error(document, error, words)


def failed(ended: Ended) -> CommandFailedError | None:
    """Return how a command failed, and where it says more; None if it did not."""
    code = ended.job.exit_code
    if code == 0:
        return None
    signaled = f" ({name})" if (name := signal_name(code)) else ""
    why = "" if ended.symptom is None else f": {ended.symptom}"
    message = f"your command ended with exit code {code}{signaled}{why}; see {ended.log}"
    return CommandFailedError(message)


def signal_name(exit_code: int | None) -> str | None:
    """Return the signal that an exit code stands for, None if it is of none.

    Examples
    --------
    >>> signal_name(137), signal_name(1)
    ('SIGKILL', None)
    """
    if exit_code is None or exit_code <= _SIGNALED:
        return None
    try:
        return signal.Signals(exit_code - _SIGNALED).name
    except ValueError:
        return None
