"""LeRobot: ``step:200 smpl:2K ... updt_s:0.105 data_s:0.006``.

Source: `lerobot` ``scripts/train.py``, ``utils/logging_utils.py``: both times are means
since the line before, and large numbers are rounded to thousands.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Row, count, latest_run, timed_span
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, scaled

_LINE = re.compile(
    r"\bstep:(?P<step>[\d.]+[KMBT]?) smpl:(?P<samples>[\d.]+[KMBT]?) .*?"
    rf"updt_s:(?P<update>{NUMBER}) data_s:(?P<data>{NUMBER})"
)
_BATCH = re.compile(r"['\"]?\bbatch_size['\"]?\s*[:=]\s*(\d+)")
_EFFECTIVE = re.compile(r"Effective batch size: (\d+) x (\d+) = (\d+)")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of LeRobot."""
    rows: list[Row] = []
    stated: Stated | None = None
    by_line: Stated | None = None
    for line in lines:
        text = line.text
        if "atch" in text and not rows:
            by_line = _stated(line) or by_line
        match = _LINE.search(text) if "updt_s:" in text else None
        if match is None:
            continue
        step, samples = scaled(match["step"]), scaled(match["samples"])
        if step is None or samples is None:
            continue
        if stated is None and match["samples"].isdigit() and match["step"].isdigit():
            says = f"{samples:,.0f} samples in {step:,.0f} steps"
            stated = Stated(says, line, per_step=samples / step if step else None)
        # Rounded steps no longer show how many there were since the line before.
        exact = step if match["step"].isdigit() else _after(rows, step)
        s_per_step = float(match["update"]) + float(match["data"])
        rows.append(Row(exact, s_per_step, line))
    if not rows:
        return None
    counted = count([timed_span(latest_run(rows))])
    return Found(
        reader="LeRobot",
        unit="steps",
        counted=counted,
        training="the lines state the steps of a training with their losses",
        stated=by_line or stated,
    )


def _after(rows: Sequence[Row], rounded: float) -> float:
    """Return the step of a line whose number is rounded: one interval on."""
    if len(rows) < 2:
        return rounded
    return rows[-1].step + (rows[-1].step - rows[-2].step)


def _stated(line: Line) -> Stated | None:
    """Return the batch that the configuration says."""
    if match := _EFFECTIVE.search(line.text):
        says = f"{match[1]} x {match[2]}"
        return Stated(says, line, per_step=float(match[3]), devices=int(match[2]))
    if match := _BATCH.search(line.text):
        return Stated(f"{match[1]} per device", line, per_device=float(match[1]))
    return None
