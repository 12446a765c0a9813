"""The offers of a market: asked for once, held, and asked for anew at the user's word.

A page that moves with a slider must not ask the market each time, which limits how often
it is asked. So the market is asked for all that it has, as ``advisor fetch`` does, and
every ranking takes that answer; the page says how old it is.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from advisor.app.constraints import Constraints
from advisor.app.context import Context
from advisor.app.markets import MAX_AGE_S, answer_of, fetched
from advisor.base.errors import AdvisorError
from advisor.base.log import happened
from advisor.market.types import Answer, Query

ASK_AGAIN_S = 30.0
"""Seconds in which the market is not asked twice; an assumption. Its own limit is on top
of that: `advisor.market.rate_limit`."""


@dataclass(frozen=True, slots=True)
class Held:
    """What is known of a market at one moment.

    Attributes
    ----------
    answer : the newest; None: there is none yet
    number : of the answer, 0 before the first
    is_asked : whether the market is being asked
    problem : why the market last gave none; None: it gave one
    notices : what there was to say of that
    """

    answer: Answer | None = None
    number: int = 0
    is_asked: bool = False
    problem: AdvisorError | None = None
    notices: tuple[str, ...] = ()


class MarketOffers:
    """Asks a market in a thread of its own, and holds what it answers.

    Parameters
    ----------
    context : the outside world
    market : its name, or the path of a saved answer; None: the default one
    """

    def __init__(self, context: Context, market: str | None) -> None:
        self._context = context
        self._market = market
        self._held = Held()
        self._asked_at: float | None = None
        self._changed = threading.Condition()

    @property
    def held(self) -> Held:
        """What is known now."""
        with self._changed:
            return self._held

    def ask(self, max_age_s: float = MAX_AGE_S) -> bool:
        """Begin to ask the market; return whether that was not done a moment ago.

        Parameters
        ----------
        max_age_s : how old a stored answer may be, seconds
        """
        with self._changed:
            now = self._context.clock.monotonic()
            last = self._asked_at
            if self._held.is_asked or (last is not None and now - last < ASK_AGAIN_S):
                return False
            self._asked_at = now
            self._held = replace(self._held, is_asked=True)
        threading.Thread(
            target=self._ask, args=(max_age_s,), name="market", daemon=True
        ).start()
        return True

    def wait(self, seconds: float) -> Held:
        """Return what is known once there is an answer, or after a while."""
        with self._changed:
            self._changed.wait_for(lambda: not self._held.is_asked, seconds)
            return self._held

    def _ask(self, max_age_s: float) -> None:
        notices: list[str] = []
        context = replace(self._context, notify=notices.append)

        def asks(query: Query) -> Answer:
            return answer_of(
                context, self._market, query, max_age_s=max_age_s, stale_ok=True
            )

        answer, problem = None, None
        try:
            answer, _ = fetched(context, Constraints(), asks)
        except AdvisorError as error:
            problem = error
        except Exception as error:  # a fault of ours, and nobody is there to see it
            happened("serve", "the market cannot be asked: %r", error)
            message = f"the market cannot be asked: {type(error).__name__}: {error}"
            problem = AdvisorError(" ".join(message.split()))
        with self._changed:
            before = self._held
            self._held = Held(
                before.answer if answer is None else answer,
                before.number + (answer is not None),
                problem=problem,
                notices=tuple(notices),
            )
            self._changed.notify_all()
