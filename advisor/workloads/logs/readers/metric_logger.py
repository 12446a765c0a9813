"""The logger of torchvision's references, DeiT, MAE and DINO.

Source: `torchvision` ``references/classification/utils.py`` (``MetricLogger``): ``time``
is a mean of the last iterations, and each epoch ends with its whole time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Point, Row, Span, count, timed_span
from advisor.workloads.logs.found import Asked, Found
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, seconds

_LINE = re.compile(
    r"^\s*(?:Epoch|Training|Train)\w*:? ?\[(?P<epoch>\d+)(?:/\d+)?\]:?\s+"
    r"\[\s*(?P<step>\d+)/(?P<total>\d+)\]\s+eta: .*?"
    rf"\btime: (?P<s_per_it>{NUMBER})"
)
_WHOLE = re.compile(
    r"^\s*(?:Epoch|Training|Train)\w*:? ?\[(?P<epoch>\d+)(?:/\d+)?\]:? "
    rf"Total time: (?P<time>[\d:]+) \((?P<s_per_it>{NUMBER}) s / it\)"
)


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of torchvision's references."""
    rows: list[list[Row]] = []
    whole: list[tuple[float, float, Line]] = []
    epoch, total, step = "", 0.0, 0.0
    for line in lines:
        text = line.text
        if "time: " not in text:
            continue
        if match := _WHOLE.search(text):
            elapsed = seconds(match["time"])
            s_per_step = float(match["s_per_it"])
            if elapsed and s_per_step and total:
                whole.append((total, total * s_per_step, line))
        elif match := _LINE.search(text):
            step, total = float(match["step"]) + 1.0, float(match["total"])
            if match["epoch"] != epoch or not rows or step <= rows[-1][-1].step:
                rows.append([])
                epoch = match["epoch"]
            rows[-1].append(Row(step, float(match["s_per_it"]), line))
    if not rows:
        return None
    spans = [timed_span(one) for one in rows]
    if whole:
        spans = [
            Span([Point(0.0, 0.0, line), Point(number, elapsed, line)])
            for number, elapsed, line in whole
        ]
    counted = count(spans)
    unfinished = ""
    if step < total:
        unfinished = f"it ends in epoch {epoch} at {step:,.0f} of {total:,.0f}"
    return Found(
        reader="torchvision references",
        unit="steps",
        counted=counted,
        training="the lines are called 'Epoch', not 'Test'",
        unfinished=unfinished if not whole else "",
    )
