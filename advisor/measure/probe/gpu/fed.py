"""Steps of a training that is fed with pictures from files, by PyTorch's DataLoader."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from advisor.measure.probe.decoders import SIDE, Finish, decoders
from advisor.measure.probe.gpu.timing import REPEATS, line_of
from advisor.measure.probe.gpu.train import Training, chosen

if TYPE_CHECKING:
    from collections.abc import Iterator

    from advisor.measure.probe.gpu.recipe import Feed, Recipe
    from advisor.measure.probe.gpu.timing import Device
    from advisor.measure.probe.lines import Line

_CLASSES = 10
"""As many as the smallest net tells apart."""

_ENDLESS = 10**9


class Pictures:
    """A data set of pictures, decoded and changed as for ImageNet.

    Parameters
    ----------
    feed : where they come from
    """

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._prepare: Any = None  # cannot be sent to a worker, which makes its own

    def __len__(self) -> int:
        return _ENDLESS

    def __getitem__(self, number: int) -> tuple[Any, int]:
        if self._prepare is None:
            self._prepare = _prepare(self._feed.library)
        path = self._feed.pictures[number % len(self._feed.pictures)]
        return self._prepare(Path(path).read_bytes(), number), number % _CLASSES


def fed(device: Device, recipe: Recipe, feed: Feed, budget_s: float) -> Line:
    """Return how many samples a second it trains on when they come from files.

    Parameters
    ----------
    device : where
    recipe : how
    feed : where the samples come from
    budget_s : for the steps
    """
    with chosen(device.torch, recipe):
        training = Training(device, recipe, feed.batch)
        training.compile()
        batches = _batches(device, feed)
        rates = list(_rates(training, batches, feed, budget_s))
    note = f"batch {feed.batch}, {feed.library}, {feed.workers} workers"
    return line_of(rates, f"{recipe.line}.fed", "samples/s", note)


def _batches(device: Device, feed: Feed) -> Iterator[Any]:
    """Return batches from workers that read ahead as they do by default."""
    loader = device.torch.utils.data.DataLoader(
        Pictures(feed),
        batch_size=feed.batch,
        num_workers=feed.workers,
        pin_memory=device.is_cuda,
    )
    return iter(loader)


def _rates(
    training: Training, batches: Iterator[Any], feed: Feed, budget_s: float
) -> Iterator[float]:
    """Yield samples per second, each over whole rounds of the workers.

    Workers begin together and hand on together: only over a round, in which each has
    handed on one batch, does a rate say something. What was read ahead when the first
    steps took long is used up before.
    """
    workers = max(feed.workers, 1)
    for _ in range(2 * workers):
        training.step_on(*next(batches))
    training.device.wait()
    for _ in range(REPEATS):
        began, rounds = time.perf_counter(), 0
        while rounds == 0 or time.perf_counter() - began < budget_s / REPEATS:
            for _ in range(workers):
                training.step_on(*next(batches))
            rounds += 1
        training.device.wait()
        yield rounds * workers * feed.batch / (time.perf_counter() - began)


def _prepare(library: str) -> Any:
    """Return what makes a tensor of a file."""
    import numpy as np  # noqa: PLC0415
    import torch  # noqa: PLC0415

    found, missing = decoders()
    decoder = next((one for one in found if one.name == library), None)
    if decoder is None:
        raise RuntimeError(missing.get(library, f"{library} is unknown"))
    finish = Finish(np)

    def prepare(file: bytes, number: int) -> Any:
        out = np.empty((3, SIDE, SIDE), np.float32)
        draw = random.Random(number)  # noqa: S311  (no secret)
        finish(decoder.prepared(decoder.decode(file), draw), out)
        return torch.from_numpy(out)

    return prepare
