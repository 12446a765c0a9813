"""Ultralytics YOLO and YOLOv5: a line of losses an epoch, with an old or a new bar.

Sources: `ultralytics` ``engine/trainer.py``, ``utils/tqdm.py``; `yolov5` ``train.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import EvidenceError, Point, Span, count
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, seconds

_ROW = re.compile(r"^\s*(?P<epoch>\d+)/(?P<epochs>\d+)\s+[\d.]+[GM]B?\s+.*?:\s+\d+%")
_OLD = re.compile(
    r"\|\s*(?P<number>\d+)/(?P<total>\d+)\s+\[(?P<elapsed>[\d:]+)<[^,\]]*"
    rf"(?:,\s*(?:(?P<rate>{NUMBER})\s?it/s|(?P<pace>{NUMBER})\s?s/it))?"
)
_NEW = re.compile(
    r"(?P<number>\d+)/(?P<total>\d+)\s+"
    rf"(?:(?P<rate>{NUMBER})\s?it/s|(?P<pace>{NUMBER})\s?s/it)\s+"
    r"(?P<elapsed>(?:\d+:)?\d+:\d\d(?:\.\d+)?|[\d.]+s|[\d.]+m\s?[\d.]*s?|[\d.]+h[\d.]*m?)"
)
_ARGUMENTS = re.compile(
    r"(?:engine[\\/]trainer:|^\s*train: weights=|\btask=\w+, mode=train).*?"
    r"\bbatch(?:_size|-size)?=(\d+)"
)
_AUTO = re.compile(r"AutoBatch: Using batch-size (\d+)")
_COMPLETED = re.compile(rf"epochs completed in ({NUMBER}) hours")
_DEVICE = re.compile(r"\bdevice=\[?([\d, ]+)\]?")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of YOLO."""
    spans: list[Span] = []
    row: re.Match[str] | None = None
    epoch, last, stated = "", (0.0, 0.0), None
    whole: tuple[float, Line] | None = None
    for line in lines:
        text = line.text
        if "batch" in text:
            stated = _batch(line) or stated
        elif match := _COMPLETED.search(text):
            whole = (float(match[1]), line)
        row = _ROW.search(text) if "%" in text else None
        if row is None:
            continue
        match = _OLD.search(text, row.end()) or _NEW.search(text, row.end())
        if match is None:
            continue
        shown = match["elapsed"]
        at_s = _seconds(shown)
        number = float(match["number"])
        if at_s is None or number == 0.0:
            continue
        if row["epoch"] != epoch or not spans or number < last[0]:
            epoch = row["epoch"]
            spans.append(Span())
            spans[-1].add(Point(0.0, 0.0, line))
        last = number, float(match["total"])
        pace = float(match["pace"]) if match["pace"] else 0.0
        pace = 1.0 / float(match["rate"]) if match["rate"] and not pace else pace
        fine = number * pace
        if "." not in shown:
            at_s = fine if at_s <= fine < at_s + 1.0 else at_s + 0.5
        spans[-1].add(Point(number, at_s, line))
        epochs = row["epochs"]
    if not spans:
        return None
    counted = count(spans)
    if counted.elapsed_s < 10.0:
        raise EvidenceError("the epochs took less than 10 s: too short to tell a rate")
    if whole is not None:
        _check_whole(spans, *whole)
    ended = int(epoch) >= int(epochs) - (1 if _from_zero(spans) else 0)
    unfinished = ""
    if last[0] < last[1] or not ended:
        unfinished = (
            f"it ends in epoch {epoch}/{epochs} at {last[0]:.0f} of {last[1]:.0f}"
        )
    return Found(
        reader="Ultralytics",
        unit="steps",
        counted=counted,
        training="the bars have the columns of a training's epochs",
        stated=stated,
        unfinished=unfinished,
    )


def _check_whole(spans: Sequence[Span], hours: float, line: Line) -> None:
    """Refuse bars that ran for longer than the whole run, which has validations too."""
    bars_s = sum(span.points[-1].at_s for span in spans)
    whole_s = 3600.0 * (hours + 0.0005)  # it is rounded to three digits
    if bars_s > 1.1 * whole_s:
        message = (
            f"it contradicts itself: the epochs' bars ran for {bars_s:,.0f} s, the whole "
            f"run for {whole_s:,.0f} s ({line.where})"
        )
        raise EvidenceError(message)


def _batch(line: Line) -> Stated | None:
    """Return the batch of all GPUs together, which is how both tools count it."""
    match = _ARGUMENTS.search(line.text) or _AUTO.search(line.text)
    if match is None:
        return None
    device = _DEVICE.search(line.text)
    devices = len(re.findall(r"\d+", device[1])) if device else None
    says = f"{match[1]} a step"
    return Stated(says, line, per_step=float(match[1]), devices=devices)


def _from_zero(spans: Sequence[Span]) -> bool:
    """Say whether epochs count from zero, as those of YOLOv5 do."""
    return re.match(r"\s*0/", spans[0].points[-1].line.text) is not None


def _seconds(text: str) -> float | None:
    """Return the seconds of ``30.5s``, ``1:02`` or ``1m 3s``."""
    match = re.fullmatch(r"(?:([\d.]+)h)?\s?(?:([\d.]+)m)?\s?(?:([\d.]+)s)?", text)
    if match and text[-1] in "hms":
        hours, minutes, rest = (float(one or 0.0) for one in match.groups())
        return 3600.0 * hours + 60.0 * minutes + rest
    return seconds(text)
