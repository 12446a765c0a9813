"""A folder on a machine is copied into a folder here, of no more than was allowed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath

from advisor.base.errors import RemoteError, TooMuchError
from advisor.base.progress import BYTES, Progress, quiet
from advisor.base.sizes import size_in_words
from advisor.base.units import BYTES_PER_GB
from advisor.rental.incoming.listing import Listing, ask_for
from advisor.rental.incoming.names import USELESS
from advisor.rental.incoming.place import Placing, Record, resolve_links, total_bytes
from advisor.rental.incoming.room import Room, free_bytes
from advisor.rental.incoming.stage import PARTIAL, Stage, staged
from advisor.rental.outgoing.words import printable
from advisor.rental.remote.ssh import Ssh
from advisor.rental.remote.sync import rsync

MAX_RESULTS_GB = 50.0
"""Most that comes back unless the user allows more: a checkpoint of 3.5e9 parameters in
mixed precision with Adam's state, 14 bytes each (Rajbhandari et al., "ZeRO", 2020,
section 3.1, without the gradients). An assumption."""

_STILL_S = 1800.0
"""Seconds without a byte after which copying is ended: rsync itself ends in a minute of
silence, which a machine that keeps us busy does not make; an assumption."""

_MOST_MEMORY = 1 << 32
"""Of rsync, bytes: a list of forty million files."""

_SIZED_EVERY_S = 1.0
_SIZING_SHARE = 0.1  # of the time may go into looking at sizes
_NAMED = 3


@dataclass(slots=True)
class Incoming:
    """What may come back from the machines of one launcher, and what has.

    Attributes
    ----------
    notify : takes a line for people
    max_bytes : most that comes, of all folders together
    option : by which the user allows more
    free : returns how many bytes are free on the disk of a folder
    record : what has come
    progress : is told how many bytes of a folder have come
    """

    notify: Callable[[str], None]
    max_bytes: float
    option: str
    free: Callable[[Path], int] = free_bytes
    record: Record = field(default_factory=dict)
    progress: Progress = quiet
    _said: set[str] = field(default_factory=set)

    def pull(
        self,
        ssh: Ssh,
        remote: str,
        folder: Path,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> None:
        """Copy what is in a folder on the machine into a folder here.

        Nothing is deleted here. Files that are there replace those of the same name here.
        Links are copied as the files in the folder that they lead to; others, devices and
        the like never. What a program here would obey gets another name, see `names`.
        Where copying breaks off, the files that have come whole are in their places.

        Parameters
        ----------
        remote : there, relative to the home folder
        folder : here; it is made
        meanwhile : called while files come; if it raises, copying is ended

        Raises
        ------
        UsageError
            if there is no rsync here
        TooMuchError
            if it is more than may come, or than there is room for
        RemoteError
            if it cannot be copied, or not be written here
        """
        try:
            self._pull(ssh, remote, folder, meanwhile)
        except OSError as error:
            message = f"what comes back cannot be written: {error.strerror}: {folder}"
            raise RemoteError(message) from error

    def _pull(
        self, ssh: Ssh, remote: str, folder: Path, meanwhile: Callable[[], None]
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        place = folder.resolve()
        listing = ask_for(ssh, remote)
        room = Room.of(place, self.free)
        room.check()
        elsewhere = sum(one.size for (at, _), one in self.record.items() if at != place)
        if listing.size is not None and listing.size + elsewhere > self.max_bytes:
            raise self._too_much(listing.size + elsewhere, remote)
        with staged(place, f"{ssh.known_hosts}:{remote}") as stage:
            stage.show(self._known(place, listing))
            if listing.size is not None:
                room.check(max(listing.size - stage.shown_bytes, 0))
            most = None if listing.size is None else listing.size - stage.shown_bytes
            told = partial(
                self.progress,
                f"copying back {PurePosixPath(remote).name}",
                of=most,
                unit=BYTES,
            )
            with self._placing(stage, listing, room, remote):
                self._copy(ssh, remote, stage, room, meanwhile, told=told)

    def _known(self, place: Path, listing: Listing) -> Iterator[str]:
        """Yield what need not come again: not where a link leads to, unless it is ours.

        Its content is to be had under the link's name, too, and only what came may be.
        """
        targets = set(listing.links.values())
        for path in listing.files:
            if path not in targets or (place, path) in self.record:
                yield path

    def _copy(
        self,
        ssh: Ssh,
        remote: str,
        stage: Stage,
        room: Room,
        meanwhile: Callable[[], None],
        *,
        told: Callable[[int], None],
    ) -> None:
        options = [f"--exclude={name}" for name in USELESS]
        options += ["-r", "--executability", "--chmod=u+rwX"]
        options += [f"--partial-dir={PARTIAL}", f"--temp-dir={stage.aside.absolute()}"]

        def too_much(size: int) -> TooMuchError:
            return self._too_much(size, remote)

        watch = _Watch(stage, room, self.max_bytes, too_much, meanwhile, told)
        try:
            rsync(
                ssh,
                options,
                lambda host: [f"{host}:{remote}/", f"{stage.tree}/"],
                watch.look,
            )
        except TooMuchError:
            raise
        except RemoteError:  # rsync itself may have met the bounds
            watch.check()
            raise
        finally:
            self.progress("")

    @contextmanager
    def _placing(
        self, stage: Stage, listing: Listing, room: Room, remote: str
    ) -> Iterator[None]:
        """Move what a block has copied to its place, also if that breaks off."""
        try:
            yield
        except TooMuchError:
            stage.remove()
            raise
        except BaseException:
            if total_bytes(self.record, stage) <= self.max_bytes:
                with suppress(OSError):  # it is the first error that is told
                    self._place(stage, ())
            raise
        try:
            left = resolve_links(stage, listing.links, self.record, room)
            if (size := total_bytes(self.record, stage)) > self.max_bytes:
                raise self._too_much(size, remote)
        except TooMuchError:
            stage.remove()
            raise
        self._place(stage, (*listing.other_links, *left))

    def _place(self, stage: Stage, links: Iterable[str]) -> None:
        placing = Placing(stage, self.record)
        placing.run()
        self._tell("got other names here, since programs obey theirs", placing.renamed)
        self._tell("are links to elsewhere and stay there", links)
        self._tell("are no files and stay there", placing.left)

    def _tell(self, what: str, names: Iterable[str]) -> None:
        """Tell of names that nothing was told of so far."""
        new = [name for name in names if name not in self._said]
        self._said.update(new)
        if new:
            shown = ", ".join(map(printable, new[:_NAMED]))
            more = f" and {len(new) - _NAMED:,} more" if len(new) > _NAMED else ""
            self.notify(f"of what the machine sent {len(new):,} {what}: {shown}{more}")

    def _too_much(self, size: int, remote: str) -> TooMuchError:
        return TooMuchError(
            f"with {remote} of the machine {size_in_words(size)} come back, more than "
            f"the {self.max_bytes / BYTES_PER_GB:g} GB that may: raise {self.option}"
        )


@dataclass(slots=True)
class _Watch:
    """Looks after what rsync writes, while it does.

    rsync and the machine say how much comes; it is this machine's disk that tells.

    Attributes
    ----------
    stage, room, max_bytes : what it is written into, and how much may be
    too_much : returns the error of too many bytes
    meanwhile : called each second; if it raises, copying is ended
    told : called with the bytes that have come, where they are counted
    """

    stage: Stage
    room: Room
    max_bytes: float
    too_much: Callable[[int], TooMuchError]
    meanwhile: Callable[[], None]
    told: Callable[[int], None]
    _bound: int | None = field(default=None, init=False)
    _size: int = field(default=0, init=False)
    _grew_at: float = field(default_factory=time.monotonic, init=False)
    _next_look: float = field(default=0.0, init=False)
    _next_size: float = field(default=0.0, init=False)

    def look(self, process: int) -> None:
        """Raise if copying is to be ended."""
        if self._bound != process:
            self._bound = process
            _bound_process(process, min(self.max_bytes, self.room.left_bytes))
        self.room.check()
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _SIZED_EVERY_S
            self.meanwhile()
        if now >= self._next_size:
            self.check()
            took = time.monotonic() - now
            self._next_size = now + max(_SIZED_EVERY_S, took / _SIZING_SHARE)

    def check(self) -> None:
        """Raise if too much has come, or nothing for too long."""
        self.room.check()
        size, now = self.stage.size(), time.monotonic()
        if size > self.max_bytes:
            raise self.too_much(size)
        self.told(size)
        if size != self._size:
            self._size, self._grew_at = size, now
        if now - self._grew_at > _STILL_S:
            message = f"nothing has come for {_STILL_S / 60:.0f} minutes"
            raise RemoteError(message)


def _bound_process(process: int, most: float) -> None:
    """Bound each file that a process writes, and its memory, where a system can do that.

    A file of zeros takes no time to come: no look at the disk is fast enough. A list of
    files may come that does not end.
    """
    if sys.platform == "linux":
        import resource  # noqa: PLC0415  (there is none on other systems)

        bound = max(int(most), 0) + 1
        with suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_FSIZE, (bound, bound))
            resource.prlimit(process, resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
