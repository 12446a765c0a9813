"""All parts of a bench, one after the other, within its time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from advisor.measure.probe.budget import Budget
from advisor.measure.probe.cores import core_lines, granted_cores
from advisor.measure.probe.disk import NoRoomError
from advisor.measure.probe.gpu.apart import one_line
from advisor.measure.probe.gpu.fit import check_fit
from advisor.measure.probe.gpu.measure import measure_gpu
from advisor.measure.probe.host import (
    EXTENTS,
    disk_lines,
    download_lines,
    measure_cores,
    pictures,
)
from advisor.measure.probe.lines import Result, Skipped
from advisor.measure.probe.machine import described
from advisor.measure.probe.scratch import (
    NoPlaceError,
    chosen_folder,
    room,
    scratch_folder,
)

if TYPE_CHECKING:
    from advisor.measure.probe.tell import Tell

_SHARE_OF_CORES = 0.4
"""Of the time that is left after the checks; disk, network and GPUs have the rest."""

_SHARE_OF_DISK = 0.2
_SHARE_OF_NETWORK = 0.3

_NO_ROOM = "the disk has no room for the pictures, or no more may be written"


class Asked(NamedTuple):
    """What the user asks for.

    Attributes
    ----------
    mode : one of `EXTENTS`
    folder : on the disk that is measured; None: see `chosen_folder`
    urls : to download from
    """

    mode: str
    folder: str | None
    urls: Sequence[str]


def bench(result: Result, asked: Asked, budget: Budget, tell: Tell) -> None:
    """Measure what there is time for; what fails is left out, and said.

    Parameters
    ----------
    budget : in which all of it ends, roughly: a reading that has begun is finished

    Raises
    ------
    KeyboardInterrupt
        if somebody ends it; `result` has what was measured by then
    """
    try:
        _Parts(result, asked, budget, tell).run()
    finally:
        result.seconds = budget.passed()
        result.bytes_written = budget.written


class _Parts:
    """The parts; each failure is that of its part alone."""

    def __init__(self, result: Result, asked: Asked, budget: Budget, tell: Tell) -> None:
        self._result, self._asked = result, asked
        self._budget, self._tell = budget, tell
        self._extent = EXTENTS[asked.mode]
        self._cores = granted_cores()
        self._files: list[bytes] = []
        self._folder: Path | None = None

    def run(self) -> None:
        """Run them all."""
        for name, part in (
            ("machine", self._machine),
            ("fit", self._fit),
            ("cores", self._work),
            ("disk", self._disk),
            ("net.download", self._net),
            ("gpu", self._gpu),
        ):
            self._budget.check()
            if self._budget.left() <= 0.0:
                self._result.skipped.append(Skipped(name, "the time was up"))
                continue
            try:
                part()
            except Exception as error:
                self._result.skipped.append(Skipped(name, one_line(error)))

    def _machine(self) -> None:
        self._result.machine.update(described())
        self._result.machine["cores"] = self._cores.granted
        self._result.lines += core_lines(self._cores)
        try:
            self._folder = chosen_folder(self._asked.folder)
        except NoPlaceError as error:
            self._result.skipped.append(Skipped("disk", str(error)))

    def _fit(self) -> None:
        self._tell("whether a training can run at all", 0.0)
        check_fit(self._result, str(self._folder or "."))

    def _work(self) -> None:
        self._tell("making pictures", 0.0)
        self._files = pictures(self._result)
        measure_cores(
            self._result,
            self._cores,
            self._files,
            extent=self._extent,
            share_ends=time.monotonic() + _SHARE_OF_CORES * self._budget.left(),
            ends=self._budget.ends,
            tell=self._told,
        )

    def _disk(self) -> None:
        if self._folder is None:  # and why has been said
            return
        seconds = _SHARE_OF_DISK * self._budget.left()
        extent = self._extent._replace(disk_s=min(self._extent.disk_s, seconds))
        disk_lines(
            self._result,
            self._folder,
            most=self._budget.bytes_left - self._pictures_bytes(),
            extent=extent,
            budget=self._budget,
            tell=self._told,
        )

    def _net(self) -> None:
        seconds = _SHARE_OF_NETWORK * self._budget.left()
        extent = self._extent._replace(download_s=min(self._extent.download_s, seconds))
        download_lines(self._result, self._asked.urls, extent, self._budget, self._told)

    def _gpu(self) -> None:
        with ExitStack() as stack:
            measure_gpu(
                self._result,
                self._asked.mode,
                self._budget.ends,
                self._told,
                pictures=self._kept_pictures(stack),
                cores=self._cores.workers,
            )

    def _kept_pictures(self, stack: ExitStack) -> list[str]:
        """Write the pictures that steps are fed from; return their paths.

        None where nothing is fed or they have no room: a disk that takes none is no
        reason to measure no GPU.

        Parameters
        ----------
        stack : at whose end they are removed
        """
        size = self._pictures_bytes()
        if not (self._extent.feeds and self._files and self._folder):
            return []
        try:
            if size > min(self._budget.bytes_left, room(self._folder)):
                raise NoRoomError(_NO_ROOM)
            folder = stack.enter_context(scratch_folder(self._folder))
            paths = _written(folder, self._files)
        except (NoRoomError, OSError) as error:
            why = getattr(error, "strerror", None) or str(error)
            self._result.skipped.append(Skipped("train.fed", why))
            return []
        self._budget.write(size)
        return paths

    def _pictures_bytes(self) -> int:
        """Return what the pictures take, which steps on a GPU are fed from."""
        return sum(map(len, self._files))

    def _told(self, words: str, share: float) -> None:
        """Tell how far it has come, and see whether anybody waits for it."""
        self._budget.check()
        self._tell(words, share)


def _written(folder: Path, files: Sequence[bytes]) -> list[str]:
    """Write pictures into a folder; return their paths."""
    paths = [folder / f"{number}.jpg" for number in range(len(files))]
    for path, file in zip(paths, files):
        path.write_bytes(file)
    return list(map(str, paths))
