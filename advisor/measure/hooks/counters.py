"""What loading samples costs, counted where it is done: in a worker or in the loop.

A worker may be killed at any time, and nothing that it holds comes back. So it writes its
counters over again after each batch, to a file of its own of some hundred bytes.
"""

from __future__ import annotations

import os
import struct
import sys
import time
from pathlib import Path
from typing import Any, Iterator, NamedTuple

_FORM = struct.Struct("<q8d")
_NAME = "worker-{}.bin"
_SMALL = 65536
"""Bytes: a smaller file that is mapped holds no data."""


class Loaded(NamedTuple):
    """What one process spent on loading.

    Attributes
    ----------
    seed : of the workers' iterator, which tells whose worker it is
    batches : that it loaded, the first among them
    samples : after the first batch; all else is of these
    fetch_cpu_s, loading_cpu_s, read_bytes, device_read_bytes, mapped_bytes : see
        `observation.Loader`; -1 for bytes that the system does not tell
    """

    seed: int = 0
    batches: float = 0.0
    samples: float = 0.0
    fetch_cpu_s: float = 0.0
    loading_cpu_s: float = 0.0
    read_bytes: float = -1.0
    device_read_bytes: float = -1.0
    mapped_bytes: float = -1.0
    peak_bytes: float = -1.0


class Reading(NamedTuple):
    """Counters of the process at one time.

    Attributes
    ----------
    cpu_s : of the process
    read, device_read : bytes until then; -1: not told
    own : bytes that this reading itself adds to `read`
    """

    cpu_s: float
    read: float = -1.0
    device_read: float = -1.0
    own: float = 0.0

    def since(self, before: Reading) -> Reading:
        """Return what was added since another, without what that itself added."""
        return Reading(
            self.cpu_s - before.cpu_s,
            self.read - before.read - before.own,
            self.device_read - before.device_read,
        )


class Loading:
    """Adds up what one process spends on loading, batch by batch.

    Parameters
    ----------
    seed : see `Loaded`
    folder : where it is written after each batch; None: nowhere
    """

    def __init__(self, seed: int = 0, folder: str | None = None) -> None:
        self.loaded = Loaded(seed=seed)
        self._io = _open_io()
        self._began_after: float | None = None
        self._file: int | None = None
        if folder is not None:
            path = Path(folder) / _NAME.format(os.getpid())
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
            self._file = os.open(path, flags | getattr(os, "O_CLOEXEC", 0), 0o600)

    def reading(self) -> Reading:
        """Return the counters now."""
        return _read_io(self._io)

    def add(self, before: Reading, samples: float) -> None:
        """Add one batch whose loading began at `before`; the first is left out."""
        now, old = self.reading(), self.loaded
        spent = now.since(before)
        if old.batches == 0:
            new = old._replace(batches=1.0, mapped_bytes=mapped_bytes())
            self._began_after = time.process_time()
        else:
            new = old._replace(
                batches=old.batches + 1,
                samples=old.samples + samples,
                fetch_cpu_s=old.fetch_cpu_s + spent.cpu_s,
                loading_cpu_s=now.cpu_s - (self._began_after or now.cpu_s),
            )
            if now.read >= 0.0:
                new = new._replace(
                    read_bytes=max(old.read_bytes, 0.0) + spent.read,
                    device_read_bytes=max(old.device_read_bytes, 0.0) + spent.device_read,
                )
        self.loaded = new._replace(peak_bytes=peak_bytes())
        if self._file is not None:
            os.pwrite(self._file, _FORM.pack(*self.loaded), 0)


def written(folder: str) -> Iterator[Loaded]:
    """Yield what the workers wrote to a folder; what is torn is left out."""
    for path in sorted(Path(folder).glob(_NAME.format("*"))):
        try:
            yield Loaded(*_FORM.unpack(path.read_bytes()))
        except (OSError, struct.error):
            continue


def peak_bytes() -> float:
    """Return the most memory that this process has had resident; -1: not told."""
    try:
        import resource
    except ImportError:
        return -1.0
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def mapped_bytes() -> float:
    """Return the size of the data files that are mapped into memory; -1: not told.

    Libraries, what belongs to Python and shared memory are left out.
    """
    own = tuple({sys.prefix, sys.base_prefix, "/usr/lib", "/lib", "/dev/", "/memfd"})
    try:
        with open("/proc/self/maps", "rb") as file:  # noqa: PTH123  (no Path is needed)
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return -1.0
    names = {one.split(None, 5)[5] for one in lines if one.count("/")}
    total = 0.0
    for name in names:
        foreign = name.startswith(own) or ".so" in name or name.endswith("(deleted)")
        if foreign or not name.startswith("/"):
            continue
        try:
            size = Path(name).stat().st_size
        except OSError:
            continue
        total += size if size >= _SMALL else 0
    return total


def _open_io() -> int | None:
    """Return a descriptor of the counters of this process's reads; None: there is none.

    It stays open: opening it for each batch costs more than reading it.
    """
    try:
        return os.open("/proc/self/io", os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None


def _read_io(file: int | None) -> Reading:
    """Return the counters of this process."""
    cpu_s = time.process_time()
    if file is None:
        return Reading(cpu_s)
    try:
        text = os.pread(file, 1024, 0)
        found: dict[bytes, Any] = dict(
            one.split(b": ") for one in text.split(b"\n") if one
        )
        read, device_read = float(found[b"rchar"]), float(found[b"read_bytes"])
    except (OSError, KeyError, ValueError):
        return Reading(cpu_s)
    return Reading(cpu_s, read, device_read, float(len(text)))
