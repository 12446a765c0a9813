"""torchtune: a bar with the loss, or lines of its metrics, which tell tokens alone.

Source: `torchtune` ``training/metric_logging.py``, ``recipes/lora_finetune_single_device``.
Tokens become samples only where each sample is packed to one length.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence

from advisor.workloads.logs.counting import Counted
from advisor.workloads.logs.found import Asked, EvidenceError, Found
from advisor.workloads.logs.readers import tqdm
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_LINE = re.compile(
    rf"^Step (?P<step>\d+) \|.*?\btokens_per_second_per_gpu:(?P<rate>{NUMBER})"
)
_LENGTH = re.compile(r"^\s*max_seq_len: (\d+)")
_PACKED = re.compile(r"^\s*packed: [Tt]rue")


def read(lines: Sequence[Line], asked: Asked) -> Found | None:
    """Read a log of torchtune."""
    rows: list[tuple[float, float, Line]] = []
    length, packed = 0.0, False
    for line in lines:
        if match := _LENGTH.match(line.text):
            length = float(match[1])
        packed = packed or _PACKED.match(line.text) is not None
        if "tokens_per_second_per_gpu" in line.text and (m := _LINE.match(line.text)):
            rows.append((float(m["step"]), float(m["rate"]), line))
    if not rows:
        return None
    try:
        by_bar = tqdm.read(lines, asked)
    except EvidenceError:
        by_bar = None
    if by_bar is not None:
        return by_bar
    if not (packed and length):
        message = (
            "torchtune's lines tell tokens a second, and not how many tokens a sample has"
        )
        raise EvidenceError(message)
    # The time of each step follows from its tokens, of which a packed batch has the same.
    tokens = statistics.harmonic_mean([rate for _, rate, _ in rows if rate > 0.0])
    rate = tokens / length * asked.num_gpus
    steps = rows[-1][0] - rows[0][0]
    samples = steps * (asked.per_step or 1.0)
    return Found(
        reader="torchtune",
        unit="samples",
        counted=Counted(samples, samples / rate, rows[0][2], rows[-1][2], ""),
        training="the lines tell the steps of a training with their losses",
    )
