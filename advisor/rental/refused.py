"""Why an offer was not rented: one type, wherever that shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

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
        "slow",
    ]
    | Misfit
)
"""In one word, from the look before it is paid for to the machine that does not start, or
is measured and does not do what was to be expected of it."""


@dataclass(frozen=True, slots=True)
class NotRented:
    """Why an offer was not rented; the next one may be.

    Attributes
    ----------
    cause : in one word
    reason : for people
    measured : what was measured of the machine, as JSON has it; None: nothing was
    """

    cause: Cause
    reason: str
    measured: Mapping[str, Any] | None = field(default=None, repr=False)

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
