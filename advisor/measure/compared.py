"""Two benches side by side: of two machines, or of one before and after a change."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from advisor.measure.bench import BenchMachine, BenchResult
from advisor.measure.probe.lines import Line

REPEATED = 0.10
"""Share by which two benches of one machine may differ on a line (`benchmarks` hold the
lines of the CPU to it): below it nothing is said to have changed."""

_DEVIATES = 2.0
"""Standard deviations of the difference within which two medians are taken as equal."""

_MEDIAN = 1.25
"""Standard error of a median over that of a mean, of normal errors (sqrt(pi / 2))."""

COUNTED = frozenset({"cores", "generation", "lanes", "errors", "GPUs"})
"""Units of what is counted, not measured: any difference is one. Of cores alone those
that are delivered are measured."""

_SAID = ("cpu_name", "cores", "memory_gb", "os", "python", "torch", "driver")


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of two benches.

    Attributes
    ----------
    name, unit : of the line
    first, second : its figure in each; NaN where it was not measured
    ratio : the second over the first; NaN where one is missing or 0
    differs : whether that is more than what two benches of one machine differ by
    words : the same in a few words
    """

    name: str
    unit: str
    first: float
    second: float
    ratio: float
    differs: bool
    words: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two benches side by side.

    Attributes
    ----------
    first, second : the benches
    lines : each line that one of them has, in the order of the first
    machines : what the machines say of themselves and do not have in common: name, what
        the first says, what the second
    """

    first: BenchResult
    second: BenchResult
    lines: tuple[Compared, ...]
    machines: tuple[tuple[str, str, str], ...]


def compared(first: BenchResult, second: BenchResult) -> Comparison:
    """Return two benches side by side."""
    names = dict.fromkeys((*first.by_name, *second.by_name))
    lines = (_line(first.by_name.get(one), second.by_name.get(one)) for one in names)
    machines = tuple(_machines(first.machine, second.machine))
    return Comparison(first, second, tuple(lines), machines)


def _line(first: Line | None, second: Line | None) -> Compared:
    either = first or second
    if either is None:
        message = "a line of neither bench"
        raise ValueError(message)
    ratio, differs = math.nan, False
    if first is None or second is None:
        words = f"in the {'second' if first is None else 'first'} alone"
    elif first.unit != second.unit:
        differs, words = True, f"in {first.unit} and in {second.unit}"
    else:
        ratio = second.value / first.value if first.value > 0.0 else math.nan
        differs = _differs(first, second)
        words = _words(first, second, ratio, differs=differs)
    return Compared(
        name=either.name,
        unit=either.unit,
        first=math.nan if first is None else first.value,
        second=math.nan if second is None else second.value,
        ratio=ratio,
        differs=differs,
        words=words,
    )


def _words(first: Line, second: Line, ratio: float, *, differs: bool) -> str:
    if not differs:
        near = math.isnan(ratio) or abs(ratio - 1.0) <= REPEATED
        return "the same" if near else "within its spread"
    words = "less" if second.value < first.value else "more"
    if math.isnan(ratio) or _is_counted(first):
        return words
    return f"{abs(ratio - 1.0):.0%} {words}"


def _differs(first: Line, second: Line) -> bool:
    """Return whether two readings differ by more than benches of one machine do."""
    if _is_counted(first) or min(first.value, second.value) <= 0.0:
        return first.value != second.value
    apart = abs(math.log(second.value / first.value))
    error = math.hypot(_error(first), _error(second))
    return apart > max(math.log1p(REPEATED), _DEVIATES * error)


def _is_counted(line: Line) -> bool:
    return line.unit in COUNTED and line.name != "cores.delivered"


def _error(line: Line) -> float:
    """Return the standard error of the logarithm of a line's median."""
    return _MEDIAN * (line.log_sd or 0.0) / math.sqrt(max(line.repeats, 1))


def _machines(
    first: BenchMachine, second: BenchMachine
) -> Iterator[tuple[str, str, str]]:
    for name in _SAID:
        here, there = _shown(getattr(first, name)), _shown(getattr(second, name))
        if here != there:
            yield name, here, there
    here, there = (", ".join(gpu.name for gpu in one.gpus) for one in (first, second))
    if here != there:
        yield "gpus", here, there


def _shown(value: str | float) -> str:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:g}"
    return value
