"""Fairseq, and what descends from it: ``ups=2.91 ... bsz=1024.1, num_updates=100``.

Source: `fairseq` ``trainer.py``, ``logging/progress_bar.py``: ``ups`` is updates a second
since the line before, ``bsz`` samples of an update of all GPUs, as text or as JSON.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Row, count, latest_run, paced
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
        told = {name: float(value) for name, value in _FIELD.findall(text)}
        if len(told) < 3 or told["ups"] <= 0.0 or " valid " in text:
            continue
        if rows and told["num_updates"] == rows[-1].step:
            continue  # the summary of an epoch repeats its last line
        row = Row(told["num_updates"], 1.0 / told["ups"], line, told["bsz"])
        rows.append(row)
    if not rows:
        return None
    rows = latest_run(rows)
    counted = count([paced(rows)])
    last = rows[-1]
    says = f"bsz {last.size:,.4g} an update"
    return Found(
        reader="fairseq",
        unit="samples",
        counted=counted,
        training="the lines tell the updates of a training",
        stated=Stated(says, last.line, per_step=last.size, devices=devices),
    )
