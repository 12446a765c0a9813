"""Detectron2: ``iter: 99 ... time: 0.355 ... data_time: 0.01``, and its last summary.

Source: `detectron2` ``utils/events.py`` (``CommonMetricPrinter``), ``engine/hooks.py``
(``IterationTimer``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Counted, Row, count, latest_run, paced
from advisor.workloads.logs.found import Asked, Check, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, seconds

_LINE = re.compile(rf"\biter: (?P<step>\d+)\s.*?\s\s?time: (?P<pace>{NUMBER})")
_OVERALL = re.compile(
    r"Overall training speed: (?P<steps>\d+) iterations in (?P<time>.+?) \("
)
_BATCH = re.compile(r"\bIMS_PER_BATCH: (\d+)")
_TOTAL_BATCH = re.compile(r"\btotal_batch_size=(\d+)")
_WORLD = re.compile(r"Rank of current process: \d+\. World size: (\d+)")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of detectron2."""
    rows: list[Row] = []
    overall: tuple[float, float, Line] | None = None
    batch: tuple[float, Line] | None = None
    devices: int | None = None
    for line in lines:
        text = line.text
        if ("iter: " in text and "eta: " in text) or "  iter: " in text:
            if match := _LINE.search(text):
                rows.append(Row(float(match["step"]) + 1.0, float(match["pace"]), line))
        elif "Overall training speed" in text and (match := _OVERALL.search(text)):
            elapsed = seconds(match["time"])
            if elapsed:
                overall = (float(match["steps"]), elapsed, line)
        elif "World size" in text and (match := _WORLD.search(text)):
            devices = int(match[1])
        elif match := _BATCH.search(text) or _TOTAL_BATCH.search(text):
            batch = (float(match[1]), line)
    if not rows:
        return None
    rows = latest_run(rows)
    counted = count([paced(rows)])
    checks: tuple[Check, ...] = ()
    if overall is not None:
        steps, elapsed, line = overall
        checks = (Check("the lines' times", counted.rate, counted.last),)
        counted = Counted(steps, elapsed, rows[0].line, line, "")
    stated = Stated("", None, devices=devices) if devices else None
    if batch is not None:
        says = f"{batch[0]:,.0f} a step"
        stated = Stated(says, batch[1], per_step=batch[0], devices=devices)
    return Found(
        reader="detectron2",
        unit="steps",
        counted=counted,
        training="the lines tell the iterations of a training with their losses",
        stated=stated,
        checks=checks,
        unfinished="" if overall else "its summary of the whole run is missing",
    )
