"""What the cores do with pictures: one worker, and more of them, with each library."""

from __future__ import annotations

import importlib
import random
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from advisor.measure.probe.curve import counts_up_to, exponent_of
from advisor.measure.probe.decoders import SIDE, Decoder, Finish
from advisor.measure.probe.lines import Line
from advisor.measure.probe.samples import Samples
from advisor.measure.probe.workers import Pool, starting_s

if TYPE_CHECKING:
    from advisor.measure.probe.workers import Fill

BATCH = 32
SAMPLE_BYTES = 3 * SIDE * SIDE * 4
BATCH_BYTES = BATCH * SAMPLE_BYTES

_BATCHES_PER_WORKER = 4
"""In memory at most: the one that is filled, those ahead, the one that is taken."""

_SHARE_OF_MEMORY = 0.25
_IMAGES = "images/s"
_SEED = 18


class Step(NamedTuple):
    """One reading, which a round takes among others.

    Attributes
    ----------
    name : of its line
    words : what is measured
    seconds : that it takes, roughly
    take : takes it
    """

    name: str
    words: str
    seconds: float
    take: Callable[[Samples], None]


class Feeding:
    """Pictures that are decoded.

    Parameters
    ----------
    found : the libraries
    files : the pictures
    workers : the largest number of them
    """

    def __init__(
        self, found: Sequence[Decoder], files: Sequence[bytes], workers: int
    ) -> None:
        self._found, self._files = found, files
        self.counts = counts_up_to(workers)

    def steps(self, seconds: float, *, whole_curve: bool) -> list[Step]:
        """Return the readings of one round.

        Parameters
        ----------
        seconds : of each
        whole_curve : for every library; else for the first, of the others the ends
        """
        steps = []
        for number, decoder in enumerate(self._found):
            ends = sorted({self.counts[0], self.counts[-1]})
            counts = self.counts if whole_curve or number == 0 else ends
            name, words = f"decode.{decoder.name}", f"decode, {decoder.name}"
            alone = self._alone(decoder)
            steps.append(Step(f"{name}.alone", f"{words} alone", 0.1, alone))
            steps += [
                Step(
                    f"{name}.w{count}",
                    f"{words}, workers: {count}",
                    seconds + starting_s(count),
                    self._with(decoder, count, seconds),
                )
                for count in counts
            ]
        return steps

    def curve_lines(self, samples: Samples) -> list[Line]:
        """Return the exponents of what was read."""
        lines = []
        for decoder in self._found:
            name = f"decode.{decoder.name}"
            per_core = {
                count: rate
                for count in self.counts
                if (rate := samples.median(_core_name(name, count))) is not None
            }
            exponent = exponent_of(per_core)
            if exponent is not None:
                note = "of the workers' number, by CPU time: 1 is in proportion"
                lines.append(Line(f"{name}.exponent", exponent, "", note=note))
        return lines

    def _alone(self, decoder: Decoder) -> Callable[[Samples], None]:
        def take(samples: Samples) -> None:
            began = time.process_time()
            for file in self._files:
                decoder.decode(file)
            spent = time.process_time() - began
            if spent > 0.0:
                rate = len(self._files) / spent
                note = f"per second of CPU time, decoding alone; {decoder.version}"
                samples.add(f"decode.{decoder.name}.alone", rate, _IMAGES, note)

        return take

    def _with(
        self, decoder: Decoder, count: int, seconds: float
    ) -> Callable[[Samples], None]:
        def take(samples: Samples) -> None:
            name = f"decode.{decoder.name}"
            with Pool(self._filler(decoder), count, BATCH_BYTES) as pool:
                read = pool.read(seconds)
            samples.add(f"{name}.w{count}", read.rate, _IMAGES)
            note = f"per second of CPU time of each of {count} workers"
            if count == 1:
                note = f"per second of CPU time of one worker; {decoder.version}"
            samples.add(_core_name(name, count), read.core_rate, _IMAGES, note)
            if count == self.counts[-1]:
                note = "per second of CPU time of the one process that takes all batches"
                samples.add(f"{name}.ceiling", BATCH * read.taker_rate, _IMAGES, note)

        return take

    def _filler(self, decoder: Decoder) -> Callable[[int], Fill]:
        """Return what makes a worker's function that fills batches."""
        numpy: Any = importlib.import_module("numpy")
        files = self._files

        def make(number: int) -> Fill:
            finish, draw = Finish(numpy), random.Random(_SEED + number)  # noqa: S311
            at = number

            def fill(view: memoryview, counted: Callable[[], None]) -> None:
                nonlocal at
                flat = numpy.frombuffer(view, numpy.float32)
                batch = flat.reshape(BATCH, 3, SIDE, SIDE)
                for place in range(BATCH):
                    at = (at + 1) % len(files)
                    picture = decoder.decode(files[at])
                    finish(decoder.prepared(picture, draw), batch[place])
                    counted()

            return fill

        return make


def most_workers(workers: int, memory_gb: float | None) -> int:
    """Return how many workers the memory has room for, one at least."""
    if memory_gb is None:
        return workers
    room = memory_gb * 1e9 * _SHARE_OF_MEMORY
    return max(1, min(workers, int(room / (_BATCHES_PER_WORKER * BATCH_BYTES))))


def _core_name(name: str, count: int) -> str:
    return f"{name}.core" if count == 1 else f"{name}.w{count}.core"
