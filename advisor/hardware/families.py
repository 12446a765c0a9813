"""What a CPU's name says of it where the CPU itself is in no table.

Vendors put generation and class into a model's number: an EPYC 9xx4 is a Zen 4, a Xeon
E3-12xx v5 has four cores of Skylake. ``data/cpu_families.csv`` holds these rules, the
narrow ones first, each with the document that it is from. How fast a core of a family is
follows from its members in the CPU table; where it has none, from those of the same
microarchitecture; of cores that are in no table at all the rule states a score itself.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from advisor.base.columns import number, read_records

_TABLE = Path(__file__).parent / "data" / "cpu_families.csv"

USUAL_LOG_SD = 0.1
"""Log-sd of the single-thread scores within a family: pooled over the 206 families that
the CPU table has members of (997 degrees of freedom)."""

_USUAL_COUNTS = 2.0
"""Degrees of freedom that `USUAL_LOG_SD` counts for beside a family's own members. So
94 % of the members, each predicted from the others, are in the 90 % interval."""

_SPREAD_OF_RANGE = math.sqrt(12.0)  # range over sd of what is evenly spread over it
_LITERAL = re.compile("[a-z0-9 ]*")


class Range(NamedTuple):
    """Least and greatest number, both NaN where the name does not tell."""

    least: float
    most: float

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read ``"4"``, ``"8-64"`` or ``""``."""
        least, _, most = text.partition("-")
        return cls(float(least or "nan"), float(most or least or "nan"))

    def typical(self, members: Sequence[float]) -> float:
        """Return the median of those members within it, else its middle in logarithms."""
        within = [number for number in members if self.least <= number <= self.most]
        if math.isnan(self.least) or self.least == self.most:
            return self.least
        if within:
            return float(statistics.median_low(within))
        return 2.0 * round(math.sqrt(self.least * self.most) / 2.0)

    @property
    def log_sd(self) -> float:
        """Log-sd of a number that may be any of them, evenly in its logarithm."""
        if math.isnan(self.least):
            return 0.0
        return math.log(self.most / self.least) / _SPREAD_OF_RANGE


@dataclass(frozen=True, slots=True)
class Score:
    """A single-thread score and the standard deviation of its natural logarithm."""

    value: float
    log_sd: float

    @classmethod
    def of_members(cls, scores: Sequence[float]) -> Score:
        """Return what scores of N >= 1 members say of another member.

        Their geometric mean; the spread is the members' own, drawn towards
        `USUAL_LOG_SD` where they are few, and that of the mean is added.
        """
        logs = [math.log(score) for score in scores]
        count, mean = len(logs), statistics.fmean(logs)
        squares = sum((one - mean) ** 2 for one in logs)
        freedom = _USUAL_COUNTS + count - 1.0
        variance = (_USUAL_COUNTS * USUAL_LOG_SD**2 + squares) / freedom
        return cls(math.exp(mean), math.sqrt(variance * (1.0 + 1.0 / count)))


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table: what a kind of name says.

    Attributes
    ----------
    pattern : regular expression of the whole name, in the spelling of
        `advisor.hardware.names.cpu_words`
    start : letters that each of these names begins with
    microarchitecture, segment : as of `Cpu`; the segment is ``""`` where it is open
    cores, threads : of one socket
    sockets : most of a host, NaN where the name does not tell
    score : where the rule states it, else None
    source : the vendor's document
    """

    pattern: str
    start: str
    microarchitecture: str
    segment: str
    cores: Range
    threads: Range
    sockets: float
    score: Score | None
    source: str

    def typical(
        self, cores: Sequence[float], threads: Sequence[float]
    ) -> tuple[float, float]:
        """Return the typical cores and threads, given those of known members."""
        number = self.cores.typical(cores)
        if threads or math.isnan(number):
            return number, self.threads.typical(threads)
        each = round(self.threads.most / self.cores.most)
        return number, min(max(each * number, self.threads.least), self.threads.most)

    def with_cores(self, cores: float) -> Rule:
        """Return the rule for names that state the cores: threads are then known too."""
        each = round(self.threads.most / self.cores.most)
        threads = each * cores
        if cores <= self.cores.most:  # not all cores of some have two threads
            threads = min(threads, self.threads.most)
        return replace(self, cores=Range(cores, cores), threads=Range(threads, threads))

    def matches(self, words: str) -> bool:
        """Say whether a name is of this kind."""
        return (
            words.startswith(self.start) and re.fullmatch(self.pattern, words) is not None
        )


def rule_of(words: str, rules: Iterable[Rule]) -> Rule | None:
    """Return the first rule for a name, None where its name shows no family."""
    return next((rule for rule in rules if rule.matches(words)), None)


@cache
def load_rules() -> tuple[Rule, ...]:
    """Load the rules that ship with the package, the narrow ones first."""
    return tuple(map(_rule, read_records(_TABLE)))


def _rule(line: Mapping[str, str]) -> Rule:
    pattern, score = line["pattern"], line["score"]
    # What a sign of the language may follow, such as "?", is not surely there.
    start = "" if "|" in pattern else _LITERAL.match(pattern)[0][:-1]  # type: ignore[index]
    return Rule(
        pattern=pattern,
        start=start,
        microarchitecture=line["microarchitecture"],
        segment=line["segment"],
        cores=Range.parse(line["cores"]),
        threads=Range.parse(line["threads"]),
        sockets=number(line["sockets"]),
        score=Score(float(score), float(line["score_log_sd"])) if score else None,
        source=line["source"],
    )
