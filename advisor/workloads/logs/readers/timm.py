"""timm: ``Train: 0 [  50/1251 (  4%)] ... Time: 0.350s, 731.43/s (0.426s, 600.94/s)``.

Source: `pytorch-image-models` ``train.py``: in brackets are means since the epoch began,
samples of all GPUs together.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from advisor.workloads.logs.counting import Point, Span, count
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_LINE = re.compile(
    r"\bTrain: (?P<epoch>\d+) \[\s*(?P<step>\d+)/(?P<total>\d+).*?"
    rf"Time:\s*{NUMBER}s,\s*{NUMBER}/s\s*"
    rf"\(\s*(?P<s_per_it>{NUMBER})s,\s*(?P<rate>{NUMBER})/s"
)
_DEVICES = (
    re.compile(r"Training in distributed mode.*?[Tt]otal (\d+)"),
    re.compile(r"Training with a single process on (\d+)"),
)


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of timm."""
    spans: list[Span] = []
    devices: int | None = None
    last: tuple[str, float, float] = ("", 0.0, 0.0)
    products: list[tuple[float, Line]] = []
    for line in lines:
        text = line.text
        if "Training " in text:
            for pattern in _DEVICES:
                devices = int(m[1]) if (m := pattern.search(text)) else devices
        match = _LINE.search(text) if "Train: " in text else None
        if match is None:
            continue
        step = float(match["step"])
        s_per_step, rate = float(match["s_per_it"]), float(match["rate"])
        if match["epoch"] != last[0] or step < last[1] or not spans:
            spans.append(Span())
            spans[-1].add(Point(0.0, 0.0, line))
        last = (match["epoch"], step, float(match["total"]))
        spans[-1].add(Point(step + 1.0, s_per_step * (step + 1.0), line))
        products.append((s_per_step * rate, line))
    if not spans:
        return None
    counted = count(spans)
    batch = statistics.fmean(product for product, _ in products)
    unfinished = ""
    if last[1] + 1.0 < last[2]:
        unfinished = f"it ends in epoch {last[0]} at {last[1]:,.0f} of {last[2]:,.0f}"
    return Found(
        reader="timm",
        unit="steps",
        counted=counted,
        training="the lines are called 'Train'",
        stated=Stated(
            f"{batch:,.0f} per step, its time times its rate",
            products[-1][1],
            per_step=batch,
            devices=devices,
        ),
        unfinished=unfinished,
    )
