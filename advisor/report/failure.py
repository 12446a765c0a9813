"""What went wrong, as the part ``error`` of a JSON document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from advisor.base.errors import AdvisorError, Given

SCHEMA_VERSION = 1
"""Of the document of a command that printed nothing else."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command failed.

    Attributes
    ----------
    code : stable name of the kind of failure, see `advisor.base.errors`
    message : one line
    hint : what to do; None: the message says it
    """

    code: str
    message: str
    hint: str | None = None

    @classmethod
    def of(cls, error: AdvisorError, words: Callable[[Given], str] = str) -> Self:
        """Return what an error of ours says.

        Parameters
        ----------
        words : returns what the user's face calls an argument
        """
        return cls(error.code, " ".join(error.worded(words).split()), error.hint)

    def document(self) -> dict[str, Any]:
        """Return the document of a command that printed nothing else."""
        return {"schema_version": SCHEMA_VERSION, "error": asdict(self)}


def with_error(
    document: Mapping[str, Any],
    error: AdvisorError | None,
    words: Callable[[Given], str] = str,
) -> dict[str, Any]:
    """Return a document that a command prints although it fails, with the reason.

    Parameters
    ----------
    error : why it fails; None: it does not
    words : returns what the user's face calls an argument
    """
    if error is None:
        return dict(document)
    return {**document, "error": asdict(Failure.of(error, words))}


INTERRUPTED = Failure("interrupted", "interrupted")
"""Ctrl-C, and a question that was answered by no; exit code 130."""

INTERNAL = "internal"
"""Code of a fault of the program itself."""

SYSTEM = "system"
"""Code of an error of the operating system, such as a full disk."""
