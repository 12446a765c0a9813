"""PyTorch's ImageNet example and its descendants: ``Epoch: [0][ 10/5005] Time ...``.

Source: `pytorch/examples` ``imagenet/main.py``: in brackets is the mean since the epoch
began.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Point, Span, count
from advisor.workloads.logs.found import Asked, Found
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_LINE = re.compile(
    r"\b(?:Epoch|Train):? ?\[(?P<epoch>\d+)(?:/\d+)?\]\s*"
    r"\[\s*(?P<step>\d+)/(?P<total>\d+)\].*?"
    rf"\b(?:Batch )?[Tt]ime:?\s+{NUMBER}\s*\(\s*(?P<mean>{NUMBER})\)"
)


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of the ImageNet example."""
    spans: list[Span] = []
    last: tuple[str, float, float] = ("", 0.0, 0.0)
    counted_before = 0.0
    for line in lines:
        match = _LINE.search(line.text) if "ime" in line.text else None
        if match is None:
            continue
        step = float(match["step"])
        if match["epoch"] != last[0] or step < last[1] or not spans:
            spans.append(Span())
            spans[-1].add(Point(0.0, 0.0, line))
            # Older ones count batches from zero; this one is in the mean all the same.
            counted_before = 1.0 if step == 0.0 else 0.0
        last = (match["epoch"], step, float(match["total"]))
        done = step + counted_before
        spans[-1].add(Point(done, float(match["mean"]) * done, line))
    if not spans:
        return None
    counted = count(spans)
    unfinished = ""
    every = spans[-1].points[-1].number - spans[-1].points[-2].number
    if last[1] + every < last[2]:
        unfinished = f"it ends in epoch {last[0]} at {last[1]:,.0f} of {last[2]:,.0f}"
    return Found(
        reader="PyTorch ImageNet example",
        unit="steps",
        counted=counted,
        training="the lines are called 'Epoch', not 'Test'",
        unfinished=unfinished,
    )
