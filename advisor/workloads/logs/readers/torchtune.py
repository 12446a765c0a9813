"""torchtune: a bar with the loss, or lines of its metrics, which state tokens only.

Source: `torchtune` ``training/metric_logging.py`` and its recipes. Tokens become samples
only where each sample is packed to one length.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace

from advisor.workloads.logs.counting import Counted, EvidenceError
from advisor.workloads.logs.found import Asked, Found, Stated
from advisor.workloads.logs.readers import tqdm
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER

_LINE = re.compile(
    rf"^Step (?P<step>\d+) \|.*?\btokens_per_second_per_gpu:(?P<rate>{NUMBER})"
)
_SETTING = re.compile(
    r"^\s*(max_seq_len|packed|batch_size|gradient_accumulation_steps): (\w+)"
)
_BAR = re.compile(r"\d+\|\d+\|Loss: ")


def read(lines: Sequence[Line], asked: Asked) -> Found | None:
    """Read a log of torchtune."""
    rows: list[tuple[float, Line]] = []
    settings: dict[str, tuple[str, Line]] = {}
    bar = False
    for line in lines:
        if match := _SETTING.match(line.text):
            settings.setdefault(match[1], (match[2], line))
        bar = bar or _BAR.search(line.text) is not None
        if "tokens_per_second_per_gpu" in line.text and (m := _LINE.match(line.text)):
            rows.append((float(m["rate"]), line))
    if not rows and not bar:
        return None
    stated = _stated(settings)
    if bar:
        found = tqdm.read(lines, asked)
        return found and replace(found, reader="torchtune", stated=stated)
    packed = settings.get("packed", ("", rows[0][1]))[0] in {"true", "True"}
    length = settings.get("max_seq_len", ("", rows[0][1]))[0]
    if not (packed and length.isdigit()):
        message = "torchtune's lines state tokens per second, not the tokens per sample"
        raise EvidenceError(message)
    # Packed steps have as many tokens each, so that their times add up.
    tokens = statistics.harmonic_mean([rate for rate, _ in rows if rate > 0.0])
    rate = tokens / float(length) * asked.num_gpus
    batch = (stated.per_device if stated else None) or asked.batch or 1
    samples = float(len(rows)) * batch * asked.num_gpus
    return Found(
        reader="torchtune",
        unit="samples",
        counted=Counted(samples, samples / rate, rows[0][1], rows[-1][1], ""),
        training="the lines state the steps of a training with their losses",
        stated=stated,
    )


def _stated(settings: Mapping[str, tuple[str, Line]]) -> Stated | None:
    """Return the batch of a device that the configuration says."""
    batch, line = settings.get("batch_size", ("", None))
    accumulated, _ = settings.get("gradient_accumulation_steps", ("1", None))
    if line is None or not (batch.isdigit() and accumulated.isdigit()):
        return None
    says = f"{batch} per device, {accumulated} accumulated"
    return Stated(says, line, per_device=float(batch) * float(accumulated))
