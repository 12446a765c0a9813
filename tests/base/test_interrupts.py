"""Signals take effect where a command can stand that, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any

import pytest

from advisor.base import interrupts
from advisor.base.clock import Clock, interruptible
from advisor.base.errors import RentalStateUnknownError
from advisor.base.interrupts import (
    AbandonedError,
    check,
    deferred,
    shielded,
    stoppable,
    to_the_end,
    window,
)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def handlers_stay() -> Iterator[None]:
    """See that each test leaves the process's handlers as they were."""
    before = [signal.getsignal(one) for one in SIGNALS]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    after = [signal.getsignal(one) for one in SIGNALS]
    for one, handler in zip(SIGNALS, before, strict=True):
        signal.signal(one, handler)
    assert after == [signal.default_int_handler, *before[1:]]


def arrive(number: int = signal.SIGINT) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_until_it_may_raise(number: int) -> None:
    """Any of the three, at `check` or at the next wait; each raises once."""
    with deferred():
        arrive(number)
        with pytest.raises(KeyboardInterrupt):
            check()
        check()
        arrive(number)
        with pytest.raises(KeyboardInterrupt), window():
            pytest.fail("it was noted before")
        with window():
            pass


@pytest.mark.parametrize("number", SIGNALS)
def test_a_wait_ends_at_once(number: int) -> None:
    """And nothing raises once it is over."""
    with deferred():
        with pytest.raises(KeyboardInterrupt):
            wait(number)
        arrive(number)
        check_noted()


def wait(number: int = signal.SIGINT) -> None:
    with window():
        arrive(number)
        pytest.fail("it waits on")


def check_noted() -> None:
    with pytest.raises(KeyboardInterrupt):
        check()


def test_what_is_shielded_is_ended_first() -> None:
    """Neither a check nor a wait inside raises; the first check after it does."""
    with deferred():
        with shielded("releasing instance 5"):
            arrive()
            check()
            with window():
                pass
        check_noted()


def test_a_shield_in_a_window_holds() -> None:
    """What came meanwhile raises at the end of the window."""
    steps = []

    def wait() -> None:
        with window():
            with shielded("releasing instance 5"):
                arrive()
                steps.append("inside")
            steps.append("after it")

    with deferred(), pytest.raises(KeyboardInterrupt):
        wait()
    assert steps == ["inside", "after it"]


def test_who_insists_is_asked_once(capfd: pytest.CaptureFixture[str]) -> None:
    """The third signal leaves it to reconcile, with exit code 7; nothing is begun then.

    What is on the way out takes it for no error that it could mend.
    """
    ended = []

    def insist() -> None:
        with suppress(Exception), shielded("releasing instance 5"):
            arrive()
            assert capfd.readouterr().err == ""
            arrive(signal.SIGTERM)
            (said,) = capfd.readouterr().err.splitlines()
            assert "releasing instance 5" in said
            assert "once more" in said
            arrive()
            pytest.fail("it goes on")

    def command() -> None:
        with deferred():
            try:
                insist()
            finally:
                ended.append("cleared up")
                with shielded("releasing instance 6"):
                    pytest.fail("it begins something")

    with pytest.raises(RentalStateUnknownError, match="while releasing instance 5"):
        command()
    assert ended


def test_a_signal_that_raised_counts_for_who_insists(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Ctrl-C in a wait, and again while the machine is released: the second one asks."""
    with deferred():
        with pytest.raises(KeyboardInterrupt):
            wait()
        with shielded("releasing instance 5"):
            arrive()
        assert "once more" in capfd.readouterr().err
        with pytest.raises(AbandonedError), shielded("releasing instance 5"):
            arrive()
        check_noted()


def test_a_terminal_that_is_gone_asks_for_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A shell and the system both say so, and nobody is there to be asked."""
    with deferred(), shielded("releasing instance 5"):
        for _ in range(4):
            arrive(signal.SIGHUP)
    assert capfd.readouterr().err == ""


def test_the_question_is_no_error_where_nobody_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Standard error is closed, or its reader is gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone:  # noqa: PTH123  (a descriptor)
        for stream in (None, gone):
            monkeypatch.setattr(sys, "stderr", stream)
            with deferred(), shielded("releasing instance 5"):
                arrive()
                arrive()


def test_what_is_swallowed_in_a_wait_raises_at_its_end() -> None:
    """As what a finalizer raises is."""

    def swallow() -> None:
        with window(), suppress(KeyboardInterrupt):
            arrive()

    with deferred():
        with pytest.raises(KeyboardInterrupt):
            swallow()
        check()


def test_a_signal_that_is_ignored_stays_so() -> None:
    """`nohup` ignores SIGHUP; a shell's job in the background SIGINT."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with deferred():
            arrive(signal.SIGHUP)
            check()
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_of_others_come_back() -> None:
    """Exactly those that were there, after an error, too."""
    seen = []

    def own(number: int, frame: FrameType | None) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGTERM, own)
    try:
        with pytest.raises(KeyError):
            fail_deferred()
        assert signal.getsignal(signal.SIGTERM) is own
        assert seen == []
        with deferred(hand_on=True):
            arrive(signal.SIGTERM)
        assert seen == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def fail_deferred() -> None:
    with deferred():
        arrive(signal.SIGTERM)
        raise KeyError


def test_one_that_comes_too_late_changes_nothing() -> None:
    """Unless the program goes on after it."""
    with deferred():
        arrive()
    with pytest.raises(KeyboardInterrupt), deferred(hand_on=True):
        arrive()


def test_an_inner_one_does_nothing() -> None:
    """The outer one's end counts."""
    with deferred():
        with deferred():
            arrive()
        check_noted()


def test_nothing_is_deferred_elsewhere() -> None:
    """Outside, and in other threads; those take nothing of what the main thread notes."""
    check()
    with pytest.raises(KeyboardInterrupt), shielded("releasing"), window():
        arrive()
    failed: list[BaseException] = []

    def beside() -> None:
        try:
            with deferred(), shielded("releasing"), window():
                check()
        except BaseException as error:
            failed.append(error)

    with deferred():
        arrive()
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()
        assert failed == []
        check_noted()


def test_signals_are_ignored_to_the_end_of_the_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command has said how it ended: the exit code is that."""
    monkeypatch.setattr(interrupts._state, "for_good", False)
    before = [signal.getsignal(one) for one in SIGNALS]
    to_the_end()
    try:
        with deferred():
            pass
        assert {signal.getsignal(one) for one in SIGNALS} == {signal.SIG_IGN}
    finally:
        for one, handler in zip(SIGNALS, before, strict=True):
            signal.signal(one, handler)


class AtInstruction:
    """Lets a signal arrive before the n-th instruction of `interrupts`, once."""

    def __init__(self, count: int) -> None:
        self.left = count

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename != interrupts.__file__:
            return None
        frame.f_trace_opcodes = True
        if event == "opcode":
            self.left -= 1
            if self.left == 0:
                arrive()
        return self


def traced(script: Callable[[], None], count: int) -> tuple[bool, bool]:
    """Run a script with a signal; return whether that came, and whether it raised."""
    at = AtInstruction(count)
    raised = False
    debugger = sys.gettrace()
    sys.settrace(at)
    try:
        script()
    except KeyboardInterrupt:
        raised = True
    finally:
        sys.settrace(debugger)
    return at.left <= 0, raised


def test_no_instruction_loses_a_signal_or_lets_it_out() -> None:
    """Before any instruction of the module: it raises where it may, else at the check."""
    place = ""

    def script() -> None:
        nonlocal place
        place = "begin"
        with deferred():
            place = "wait"
            with window(), window():
                place = "waiting"
            place = "work"
            with shielded("releasing"), shielded("asking"):
                place = "shielded"
            place = "more work"
            with deferred():
                place = "inner"
            place = "check"
            check()
            place = "end"

    places = set()
    count, came = 0, True
    while came:
        count += 1
        came, raised = traced(script, count)
        if raised:
            places.add(place)
        else:
            assert place == "end"
        assert interrupts._state.before is None
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        with pytest.raises(KeyboardInterrupt):  # nothing is left of it
            arrive()
    assert count > 200
    assert places <= {"begin", "wait", "waiting", "check", "end"}


def in_thread(work: Callable[[threading.Event], object]) -> None:
    """Run something in a stoppable thread; raise here what it raises there."""
    event, raised = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            with stoppable(event):
                work(event)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(10.0)
    assert not thread.is_alive()
    if raised:
        raise raised[0]


def test_an_event_stops_a_thread_as_a_signal_stops_the_main_one() -> None:
    """It raises once, at `check` or at a window, before it and after it."""

    def work(event: threading.Event) -> None:
        check()
        with window():
            pass
        event.set()
        with pytest.raises(KeyboardInterrupt), window():
            pytest.fail("it was set before")
        check()
        with window():
            pass

    def inside(event: threading.Event) -> None:
        with pytest.raises(KeyboardInterrupt), window():
            event.set()

    in_thread(work)
    in_thread(inside)


def test_a_stopped_thread_ends_first_what_is_shielded() -> None:
    """What is begun is brought to its end, its waits too; then it raises."""
    slept: list[float] = []
    clock = interruptible(Clock(sleep=slept.append))

    def work(event: threading.Event) -> None:
        with shielded("releasing"):
            event.set()
            check()
            clock.sleep(3.0)
            with shielded("more"), window():
                pass
            check()
        with pytest.raises(KeyboardInterrupt):
            check()

    in_thread(work)
    assert slept == [3.0]


def test_an_event_ends_a_wait_soon() -> None:
    """A clock waits in pieces there, which add up to the whole where nothing happens."""
    slept: list[float] = []

    def work(event: threading.Event) -> None:
        clock = interruptible(Clock(sleep=slept.append))
        clock.sleep(1.1)
        assert sum(slept) == pytest.approx(1.1)
        stopping = interruptible(Clock(sleep=lambda _: event.set()))
        with pytest.raises(KeyboardInterrupt):
            stopping.sleep(1e6)

    in_thread(work)


def test_an_event_is_of_one_thread() -> None:
    """No other thread is stopped by it, nor its own after the block."""
    event = threading.Event()
    event.set()
    with pytest.raises(KeyboardInterrupt), stoppable(event):
        check()
    check()
    in_thread(lambda _: check())


def test_a_signal_that_another_thread_gets_ends_the_wait() -> None:
    """The system may give it to any; Python's handler runs in the main one alone."""
    script = (
        "import signal, threading, time\n"
        "from advisor.base.interrupts import deferred, wait_for_signal\n"
        "def signaled():\n"
        "    time.sleep(0.3)\n"
        "    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)\n"
        "threading.Thread(target=signaled).start()\n"
        "try:\n"
        "    with deferred():\n"
        "        wait_for_signal()\n"
        "except KeyboardInterrupt:\n"
        "    print('ended')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "ended\n"
