"""Processes that prepare batches and hand them on, as PyTorch's DataLoader has them.

A worker writes each batch into fresh shared memory and sends its descriptor through a
socket; the one process that takes them maps the memory and copies the batch out, as the
thread does that pins memory. Each worker is two batches ahead at most.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import mmap
import multiprocessing
import os
import selectors
import signal
import socket
import tempfile
import time
import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    Fill = Callable[[memoryview, Callable[[], None]], None]
    """Fills a batch; calls back after each of its samples."""

AHEAD = 2
"""Batches that a worker may be ahead: PyTorch's ``prefetch_factor``."""

_DIES_WITH_PARENT = 1
"""``PR_SET_PDEATHSIG`` of Linux."""

_CREDIT = b"+"
_PATIENCE_S = 30.0
"""Within which a worker has its first batch, or is taken for stuck."""


class StuckError(Exception):
    """A worker has ended, or does not come on."""


class Reading(NamedTuple):
    """What workers did within a while.

    Attributes
    ----------
    rate : samples per second, of all workers
    core_rate : samples per second of its own CPU time, mean of the workers
    taker_rate : batches per second of CPU time of the one who takes them; 0: none came
    cores : seconds of CPU time per second, of all workers and who takes
    """

    rate: float
    core_rate: float
    taker_rate: float
    cores: float


class Pool:
    """Workers that run until the block ends.

    Parameters
    ----------
    make : returns what fills batches, in the worker with this number
    count : of the workers
    batch_bytes : size of a batch
    """

    def __init__(self, make: Callable[[int], Fill], count: int, batch_bytes: int) -> None:
        self._make, self._count, self._bytes = make, count, batch_bytes
        self._done = mmap.mmap(-1, count * _TALLY.itemsize * 2)
        self._tallies = memoryview(self._done).cast("d")
        self._buffer = bytearray(batch_bytes)
        self._ours: list[socket.socket] = []
        self._workers: list[Any] = []
        self._selector = selectors.DefaultSelector()
        self._batches, self._taking_s = 0, 0.0

    def __enter__(self) -> Self:
        """Start the workers and wait until each has handed on a batch."""
        context = multiprocessing.get_context("fork")
        try:
            for number in range(self._count):
                ours, theirs = socket.socketpair()
                self._ours.append(ours)
                worker = context.Process(
                    target=self._work, args=(number, theirs), daemon=True
                )
                with warnings.catch_warnings():
                    # The libraries that decode have threads; a loader forks all the same.
                    warnings.simplefilter("ignore", DeprecationWarning)
                    worker.start()
                theirs.close()
                self._workers.append(worker)
                self._selector.register(ours, selectors.EVENT_READ, number)
                ours.sendall(_CREDIT * AHEAD)
            self._warm_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers, whatever they are at."""
        for worker in self._workers:
            worker.kill()
        for worker in self._workers:
            worker.join()
            worker.close()
        self._selector.close()
        for one in self._ours:
            one.close()
        self._tallies.release()
        self._done.close()

    def read(self, seconds: float) -> Reading:
        """Take batches for so long, and return how it went."""
        before, began, spent = self._tally(), time.monotonic(), time.process_time()
        self._batches, self._taking_s = 0, 0.0
        while time.monotonic() - began < seconds:
            self._take(began + seconds - time.monotonic())
        after, passed = self._tally(), time.monotonic() - began
        spent = time.process_time() - spent
        done = [late - early for (late, _), (early, _) in zip(after, before)]
        own = [late - early for (_, late), (_, early) in zip(after, before)]
        rates = [n / s for n, s in zip(done, own) if n > 0 and s > 0.0]
        return Reading(
            rate=sum(done) / passed,
            core_rate=sum(rates) / len(rates) if rates else 0.0,
            taker_rate=self._batches / self._taking_s if self._taking_s > 0.0 else 0.0,
            cores=(sum(own) + spent) / passed,
        )

    def _tally(self) -> list[tuple[float, float]]:
        """Return samples and seconds of CPU time of each worker so far."""
        flat = self._tallies.tolist()
        return list(zip(flat[::2], flat[1::2]))

    def _warm_up(self) -> None:
        missing, ends = set(range(self._count)), time.monotonic() + _PATIENCE_S
        while missing:
            missing -= self._take(ends - time.monotonic())
            if time.monotonic() >= ends:
                message = "a worker has no batch"
                raise StuckError(message)

    def _take(self, seconds: float) -> set[int]:
        """Take what there is, or comes within so long; return whose it was."""
        taken = set()
        for key, _ in self._selector.select(max(seconds, 0.0)):
            taken_from: Any = key.fileobj  # a socket
            began = time.process_time()
            with _received(taken_from, self._bytes) as batch:
                self._buffer[:] = batch
            self._taking_s += time.process_time() - began
            self._batches += 1
            with contextlib.suppress(OSError):  # it has ended: the next batch tells
                taken_from.sendall(_CREDIT)
            taken.add(key.data)
        return taken

    def _work(self, number: int, theirs: socket.socket) -> None:
        """Hand on batches for ever: the worker's own process."""
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(
                sign, signal.SIG_DFL if sign != signal.SIGINT else signal.SIG_IGN
            )
        with contextlib.suppress(Exception):  # not of Linux, or without ctypes' library
            ctypes.CDLL(None).prctl(_DIES_WITH_PARENT, signal.SIGKILL)
        for one in self._ours:
            one.close()
        fill, tallies = self._make(number), self._tallies

        def counted() -> None:
            tallies[2 * number] += 1.0
            tallies[2 * number + 1] = time.process_time()

        with contextlib.suppress(OSError):  # nobody takes any more
            while theirs.recv(1):
                _send(theirs, self._bytes, fill, counted)


_TALLY = array.array("d")


def _send(to: socket.socket, size: int, fill: Fill, counted: Callable[[], None]) -> None:
    """Fill fresh shared memory and send its descriptor."""
    descriptor = _shared()
    try:
        os.ftruncate(descriptor, size)
        with mmap.mmap(descriptor, size) as batch, memoryview(batch) as view:
            fill(view, counted)
        rights = array.array("i", [descriptor])
        to.sendmsg([b"!"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    finally:
        os.close(descriptor)


def _shared() -> int:
    """Return the descriptor of memory that has no name: nothing of it can be left."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("bench")
    with tempfile.TemporaryFile(dir="/dev/shm") as file:
        return os.dup(file.fileno())


@contextlib.contextmanager
def _received(of: Any, size: int) -> Iterator[mmap.mmap]:
    """Yield the batch that a descriptor stands for."""
    room = socket.CMSG_SPACE(array.array("i").itemsize)
    words, extra = b"", []
    with contextlib.suppress(ConnectionResetError):
        words, extra, _, _ = of.recvmsg(1, room)
    if not words or not extra:
        message = "a worker has ended"
        raise StuckError(message)
    (descriptor,) = array.array("i", extra[0][2])
    try:
        with mmap.mmap(descriptor, size, prot=mmap.PROT_READ) as batch:
            yield batch
    finally:
        os.close(descriptor)


def delivered(count: int, seconds: float) -> float:
    """Return the seconds of CPU time per second of so many processes that only count.

    Parameters
    ----------
    count : of the processes
    """
    with busy(lambda: sum(range(1000)), count) as pool:
        return pool.read(seconds).cores


@contextlib.contextmanager
def busy(turn: Callable[[], object], count: int) -> Iterator[Pool]:
    """Yield workers that do one thing for ever, and wait for nobody.

    What waits takes no CPU time: workers that hand on batch after batch, each every 2 ms,
    are as many as one process can serve when there are some thirty, and show its limit
    from there on. So each hands on one batch alone. Until all have done so they wait at a
    gate: hundreds that are shown cores and granted few would keep the last from starting.

    Parameters
    ----------
    turn : is done again and again, and counted as a sample
    count : of the workers
    """
    ours, theirs = socket.socketpair()

    def make(_: int) -> Fill:
        ours.close()
        is_first = True

        def fill(_: memoryview, counted: Callable[[], None]) -> None:
            nonlocal is_first
            turn()
            counted()
            if is_first:
                is_first = False
                return
            theirs.recv(1)  # comes back when nobody has the other end any more
            while True:
                turn()
                counted()

        return fill

    with ours, theirs, Pool(make, count, mmap.PAGESIZE) as pool:
        ours.close()
        yield pool


def starting_s(count: int) -> float:
    """Return the seconds, roughly, until so many workers have been forked and begun."""
    return 0.3 + 0.01 * count
