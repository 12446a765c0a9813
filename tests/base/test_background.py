"""What is done again and again beside a block ends with it."""

from __future__ import annotations

import threading

import pytest

from advisor.base.background import repeated

PATIENCE_S = 20.0


@pytest.mark.parametrize(("at_once", "every_s"), [(True, 3600.0), (False, 0.0)])
def test_it_is_called_at_once_or_after_a_wait(at_once: bool, every_s: float) -> None:
    """In a thread of that name, which ends with the block, also while it waits."""
    called = threading.Event()
    names = []

    def call() -> bool:
        names.append(threading.current_thread().name)
        called.set()
        return at_once

    with repeated("beats", call, every_s, at_once=at_once):
        assert called.wait(PATIENCE_S)
    assert names == ["beats"]
    assert all(thread.name != "beats" for thread in threading.enumerate())


def test_it_is_called_until_it_says_that_it_is_over() -> None:
    """And not once more."""
    calls, over = [], threading.Event()

    def call() -> bool:
        calls.append(len(calls))
        if len(calls) == 3:
            over.set()
        return len(calls) < 3

    with repeated("beats", call, 0.0):
        assert over.wait(PATIENCE_S)
    assert calls == [0, 1, 2]


def test_a_wait_that_has_not_ended_is_no_call() -> None:
    """A block that is shorter than it meets none."""
    calls: list[int] = []
    with repeated("beats", lambda: calls.append(1) is None, 3600.0):
        pass
    assert calls == []


def test_its_end_is_waited_for_as_long_as_was_said() -> None:
    """A call that hangs holds up nobody for ever; the thread ends with the process."""
    begun, go_on = threading.Event(), threading.Event()

    def call() -> bool:
        begun.set()
        go_on.wait(PATIENCE_S)
        return False

    with repeated("beats", call, 0.0, at_once=True, ends_within_s=0.01):
        assert begun.wait(PATIENCE_S)
    (left,) = [one for one in threading.enumerate() if one.name == "beats"]
    assert left.daemon
    go_on.set()
    left.join(PATIENCE_S)
    assert not left.is_alive()


def test_an_error_of_the_block_ends_it_too() -> None:
    """And goes on its way."""

    def work() -> None:
        with repeated("beats", lambda: True, 3600.0):
            raise KeyError

    with pytest.raises(KeyError):
        work()
    assert all(thread.name != "beats" for thread in threading.enumerate())
