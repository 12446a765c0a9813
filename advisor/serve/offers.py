"""The offers of a market: asked for once, held, and asked for anew at the user's word.

A page that moves with a slider must not ask the market each time, which limits how often
it is asked. So the market is asked for all that it has, as ``advisor fetch`` does, and
every ranking takes that answer; the page says how old it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.markets import MAX_AGE_S, answer_of, fetched
from advisor.base.errors import AdvisorError
from advisor.market.types import Answer, Query
from advisor.serve.asking import Asking, Held

ASK_AGAIN_S = 30.0
"""Seconds in which the market is not asked twice; an assumption. Its own limit is on top
of that: `advisor.market.rate_limit`."""


@dataclass(frozen=True, slots=True)
class Offers:
    """What is known of a market.

    Attributes
    ----------
    answer : the newest; None: there is none yet
    problem : why the market last gave none; None: it gave one, or was not asked
    notices : what there was to say of that
    """

    answer: Answer | None = None
    problem: AdvisorError | None = None
    notices: tuple[str, ...] = ()


class MarketOffers:
    """Asks a market for all its offers, and holds its answer.

    Parameters
    ----------
    context : the outside world
    market : its name, or the path of a saved answer; None: the default one
    """

    def __init__(self, context: Context, market: str | None) -> None:
        self._context = context
        self._market = market
        self._asking = Asking(Offers(), context.clock.monotonic, ASK_AGAIN_S)

    def ask(self, max_age_s: float = MAX_AGE_S) -> bool:
        """Begin to ask the market; return whether that was not done a moment ago.

        Parameters
        ----------
        max_age_s : how old a stored answer may be, seconds
        """
        return self._asking.begin(lambda before: self._answer(before, max_age_s))

    def wait(self, seconds: float = 0.0) -> Held[Offers]:
        """Return what is known once there is an answer, or after a while."""
        return self._asking.wait(seconds)

    def _answer(self, before: Offers, max_age_s: float) -> Offers:
        notices: list[str] = []
        context = replace(self._context, notify=notices.append)

        def asks(query: Query) -> Answer:
            return answer_of(
                context, self._market, query, max_age_s=max_age_s, stale_ok=True
            )

        try:
            answer, _ = fetched(context, Constraints(), asks)
        except Exception as error:  # whatever it is, the page must say so
            return replace(before, problem=as_ours(error), notices=tuple(notices))
        return Offers(answer, notices=tuple(notices))


def as_ours(error: Exception) -> AdvisorError:
    """Return an error as one with a line for people; a fault of ours is named as such."""
    if isinstance(error, AdvisorError):
        return error
    message = f"the market cannot be asked: {type(error).__name__}: {error}"
    return AdvisorError(" ".join(message.split()))
