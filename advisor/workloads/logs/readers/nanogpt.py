"""nanoGPT: ``iter 100: loss 3.2, time 152.31ms, mfu 38.20%``.

Source: `nanoGPT` ``train.py``: the time is of that iteration alone, and of one that
evaluates it has the evaluation in it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.workloads.logs.counting import Row, count, latest_run, timed_span
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_LINE = re.compile(
    rf"\biter (?P<step>\d+): loss {NUMBER}, time (?P<s_per_it>{NUMBER})(?P<unit>ms|s)"
)
_EVALUATION = re.compile(r"\bstep \d+: train loss ")
_SETTING = re.compile(
    r"^\s*(?:Overriding: )?(batch_size|block_size|gradient_accumulation_steps)\s*=\s*"
    r"([\d* ]+)"
)
_TOKENS = re.compile(r"tokens per iteration will be: ([\d,]+)")


def read(lines: Sequence[Line], _: Asked) -> Found | None:
    """Read a log of nanoGPT."""
    rows: list[Row] = []
    settings: dict[str, float] = {}
    tokens: tuple[float, Line] | None = None
    evaluated = False
    for line in lines:
        text = line.text
        if match := _SETTING.match(text):
            factors = [float(one) for one in match[2].split("*") if one.strip()]
            settings[match[1]] = 1.0
            for factor in factors:
                settings[match[1]] *= factor
        elif match := _TOKENS.search(text):
            tokens = (float(match[1].replace(",", "")), line)
        elif _EVALUATION.search(text):
            evaluated = True
        elif match := _LINE.search(text) if "iter " in text else None:
            each_s = float(match["s_per_it"]) / (1000.0 if match["unit"] == "ms" else 1.0)
            rows.append(Row(float(match["step"]), each_s, line, interrupted=evaluated))
            evaluated = False
    if not rows:
        return None
    rows = latest_run(rows)
    counted = count([timed_span(rows)])
    stated = None
    if tokens is not None and settings.get("block_size"):
        block = settings["block_size"]
        says = f"{tokens[0]:,.0f} tokens per step in blocks of {block:,.0f}"
        stated = Stated(says, tokens[1], per_step=tokens[0] / block)
    return Found(
        reader="nanoGPT",
        unit="steps",
        counted=counted,
        training="the lines state the iterations of a training with their losses",
        stated=stated,
    )
