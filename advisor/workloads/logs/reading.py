"""The throughput that a log gives evidence of, and where each part of it is from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.base.errors import Given, UsageError
from advisor.workloads.logs.counting import EvidenceError
from advisor.workloads.logs.ends import failures
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.readers import READERS
from advisor.workloads.logs.text import Line, read_lines
from advisor.workloads.logs.times import said

AGREE = 0.10
"""How far two sources of one rate may be apart."""

_BY_HAND = "'advisor record --throughput' takes the rate that you know"

_FEWEST_STEPS = 2  # the first one is warm-up

_SAME_BATCH = 0.05  # a mean over rounded figures is that close to the batch itself


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the evidence.

    Attributes
    ----------
    part : which, such as ``"counted"``
    says : what is known
    source : where from: lines of the log, or the user
    """

    part: str
    says: str
    source: str


@dataclass(frozen=True, slots=True)
class LogReading:
    """A throughput, and the evidence for it.

    Attributes
    ----------
    samples_per_s : of all GPUs together; None: steps were counted, and nobody says the
        batch
    reader : which kind of log it is
    batch : samples of a GPU and optimizer step; None: neither log nor user says it
    evidence : its parts
    marks : what to know beside them
    assured : whether the log itself shows that it is of a training
    shows_gpus : whether the log itself states the batch of all GPUs
    """

    samples_per_s: float | None
    reader: str
    batch: int | None
    evidence: tuple[Part, ...]
    marks: tuple[str, ...]
    assured: bool
    shows_gpus: bool

    def document(self) -> dict[str, Any]:
        """Return the evidence as it is stored."""
        parts = [
            {"part": one.part, "says": one.says, "from": one.source}
            for one in self.evidence
        ]
        return {"reader": self.reader, "parts": parts, "marks": list(self.marks)}

    def summary(self) -> str:
        """Return what was read, in one line."""
        says = {one.part: one.says for one in self.evidence}
        of = f", {says['batch']}" if self.batch else ""
        rate = ""
        if self.samples_per_s is not None:
            rate = f": {self.samples_per_s:.4g} samples/s"
        return f"{self.reader}: {says['counted']}{of}{rate}"


def read_log(path: Path, asked: Asked) -> LogReading:
    """Return the throughput that a log gives evidence of.

    Parameters
    ----------
    path : of the log
    asked : what the user says of the run

    Raises
    ------
    advisor.base.errors.UsageError
        if the evidence is missing or contradicts itself; the message names what is
        missing and how to give it
    """
    return read_from(read_lines(path), str(path), asked)


def read_from(lines: Sequence[Line], origin: str, asked: Asked) -> LogReading:
    """Return the throughput that lines give evidence of, see `read_log`."""
    died = failures(lines)
    after = lines[died[-1] + 1 :] if died else lines
    try:
        found = find(after, asked)
    except EvidenceError as error:
        if died:
            raise UsageError(_died(origin, lines[died[-1]])) from error
        raise UsageError(f"{origin}: {error}; {_BY_HAND}") from error
    if died and (found is None or _repeats(found)):
        raise UsageError(_died(origin, lines[died[-1]]))
    if found is None:
        message = (
            f"{origin}: no line states a training's throughput in the form of a tool "
            f"that is read ('advisor record --help'); {_BY_HAND}"
        )
        raise UsageError(message)
    return _reading(found, after, origin, asked)


def find(lines: Sequence[Line], asked: Asked) -> Found | None:
    """Return what the first reader finds that knows the log.

    Raises
    ------
    EvidenceError
        if what it has of its kind is no evidence
    """
    for read in READERS:
        try:
            found = read(lines, asked)
        except (ArithmeticError, ValueError) as error:  # such as a step of 400 digits
            raise EvidenceError(f"its figures make no sense ({error})") from error
        if found is not None:
            return found
    return None


def _repeats(found: Found) -> bool:
    """Say whether what stands after a failure shows one state: a bar is drawn again."""
    return found.counted.first is found.counted.last and bool(found.unfinished)


def _reading(
    found: Found, lines: Sequence[Line], origin: str, asked: Asked
) -> LogReading:
    """Return the reading of what was found, checked."""
    counted = found.counted
    if found.unit == "steps" and counted.number < _FEWEST_STEPS:
        message = f"{origin}: unfinished: its one step is warm-up; {_BY_HAND}"
        raise UsageError(message)
    _check_agreement(found, origin)
    stated = found.stated
    if stated and stated.devices is not None and stated.devices != asked.num_gpus:
        where = f" ({stated.line.where})" if stated.line else ""
        raise UsageError(
            f"{origin}: the log is of {stated.devices} devices{where}, not of ",
            *(f"{asked.num_gpus}: give ", Given("num_gpus"), f" {stated.devices}"),
        )
    per_step, source, marks = _per_step(found, asked)
    rate = counted.rate if found.unit == "samples" else None
    if per_step is not None and rate is None:
        rate = counted.rate * per_step
    if rate is not None and not 0.0 < rate < math.inf:
        raise UsageError(f"{origin}: {rate} samples/s cannot be a rate; {_BY_HAND}")
    batch = f"{_samples(per_step)} per step" if per_step else "unknown"
    parts = [
        Part(
            "counted",
            f"{counted.number:,.0f} {found.unit} in {said(counted.elapsed_s)}",
            f"{counted.first.quote} ... {counted.last.quote}",
        ),
        Part("batch", batch, source),
        Part("training", found.training, counted.last.where),
        Part(
            "warm-up",
            f"left out: {counted.warm_up}" if counted.warm_up else "none is seen",
            counted.first.where,
        ),
        Part(
            "end",
            found.unfinished or "the log shows no failure",
            lines[-1].quote,
        ),
        *(
            Part("agrees", f"{one.source}: {_rate(one.rate, found)}", one.line.quote)
            for one in found.checks
        ),
    ]
    if counted.left_out:
        marks = (*marks, f"left out: {counted.left_out}")
    if found.unfinished:
        marks = (*marks, f"unfinished: {found.unfinished}")
    return LogReading(
        rate,
        found.reader,
        None if per_step is None else _batch(per_step, asked),
        tuple(parts),
        (*marks, *found.remarks),
        found.assured,
        shows_gpus=_stated_per_step(stated, asked) is not None,
    )


def _check_agreement(found: Found, origin: str) -> None:
    """Refuse a rate that another source of it contradicts."""
    mine = found.counted.rate
    for other in found.checks:
        if abs(other.rate - mine) > AGREE * max(other.rate, mine):
            message = (
                f"{origin}: it contradicts itself: {_rate(mine, found)} by what was "
                f"counted ({found.counted.first.where} to {found.counted.last.where}), "
                f"{_rate(other.rate, found)} by {other.source} ({other.line.where}); "
                f"{_BY_HAND}"
            )
            raise UsageError(message)


def _per_step(found: Found, asked: Asked) -> tuple[float | None, str, tuple[str, ...]]:
    """Return samples of a step, where that is from, and what to know of it."""
    stated, asked_for = found.stated, asked.per_step
    per_step = _stated_per_step(stated, asked)
    by_user = f"the user's batch of {asked.batch}" if asked_for else ""
    if asked_for and asked.num_gpus > 1:
        by_user += f" on {asked.num_gpus} GPUs"
    if per_step is None or stated is None:
        if asked_for is None:
            return None, "neither the log nor the user", ()
        return asked_for, by_user, ()
    source = stated.line.quote if stated.line else stated.says
    if asked_for is None:
        return per_step, source, ()
    if abs(asked_for - per_step) <= _SAME_BATCH * per_step:
        return per_step, f"{source}; {by_user}", ()
    stated_there = f"the log states {_samples(per_step)} per step"
    mark = f"{stated_there}, not the {asked_for:,.0f} given"
    return per_step, source, (mark,)


def _batch(per_step: float, asked: Asked) -> int:
    """Return the batch of a GPU: the user's where the log's mean is as good as that."""
    asked_for = asked.per_step
    if asked_for is not None and abs(asked_for - per_step) <= _SAME_BATCH * per_step:
        per_step = asked_for
    return max(round(per_step / asked.num_gpus), 1)


def _stated_per_step(stated: Stated | None, asked: Asked) -> float | None:
    if stated is None:
        return None
    if stated.per_step is not None:
        return stated.per_step
    if stated.per_device is None:
        return None
    return stated.per_device * (stated.devices or asked.num_gpus)


def _rate(rate: float, found: Found) -> str:
    return f"{rate:,.4g} {found.unit}/s"


def _samples(number: float) -> str:
    return f"{number:,.4g} sample{'s' * (number != 1.0)}"


def _died(origin: str, line: Line) -> str:
    return (
        f"{origin}: the process died, and no training is seen after that ({line.quote}); "
        f"{_BY_HAND}"
    )
