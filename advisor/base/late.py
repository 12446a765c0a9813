"""A call that is not waited for longer than it may take."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


class LateError(Exception):
    """A call did not end in time."""


def within(limit_s: float, call: Callable[[], Result]) -> Result:
    """Return what `call` returns, or raise what it raises.

    It runs in a thread that is left behind when time is up, and ends by itself or with
    the process: some waits, such as looking up a name, know no time-out.

    Raises
    ------
    LateError
        if it has not ended after `limit_s` seconds
    """
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as error:  # raised again below
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(max(limit_s, 0.0))
    if failure:
        raise failure[0]
    if not outcome:
        raise LateError
    return outcome[0]
