"""Detectron2: ``iter: 99 ... time: 0.355 ... data_time: 0.01``, and its last summary.

Source: `detectron2` ``utils/events.py`` (``CommonMetricPrinter``), ``engine/hooks.py``
(``IterationTimer``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Counted, Row, count, latest_run, timed_span
from advisor.workloads.logs.found import Asked, Check, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, seconds

_LINE = re.compile(rf"\biter: (?P<step>\d+)\s.*?\s\s?time: (?P<s_per_it>{NUMBER})")
_OVERALL = re.compile(
    r"Overall training speed: (?P<steps>\d+) iterations in (?P<time>.+?) \("
)
_BATCH = re.compile(r"\bIMS_PER_BATCH: (\d+)")
_TOTAL_BATCH = re.compile(r"\btotal_batch_size=(\d+)")
_WORLD = re.compile(r"Rank of current process: \d+\. World size: (\d+)")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of detectron2."""
    rows: list[Row] = []
    overall: Counted | None = None
    for line in lines:
        text = line.text
        if "iter: " in text and "time: " in text and (match := _LINE.search(text)):
            # It counts from zero, and this one is done.
            rows.append(Row(float(match["step"]) + 1.0, float(match["s_per_it"]), line))
        elif "Overall training speed" in text and (match := _OVERALL.search(text)):
            elapsed = seconds(match["time"])
            first = rows[0].line if rows else line
            if elapsed:
                overall = Counted(float(match["steps"]), elapsed, first, line, "")
    if not rows:
        return None
    counted = count([timed_span(latest_run(rows))])
    checks: tuple[Check, ...] = ()
    if overall is not None:
        checks = (Check("the lines' times", counted.rate, counted.last),)
    return Found(
        reader="detectron2",
        unit="steps",
        counted=overall or counted,
        training="the lines state the iterations of a training with their losses",
        stated=_stated(lines),
        checks=checks,
        unfinished="" if overall else "its summary of the whole run is missing",
    )


def _stated(lines: Sequence[Line]) -> Stated | None:
    """Return the batch of all GPUs and their number, which the start of a log says."""
    batch: tuple[float, Line] | None = None
    devices: int | None = None
    for line in lines:
        text = line.text
        if "World size" in text and (match := _WORLD.search(text)):
            devices = int(match[1])
        elif ("BATCH" in text and (match := _BATCH.search(text))) or (
            "total_batch_size" in text and (match := _TOTAL_BATCH.search(text))
        ):
            batch = (float(match[1]), line)
    if batch is None:
        return Stated("", None, devices=devices) if devices else None
    says = f"{batch[0]:,.0f} per step"
    return Stated(says, batch[1], per_step=batch[0], devices=devices)
