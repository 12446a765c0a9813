"""Ultralytics YOLO and YOLOv5: a line of losses per epoch, with an old or a new bar.

Sources: `ultralytics` ``engine/trainer.py``, ``utils/tqdm.py``; `yolov5` ``train.py``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from advisor.base.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from advisor.workloads.logs.counting import EvidenceError, Point, Span, count
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, seconds

_ROW = re.compile(r"^\s*(?P<epoch>\d+)/(?P<epochs>\d+)\s+[\d.]+[GM]B?\s+.*?:\s+\d+%")
_OLD = re.compile(
    r"\|\s*(?P<number>\d+)/(?P<total>\d+)\s+\[(?P<elapsed>[\d:]+)<[^,\]]*"
    rf"(?:,\s*(?:(?P<rate>{NUMBER})\s?it/s|(?P<s_per_it>{NUMBER})\s?s/it))?"
)
_NEW = re.compile(
    r"(?P<number>\d+)/(?P<total>\d+)\s+"
    rf"(?:(?P<rate>{NUMBER})\s?it/s|(?P<s_per_it>{NUMBER})\s?s/it)\s+"
    r"(?P<elapsed>(?:\d+:)?\d+:\d\d(?:\.\d+)?|[\d.]+s|[\d.]+m\s?[\d.]*s?|[\d.]+h[\d.]*m?)"
)
_ARGUMENTS = re.compile(
    r"(?:engine[\\/]trainer:|^\s*train: weights=|\btask=\w+, mode=train).*?"
    r"\bbatch(?:_size|-size)?=(\d+)"
)
_AUTO = re.compile(r"AutoBatch: Using batch-size (\d+)")
_LEAST_S = 10.0  # a bar shows whole seconds
_ROUNDED_H = 0.0005  # hours that are printed with three digits
_COMPLETED = re.compile(rf"epochs completed in ({NUMBER}) hours")
_DEVICE = re.compile(r"\bdevice=\[?([\d, ]+)\]?")


@dataclass(frozen=True, slots=True)
class _Row:
    """One state of an epoch's bar."""

    epoch: str
    epochs: str
    number: float
    total: float
    at_s: float
    line: Line


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of YOLO."""
    spans: list[Span] = []
    last: _Row | None = None
    for row in _rows(lines):
        if last is None or row.epoch != last.epoch or row.number < last.number:
            spans.append(Span([Point(0.0, 0.0, row.line)]))
        spans[-1].add(Point(row.number, row.at_s, row.line))
        last = row
    if last is None:
        return None
    counted = count(spans)
    if counted.elapsed_s < _LEAST_S:
        raise EvidenceError("the epochs took less than 10 s: too short for a rate")
    _check_whole(spans, lines)
    ended = int(last.epoch) >= int(last.epochs) - (1 if _from_zero(spans) else 0)
    unfinished = ""
    if last.number < last.total or not ended:
        at = f"{last.number:.0f} of {last.total:.0f}"
        unfinished = f"it ends in epoch {last.epoch}/{last.epochs} at {at}"
    batches = [found for line in lines if (found := _batch(line)) is not None]
    return Found(
        reader="Ultralytics",
        unit="steps",
        counted=counted,
        training="the bars have the columns of a training's epochs",
        stated=batches[-1] if batches else None,
        unfinished=unfinished,
    )


def _rows(lines: Sequence[Line]) -> Iterator[_Row]:
    for line in lines:
        text = line.text
        row = _ROW.search(text) if "%" in text else None
        if row is None:
            continue
        match = _OLD.search(text, row.end()) or _NEW.search(text, row.end())
        if match is None:
            continue
        at_s, number = _seconds(match["elapsed"]), float(match["number"])
        if at_s is None or number == 0.0:
            continue
        if "." not in match["elapsed"]:
            # Whole seconds: the bar's own rate is finer where it fits them.
            s_per_step = float(match["s_per_it"] or 0.0)
            if match["rate"] and float(match["rate"]):
                s_per_step = 1.0 / float(match["rate"])
            fine = number * s_per_step
            at_s = fine if at_s <= fine < at_s + 1.0 else at_s + 0.5
        total = float(match["total"])
        yield _Row(row["epoch"], row["epochs"], number, total, at_s, line)


def _check_whole(spans: Sequence[Span], lines: Sequence[Line]) -> None:
    """Refuse bars that ran for longer than the whole run, which has validations too."""
    bars_s = sum(span.points[-1].at_s for span in spans)
    for line in lines:
        match = _COMPLETED.search(line.text) if "completed in" in line.text else None
        whole_s = SECONDS_PER_HOUR * (float(match[1]) + _ROUNDED_H) if match else bars_s
        if bars_s > 1.1 * whole_s:
            message = (
                f"it contradicts itself: the epochs' bars ran for {bars_s:,.0f} s, the "
                f"whole run for {whole_s:,.0f} s ({line.where})"
            )
            raise EvidenceError(message)


def _batch(line: Line) -> Stated | None:
    """Return the batch of all GPUs together, which is how both tools count it."""
    if "batch" not in line.text:
        return None
    match = _ARGUMENTS.search(line.text) or _AUTO.search(line.text)
    if match is None:
        return None
    device = _DEVICE.search(line.text)
    devices = len(re.findall(r"\d+", device[1])) if device else None
    says = f"{match[1]} per step"
    return Stated(says, line, per_step=float(match[1]), devices=devices)


def _from_zero(spans: Sequence[Span]) -> bool:
    """Say whether epochs count from zero, as those of YOLOv5 do."""
    return re.match(r"\s*0/", spans[0].points[-1].line.text) is not None


def _seconds(text: str) -> float | None:
    """Return the seconds of ``30.5s``, ``1:02`` or ``1m 3s``."""
    match = re.fullmatch(r"(?:([\d.]+)h)?\s?(?:([\d.]+)m)?\s?(?:([\d.]+)s)?", text)
    if match and text[-1] in "hms":
        hours, minutes, rest = (float(one or 0.0) for one in match.groups())
        return SECONDS_PER_HOUR * hours + SECONDS_PER_MINUTE * minutes + rest
    return seconds(text)
