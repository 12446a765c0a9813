"""What a data set of the user's needs: samples, bytes, and the CPU time of a sample.

A folder is counted by its files and their bytes. The CPU time is that of what a training
does to a sample: of pictures as image classification does it (see
`advisor.workloads.pictures`), of anything else what the user's own data set does.
"""

from __future__ import annotations

import math
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import getitem
from pathlib import Path
from typing import Any

from advisor.base.errors import Given, UsageError
from advisor.base.progress import Progress, quiet
from advisor.base.units import BYTES_PER_GB
from advisor.workloads.pictures import SUFFIXES, Size, pillow, prepare, size_of
from advisor.workloads.profile import Workload

SAMPLED = 200
"""Samples that are prepared, at most."""

_ENOUGH, _ENOUGH_S = 20, 20.0
"""So many are enough once they have taken so long."""

_SOON_S = 5.0
"""What takes longer is announced."""

_SEED = 20_261_125

_NO_FILES = ("sequence", "token", "row", "click", "node", "user", "step")
"""First words of samples that no file is one of: many of them are in one."""

_CLASSIFICATION = "image classification"

_TRAINING, _OTHERS = "train", ("val", "valid", "validation", "test", "eval")
"""Folders of a data set that is split already."""

Notify = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time of what samples were prepared.

    Attributes
    ----------
    milliseconds : CPU time of one, mean of one core of this machine
    waited_ms : that passed besides, for the disk, the network or other processes
    tried, broken : samples, and those of them that failed
    first : why the first of those failed; empty: none did
    """

    milliseconds: float
    tried: int
    broken: int
    first: str
    waited_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a folder that are samples.

    Attributes
    ----------
    samples : those that hold anything
    folder_bytes : of all files, samples or not
    left_out : words about files that are no samples; empty: there are none
    """

    samples: tuple[Path, ...]
    sample_bytes: int
    folder_bytes: int
    left_out: str


@dataclass(frozen=True, slots=True)
class Core:
    """A core of this machine.

    Attributes
    ----------
    speed : 1 at a PassMark single-thread score of 2,100
    log_sd : standard deviation of its logarithm
    source : where that is from, for people
    """

    speed: float
    log_sd: float
    source: str


def files_of(folder: Path, workload: Workload, progress: Progress = quiet) -> Files:
    """Return the files that are samples of a workload.

    Of pictures every file with a suffix of one; of anything else the commonest suffix.
    Where the folder is split into ``train`` and others, those under ``train``.

    Parameters
    ----------
    progress : is told how many files were found

    Raises
    ------
    advisor.base.errors.UsageError
        if there is no such folder, no sample in it, or a file is no sample of such a
        workload
    """
    if not folder.is_dir():
        raise _wrong(
            f"there is no folder {folder}; a folder or SCRIPT.py:FUNCTION is expected"
        )
    if workload.sample.split()[0] in _NO_FILES:
        raise _wrong(
            f"a file is no sample of {workload.name} ({workload.sample}): give "
            "SCRIPT.py:FUNCTION that returns your data set, or a profile of such files "
            "with ",
            Given("base"),
        )
    sizes: dict[Path, int] = {}
    for path in _walk(folder):
        sizes[path] = path.stat().st_size
        progress("counting", len(sizes), unit="files")
    progress("")
    part = _training_part(folder)
    inside = [path for path in sizes if part is folder or part in path.parents]
    if not any(sizes[path] for path in inside):
        raise _wrong(f"{folder} has no files with content")
    kinds = Counter(path.suffix.lower() for path in inside)
    wanted = SUFFIXES if is_of_pictures(workload) else {kinds.most_common(1)[0][0]}
    wanted_files = sorted(path for path in inside if path.suffix.lower() in wanted)
    samples = tuple(path for path in wanted_files if sizes[path] > 0)
    if not samples:
        raise _wrong(
            f"{folder} has no pictures ({_counts(kinds)}), and a sample of "
            f"{workload.name} is one ({workload.sample})"
        )
    others = Counter({kind: n for kind, n in kinds.items() if kind not in wanted})
    words = []
    if others:
        words.append(f"{others.total():,} files of other kinds ({_counts(others)})")
    if empty := len(wanted_files) - len(samples):
        words.append(f"{empty:,} empty files")
    if part is not folder:
        words.append(f"what is not under {part.name}")
    return Files(
        samples=samples,
        sample_bytes=sum(sizes[path] for path in samples),
        folder_bytes=sum(sizes.values()),
        left_out=", ".join(words),
    )


def is_of_pictures(workload: Workload) -> bool:
    """Say whether a sample of it is a picture."""
    return "image" in workload.sample or workload.sample.startswith("slice")


def recipe_of(workload: Workload) -> Size | str:
    """Return the size that pictures are made for a workload, or why nobody knows."""
    unchanged = (
        f"{workload.cpu_ms_per_sample:g} ms of CPU per sample stay as in the profile; "
        "SCRIPT.py:FUNCTION, which returns your data set, would be measured"
    )
    size = size_of(workload.sample)
    if workload.task != _CLASSIFICATION or size is None:
        return f"what {workload.task} does to a file is not known here: {unchanged}"
    if pillow() is None:
        return f"Pillow is not installed (pip install pillow): {unchanged}"
    return size


def prepare_files(
    files: Sequence[Path],
    size: Size,
    notify: Notify,
    clock: Callable[[], float] = time.process_time,
    progress: Progress = quiet,
) -> Spent:
    """Prepare some pictures as training does, and return the CPU time of one.

    Parameters
    ----------
    progress : is told how many were tried

    Raises
    ------
    advisor.base.errors.UsageError
        if all of those that are tried are broken
    """
    draw = random.Random(_SEED)  # noqa: S311  (no secret)
    chosen = draw.sample(list(files), min(SAMPLED, len(files)))
    jobs = [(path.name, partial(prepare, path, size, draw)) for path in chosen]
    return _spent(jobs, notify, clock, progress)


def fetch(
    dataset: Any, notify: Notify, clock: Callable[[], float] = time.process_time
) -> tuple[int, Spent]:
    """Fetch some samples of a data set; return how many it has and the CPU time of one.

    They are fetched as a worker of a loader does: one after another, with one thread of
    PyTorch's.

    Raises
    ------
    advisor.base.errors.UsageError
        if it is no data set that can be indexed, it is empty, or every sample fails
    """
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise _wrong(
            f"the function returns {type(dataset).__name__}: a data set with __len__ and "
            "__getitem__ is expected"
        )
    try:
        number = len(dataset)
    except Exception as error:
        raise _wrong(f"its length fails: {type(error).__name__}: {error}") from error
    if number < 1:
        raise _wrong("the data set is empty")
    torch = sys.modules.get("torch")
    if torch is not None:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
    try:
        draw = random.Random(_SEED)  # noqa: S311  (no secret)
        chosen = draw.sample(range(number), min(SAMPLED, number))
        jobs = [(f"sample {at}", partial(getitem, dataset, at)) for at in chosen]
        return number, _spent(jobs, notify, clock)
    finally:
        if torch is not None:
            torch.set_num_threads(threads)


def with_files(workload: Workload, files: Files, spent: Spent | None) -> Workload:
    """Return a profile with the samples and bytes of a folder's files."""
    number = len(files.samples)
    counted = "counted: files of the data set"
    if spent is not None and spent.broken:
        if spent.tried == number:
            number -= spent.broken
            counted += f", {spent.broken} broken ones left out"
        else:
            share = spent.broken / spent.tried
            number = max(round(number * (1.0 - share)), 1)
            counted += (
                f", less the share that is broken ({spent.broken} of {spent.tried})"
            )
    return replace(
        workload,
        samples_per_epoch=float(number),
        disk_bytes_per_sample=files.sample_bytes / len(files.samples),
        dataset_gb=files.folder_bytes / BYTES_PER_GB,
        sources={
            **workload.sources,
            "samples_per_epoch": counted,
            "disk_bytes_per_sample": "measured: mean of the data set's files",
            "dataset_gb": "measured: all files of the folder",
        },
    )


def with_length(workload: Workload, number: int) -> Workload:
    """Return a profile with as many samples as a data set says that it has."""
    sources = {**workload.sources, "samples_per_epoch": "counted: len of the data set"}
    return replace(workload, samples_per_epoch=float(number), sources=sources)


def with_cpu_time(workload: Workload, spent: Spent, core: Core, what: str) -> Workload:
    """Return a profile with a measured CPU time, scaled to the reference core.

    Parameters
    ----------
    what : was measured, for people
    """
    source = (
        f"measured: {spent.milliseconds:.3g} ms of CPU for {what}, mean of "
        f"{spent.tried - spent.broken}, on a core of {core.speed:.2f} ({core.source})"
    )
    return replace(
        workload,
        cpu_ms_per_sample=max(spent.milliseconds * core.speed, 1e-6),
        cpu_ms_log_sd=core.log_sd,
        sources={
            **workload.sources,
            "cpu_ms_per_sample": source,
            "cpu_ms_log_sd": "how well the speed of this machine's core is known",
        },
    )


def this_cpu() -> str:
    """Return the name of this machine's CPU, empty where the system does not say."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    names = [line for line in text.splitlines() if line.startswith("model name")]
    return names[0].partition(":")[2].strip() if names else ""


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the files under a folder, hidden ones left out."""
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(root) / name
            if not name.startswith(".") and path.is_file():
                yield path


def _training_part(folder: Path) -> Path:
    """Return where the samples of a training are: all of it, or its part for that."""
    part = folder / _TRAINING
    split = part.is_dir() and any((folder / name).is_dir() for name in _OTHERS)
    return part if split else folder


def _counts(kinds: Counter[str]) -> str:
    """Return the commonest kinds of files with their numbers."""
    listed = [f"{kind or 'no suffix'} {n:,}" for kind, n in kinds.most_common(3)]
    return ", ".join(listed) + (", ..." if len(kinds) > 3 else "")


def _spent(
    jobs: Sequence[tuple[str, Callable[[], object]]],
    notify: Notify,
    clock: Callable[[], float],
    progress: Progress = quiet,
) -> Spent:
    """Do one job after another until it is enough; return the mean time of one."""
    done, broken, tried, total, first = 0, 0, 0, 0.0, ""
    _warm_up(jobs)
    passed = 0.0
    for name, job in jobs:
        progress("preparing samples", tried, len(jobs), "at most")
        tried += 1
        start, began = clock(), time.monotonic()
        try:
            job()
        except Exception as error:
            broken += 1
            first = first or f"{name}: {type(error).__name__}: {error}"
            continue
        total += clock() - start
        passed += time.monotonic() - began
        done += 1
        if done == 3 and (left := total / done * len(jobs)) > _SOON_S:
            notify(f"preparing samples takes about {min(left, _ENOUGH_S):.0f} s")
        if done >= _ENOUGH and max(total, passed) > _ENOUGH_S:
            break
    progress("")
    if not done:
        raise _wrong(f"all of {tried} samples that were tried fail; {first}")
    milliseconds = total / done * 1e3
    if not math.isfinite(milliseconds):
        raise _wrong("this machine's clock does not measure CPU time")
    waited = max(passed / done * 1e3 - milliseconds, 0.0)
    return Spent(milliseconds, tried, broken, first, waited)


def _warm_up(jobs: Sequence[tuple[str, Callable[[], object]]]) -> None:
    """Do one job untimed: the first imports and opens what the others find there."""
    for _, job in jobs[:3]:
        try:
            job()
        except Exception:  # noqa: S112  (counted when its turn comes)
            continue
        return


def _wrong(*parts: str | Given) -> UsageError:
    """Return the error of data sets that cannot be measured."""
    return UsageError(Given("datasets"), ": ", *parts)
