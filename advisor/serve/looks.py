"""What the market shows of the account, asked at the user's word alone."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from advisor.app.context import Context
from advisor.app.plan import rental_context_of
from advisor.base.errors import AdvisorError
from advisor.rental.seen import Seen, look_at

LOOK_AGAIN_S = 10.0
"""Seconds in which the market is not asked twice for the account's rentals."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What the market showed of the account when it was last asked.

    Attributes
    ----------
    seen : its instances; None: it was not asked, or gave no answer
    at : when, seconds since 1970; None: not yet
    problem : why it gave no answer; ``""``: it gave one
    """

    seen: Seen | None = None
    at: float | None = None
    problem: str = ""


class Looks:
    """Asks the market what the account has there, at the user's word alone."""

    def __init__(self, context: Context, market: str) -> None:
        self._context = context
        self._market = market
        self._latest = Looked()
        self._turn = threading.Lock()

    @property
    def latest(self) -> Looked:
        """What it showed last."""
        return self._latest

    def look(self) -> None:
        """Ask it, unless that was a moment ago."""
        with self._turn:
            now = self._context.now().timestamp()
            at = self._latest.at
            if at is not None and 0.0 <= now - at < LOOK_AGAIN_S:
                return
            try:
                seen = look_at(rental_context_of(self._context, self._market))
            except AdvisorError as error:
                self._latest = Looked(at=now, problem=str(error))
            else:
                self._latest = Looked(seen, now)
