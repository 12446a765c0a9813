"""Matrix products on one thread: for those of a ranking, threads wait more than they do.

A ranking's products take milliseconds. On a machine with other work to do, the threads
of a BLAS library wait for each other ten times as long.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread."""
    limit: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limit


@cache
def _controller() -> Any:
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415  (who predicts)

    return ThreadpoolController()
