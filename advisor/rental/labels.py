"""Labels of rentals: by them a rental is found again, on the market and in the ledger.

``advisor:<job>:<end>-<random>``: whoever sees it on the market knows whose it is, for
what, and when it must be gone, also where the ledger that it is from is not at hand.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

from advisor.base.errors import UsageError

PREFIX = "advisor:"
"""What every label of ours starts with."""

_LABEL = re.compile(r"advisor:([A-Za-z0-9._-]{1,100}):([0-9a-f]{8})-([0-9a-f]{16})")

JOB_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
"""What names a job: in a label, as a folder here and on the machine, in a shell."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a label tells.

    Attributes
    ----------
    job : what the rental is for
    ends_unix_s : when it must be gone, seconds since 1970
    token : the part that no other label has
    """

    job: str
    ends_unix_s: float
    token: str


def new_label(job: str, ends_unix_s: float) -> str:
    """Return a label that nobody has used."""
    return f"{PREFIX}{job}:{int(ends_unix_s):08x}-{secrets.token_hex(8)}"


def read_label(text: str) -> Label | None:
    """Return what a label tells, None if it is not one of ours."""
    match = _LABEL.fullmatch(text)
    if match is None:
        return None
    return Label(match[1], float(int(match[2], 16)), f"{match[2]}-{match[3]}")


def check_job(name: str) -> str:
    """Return the name of a job if it can be one.

    Raises
    ------
    UsageError
        if a label, a folder or a command on the machine could not have it
    """
    if not JOB_NAME.fullmatch(name):
        message = (
            f"{name[:40]!r} cannot name a job: use 1 to 100 letters, digits, '.', "
            "'_' and '-', the first one a letter, a digit or '_'"
        )
        raise UsageError(message)
    return name


def job_of(workload: str) -> str:
    """Return a job name for one use of a workload, unlike any other."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", workload)[:60].strip("-.") or "job"
    return f"{plain}-{secrets.token_hex(3)}"
