"""Workers hand on batches as a loader's do, and nothing of them is left."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from advisor.measure.probe.workers import Pool, StuckError, busy, delivered

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of Linux")

BYTES = 4096
SAMPLES = 8


def working(number: int) -> Callable[[memoryview, Callable[[], None]], None]:
    """Return a worker that works a little at each sample, and writes its number."""

    def fill(view: memoryview, counted: Callable[[], None]) -> None:
        for _ in range(SAMPLES):
            sum(range(20_000))
            counted()
        view[:] = bytes([number + 1]) * len(view)

    return fill


def dying(number: int) -> Callable[[memoryview, Callable[[], None]], None]:
    """Return a worker whose second batch ends it."""
    fill = working(number)
    batches = iter([None])

    def once(view: memoryview, counted: Callable[[], None]) -> None:
        if next(batches, "over") == "over":
            os._exit(7)
        fill(view, counted)

    return once


def descriptors() -> set[str]:
    return {one.name for one in Path("/proc/self/fd").iterdir()}


def children() -> set[object]:
    """Return what this process has started: earlier tests may have left a pool idle."""
    return set(multiprocessing.active_children())


def test_rates_are_of_the_workers_own_time_and_of_the_walls() -> None:
    """What a worker does per second of its CPU time is no less than per second."""
    with Pool(working, 2, BYTES) as pool:
        read = pool.read(0.2)
    assert read.rate > 0.0
    assert read.core_rate > 0.0
    assert read.rate <= 2.0 * read.core_rate * 1.25  # each has a core at most
    assert 0.0 < read.cores <= 3.0 * 1.25  # two workers, and who takes


def test_nothing_is_left_of_a_pool() -> None:
    """Neither a process nor a descriptor."""
    before, others = descriptors(), children()
    with Pool(working, 3, BYTES) as pool:
        pool.read(0.05)
        assert len(children() - others) == 3
    assert children() <= others
    assert descriptors() <= before


def test_nothing_is_left_where_the_one_who_takes_is_interrupted() -> None:
    """Ctrl-C while batches come: the workers end all the same."""
    before, others = descriptors(), children()
    with pytest.raises(KeyboardInterrupt), Pool(working, 2, BYTES):
        raise KeyboardInterrupt
    assert children() <= others
    assert descriptors() <= before


def read_until(ends: float) -> None:
    with Pool(dying, 2, BYTES) as pool:
        while time.monotonic() < ends:
            pool.read(0.05)


def test_a_worker_that_dies_is_told() -> None:
    """No bench waits for a process that is no more."""
    others = children()
    with pytest.raises(StuckError):
        read_until(time.monotonic() + 20.0)
    assert children() <= others


def test_workers_that_only_count_wait_for_nobody() -> None:
    """However many there are, nothing comes from them while they are read.

    Sleeping workers stand for those that have a core each, as no machine of the tests
    has so many: 25 of them that handed on batches were all that one process could serve.
    """
    with busy(lambda: time.sleep(0.005), 100) as pool:
        read = [pool.read(0.3) for _ in range(3)]
    assert [one.taker_rate for one in read] == [0.0] * 3
    assert all(one.rate > 0.0 for one in read)


def test_many_more_busy_processes_than_cores_start_and_leave_nothing() -> None:
    """A container may be shown hundreds of cores and be granted few."""
    before, others = descriptors(), children()
    assert 0.0 < delivered(150, 0.2) < 1.25 * (os.cpu_count() or 150)
    assert children() <= others
    assert descriptors() <= before
