"""Jobs whose rentals are ended at the user's word, one after another, in a thread.

Ending takes half a minute, more than a page waits for. Who closes the page, or ends the
server, meanwhile ends nothing by that: what has begun comes to its end.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from advisor.app.context import Context
from advisor.app.release import Released, release
from advisor.base.errors import AdvisorError, UsageError
from advisor.rental.release import Releasable

_MOST_TOLD = 20


@dataclass(frozen=True, slots=True)
class Ending:
    """What becomes of a job that is to be released.

    Attributes
    ----------
    job : its name
    state : ``"releasing"``, ``"released"``, or ``"failed"``: it may still bill
    lines : what there was to say, the last one first where it failed
    """

    job: str
    state: Literal["releasing", "released", "failed"]
    lines: tuple[str, ...] = ()


class Releases:
    """Ends the rentals of jobs.

    Parameters
    ----------
    context : the outside world
    market : where they are rented
    """

    def __init__(self, context: Context, market: str) -> None:
        self._context = context
        self._market = market
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="release")
        self._endings: dict[str, Ending] = {}
        self._turn = threading.Lock()

    def begin(self, job: str, rentals: int) -> None:
        """Begin to release a job, unless that has begun already.

        Parameters
        ----------
        rentals : how many of them the user was shown: no more are ended
        """
        with self._turn:
            if job in self._endings and self._endings[job].state == "releasing":
                return
            self._endings.pop(job, None)
            self._endings[job] = Ending(job, "releasing")
            while len(self._endings) > _MOST_TOLD:
                self._endings.pop(next(iter(self._endings)))
        self._pool.submit(self._end, job, rentals)

    @property
    def endings(self) -> Sequence[Ending]:
        """What has become of those that were begun, the newest first."""
        with self._turn:
            return tuple(reversed(self._endings.values()))

    @property
    def is_at_work(self) -> bool:
        """Whether one is being ended."""
        return any(one.state == "releasing" for one in self.endings)

    def close(self) -> None:
        """Wait until what has begun has come to its end."""
        self._pool.shutdown(wait=True)

    def _end(self, job: str, rentals: int) -> None:
        def notify(line: str) -> None:
            self._note(job, lambda was: replace(was, lines=(*was.lines, line)))
            self._context.notify(line)

        context = replace(self._context, notify=notify)
        try:
            release(context, self._market, Released(job=job), partial(_confirm, rentals))
        except Exception as error:  # whatever it is, the user must hear of it
            why = str(error) if isinstance(error, AdvisorError) else repr(error)
            self._context.notify(f"job {job} is not released: {why}")
            self._note(
                job, lambda was: replace(was, state="failed", lines=(why, *was.lines))
            )
        else:
            self._note(job, lambda was: replace(was, state="released"))

    def _note(self, job: str, change: Callable[[Ending], Ending]) -> None:
        with self._turn:
            if job in self._endings:
                self._endings[job] = change(self._endings[job])


def _confirm(rentals: int, chosen: Sequence[Releasable]) -> None:
    """See that no more is ended than the user was shown, such as another computer's.

    Raises
    ------
    UsageError
        if there is more
    """
    if len(chosen) > rentals:
        message = (
            f"nothing was released: the market has {len(chosen)} rentals of this job, "
            f"and this page showed {rentals}; 'advisor release --job NAME' lists them "
            "and asks"
        )
        raise UsageError(message)
