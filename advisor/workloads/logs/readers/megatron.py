"""Megatron-LM, Megatron-DeepSpeed and NeMo 2: a line of figures every few iterations.

Sources: `Megatron-LM` ``megatron/training/training.py`` (``training_log``); `NeMo`
``lightning/pytorch/callbacks/progress_printer.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Row, count, latest_run, timed_span
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_MEGATRON = re.compile(
    r"iteration\s+(?P<step>\d+)/\s*(?P<total>\d+)\s*\|.*?"
    rf"elapsed time per iteration \((?P<unit>ms|s)\):\s*(?P<s_per_it>{NUMBER})"
)
_NEMO = re.compile(
    r"Training epoch \d+, iteration (?P<step>\d+)/(?P<total>\d+)\s*\|.*?"
    rf"train_step_timing in (?P<unit>ms|s): (?P<s_per_it>{NUMBER})"
)
_BATCH = re.compile(r"global[_ ]batch[_ ]size:\s*(\d+)")
_WORLD = re.compile(r"using world size: (\d+)|\bworld_size \.+ (\d+)")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of Megatron or NeMo."""
    rows: list[Row] = []
    world: Stated | None = None
    total, nemo = 0.0, False
    for line in lines:
        text = line.text
        if "world" in text and (sizes := _WORLD.search(text)):
            devices = int(sizes[1] or sizes[2])
            world = Stated("", line, devices=devices)
        if "elapsed time per iteration" in text:
            match = _MEGATRON.search(text)
        elif "train_step_timing" in text:
            match, nemo = _NEMO.search(text), True
        else:
            continue
        if match is None:
            continue
        s_per_step = float(match["s_per_it"]) / (1000.0 if match["unit"] == "ms" else 1.0)
        batch = _BATCH.search(text)
        total = float(match["total"])
        # NeMo counts from zero, and its epoch's last iteration is the total.
        step = float(match["step"]) + (1.0 if nemo else 0.0)
        rows.append(Row(step, s_per_step, line, float(batch[1]) if batch else 0.0))
    if not rows:
        return None
    rows = latest_run(rows)
    sized = all(row.size for row in rows)
    if not sized:
        rows = [Row(row.step, row.s_per_step, row.line) for row in rows]
    counted = count([timed_span(rows)])
    last = rows[-1]
    stated = world
    if sized:
        says = f"global batch size {last.size:,.0f}"
        of = world.devices if world else None
        stated = Stated(says, last.line, per_step=last.size, devices=of)
    done = last.step >= total
    return Found(
        reader="NeMo" if nemo else "Megatron",
        unit="samples" if sized else "steps",
        counted=counted,
        training="the lines state the iterations of a training",
        stated=stated,
        unfinished="" if done else f"it ends at step {last.step:,.0f} of {total:,.0f}",
    )
