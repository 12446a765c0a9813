"""One call of a tool: its work in a thread of its own, and whoever waits for it.

The server's loop never computes and never asks a market: else a ping would wait for a
search. The thread outlives whoever waits. What it has begun it brings to an end, and a
machine that nobody waits for any more is released by it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from advisor.base.errors import AdvisorError
from advisor.base.interrupts import check, stoppable, window

ANSWER_S = 600.0
"""Seconds that a question may wait: after that the offer is another one anyway."""

_LOOK_S = 0.2

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """A line for people on how the work comes on."""

    line: str


@dataclass(frozen=True, slots=True)
class Question:
    """What the user is to allow.

    Attributes
    ----------
    text : what would be done, and what it costs
    verb : what a yes says, as in "Rent it"
    answer : takes whether it is allowed, or why nobody can be asked
    """

    text: str
    verb: str
    answer: concurrent.futures.Future[bool]

    def settle(self, answer: bool | AdvisorError) -> None:
        """Answer it, once; what comes later says nothing."""
        with suppress(concurrent.futures.InvalidStateError):
            if isinstance(answer, AdvisorError):
                self.answer.set_exception(answer)
            else:
                self.answer.set_result(answer)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: a document, or why there is none."""

    document: Document | None
    error: BaseException | None


Do = Callable[["Work"], Document]


class Work:
    """The work of one call.

    Parameters
    ----------
    do : does it, in a thread of its own
    undo : ends what a document says is had, where nobody took the document
    """

    def __init__(self, do: Do, undo: Callable[[Document], None] | None = None) -> None:
        self._do, self._undo = do, undo
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Note | Question | Done] = asyncio.Queue()
        self._left = threading.Event()
        self._turn = threading.Lock()
        self._had: Document | None = None
        self._thread = threading.Thread(target=self._run, name="tool")

    def begin(self) -> None:
        """Begin it."""
        self._thread.start()

    async def next(self) -> Note | Question | Done:
        """Wait for what happens next; nothing happens after `Done`."""
        return await self._events.get()

    def leave(self) -> None:
        """Wait for it no more: it ends as if Ctrl-C were pressed, and keeps nothing.

        From any thread, and also once it is done.
        """
        with self._turn:
            self._left.set()
            had, self._had = self._had, None
        if had is not None and self._undo is not None:
            # As the first thread: not a daemon, so that the process waits for it.
            undo = threading.Thread(target=self._undo, args=(had,), name="undo")
            self._thread = undo
            undo.start()

    def taken(self) -> None:
        """Say that whoever waited has the document: what it says is theirs."""
        with self._turn:
            self._had = None

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the end of the thread; return whether it has come."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def note(self, line: str) -> None:
        """Report how it comes on; from any thread."""
        self._report(Note(line))

    def ask(self, text: str, verb: str) -> bool:
        """Ask the user, in the thread; return whether it is allowed.

        Raises
        ------
        AdvisorError
            if nobody can be asked, or nobody answers
        KeyboardInterrupt
            if nobody waits for this any more
        """
        question = Question(text, verb, concurrent.futures.Future())
        self._report(question)
        waited_s = 0.0
        while waited_s < ANSWER_S:
            with window(), suppress(TimeoutError):
                return question.answer.result(_LOOK_S)
            waited_s += _LOOK_S
        question.settle(answer=False)
        message = f"nobody answered within {ANSWER_S / 60.0:.0f} min: nothing was done"
        raise AdvisorError(message)

    def _run(self) -> None:
        try:
            with stoppable(self._left):
                check()
                done = Done(self._do(self), None)
        except BaseException as error:  # also what a signal would raise
            done = Done(None, error)
        with self._turn:
            is_left = self._left.is_set()
            self._had = None if is_left else done.document
        if is_left and done.document is not None and self._undo is not None:
            self._undo(done.document)
        self._report(done)

    def _report(self, event: Note | Question | Done) -> None:
        with suppress(RuntimeError):  # the loop has ended, and nobody waits
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
