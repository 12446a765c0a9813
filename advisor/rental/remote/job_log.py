"""The log of a command, here: the first and the last of what it prints, bounded.

A command may print without end, and a machine may be hostile: the log takes neither the
disk nor the launcher's time. When it is too long its middle is left out.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from io import FileIO
from pathlib import Path

from advisor.base.errors import RemoteError
from advisor.base.files import write_atomically
from advisor.base.units import BYTES_PER_MB
from advisor.rental.incoming.room import Room, free_bytes

MOST_LOG_BYTES = 1000**3
"""Of one log here; a progress bar that is drawn ten times a second prints as much in ten
days. An assumption."""

_KEPT_SHARE = 0.25  # of the first and of the last, when the middle is left out
_END_BYTES = 1 << 16
"""Where a command says why it failed."""


class JobLog:
    """The file with what a command prints on one machine.

    Beside it is a file ``.missing`` once something is left out, with how many bytes, so
    that another launcher knows where to go on.

    Parameters
    ----------
    path : of the file; it is made
    notify : takes a line for people
    most_bytes : that it may have
    free : returns how many bytes are free on the disk of a folder
    """

    def __init__(
        self,
        path: Path,
        notify: Callable[[str], None],
        most_bytes: int = MOST_LOG_BYTES,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self.path = path
        self._notify = notify
        self._most = most_bytes
        self._room = Room.of(path.parent, free)
        self._missing = path.with_suffix(".missing")
        self._file: FileIO | None = None
        with suppress(OSError):  # told when there is something to be kept
            path.touch(0o600)
        self._size = path.stat().st_size if path.exists() else 0
        self._gap = _number_in(self._missing)
        self._ends_in_gap = self._is_reported = False
        self._end = b""

    @property
    def offset(self) -> int:
        """Bytes of what the command has printed that are known."""
        return self._size + self._gap

    def write(self, piece: bytes) -> None:
        """Keep a piece of what it prints; what cannot be kept is told once, no error."""
        self._end = (self._last() + piece)[-_END_BYTES:]
        before = self._size
        try:
            if self._size + len(piece) > self._most:
                self._leave_out_middle()
                before = self._size
            self._room.check(len(piece))
            if self._ends_in_gap:
                self._mark_gap()
                before = self._size
            self._append(piece)
        except (OSError, RemoteError) as error:
            if not self._is_reported:
                self._notify(f"the log is not kept for now, the job goes on: {error}")
            self._is_reported = self._ends_in_gap = True
            # Not written down: another launcher is to ask for it again.
            self._gap += len(piece) - (self._size - before)

    def skip(self, count: int) -> None:
        """Note that the next bytes are not to be had: the machine has dropped them."""
        self._gap += count
        self._ends_in_gap = True

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def end(self) -> str:
        """Return the last of what the command has printed."""
        return self._last().decode(errors="replace")

    def _last(self) -> bytes:
        """Return the last of it; what another launcher has kept is in the file."""
        if not self._end and self._size:
            with suppress(OSError), self.path.open("rb") as file:
                file.seek(max(self._size - _END_BYTES, 0))
                self._end = file.read(_END_BYTES)
        return self._end

    def _append(self, piece: bytes) -> None:
        if self._file is None:
            self._file = FileIO(self.path, "ab")
        rest = memoryview(piece)
        while rest:
            written = self._file.write(rest)
            self._size += written
            rest = rest[written:]

    def _mark_gap(self) -> None:
        """Say in the log that something is missing before what comes."""
        mark = b"\n[advisor: what came here was not kept]\n"
        self._append(mark)
        self._gap -= len(mark)
        self._note_gap()
        self._ends_in_gap = False

    def _leave_out_middle(self) -> None:
        """Make the log anew of its first and its last part."""
        if not self._missing.exists():
            self._notify(
                f"{self.path} has {self._size / BYTES_PER_MB:,.0f} MB: "
                "from now on its middle is left out"
            )
        part_bytes = int(self._most * _KEPT_SHARE)
        self._room.check(2 * part_bytes)
        aside = self.path.with_suffix(".new")
        left_out = self.offset - 2 * part_bytes
        with self.path.open("rb") as old, aside.open("wb") as new:
            new.write(old.read(part_bytes))
            new.write(b"\n[advisor: %d bytes are left out here]\n" % left_out)
            old.seek(-part_bytes, 2)
            shutil.copyfileobj(old, new)
        offset = self.offset
        self.close()
        aside.replace(self.path)
        self._size = self.path.stat().st_size
        self._gap = offset - self._size
        self._note_gap()

    def _note_gap(self) -> None:
        write_atomically(self._missing, str(self._gap).encode(), 0o600)


def _number_in(path: Path) -> int:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return 0
