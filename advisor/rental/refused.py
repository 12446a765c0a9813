"""Why an offer was not rented: one type, wherever that shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from advisor.software.misfit import Misfit, Symptom

Cause = (
    Literal[
        "gone",
        "changed",
        "taken",
        "refused",
        "rate_limited",
        "placement_failed",
        "lost",
        "too_slow",
        "unanswered",
        "broken",
        "outbid",
        "vanished",
        "dearer",
    ]
    | Misfit
)
"""In one word, from the look before it is paid for to the machine that does not start."""


@dataclass(frozen=True, slots=True)
class NotRented:
    """Why an offer was not rented; the next one may be.

    Attributes
    ----------
    cause : in one word
    reason : for people
    """

    cause: Cause
    reason: str

    @classmethod
    def by(cls, symptom: Symptom) -> Self:
        """Return what a machine shows that cannot run the image."""
        return cls(symptom.misfit, str(symptom))


class NotStartedError(Exception):
    """A rental that does not come to run: it is to be ended, another one may do.

    Attributes
    ----------
    why : what keeps it
    """

    def __init__(self, why: NotRented) -> None:
        super().__init__(why.reason)
        self.why = why
