"""Steps counted between two times: warm-up left out, stalls included.

Every reader brings what it read to one form: spans of readings, each a count and the
seconds since the span began. A span is a bar, an epoch, or a whole run.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import said


class EvidenceError(Exception):
    """A log of a known kind lacks evidence; the message says which, and what to do."""


WARM_UP = 1.2
"""The first part of a run is warm-up if it is slower than every later one by more than
this factor: a stall that comes again is none (assumption)."""

_PARTS = 20  # of a run, to look for warm-up
_LEAST_PART_S = 10.0  # a bar shows whole seconds
_JUMP = 20.0  # times as fast as is usual: steps of an earlier run, which are skipped


@dataclass(frozen=True, slots=True)
class Point:
    """One reading.

    Attributes
    ----------
    number : steps or samples so far
    at_s : seconds since the span began
    line : where it stands
    other_s : seconds since the reading before in which something else ran, such as a
        validation; NaN where something did and nobody says for how long
    """

    number: float
    at_s: float
    line: Line
    other_s: float = 0.0


@dataclass(slots=True)
class Span:
    """Readings of one bar, epoch or run, in order."""

    points: list[Point] = field(default_factory=list)

    def add(self, point: Point) -> None:
        """Add a reading; of several with one count the earliest has its time."""
        if not self.points or point.number > self.points[-1].number:
            self.points.append(point)


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted, and in which time.

    Attributes
    ----------
    number : steps or samples
    elapsed_s : seconds
    first, last : between which it was counted
    warm_up : what was left out at the beginning, empty if nothing
    left_out : what else was left out, empty if nothing
    """

    number: float
    elapsed_s: float
    first: Line
    last: Line
    warm_up: str
    left_out: str = ""

    @property
    def rate(self) -> float:
        """Steps or samples per second."""
        return self.number / self.elapsed_s


@dataclass(frozen=True, slots=True)
class _Interval:
    number: float
    elapsed_s: float
    first: Line
    last: Line

    @property
    def s_per_step(self) -> float:
        return self.elapsed_s / self.number


def count(spans: Sequence[Span]) -> Counted:
    """Return what spans count together.

    A reading before which something else ran does not count, with its steps and its
    time. Where that leaves less than half of the steps, the time of the other is taken
    off instead.

    Raises
    ------
    EvidenceError
        if no steps are counted between two times
    """
    every = list(_intervals(spans))
    clear = [interval for point, interval in every if point.other_s == 0.0]
    steps = sum(interval.number for _, interval in every)
    interrupted = len(every) - len(clear)
    left_out = ""
    if interrupted and sum(one.number for one in clear) < 0.5 * steps:
        clear = [
            _Interval(one.number, one.elapsed_s - point.other_s, one.first, one.last)
            for point, one in every
            if point.other_s < one.elapsed_s  # not where it is NaN
        ]
        if sum(one.elapsed_s for one in clear) < 0.5 * sum(i.elapsed_s for _, i in every):
            raise EvidenceError("something else ran most of the time")
        left_out = f"the time of what ran beside it, {interrupted} times"
    elif interrupted:
        left_out = f"{interrupted} readings across something else that ran"
    if not all(math.isfinite(one.number + one.elapsed_s) for one in clear):
        raise EvidenceError("its counts or times are no numbers")
    clear = _without_jump(clear)
    clear, warm_up = _warm(clear)
    number = sum(one.number for one in clear)
    elapsed = sum(one.elapsed_s for one in clear)
    if number <= 0.0 or elapsed <= 0.0:
        raise EvidenceError("no steps are counted between two times")
    return Counted(number, elapsed, clear[0].first, clear[-1].last, warm_up, left_out)


def _intervals(spans: Sequence[Span]) -> Iterator[tuple[Point, _Interval]]:
    for span in spans:
        for before, after in zip(span.points, span.points[1:], strict=False):
            number, elapsed = after.number - before.number, after.at_s - before.at_s
            yield after, _Interval(number, elapsed, before.line, after.line)


def _without_jump(intervals: list[_Interval]) -> list[_Interval]:
    """Return intervals without a first one in which no such number of steps passed.

    A resumed run begins its bar at zero and jumps over the steps of the run before.
    """
    if len(intervals) < 3:
        return intervals
    usual = statistics.median(one.s_per_step for one in intervals[1:])
    first = intervals[0]
    later = max(one.number for one in intervals[1:])
    if first.number > 3.0 * later and first.s_per_step * _JUMP < usual:
        return intervals[1:]
    return intervals


def _warm(intervals: list[_Interval]) -> tuple[list[_Interval], str]:
    """Return intervals without the warm-up, and what that was."""
    parts = _parts(intervals)
    if len(parts) < 3:
        return intervals, ""
    each = [
        sum(i.elapsed_s for i in part) / sum(i.number for i in part) for part in parts
    ]
    if each[0] <= WARM_UP * max(each[1:]):
        return intervals, ""
    first = parts[0]
    number = sum(one.number for one in first)
    elapsed = said(sum(one.elapsed_s for one in first))
    rest = [one for part in parts[1:] for one in part]
    return rest, f"the first {number:,.0f} in {elapsed}, slower than all that follow"


def _parts(intervals: list[_Interval]) -> list[list[_Interval]]:
    """Return intervals in parts of about as many steps, each long enough to be timed."""
    elapsed = sum(one.elapsed_s for one in intervals)
    number = sum(one.number for one in intervals)
    wanted = min(_PARTS, int(elapsed / _LEAST_PART_S) or 1)
    parts: list[list[_Interval]] = [[]]
    begun = 0.0
    for one in intervals:
        if parts[-1] and begun >= number * len(parts) / wanted - 1e-9:
            parts.append([])
        parts[-1].append(one)
        begun += one.number
    return [part for part in parts if part]


@dataclass(frozen=True, slots=True)
class Row:
    """A line with the mean seconds per step since the line before it.

    Attributes
    ----------
    step : steps so far
    s_per_step : seconds per step
    line : where it stands
    size : what a step counts for, such as its samples
    interrupted : whether something else ran since the line before
    """

    step: float
    s_per_step: float
    line: Line
    size: float = 1.0
    interrupted: bool = False


def timed_span(rows: Sequence[Row]) -> Span:
    """Return rows as a span; before the first one as many steps as between the others.

    What a step counts for may change on the way, as a batch that grows does.
    """
    every = rows[1].step - rows[0].step if len(rows) > 1 else rows[0].step
    span = Span()
    number = at_s = 0.0
    before = max(rows[0].step - every, 0.0)
    span.add(Point(0.0, 0.0, rows[0].line))
    for row in rows:
        number += (row.step - before) * row.size
        at_s += (row.step - before) * row.s_per_step
        before = row.step
        span.add(Point(number, at_s, row.line, float("nan") if row.interrupted else 0.0))
    return span


def latest_run(rows: Sequence[Row]) -> list[Row]:
    """Return the rows of the last of several runs in a log: steps rise within one.

    Raises
    ------
    EvidenceError
        if it has one row alone, of which nobody knows for how many steps it stands
    """
    run: list[Row] = []
    for row in rows:
        if run and row.step < run[-1].step:
            run = []
        if not run or row.step > run[-1].step:  # another rank may print it again
            run.append(row)
    if len(run) < 2:
        raise EvidenceError("only one line has a time: too few to leave out the warm-up")
    return run
