"""Fairseq, and what descends from it: ``ups=2.91 ... bsz=1024.1, num_updates=100``.

Source: `fairseq` ``trainer.py``, ``logging/progress_bar.py``: ``ups`` is updates per
second since the line before, ``bsz`` samples per update of all GPUs, as text or JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Row, count, latest_run, timed_span
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_FIELD = re.compile(
    rf"\b(?:train_)?(ups|bsz|num_updates)\b['\"]?\s*[=: ]\s*['\"]?({NUMBER})"
)
_DEVICES = re.compile(r"training on (\d+) (?:devices|GPUs)")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of fairseq."""
    rows: list[Row] = []
    devices: int | None = None
    for line in lines:
        text = line.text
        if "training on " in text and (match := _DEVICES.search(text)):
            devices = int(match[1])
        if "ups" not in text or "num_updates" not in text:
            continue
        values = {name: float(value) for name, value in _FIELD.findall(text)}
        if len(values) < 3 or values["ups"] <= 0.0 or " valid " in text:
            continue
        if rows and values["num_updates"] == rows[-1].step:
            continue  # the summary of an epoch repeats its last line
        row = Row(values["num_updates"], 1.0 / values["ups"], line, values["bsz"])
        rows.append(row)
    if not rows:
        return None
    rows = latest_run(rows)
    counted = count([timed_span(rows)])
    last = rows[-1]
    says = f"bsz {last.size:,.4g} an update"
    return Found(
        reader="fairseq",
        unit="samples",
        counted=counted,
        training="the lines state the updates of a training",
        stated=Stated(says, last.line, per_step=last.size, devices=devices),
    )
