"""A bench judged line by line: what was measured beside what a healthy machine shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from advisor.measure.bench import BenchResult
from advisor.measure.expected import CORE, ERRORS, TRAINING, WORKERS, Expected
from advisor.measure.probe.lines import Line
from advisor.throughput.spread import Z90

FALSE_ALARM = 0.01
"""How often a healthy machine is found at fault, in any of its lines."""

SURE = frozenset({ERRORS, TRAINING})
"""Groups of lines that are no test at a level: a sound machine has no errors, and a
predicted training is told, and no reason to leave a machine."""

SOUND = "as it should be"

LEAST_SHORTFALL = 0.9
"""Share of what is expected down to which nothing is a fault, however well it is known:
no machine is left for so little."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be thought of one line.

    Attributes
    ----------
    name, unit : of the line
    measured : its figure
    expected : median of healthy machines; NaN where nobody knows it
    expected_log_sd : standard deviation of the logarithm of what a healthy one shows
    share : measured over expected
    is_fault : whether no healthy machine would show so little
    words : the same in a few words
    least : the least that is no fault, in the unit of the line; NaN where nobody knows
    of : what the expected figure is of
    source : where it is from
    """

    name: str
    unit: str
    measured: float
    expected: float = math.nan
    expected_log_sd: float = math.nan
    share: float = math.nan
    is_fault: bool = False
    words: str = ""
    least: float = math.nan
    of: str = ""
    source: str = ""


def judged(result: BenchResult, expected: Mapping[str, Expected]) -> tuple[Verdict, ...]:
    """Return a verdict for each line of a bench, in its order.

    A healthy machine has a line at fault in `FALSE_ALARM` of cases: groups of lines share
    that evenly, and so do the lines of a group (Bonferroni). The lines of the cores count
    as one, and so do those of workers: what makes one of them low makes all of them low.
    Each test is one-sided: nobody minds a fast machine.

    Parameters
    ----------
    expected : by name of the line, see `advisor.measure.expected.expected_lines`
    """
    there = [expected[line.name] for line in result.lines if line.name in expected]
    sizes = Counter(one.group for one in there if one.group not in SURE)
    alarm = {
        group: FALSE_ALARM / len(sizes) / (1 if group in {CORE, WORKERS} else size)
        for group, size in sizes.items()
    }
    quantile = {group: NormalDist().inv_cdf(level) for group, level in alarm.items()}
    return tuple(
        _verdict(line, one, quantile.get(one.group, 0.0))
        if (one := expected.get(line.name))
        else Verdict(line.name, line.unit, line.value)
        for line in result.lines
    )


def _verdict(line: Line, expected: Expected, quantile: float) -> Verdict:
    if expected.group == ERRORS:
        return _counted(line, expected)
    share = line.value / expected.value
    if expected.group == TRAINING:
        floor, is_fault = math.exp(-Z90 * expected.log_sd), False
        words = "below its interval" if share < floor else "within its interval"
    else:
        floor = min(math.exp(quantile * expected.log_sd), LEAST_SHORTFALL)
        is_fault, words = share < floor, _words(share, floor, expected.of)
    return Verdict(
        line.name,
        line.unit,
        line.value,
        expected.value,
        expected.log_sd,
        share,
        is_fault,
        words,
        floor * expected.value,
        expected.of,
        expected.source,
    )


def _counted(line: Line, expected: Expected) -> Verdict:
    """Return the verdict on what a sound machine has none of."""
    some = line.value > expected.value
    words = f"{line.value:g} {line.unit}; {expected.of} has none" if some else SOUND
    return Verdict(
        line.name,
        line.unit,
        line.value,
        expected.value,
        expected.log_sd,
        is_fault=some,
        words=words,
        least=expected.value,
        of=expected.of,
        source=expected.source,
    )


def _words(share: float, floor: float, of: str) -> str:
    if share < floor:
        return f"{share:.0%} of {of}, where a healthy machine has {floor:.0%} at least"
    if share < LEAST_SHORTFALL:
        return f"{share:.0%} of {of}, within what healthy machines differ by"
    return SOUND
