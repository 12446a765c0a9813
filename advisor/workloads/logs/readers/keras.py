"""Keras 2 and 3: ``118/118 [=====] - 42s 355ms/step - loss: 0.2`` after ``Epoch 1/200``.

Source: `keras` ``utils/progbar.py``: the time of a step leaves the first one out, which
builds the graph; that of an epoch's last line has the validation in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from advisor.workloads.logs.counting import Point, Span, count
from advisor.workloads.logs.found import Asked, Found
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, seconds

_EPOCH = re.compile(r"^\s*Epoch (\d+)/(\d+)")
_LINE = re.compile(
    r"(?P<number>\d+)/(?P<total>\d+)\s+(?:\[[=>.]*\]|[━╸╺─\s]+)?\s*(?:-\s)?\s*"
    r"(?P<shown>\d+s|\d+:\d\d(?::\d\d)?|\d+ms|\d+us)\s+"
    rf"(?:-\s+(?:[^/]*?-\s+{NUMBER}m?s/epoch\s+-\s+)?)?"
    rf"(?P<s_per_it>{NUMBER})(?P<unit>ms|us|s|µs)/(?P<per>step|sample)"
)
_SAMPLES = re.compile(r"^Train on (\d+) samples")
_UNITS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6}
_FINE = 0.05  # error of a rounded time of a step up to which it is better than seconds
_NEARLY = 0.9  # share of an epoch whose time stands for the whole of it


@dataclass(slots=True)
class _Epoch:
    """An epoch: its number, its steps in which time, and whether its end was seen."""

    number: int
    steps: float = 0.0
    elapsed_s: float = 0.0
    line: Line | None = None
    ended: bool = False
    validated: bool = False


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of Keras."""
    epochs: list[_Epoch] = []
    planned, examples, per_sample = 0, 0.0, False
    for line in lines:
        text = line.text
        if header := _EPOCH.match(text):
            planned = int(header[2])
            epochs.append(_Epoch(int(header[1])))
        if found := _SAMPLES.match(text):
            examples = float(found[1])
        # What stands below the end of an epoch is an evaluation.
        if not epochs or epochs[-1].ended or "/s" not in text or "loss" not in text:
            continue
        for match in _LINE.finditer(text):
            _take(epochs[-1], match, line)
            per_sample = match["per"] == "sample" or examples == float(match["total"])
    timed = [one for one in epochs if one.line is not None]
    if not timed:
        return None
    spans = [
        Span([Point(0.0, 0.0, one.line), Point(one.steps, one.elapsed_s, one.line)])
        for one in timed
        if one.line is not None
    ]
    counted = count(spans)
    last = epochs[-1]
    unfinished = ""
    if last.number < planned or not last.ended:
        unfinished = f"it ends in epoch {last.number} of {planned}"
    remarks: tuple[str, ...] = ()
    if any(one.validated for one in timed):
        remarks = ("the times have the validations in them, which Keras does not part",)
    return Found(
        reader="Keras",
        unit="samples" if per_sample else "steps",
        counted=counted,
        training="the lines stand below 'Epoch' and state a loss",
        unfinished=unfinished,
        remarks=remarks,
    )


def _take(epoch: _Epoch, match: re.Match[str], line: Line) -> None:
    """Take a line into its epoch: its end, or a time near it without the validation."""
    number, total = float(match["number"]), float(match["total"])
    ended = number >= total
    epoch.ended = epoch.ended or ended
    if number < _NEARLY * total or number <= 1.0:
        return
    validates = "val_" in line.text
    if ended and validates and epoch.line is not None:
        return  # the time before the validation stands already
    s_per_step = float(match["s_per_it"])
    elapsed = number * s_per_step * _UNITS[match["unit"]]
    shown = _seconds(match["shown"])
    # The line of an epoch that goes on shows what is left, not what has passed.
    if ended and shown is not None and (s_per_step == 0.0 or 0.5 / s_per_step > _FINE):
        elapsed = shown
    epoch.steps, epoch.elapsed_s, epoch.line = number, elapsed, line
    epoch.validated = ended and validates


def _seconds(text: str) -> float | None:
    """Return the seconds of ``42s`` or ``1:02``; None for less than a second."""
    if ":" in text:
        return seconds(text)
    return float(text[:-1]) if text[:-1].isdigit() else None
