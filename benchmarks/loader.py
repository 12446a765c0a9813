"""The rate of an input-bound training, predicted from what one core does, and measured.

A torch DataLoader reads JPEG files, and prepares them as ResNet-50 on ImageNet is fed:
decode, random crop of 8 to 100 % resized to 224 x 224, flip, tensor, normalize. Nothing
trains: the loop takes each batch and drops it, so that the loader alone is the bound.
The prediction is the model's own limit of an input pipeline
(`advisor.throughput.limits.input_rate`) with the rate of one core that `advisor bench`
measures (``decode.pillow.core``), a core per worker, and the share of it that it got.

Where other processes want the same cores, each worker has its core for a share of the
time only: ``cpu / (cpu + waiting for a core)`` of its ``/proc/PID/schedstat``. That slows
it by as much, and is no fault of the loader's; what a worker waits for anything else
counts against the prediction.

Readings take turns, so that a busy machine slows all of them alike: the rate of a core is
the mean of one reading before the loader's and one after. The median of the ratios of
measured to predicted is what counts (within 10 %, with 1 and with 2 workers).

    python benchmarks/loader.py [--rounds N] [--seconds S]

It needs PyTorch and Pillow.
"""

from __future__ import annotations

import argparse
import io
import math
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, RandomSampler

from advisor.base.resources import models_folder
from advisor.measure.probe.decoders import SIDE, crop_box, decoders
from advisor.measure.probe.feeding import Feeding
from advisor.measure.probe.images import jpegs
from advisor.measure.probe.samples import Samples
from advisor.throughput.artifact import load_model
from advisor.throughput.limits import input_rate

BATCH = 32
WORKERS = (1, 2)
WITHIN = 0.10
COPIES = 4  # of each picture, in files of their own
ENDLESS = 10**7  # samples of an epoch: more than any reading takes
MEAN = torch.tensor((0.485, 0.456, 0.406)).view(3, 1, 1)
SPREAD = torch.tensor((0.229, 0.224, 0.225)).view(3, 1, 1)


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """JPEG files, prepared as torchvision does it, with PyTorch and Pillow alone."""

    def __init__(self, files: list[Path]) -> None:
        self._files = files

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._files)

    def __getitem__(self, at: int) -> tuple[torch.Tensor, int]:
        """Return one picture, normalized, and its class."""
        picture = Image.open(io.BytesIO(self._files[at].read_bytes())).convert("RGB")
        left, top, wide, high = crop_box(*picture.size, random)  # type: ignore[arg-type]
        box = (left, top, left + wide, top + high)
        small = picture.crop(box).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        if random.random() < 0.5:  # noqa: S311  (no secret)
            small = small.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1).contiguous()
        return pixels.float().div_(255.0).sub_(MEAN).div_(SPREAD), 0


class Loaded(NamedTuple):
    """What a loader did.

    Attributes
    ----------
    rate : samples/s by the clock
    share : of its core that a worker had while it wanted it, mean of the workers
    busy : share of its time that a worker computed or waited for a core
    """

    rate: float
    share: float
    busy: float


class Times(NamedTuple):
    """Seconds that a process computed, and that it waited for a core."""

    computed: float
    waited: float


def times_of(process: int) -> Times:
    """Return the times of a process with one thread, as the kernel counts them."""
    words = Path(f"/proc/{process}/schedstat").read_text(encoding="ascii").split()
    return Times(int(words[0]) / 1e9, int(words[1]) / 1e9)


@contextmanager
def loader(files: list[Path], workers: int) -> Iterator[Any]:
    """Yield batches without an end, and the processes that make them."""
    pictures = Pictures(files)
    drawn = RandomSampler(pictures, replacement=True, num_samples=ENDLESS)
    batches = DataLoader(pictures, batch_size=BATCH, sampler=drawn, num_workers=workers)
    source = iter(batches)
    yield source
    del source


def loaded(files: list[Path], workers: int, seconds: float) -> Loaded:
    """Take batches for so long."""
    with loader(files, workers) as source:
        for _ in range(2 * workers):  # what was made ahead while the workers started
            next(source)
        processes = [worker.pid for worker in source._workers]  # noqa: SLF001  (its only name)
        before, began, taken = [times_of(one) for one in processes], time.monotonic(), 0
        while time.monotonic() - began < seconds:
            next(source)
            taken += BATCH
        passed = time.monotonic() - began
        after = [times_of(one) for one in processes]
    spent = [
        Times(late.computed - early.computed, late.waited - early.waited)
        for early, late in zip(before, after, strict=True)
    ]
    wanted = [one.computed + one.waited for one in spent]
    shares = [one.computed / both for one, both in zip(spent, wanted, strict=True)]
    busy = sum(wanted) / passed / workers
    return Loaded(taken / passed, statistics.mean(shares), busy)


def core_rate(feeding: Feeding, seconds: float) -> float:
    """Return what one core decodes, as the bench measures it."""
    samples = Samples()
    for step in feeding.steps(seconds, whole_curve=False):
        step.take(samples)
    rate = samples.median("decode.pillow.core")
    if rate is None:
        message = "the bench measured no decode.pillow.core"
        raise SystemExit(message)
    return rate


def predicted(rate: float, cores: float) -> float:
    """Return what the model's limit of an input pipeline allows.

    The GPU that is fed takes no time here: no process drives one.
    """
    host = load_model(models_folder()).host
    found = input_rate(
        np.array([cores]),
        np.ones(1),
        1000.0 / rate,
        np.array([math.inf]),
        core_exponent=host.core_exponent,
        driver_cores=host.driver_cores,
    )
    return float(found[0])


def main() -> None:
    """Print the ratio of each round's readings, and their medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4.0, help="of a reading")
    given = parser.parse_args()
    made = jpegs()
    found, _ = decoders()
    feeding = Feeding([one for one in found if one.name == "pillow"], made, 1)
    ratios: dict[int, list[float]] = {workers: [] for workers in WORKERS}
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number}.jpg" for number in range(len(made) * COPIES)]
        for number, file in enumerate(files):
            file.write_bytes(made[number % len(made)])
        core = core_rate(feeding, given.seconds / 2)
        for workers in WORKERS * given.rounds:
            measured = loaded(files, workers, given.seconds)
            before, core = core, core_rate(feeding, given.seconds / 2)
            around = math.sqrt(before * core)
            expected = predicted(around, workers) * measured.share
            ratios[workers].append(measured.rate / expected)
            print(
                f"{workers} workers: one core {around:.0f} images/s, had for "
                f"{measured.share:.0%}, predicted {expected:.0f}, measured "
                f"{measured.rate:.0f}, ratio {measured.rate / expected:.3f} (workers "
                f"busy {measured.busy:.0%})",
                flush=True,
            )
    for workers, each in ratios.items():
        median, spread = statistics.median(each), statistics.pstdev(map(math.log, each))
        verdict = "within" if abs(median - 1.0) <= WITHIN else "NOT within"
        print(
            f"{workers} workers: measured over predicted {median:.3f}, median of "
            f"{len(each)}, spread {spread:.3f}: {verdict} {WITHIN:.0%}"
        )


if __name__ == "__main__":
    main()
