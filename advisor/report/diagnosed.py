"""What the checks of an installation found, for people and for programs."""

from __future__ import annotations

import textwrap
from typing import Any

from advisor.app.doctor.diagnose import Diagnosis
from advisor.report.failure import with_error
from advisor.store.sense import plain_text

_SCHEMA_VERSION = 1
_LEAST_ROOM = 30


def diagnosis_document(found: Diagnosis) -> dict[str, Any]:
    """Return what was found as a document for programs."""
    document = {
        "schema_version": _SCHEMA_VERSION,
        "checks": [
            {
                "name": one.name,
                "status": one.status,
                "message": one.message,
                "advice": one.advice or None,
                "code": one.kind.code if one.status == "wrong" else None,
            }
            for one in found.findings
        ],
        "skipped": list(found.skipped),
        "warnings": found.count("warning"),
        "wrong": found.count("wrong"),
    }
    return with_error(document, found.error)


def diagnosis_text(found: Diagnosis, width: int | None) -> str:
    """Return a line for each finding, and below it what to do.

    Parameters
    ----------
    width : characters of a line; None: it is not wrapped
    """
    status = max(len(one.status) for one in found.findings)
    name = max(len(one.title) for one in found.findings)
    margin = status + name + 4
    room = None if width is None else max(width - margin, _LEAST_ROOM)
    lines: list[str] = []
    for one in found.findings:
        head = f"{one.status:<{status}}  {one.title:<{name}}  "
        for text in (one.message, one.advice):
            for piece in _pieces(plain_text(text), room):
                lines.append(f"{head}{piece}")
                head = " " * margin
    return "\n".join(lines)


def _pieces(text: str, room: int | None) -> list[str]:
    """Return the lines of a text; a path that is longer than one goes on in the next."""
    if room is None:
        return [text] if text else []
    return textwrap.wrap(text, room, break_on_hyphens=False)


def summary(found: Diagnosis) -> str:
    """Return what was found in a sentence."""
    wrong, warnings = found.count("wrong"), found.count("warning")
    skipped = f"; not looked at: {', '.join(found.skipped)}" if found.skipped else ""
    if not (wrong or warnings):
        return f"nothing is wrong{skipped}"
    plural = "" if warnings == 1 else "s"
    return f"{wrong or 'nothing'} wrong, {warnings or 'no'} warning{plural}{skipped}"
