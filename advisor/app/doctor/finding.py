"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from advisor.base.errors import AdvisorError

Status = Literal["ok", "warning", "wrong"]
"""*ok*: nothing is to be done; *warning*: advisor works, but not all of it, or not as it
should; *wrong*: a command will fail, or money may be lost."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found.

    Attributes
    ----------
    name : of what was looked at, such as ``"ssh_key"``
    status : see `Status`
    message : what was found, one line
    advice : what to do, one line; ``""`` where nothing is to be done
    kind : error of which a command would fail for it, where that is wrong
    """

    name: str
    status: Status
    message: str
    advice: str = ""
    kind: type[AdvisorError] = field(default=AdvisorError, repr=False)

    @property
    def title(self) -> str:
        """What was looked at, for people."""
        return self.name.replace("_", " ")


def ok(name: str, message: str) -> Finding:
    """Return that nothing is to be done."""
    return Finding(name, "ok", message)


def warning(name: str, message: str, advice: str) -> Finding:
    """Return what should be mended."""
    return Finding(name, "warning", message, advice)


def wrong(
    name: str,
    message: str | AdvisorError,
    advice: str = "",
    kind: type[AdvisorError] = AdvisorError,
) -> Finding:
    """Return what must be mended.

    Parameters
    ----------
    message : what was found; an error is of its own kind
    """
    if isinstance(message, AdvisorError):
        return Finding(name, "wrong", str(message), advice, type(message))
    return Finding(name, "wrong", message, advice, kind)
