"""A bench judged line by line: what was measured beside what a healthy machine shows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

from advisor.measure.bench import BenchResult
from advisor.measure.expected import CORE, WORKERS, Expected
from advisor.measure.probe.lines import Line

FALSE_ALARM = 0.01
"""How often a healthy machine is found at fault, in any of its lines."""

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
    sizes = Counter(one.group for one in there)
    alarm = {
        group: FALSE_ALARM / len(sizes) / (1 if group in {CORE, WORKERS} else size)
        for group, size in sizes.items()
    }
    quantile = {group: NormalDist().inv_cdf(level) for group, level in alarm.items()}
    return tuple(
        _verdict(line, one, quantile[one.group])
        if (one := expected.get(line.name))
        else Verdict(line.name, line.unit, line.value)
        for line in result.lines
    )


def _verdict(line: Line, expected: Expected, quantile: float) -> Verdict:
    share = line.value / expected.value
    floor = min(math.exp(quantile * expected.log_sd), LEAST_SHORTFALL)
    return Verdict(
        line.name,
        line.unit,
        line.value,
        expected.value,
        expected.log_sd,
        share,
        share < floor,
        _words(share, floor, expected.of),
        floor * expected.value,
        expected.of,
        expected.source,
    )


def _words(share: float, floor: float, of: str) -> str:
    if share < floor:
        return f"{share:.0%} of {of}, below the {floor:.0%} that a healthy one has"
    if share < LEAST_SHORTFALL:
        return f"{share:.0%} of {of}, within what healthy ones differ by"
    return "as it should be"
