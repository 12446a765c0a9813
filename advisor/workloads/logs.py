"""Throughput read from the progress lines of a training.

Known are tqdm (and Lightning, which prints it), the Hugging Face Trainer, and timm. The
first half of the lines is warm-up: the median of the rest counts.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from advisor.errors import UsageError

_NUMBER = r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
_STEPS = re.compile(rf"\d+/\d+ \[[^\]]*?{_NUMBER}\s?(it/s|s/it)")
_TRAINER = re.compile(rf"""["']train_samples_per_second["']:\s*["']?{_NUMBER}""")
_TIMM = re.compile(rf"Time:\s*{_NUMBER}s,\s*{_NUMBER}/s\s*\(\s*{_NUMBER}s,\s*{_NUMBER}/s")
_PLAIN = re.compile(rf"{_NUMBER}\s?(?:samples|images|imgs|img|examples)/(?:s|sec)\b")


@dataclass(frozen=True, slots=True)
class LogRate:
    """What a log says.

    Attributes
    ----------
    samples_per_s : of all GPUs together
    kind : of the log, such as ``"tqdm"``
    lines : that were read
    """

    samples_per_s: float
    kind: str
    lines: int


def read_log(text: str, origin: str, samples_per_step: float) -> LogRate:
    """Return the throughput that a log tells.

    Parameters
    ----------
    text : of the log; a carriage return ends a line as a line feed does
    origin : what to call it in messages
    samples_per_step : of all GPUs together, for logs that count steps

    Raises
    ------
    advisor.errors.UsageError
        if none of its lines tells a throughput
    """
    found: dict[str, list[float]] = {kind: [] for kind in _READERS}
    for line in re.split(r"[\r\n]+", text):
        for kind, read in _READERS.items():
            rate = read(line, samples_per_step)
            if rate is not None and rate > 0.0:
                found[kind].append(rate)
                break
    kind, rates = next(((k, r) for k, r in found.items() if r), ("", []))
    if not rates:
        message = (
            f"{origin}: no line tells a throughput as tqdm, Lightning, the Hugging Face "
            "Trainer or timm do; give it with --throughput"
        )
        raise UsageError(message)
    steady = rates[len(rates) // 2 :]
    return LogRate(statistics.median(steady), kind, len(rates))


def _trainer(line: str, _: float) -> float | None:
    match = _TRAINER.search(line)
    return float(match[1]) if match else None


def _timm(line: str, _: float) -> float | None:
    match = _TIMM.search(line)
    return float(match[4]) if match else None  # the mean since the epoch began


def _plain(line: str, _: float) -> float | None:
    match = _PLAIN.search(line)
    return float(match[1]) if match else None


def _steps(line: str, samples_per_step: float) -> float | None:
    matches = _STEPS.findall(line)
    if not matches:
        return None
    number, unit = float(matches[-1][0]), matches[-1][1]
    if number == 0.0:
        return None
    return samples_per_step * (number if unit == "it/s" else 1.0 / number)


_READERS: Mapping[str, Callable[[str, float], float | None]] = {
    "Hugging Face Trainer": _trainer,
    "timm": _timm,
    "samples/s": _plain,
    "tqdm": _steps,
}
"""Kind of log -> reader of one line; where a log has several, the first kind counts."""
