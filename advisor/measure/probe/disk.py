"""How fast a disk is, past the memory that the kernel keeps of it.

Direct I/O where the file system has it: the pages never enter the cache. Else the pages
are dropped by `posix_fadvise`, after they are on the disk, and each is read once.
The scratch file has no name from the moment it is open: nothing of it can be left behind.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from advisor.measure.probe.budget import Budget
from advisor.measure.probe.samples import Samples

if TYPE_CHECKING:
    from advisor.measure.probe.tell import Tell

_BLOCK = 4 << 20
_RANDOM_BLOCK = 128 * 1024
"""About a picture of ImageNet, a page of a database, a shard's index."""

READERS = 4
_SLICES = 5
"""Readings of each kind, of which the median counts."""

_LEAST_BYTES = 16 * _BLOCK
_SEED = 18


class NoRoomError(Exception):
    """The disk is too full, or the bound on what may be written is too low."""


class _File(NamedTuple):
    """The scratch file.

    Attributes
    ----------
    descriptor : to write and read it
    is_direct : whether that goes past the page cache
    how : for the note
    """

    descriptor: int
    is_direct: bool
    how: str


def measure_disk(
    samples: Samples,
    folder: Path,
    *,
    size: float,
    seconds: float,
    budget: Budget,
    tell: Tell,
) -> None:
    """Write a scratch file, read it in order and at random.

    Parameters
    ----------
    size : bytes to write at most
    seconds : for all three together
    tell : is called with what is done and the share of it

    Raises
    ------
    NoRoomError
        if that is too little to tell anything
    """
    if size < _LEAST_BYTES:
        message = (
            f"its file takes {_LEAST_BYTES / 1e6:.0f} MB at least, and less is free on "
            "the disk, or may be written"
        )
        raise NoRoomError(message)
    each = seconds / 3.0
    with _scratch_file(folder) as file, mmap.mmap(-1, _BLOCK) as block:
        block[:] = os.urandom(_BLOCK)
        tell("disk, writing", 0.0)
        written = _write(
            samples, file, block, size=int(size), seconds=each, budget=budget
        )
        _drop_cached(file)
        tell("disk, reading in order", 0.33)
        _read(samples, file, block, size=written, seconds=each, budget=budget)
        _drop_cached(file)
        tell("disk, reading at random", 0.67)
        _read_at_random(samples, file, written, each, budget)


@contextlib.contextmanager
def _scratch_file(folder: Path) -> Iterator[_File]:
    """Yield a file without a name."""
    descriptor, name = tempfile.mkstemp(prefix=".advisor-bench-", dir=str(folder))
    try:
        try:
            direct = _opened_directly(name)
        finally:
            Path(name).unlink()
        if direct is None:
            yield _File(descriptor, False, "page cache dropped by posix_fadvise")
            return
        try:
            yield _File(direct, True, "past the page cache by O_DIRECT")
        finally:
            os.close(direct)
    finally:
        os.close(descriptor)


def _opened_directly(name: str) -> int | None:
    """Return a descriptor that goes past the page cache; None where that does not work.

    Some file systems refuse it when the file is opened, some when it is used.
    """
    try:
        descriptor = os.open(name, os.O_RDWR | os.O_DIRECT)
    except OSError:
        return None
    try:
        with mmap.mmap(-1, _RANDOM_BLOCK) as block:
            os.pwritev(descriptor, [block], 0)
            os.preadv(descriptor, [block], 0)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _drop_cached(file: _File) -> None:
    """Have what comes next read from the disk."""
    if not file.is_direct:
        os.posix_fadvise(file.descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _write(
    samples: Samples,
    file: _File,
    block: mmap.mmap,
    *,
    size: int,
    seconds: float,
    budget: Budget,
) -> int:
    """Write the file until its size or its time is reached; return its size."""
    ends, at = time.monotonic() + seconds, 0
    slice_bytes = max(size // _SLICES, _BLOCK)
    while at + _BLOCK <= size and time.monotonic() < ends:
        began, start = time.monotonic(), at
        while at - start + _BLOCK <= slice_bytes and at + _BLOCK <= size:
            at += os.pwritev(file.descriptor, [block], at)
            if time.monotonic() - began > seconds / _SLICES:
                break
        os.fdatasync(file.descriptor)
        rate = (at - start) / 1e6 / (time.monotonic() - began)
        note = "in order, until it is on the disk"
        samples.add("disk.write.sequential", rate, "MB/s", note)
        budget.write(at - start)
        budget.check()
    return at


def _read(
    samples: Samples,
    file: _File,
    block: mmap.mmap,
    *,
    size: int,
    seconds: float,
    budget: Budget,
) -> None:
    """Read the file in order, each slice once."""
    ends = time.monotonic() + seconds
    slice_bytes = max(size // _SLICES // _BLOCK, 1) * _BLOCK
    for start in range(0, size - slice_bytes + 1, slice_bytes):
        began, at = time.monotonic(), start
        while at < start + slice_bytes and time.monotonic() < ends:
            at += os.preadv(file.descriptor, [block], at) or _BLOCK
        if at == start:
            return
        rate = (at - start) / 1e6 / (time.monotonic() - began)
        note = f"{file.how}; {size / 1e6:.0f} MB"
        samples.add("disk.read.sequential", rate, "MB/s", note)
        budget.check()


def _read_at_random(
    samples: Samples, file: _File, size: int, seconds: float, budget: Budget
) -> None:
    """Read blocks at random places, none of them twice, by several readers."""
    if not file.is_direct:  # nothing is to be read ahead
        os.posix_fadvise(file.descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    places = list(range(0, size - _RANDOM_BLOCK + 1, _RANDOM_BLOCK))
    random.Random(_SEED).shuffle(places)  # noqa: S311  (no secret)
    for number in range(_SLICES):
        mine = places[number::_SLICES]
        began = time.monotonic()
        done = _taken_by_readers(file, mine, began + seconds / _SLICES)
        rate = done / (time.monotonic() - began)
        note = f"of 128 KiB, {READERS} readers; {file.how}; {size / 1e6:.0f} MB"
        samples.add("disk.read.random", rate, "reads/s", note)
        budget.check()


def _taken_by_readers(file: _File, places: Sequence[int], ends: float) -> int:
    """Read blocks by several threads until they are done or the time is up.

    Raises
    ------
    OSError
        if one of them cannot be read
    """
    counts, stop = [0] * READERS, threading.Event()
    failures: list[OSError] = []

    def read(number: int) -> None:
        with mmap.mmap(-1, _RANDOM_BLOCK) as block:
            for place in places[number::READERS]:
                if time.monotonic() >= ends or stop.is_set():
                    return
                try:
                    os.preadv(file.descriptor, [block], place)
                except OSError as error:
                    failures.append(error)
                    return
                counts[number] += 1

    threads = [threading.Thread(target=read, args=(one,)) for one in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    finally:  # no one reads what is closed then
        stop.set()
        for thread in threads:
            thread.join()
    if failures:
        raise failures[0]
    return sum(counts)
