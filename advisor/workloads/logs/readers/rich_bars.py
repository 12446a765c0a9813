"""Lightning's rich bars: ``Epoch 0/9 ---- 1000/1000 0:02:10 - 0:00:00 7.66it/s``.

Source: `lightning` ``callbacks/progress/rich_progress.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import EvidenceError, Point, Span, count
from advisor.workloads.logs.found import Asked, Found
from advisor.workloads.logs.headers import header_of
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, seconds

_BAR = re.compile(
    r"Epoch (?P<epoch>\d+)(?:/(?P<last>-?\d+))?\s+[━╸╺─\s]+\s*"
    r"(?P<number>\d+)/(?P<total>\d+|--)\s+"
    r"(?P<elapsed>\d+:\d\d:\d\d|\d+:\d\d)\s+•\s+\S+\s+"
    rf"(?P<rate>{NUMBER})it/s"
)
_VALIDATION = re.compile(r"(?:Validation|Sanity|Testing|Predicting)\b.*?•")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of Lightning with rich bars."""
    spans: dict[int, Span] = {}
    number = total = 0.0
    epoch = final = 0
    interrupted = False
    for line in lines:
        if "•" not in line.text:
            continue
        match = _BAR.search(line.text)
        if match is None:
            interrupted = interrupted or _VALIDATION.search(line.text) is not None
            continue
        epoch, number = int(match["epoch"]), float(match["number"])
        total = 0.0 if match["total"] == "--" else float(match["total"])
        final = int(match["last"] or 0)
        at_s = seconds(match["elapsed"])
        if at_s is None:
            continue
        if epoch not in spans:
            spans[epoch] = Span()
            spans[epoch].add(Point(0.0, 0.0, line))
            interrupted = False  # what ran between two epochs is in neither
        span = spans[epoch]
        rate = float(match["rate"])
        fine = number / rate if rate else 0.0
        exact = fine if at_s <= fine < at_s + 1.0 else at_s + 0.5
        if number > span.points[-1].number:
            span.add(Point(number, exact, line, float("nan") if interrupted else 0.0))
            interrupted = False
    if not spans:
        return None
    counted = count(list(spans.values()))
    if counted.elapsed_s < 10.0:
        raise EvidenceError("the bars ran for less than 10 s: too short for a rate")
    unfinished = ""
    if number < total or epoch < final:
        unfinished = f"it ends in epoch {epoch}/{final} at {number:,.0f} of {total:,.0f}"
    return Found(
        reader="Lightning (rich)",
        unit="steps",
        counted=counted,
        training="the bars are called 'Epoch'",
        stated=header_of(lines).stated,
        unfinished=unfinished,
    )
