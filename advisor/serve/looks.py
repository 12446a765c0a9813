"""What the market shows of the account, asked at the user's word alone."""

from __future__ import annotations

from dataclasses import dataclass

from advisor.app.context import Context
from advisor.app.plan import rental_context_of
from advisor.rental.seen import Seen, look_at
from advisor.serve.asking import Asking, Held
from advisor.serve.offers import as_ours

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
    """Asks the market what the account has there, and holds what it showed.

    Parameters
    ----------
    context : the outside world
    market : where machines are rented
    """

    def __init__(self, context: Context, market: str) -> None:
        self._context = context
        self._market = market
        self._asking = Asking(Looked(), context.clock.monotonic, LOOK_AGAIN_S)

    def look(self) -> bool:
        """Begin to ask the market; return whether that was not done a moment ago."""
        return self._asking.begin(lambda _: self._looked())

    def wait(self, seconds: float = 0.0) -> Held[Looked]:
        """Return what it showed once it has answered, or after a while."""
        return self._asking.wait(seconds)

    def _looked(self) -> Looked:
        now = self._context.now().timestamp()
        try:
            seen = look_at(rental_context_of(self._context, self._market))
        except Exception as error:  # whatever it is, the page must say so
            return Looked(at=now, problem=str(as_ours(error)))
        return Looked(seen, now)
