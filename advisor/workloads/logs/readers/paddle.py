"""PaddleClas and PaddleDetection: ``batch_cost: 0.260s, ... ips: 984.1 samples/s``.

Source: `PaddleClas` ``ppcls/engine/train/utils.py``, `PaddleDetection`
``ppdet/engine/callbacks.py``: both are means since the line before, of one card.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from advisor.workloads.logs.counting import Row, count, timed_span
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_LINE = re.compile(
    r"(?:\[Train\]\[Epoch (?P<epoch>\d+)/\d+\]\[Iter: |Epoch: \[(?P<of>\d+)\] \[\s*)"
    r"(?P<step>\d+)/(?P<total>\d+)\].*?"
    rf"\bbatch_cost: (?P<s_per_it>{NUMBER})\s?s?\b.*?\bips: (?P<rate>{NUMBER})"
)


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of Paddle."""
    epochs: list[list[Row]] = []
    last: tuple[str, float] = ("", 0.0)
    products: list[tuple[float, Line]] = []
    for line in lines:
        match = _LINE.search(line.text) if "batch_cost: " in line.text else None
        if match is None:
            continue
        epoch, step = match["epoch"] or match["of"], float(match["step"])
        if not epochs or epoch != last[0] or step <= last[1]:
            epochs.append([])
        last = epoch, step
        s_per_step = float(match["s_per_it"])
        epochs[-1].append(Row(step, s_per_step, line))
        products.append((s_per_step * float(match["rate"]), line))
    if not epochs:
        return None
    counted = count([timed_span(rows) for rows in epochs])
    batch = statistics.fmean(product for product, _ in products)
    says = f"{batch:,.0f} per device, its time times its rate"
    return Found(
        reader="Paddle",
        unit="steps",
        counted=counted,
        training="the lines state the iterations of a training",
        stated=Stated(says, products[-1][1], per_device=batch),
    )
