"""Signals that end a command take effect only where it can stand that.

Python runs a signal's handler between any two instructions. Ctrl-C that raises there may
come between the answer of a request that rents and the line that writes it down. So
within `deferred` a signal is only noted, and raises `KeyboardInterrupt`

- in a `window`: around waits, at once;
- at a `check`: where the work may well be left.

What is begun inside `shielded` is ended first. Who insists is asked once, and then leaves
it to ``advisor reconcile`` (`AbandonedError`).

Handlers belong to the process and run in its main thread: all this does nothing in other
threads, and nothing outside `deferred`, where signals do what they did before. A thread
that works for somebody who may leave has an event instead of signals, see `stoppable`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Any, Self

from advisor.base.errors import RentalStateUnknownError

_HANGUP = getattr(signal, "SIGHUP", None)  # Windows has none
_LOOKS_UP_S = 0.5
_SIGNALS = tuple(one for one in (signal.SIGINT, signal.SIGTERM, _HANGUP) if one)


class AbandonedError(KeyboardInterrupt):
    """The user would not wait for the end of what `shielded` had begun.

    No error of the tree: what handles those on the way must not take it for a failure
    that it can mend. `deferred` makes a `RentalStateUnknownError` of it.
    """


@dataclass(slots=True)
class _State:
    """Which signals the process got, and where it is; the main thread's alone.

    Attributes
    ----------
    before : handlers that come back at the end; None outside `deferred`
    for_good : nothing comes after `deferred` but the end of the process
    noted : the signal that has not raised yet, 0 if there is none
    seen : whether there has been one
    is_open : whether it may raise at once
    raised : whether one has raised in a window that has not ended
    shields : what is to be ended first, the outermost first
    asked : whether the user was asked to wait
    abandoned : what the user would not wait for, ``""`` if nothing
    """

    before: Mapping[int, Any] | None = None
    for_good: bool = False
    noted: int = 0
    seen: bool = False
    is_open: bool = False
    raised: bool = False
    shields: tuple[str, ...] = ()
    asked: bool = False
    abandoned: str = ""


_state = _State()


@dataclass(slots=True)
class _Stop:
    """What ends the work of one thread.

    Attributes
    ----------
    event : set by whoever does not wait for it any more
    shields : how many blocks are to be ended first
    raised : whether it has raised; it raises once, as a signal does
    """

    event: threading.Event
    shields: int = 0
    raised: bool = False


class _Thread(threading.local):
    stop: _Stop | None = None


_thread = _Thread()

_SLICE_S = 0.25
"""Longest wait in one piece of a thread that an event may stop, s."""


@contextmanager
def stoppable(event: threading.Event) -> Iterator[None]:
    """Let an event do in this thread, while a block runs, what a signal does there.

    It raises `KeyboardInterrupt`, once, where the main thread would: at a `check`, before
    and after what is done in a `window`, and within a quarter of a second in the waits of
    a clock; what is `shielded` is ended first.
    """
    before, _thread.stop = _thread.stop, _Stop(event)
    try:
        yield
    finally:
        _thread.stop = before


def pieces(seconds: float) -> Iterator[float]:
    """Yield the pieces of a wait, between which what stops a thread raises."""
    stop = _thread.stop
    if stop is None or stop.shields:
        yield seconds
        return
    while seconds > 0.0:
        yield min(seconds, _SLICE_S)
        seconds -= _SLICE_S
        check()


def check() -> None:
    """Raise `KeyboardInterrupt` if a signal was noted; it is no more, then."""
    if _is_here() and _state.noted and not _state.shields:
        _state.noted = 0
        raise _interrupt()
    stop = _thread.stop
    if stop and stop.event.is_set() and not (stop.shields or stop.raised):
        stop.raised = True
        raise KeyboardInterrupt


def wait_for_signal() -> None:
    """Wait in a `window` until a signal raises `KeyboardInterrupt`.

    The system may give a signal to any thread. Python runs its handler in the main one,
    but wakes that only if it was the one: so it looks up now and then.
    """
    nothing = threading.Event()
    with window():
        while True:
            nothing.wait(_LOOKS_UP_S)


def to_the_end() -> None:
    """Say that the process ends after `deferred`: signals change nothing any more then.

    Between the delivery of a machine and the end of the process, one would turn exit
    code 0 into another.
    """
    _state.for_good = True


class deferred:  # noqa: N801  (used as a function)
    """Note SIGINT, SIGTERM and SIGHUP while a block runs; see the module.

    Inside another one, it does nothing. Signals that are ignored stay so (``nohup``), and
    so do handlers that are not Python's. The earlier handlers come back at the end.

    Parameters
    ----------
    hand_on : a signal that has not raised by the end goes to the earlier handler; else
        it came too late

    Raises
    ------
    RentalStateUnknownError
        for `AbandonedError`
    """

    def __init__(self, *, hand_on: bool = False) -> None:
        self._hand_on = hand_on
        self._is_outermost = False

    def __enter__(self) -> None:
        """Put the handlers up."""
        if not _is_main_thread() or _state.before is not None:
            return
        earlier = {one: signal.getsignal(one) for one in _SIGNALS}
        before = {
            one: handler
            for one, handler in earlier.items()
            if handler not in (signal.SIG_IGN, None)
        }
        _state.noted, _state.seen = 0, False
        _state.shields, _state.asked, _state.abandoned = (), False, ""
        try:
            for one in before:
                signal.signal(one, _arrived)
        except BaseException:  # an earlier handler that raises
            _put_back(before)
            raise
        _state.before = before
        self._is_outermost = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Put the earlier handlers back."""
        if not self._is_outermost:
            return
        before, _state.before = _state.before or {}, None
        try:
            _put_back(
                dict.fromkeys(before, signal.SIG_IGN) if _state.for_good else before
            )
        finally:  # one of the earlier handlers may raise
            if isinstance(error, AbandonedError):
                raise RentalStateUnknownError(str(error)) from error
        if self._hand_on and kind is None and _state.noted:
            signal.raise_signal(_state.noted)


class window:  # noqa: N801  (used as a function)
    """Let a signal raise `KeyboardInterrupt` at once while a block waits.

    One that was noted before raises on entry. Inside `shielded`, it does nothing.

    The handler closes the window before it raises: wherever that is, be it in these
    methods, nothing raises after the block. What is swallowed in the block, as what a
    finalizer raises is, raises anew at its end.
    """

    def __init__(self) -> None:
        self._was_open = False
        self._is_mine = False

    def __enter__(self) -> Self:
        """Open it."""
        if _thread.stop:
            check()
        if _is_here() and not _state.shields:
            self._was_open, self._is_mine = _state.is_open, True
            _state.raised, _state.is_open = False, True
            if _state.noted:
                _state.is_open = self._was_open
                check()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close it."""
        if self._is_mine:
            _state.is_open = self._was_open
            if kind is None and _state.raised:
                raise _interrupt()
            if kind is None:
                check()
        elif _thread.stop and kind is None:
            check()


class shielded:  # noqa: N801  (used as a function)
    """End a block that was begun, whatever signals come.

    The first one of the command is noted, the second one asks to wait, the third one
    raises `AbandonedError`; nothing is begun any more after that. A terminal that has
    gone asks for nothing: SIGHUP is noted only.

    Parameters
    ----------
    what : is done inside, as in "releasing instance 5"

    Raises
    ------
    AbandonedError
        if the user would not wait
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._outer: tuple[str, ...] | None = None

    def __enter__(self) -> None:
        """Begin it."""
        if _thread.stop:
            _thread.stop.shields += 1
        if not _is_here():
            return
        if _state.abandoned:
            raise _interrupt()
        self._outer = _state.shields
        _state.shields = (*self._outer, self._what)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it."""
        if _thread.stop:
            _thread.stop.shields -= 1
        if self._outer is not None:
            _state.shields = self._outer


def _is_here() -> bool:
    """Say whether signals are deferred, and would be met by this thread."""
    return _state.before is not None and _is_main_thread()


def _is_main_thread() -> bool:
    return threading.get_ident() == threading.main_thread().ident


def _arrived(number: int, _frame: FrameType | None) -> None:
    """Raise what a signal means, or note it."""
    again, _state.seen = _state.seen, True
    if _state.is_open and not _state.shields:
        _state.is_open, _state.raised, _state.noted = False, True, 0
        raise _interrupt()
    _state.noted = number
    if not (_state.shields and again) or number == _HANGUP:
        return
    if _state.asked:
        _state.abandoned = _state.abandoned or _state.shields[-1]
        raise _interrupt()
    _state.asked = True
    _ask(_state.shields[-1])


def _interrupt() -> KeyboardInterrupt:
    """Return what a signal raises now."""
    if not _state.abandoned:
        return KeyboardInterrupt()
    return AbandonedError(
        f"interrupted while {_state.abandoned}: a machine may be rented and bill; run "
        "'advisor reconcile'"
    )


def _ask(what: str) -> None:
    """Say what is waited for, past the stream's buffer: it may be in use just now."""
    if sys.stderr is None:  # descriptor 2 may be anything then
        return
    words = f"{what}: interrupt once more to leave it to 'advisor reconcile'\n"
    with suppress(OSError, ValueError):  # the terminal has gone, the stream is closed
        os.write(sys.stderr.fileno(), words.encode(errors="replace"))


def _put_back(handlers: Mapping[int, Any]) -> None:
    """Set handlers, SIGINT's last, all of them also where one of them raises."""
    with ExitStack() as stack:
        for number, handler in handlers.items():
            stack.callback(signal.signal, number, handler)
