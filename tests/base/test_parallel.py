"""Tasks in parallel: in order, one thread each, and progress is reported."""

from __future__ import annotations

import os

import numpy as np
from threadpoolctl import threadpool_info

from advisor.base.parallel import each


def process_and(number: int) -> tuple[int, int]:
    return os.getpid(), number


def threads(number: int) -> list[int]:
    np.linalg.inv(np.eye(3))
    return [library["num_threads"] for library in threadpool_info()]


def test_results_come_in_the_order_of_the_tasks_and_are_counted() -> None:
    """Without a configuration they run here, one after the other, as in scikit-learn."""
    calls: list[tuple[str, int, int, str]] = []
    found = each(
        "numbers",
        process_and,
        [(n,) for n in range(3)],
        lambda *so_far: calls.append(so_far),
        unit="plays",
    )
    assert found == [(os.getpid(), n) for n in range(3)]
    assert calls == [("numbers", done, 3, "plays") for done in range(4)]


def test_a_task_has_one_thread() -> None:
    """So that jobs do not wait for each other, and no sum depends on the cores."""
    (counts,) = each("threads", threads, [(0,)])
    assert set(counts) == {1}
