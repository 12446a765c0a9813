"""What the hooks saw of a training, read back and made sense of."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from advisor.base.errors import AdvisorError
from advisor.measure.hooks.observation import (
    KIND,
    VERSION,
    Loader,
    Model,
    Observation,
    Optimizer,
)

_MAX_BYTES = 10_000_000
"""A document has some 20 kB."""

_FILES = "observation-*.json"

_WAITS = 0.1
"""Share of the time that a loop with workers waits for data from which the data bind it:
a queue that the workers keep full costs less (assumption)."""

_OUTLIERS = 0.1
"""Share of the steps, those with the longest waits, of which a bound is not told: workers
that start with an epoch make the loop wait, whatever binds it afterwards."""

LEAST_TIMED = 5
"""Timed steps below which times say nothing."""

Bound = Literal["data", "compute"]


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a training ran where it was watched, and what held it up.

    Attributes
    ----------
    samples_per_s : of all its processes together; None: samples are not known
    step_ms : median time of a step
    log_sd : standard deviation of the logarithm of the time of a step, of the middle of
        it: 0.74 of what lies between its quartiles, as a normal one has it
    steps : that were timed
    wait_share : share of the time in which the loop stood waiting for data (without
        workers: loading them); None: it has no DataLoader
    bound : what holds it up: ``data`` or ``compute``; None: nobody can tell
    """

    samples_per_s: float | None
    step_ms: float
    log_sd: float
    steps: int
    wait_share: float | None
    bound: Bound | None


def read_observations(folder: Path) -> tuple[Observation, ...]:
    """Return what each process of a training left in a folder.

    Raises
    ------
    advisor.base.errors.AdvisorError
        if a document is torn, or another version's
    """
    return tuple(_read(path) for path in sorted(folder.glob(_FILES)))


def trainer_of(observations: Sequence[Observation]) -> Observation | None:
    """Return the process that trains: of several the one of rank 0; None: none does."""
    stepping = [one for one in observations if one.steps.seen > 0]
    first = min((one.distributed.rank for one in stepping), default=0)
    ranked = [one for one in stepping if one.distributed.rank == first]
    return max(ranked, key=lambda one: one.steps.seen, default=None)


def training_loader(observation: Observation) -> Loader | None:
    """Return the DataLoader that the training takes its batches from; None: none."""
    loaders = (one for one in observation.loaders if one.is_training)
    return next(loaders, None)


def main_optimizer(observation: Observation) -> Optimizer | None:
    """Return the optimizer with the most parameters that made steps; None: none."""
    return next((one for one in observation.optimizers if one.is_main), None)


def trained_model(observation: Observation) -> Model | None:
    """Return the largest net that is trained; None: none was called while looked at."""
    trained = (one for one in observation.models if one.is_trained)
    return max(trained, key=lambda one: one.parameters, default=None)


def micro_batches(observation: Observation) -> float:
    """Return how many batches add up to one optimizer step, at least 1."""
    steps = observation.steps
    return max(steps.batches_per_step or steps.backwards_per_step or 1.0, 1.0)


def pace_of(observation: Observation) -> Pace | None:
    """Return how fast it ran; None where too few steps were timed."""
    loop = observation.loop
    if len(loop.step_s) < LEAST_TIMED:
        return None
    share = _wait_share(loop.step_s, loop.wait_s)
    rate = None
    if loop.seconds and loop.total_samples:
        rate = loop.total_samples / loop.seconds * observation.distributed.world_size
    low, middle, high = statistics.quantiles(loop.step_s, n=4)
    return Pace(
        samples_per_s=rate,
        step_ms=middle * 1e3,
        log_sd=0.74 * math.log(high / low) if low > 0.0 else math.inf,
        steps=len(loop.step_s),
        wait_share=share,
        bound=None if share is None else _bound(observation, share),
    )


def _wait_share(step_s: Sequence[float], wait_s: Sequence[float] | None) -> float | None:
    """Return the share of waiting in the steps but those of the longest waits."""
    if wait_s is None:
        return None
    pairs = sorted(zip(wait_s, step_s, strict=False))
    kept = pairs[: math.ceil(len(pairs) * (1.0 - _OUTLIERS))]
    passed = sum(step for _, step in kept)
    return sum(wait for wait, _ in kept) / passed if passed > 0.0 else None


def _bound(observation: Observation, share: float) -> Bound:
    """Return what holds a loop up that waits for a share of its time.

    Who loads with workers, while the last batch is computed, waits only if they are
    slower; who loads itself does one after the other, and the longer of both binds. With
    a GPU that still computes while the loop waits, nothing is lost by that.
    """
    loader = training_loader(observation)
    idle = observation.loop.gpu_idle_waits
    if idle is not None:
        share *= idle
    own = loader is not None and loader.workers == 0
    return "data" if share > (0.5 if own else _WAITS) else "compute"


def _read(path: Path) -> Observation:
    with path.open("rb") as file:
        body = file.read(_MAX_BYTES + 1)
    wrong = f"what was seen of the training ({path.name}) cannot be read"
    if len(body) > _MAX_BYTES:
        message = f"{wrong}: it is larger than {_MAX_BYTES // 10**6} MB"
        raise AdvisorError(message)
    try:
        document = msgspec.json.decode(body, type=dict)
        kind = document.get("kind"), document.get("version")
        if kind != (KIND, VERSION):
            message = (
                f"{wrong}: it is of version {kind[1]!r} of {kind[0]!r}, and {VERSION} of "
                f"{KIND} is expected; the program took another advisor's hooks"
            )
            raise AdvisorError(message)
        return msgspec.convert(document, Observation)
    except msgspec.MsgspecError as error:
        message = f"{wrong}: {error}"
        raise AdvisorError(message) from error
