"""Whoever a use case works for: it is asked, and hears how things come on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from advisor.base.errors import AdvisorError, UsageError

if TYPE_CHECKING:
    from advisor.ranking.offer import RankedOffer
    from advisor.rental.jobs import JobRecord
    from advisor.rental.request import Attempt, Rental
    from advisor.rental.run import Ended


class Listener:
    """Who runs a job: asked where something is unusual or costs money.

    This one is a program that sits before no terminal: it agrees to each payment within
    the caps, and to nothing unusual. A face of its own replaces what it does otherwise.
    """

    def confirms(self, candidate: RankedOffer, ends_at: float) -> bool:  # noqa: ARG002
        """Say whether an offer may be paid for.

        Parameters
        ----------
        ends_at : when the rental ends at the latest, seconds since 1970
        """
        return True

    def rented(self, rental: Rental, key_file: Path) -> None:
        """Hear what was rented, before it is the user's; where this raises, it is not.

        Parameters
        ----------
        key_file : private ssh key that the machine lets in
        """

    def not_rented(self, error: AdvisorError, attempts: Sequence[Attempt]) -> None:
        """Hear why nothing was rented; the error is raised after that.

        Parameters
        ----------
        attempts : what came of each offer
        """

    def allows(self, reason: str, question: str) -> bool:  # noqa: ARG002
        """Say whether something unusual may be sent.

        Parameters
        ----------
        reason : what is unusual, and how it is avoided
        question : what is asked

        Raises
        ------
        UsageError
            if nobody is there to be asked
        """
        raise UsageError(reason)

    def allows_secrets(self, reason: str) -> bool:  # noqa: ARG002
        """Say whether secrets may be sent that the spec names: who names one means it.

        Parameters
        ----------
        reason : which ones, and what they are
        """
        return True

    def prints(self, piece: bytes) -> None:
        """Take what the command on the machine prints."""

    def ended(self, ended: Ended) -> None:
        """Hear how a job has ended, while its launcher still holds it."""

    def not_ended(self, job: JobRecord, error: AdvisorError) -> None:
        """Hear why a job has not ended; the error is raised after that."""

    def resuming(self, name: str) -> str:
        """Return what a user types to go on with a job."""
        return f"advisor run --resume {name}"
