"""The parts of a bench that need no GPU, in the order of their worth."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.measure.probe.budget import Budget
from advisor.measure.probe.core import Deflate, HfTokenizer, MemoryCopy, WordPieces
from advisor.measure.probe.cores import Cores
from advisor.measure.probe.decoders import decoders
from advisor.measure.probe.disk import NoRoomError, measure_disk
from advisor.measure.probe.download import DownloadError, measure_download
from advisor.measure.probe.feeding import Feeding, Step, most_workers
from advisor.measure.probe.gpu.apart import one_line
from advisor.measure.probe.images import jpegs
from advisor.measure.probe.lines import Result, Skipped
from advisor.measure.probe.samples import Samples
from advisor.measure.probe.scratch import is_in_memory, room
from advisor.measure.probe.workers import delivered, starting_s

if TYPE_CHECKING:
    from advisor.measure.probe.tell import Tell

_MOST_DOWNLOADED = 2e9
"""Bytes: some hosts bill what comes in."""


class Extent(NamedTuple):
    """How much is measured.

    Attributes
    ----------
    rounds : readings of each kind, of which the median counts
    reading_s : of workers, seconds
    disk_s, download_s : seconds
    whole_curve : measure each number of workers with every library
    feeds : train on files of the disk, too
    """

    rounds: int
    reading_s: float
    disk_s: float
    download_s: float
    whole_curve: bool
    feeds: bool


EXTENTS = {
    "quick": Extent(9, 0.5, 6.0, 5.0, whole_curve=False, feeds=False),
    "full": Extent(15, 1.0, 24.0, 15.0, whole_curve=True, feeds=True),
}


def pictures(result: Result) -> list[bytes]:
    """Return the pictures; none, and say so, where what makes them is not installed."""
    try:
        return jpegs()
    except ImportError:
        why = "it takes NumPy and Pillow, or OpenCV, in this Python"
    except Exception as error:
        why = one_line(error)
    result.skipped.append(Skipped("decode", why))
    return []


def measure_cores(
    result: Result,
    cores: Cores,
    files: Sequence[bytes],
    *,
    extent: Extent,
    share_ends: float,
    ends: float,
    tell: Tell,
) -> None:
    """Measure what the cores do, in rounds, so that each figure is of the whole time.

    Parameters
    ----------
    files : pictures; none: decoding is left out
    share_ends : by `time.monotonic`; rounds after the first end by then
    ends : of the whole bench: the first round takes what it needs of that
    """
    samples = Samples()
    workers = most_workers(cores.workers, result.machine.get("memory_gb"))
    feeding = _feeding(result, files, workers)
    steps = [*_core_steps(result), _delivery(cores.workers, extent.reading_s)]
    if feeding is not None:
        steps += feeding.steps(extent.reading_s, whole_curve=extent.whole_curve)
    failed: set[str] = set()
    try:
        for number in range(extent.rounds):
            for at, step in enumerate(steps):
                until = share_ends if number else ends
                if time.monotonic() + step.seconds > until:
                    _leave(result, steps[at:] if number == 0 else [])
                    return
                share = (number + at / len(steps)) / extent.rounds
                tell(step.words, share)
                if step.name not in failed:
                    _taken(result, samples, step, failed)
    finally:
        result.lines += samples.lines()
        if feeding is not None:
            result.lines += feeding.curve_lines(samples)


def disk_lines(
    result: Result,
    folder: Path,
    *,
    most: float,
    extent: Extent,
    budget: Budget,
    tell: Tell,
) -> None:
    """Measure the disk of a folder.

    Parameters
    ----------
    most : bytes that may be written
    """
    if is_in_memory(folder):
        why = "the folder is in memory: name one that is on a disk"
        result.skipped.append(Skipped("disk", why))
        return
    samples = Samples()
    try:
        size = min(most, room(folder))
        seconds = min(extent.disk_s, budget.left())
        measure_disk(
            samples, folder, size=size, seconds=seconds, budget=budget, tell=tell
        )
    except (NoRoomError, OSError) as error:
        result.skipped.append(
            Skipped("disk", getattr(error, "strerror", None) or str(error))
        )
    finally:
        result.lines += samples.lines()


def download_lines(
    result: Result, urls: Sequence[str], extent: Extent, budget: Budget, tell: Tell
) -> None:
    """Measure the download from addresses."""
    if not urls:
        result.skipped.append(Skipped("net.download", "no address to download from"))
        return
    samples = Samples()
    try:
        seconds = min(extent.download_s, budget.left())
        measure_download(samples, urls, seconds, _MOST_DOWNLOADED, tell)
    except DownloadError as error:
        result.skipped.append(Skipped("net.download", str(error)))
    finally:
        result.lines += samples.lines()


def _core_steps(result: Result) -> list[Step]:
    """Return the readings of one core."""
    steps = [_step(Deflate()), _step(WordPieces())]
    try:
        steps.append(_step(HfTokenizer()))
    except ImportError:
        why = "tokenizers is not installed in this Python"
        result.skipped.append(Skipped(HfTokenizer.name, why))
    except Exception as error:
        result.skipped.append(Skipped(HfTokenizer.name, one_line(error)))
    steps.append(_step(MemoryCopy()))
    return steps


def _step(one: Any) -> Step:
    def take(samples: Samples) -> None:
        samples.add(one.name, one.rate(), one.unit, one.note)

    return Step(one.name, one.name, 0.2, take)


def _delivery(workers: int, seconds: float) -> Step:
    """Return the reading of what the granted cores deliver."""

    def take(samples: Samples) -> None:
        note = f"seconds of CPU time per second that {workers} busy processes get"
        samples.add("cores.delivered", delivered(workers, seconds), "cores", note)

    takes_s = seconds + starting_s(workers)
    return Step("cores.delivered", "cores delivered", takes_s, take)


def _feeding(result: Result, files: Sequence[bytes], workers: int) -> Feeding | None:
    if not files:
        return None
    found, missing = decoders()
    result.skipped += [Skipped(f"decode.{name}", why) for name, why in missing.items()]
    return Feeding(found, files, workers)


def _leave(result: Result, steps: Sequence[Step]) -> None:
    """Say of readings that there was no time for them."""
    result.skipped += [Skipped(one.name, "the time was up") for one in steps]


def _taken(result: Result, samples: Samples, step: Step, failed: set[str]) -> None:
    """Take a reading; what fails once is left out from then on, and said."""
    try:
        step.take(samples)
    except Exception as error:
        failed.add(step.name)
        result.skipped.append(Skipped(step.name, one_line(error)))
