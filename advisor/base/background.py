"""What is done again and again, in a thread of its own, while a block runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def repeated(
    name: str,
    call: Callable[[], bool],
    every_s: float,
    *,
    at_once: bool = False,
    ends_within_s: float | None = None,
) -> Iterator[None]:
    """Call something now and then while a block runs.

    Parameters
    ----------
    name : of the thread
    call : returns whether it is to be called again; must not raise
    every_s : seconds between two calls
    at_once : whether the first call comes before the first wait
    ends_within_s : seconds for which the end of a call is waited for when the block ends;
        None: as long as it takes
    """
    over = threading.Event()

    def run() -> None:
        goes_on = call() if at_once else True
        while goes_on and not over.wait(every_s):
            goes_on = call()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(ends_within_s)
