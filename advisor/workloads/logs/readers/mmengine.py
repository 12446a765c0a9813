"""OpenMMLab: mmengine and the older mmcv, as mmdet, mmseg and mmpretrain print them.

Sources: `mmengine` ``runner/log_processor.py``; `mmcv` 1 ``runner/hooks/logger/text.py``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Row, Span, count, timed_span
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_EPOCH = re.compile(
    r"Epoch(?:\(train\))?\s*\[(?P<epoch>\d+)\]\s*\[\s*(?P<step>\d+)/(?P<total>\d+)\]"
    rf".*?\btime: (?P<s_per_it>{NUMBER})"
)
_ITER = re.compile(
    r"Iter(?:\(train\))?\s*\[\s*(?P<step>\d+)/(?P<total>\d+)\]"
    rf".*?\btime: (?P<s_per_it>{NUMBER})"
)
_BATCH = re.compile(r"\b(?:batch_size|samples_per_gpu)\s*=\s*(\d+)")
_DEVICES = re.compile(r"\bGPU number: (\d+)")
_BLOCK = 8  # lines of a configuration in which the loader of the training says its batch


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of an OpenMMLab project."""
    epochs: dict[int, list[Row]] = {}
    runs = 0
    total = 0.0
    for line in lines:
        text = line.text
        if "time: " not in text or "(val)" in text or "(test)" in text:
            continue
        match = _EPOCH.search(text) or _ITER.search(text)
        if match is None:
            continue
        epoch = int(match.groupdict().get("epoch") or 0)
        step, total = float(match["step"]), float(match["total"])
        rows = epochs.setdefault(epoch + 100_000 * runs, [])
        if rows and step <= rows[-1].step:
            runs += 1  # another run in the same log
            rows = epochs.setdefault(epoch + 100_000 * runs, [])
        rows.append(Row(step, float(match["s_per_it"]), line))
    if not epochs:
        return None
    spans: list[Span] = [timed_span(rows) for rows in epochs.values()]
    counted = count(spans)
    last = list(epochs.values())[-1][-1]
    every = last.step - list(epochs.values())[-1][0].step
    done = last.step + max(every, 1.0) > total
    return Found(
        reader="OpenMMLab",
        unit="steps",
        counted=counted,
        training="the lines state the iterations of a training",
        stated=_stated(lines),
        unfinished="" if done else f"it ends at step {last.step:,.0f} of {total:,.0f}",
    )


def _stated(lines: Sequence[Line]) -> Stated | None:
    """Return the batch of the training's loader in the printed configuration."""
    each: tuple[float, Line] | None = None
    devices: int | None = None
    left = 0
    for line in lines:
        text = line.text
        if match := _DEVICES.search(text):
            devices = int(match[1])
        if "train_dataloader" in text or "samples_per_gpu" in text:
            left = _BLOCK
        if "val_dataloader" in text or "test_dataloader" in text:
            left = 0
        if left and each is None and (match := _BATCH.search(text)):
            each = (float(match[1]), line)
        left -= left > 0
    if each is None:
        return Stated("", None, devices=devices) if devices else None
    says = f"{each[0]:,.0f} per device"
    return Stated(says, each[1], per_device=each[0], devices=devices)
