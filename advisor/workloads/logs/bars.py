"""Progress bars as tqdm prints them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from advisor.workloads.logs.counting import Point, Span
from advisor.workloads.logs.names import (
    SAMPLE_UNITS,
    STEP_UNITS,
    Kind,
    kind_of,
    tells_loss,
)
from advisor.workloads.logs.text import Line
from advisor.workloads.logs.times import NUMBER, scaled, seconds

_TIME = r"(?:\d+ days?, )?(?:\d+:)?\d+:\d\d"
_BAR = re.compile(
    r"(?:(?P<share>\d+)%\|[^|]*\|\s*)?"
    r"(?P<number>\d+(?:\.\d+)?[kKMGT]?)"
    r"(?:/(?P<total>\d+(?:\.\d+)?[kKMGT]?|\?)\s*|(?P<alone>[A-Za-z]+|\s[A-Za-z]+)\s)"
    rf"(?:\[\s*(?P<elapsed>{_TIME})\s*(?:<[^,\]]*)?|(?P<fast>{_TIME})<[^\]]*)"
    rf"(?:,\s*(?:(?P<rate>{NUMBER}|\?)\s*(?P<unit>[A-Za-z]+)/s"
    rf"|(?P<s_per_it>{NUMBER}|\?)\s*s/(?P<per>[A-Za-z]+)))?"
    r"(?P<post>[^\]\r]*)"
)
_FASTER = 1.5  # times its own rate that a bar may have counted since it began
_SIGNIFICANT = 3  # digits of a rate that is more exact than whole seconds


@dataclass(frozen=True, slots=True)
class Reading:
    """One state of a bar."""

    order: int
    position: int
    name: str
    kind: Kind
    unit: str
    number: float
    total: float | None
    at_s: float
    shown: str
    post: str
    line: Line

    @property
    def elapsed_s(self) -> float:
        """Seconds since it began, finer than shown where its own rate says so.

        A bar shows whole seconds, cut off, and a rate that is smoothed: where the rate
        fits the seconds it is the finer of the two.
        """
        digits = self.shown.replace(".", "").lstrip("0")
        if self.rate and len(digits) >= _SIGNIFICANT:
            fine = self.number / self.rate
            if self.at_s <= fine < self.at_s + 1.0:
                return fine
        return self.at_s + 0.5

    @property
    def rate(self) -> float:
        """What it shows to count per second, 0 if nothing."""
        value = float(self.shown)
        return 1.0 / value if value and self.unit.startswith("s/") else value

    @property
    def counts(self) -> str:
        """What it counts: ``"steps"``, ``"samples"``, or nothing that matters."""
        unit = self.unit.removesuffix("/s").removeprefix("s/")
        if unit in SAMPLE_UNITS:
            return "samples"
        return "steps" if unit in STEP_UNITS or not unit else ""


@dataclass(slots=True)
class Bar:
    """Readings of one bar from its begin to its end, or to where the log was cut."""

    readings: list[Reading] = field(default_factory=list)

    @property
    def last(self) -> Reading:
        """The latest one."""
        return self.readings[-1]

    @property
    def first(self) -> Reading:
        """The earliest one."""
        return self.readings[0]

    @property
    def is_whole(self) -> bool:
        """Whether it came to its end; one without a total may have."""
        total = self.last.total
        return total is None or self.last.number >= total

    @property
    def tells_loss(self) -> bool:
        """Whether a loss stands in it."""
        return any(tells_loss(one.post) or tells_loss(one.name) for one in self._some)

    @property
    def _some(self) -> Sequence[Reading]:
        # All of them alike: the first may have no loss yet, and the last is enough.
        return self.readings[:3] + self.readings[-3:]


def bars_in(lines: Sequence[Line]) -> list[Bar]:
    """Return the bars of a log in the order in which they began.

    Another bar of the same name shows by its total, or by going back to its begin.
    """
    bars: list[Bar] = []
    open_: dict[tuple[str, float | None, str], Bar] = {}
    for reading in _readings(lines):
        word = re.sub(r"[\W\d_]+", " ", reading.name).strip()
        key = (word if reading.kind != "unnamed" else "", reading.total, reading.counts)
        bar = open_.get(key)
        if (
            bar is None
            or reading.number < bar.last.number
            or reading.at_s < bar.last.at_s
        ):
            bar = open_[key] = Bar()
            bars.append(bar)
        bar.readings.append(reading)
    return bars


def _readings(lines: Sequence[Line]) -> Iterator[Reading]:
    order = 0
    for position, line in enumerate(lines):
        text = line.text
        if "[" not in text or ":" not in text:
            continue
        end = 0
        for match in _BAR.finditer(text):
            name = _name_in(text[end : match.start()])
            end = match.end()
            elapsed = seconds(match["elapsed"] or match["fast"])
            number = scaled(match["number"])
            total = match["total"]
            if elapsed is None or number is None:
                continue
            unit, shown = "", "0"
            if match["rate"]:
                unit, shown = f"{match['unit']}/s", match["rate"].strip("?") or "0"
            elif match["s_per_it"]:
                unit, shown = f"s/{match['per']}", match["s_per_it"].strip("?") or "0"
            elif match["alone"]:
                unit = f"{match['alone'].strip()}/s"
            yield Reading(
                order,
                position,
                name,
                kind_of(name),
                unit,
                number,
                scaled(total) if total and total != "?" else None,
                elapsed,
                shown,
                match["post"],
                line,
            )
            order += 1


def _name_in(text: str) -> str:
    """Return the name in what stands before a bar's numbers, such as ``Epoch 1/3 :``.

    Bars of fastai stand there themselves.
    """
    bare = text.strip(" |]")
    if bare.endswith("["):
        bare = bare.partition("|")[0]
    return bare.strip(" :|[")


class Beside:
    """What ran between readings of a bar: other bars, and lines that report one.

    Parameters
    ----------
    bars : that count something else
    reported : position of a line -> seconds that something else took, as it says
    """

    def __init__(self, bars: Sequence[Bar], reported: Mapping[int, float]) -> None:
        self._bars = sorted(
            (one.order, at, one.at_s)
            for at, bar in enumerate(bars)
            for one in bar.readings
        )
        self._orders = [order for order, _, _ in self._bars]
        self._reported = sorted(reported.items())
        self._positions = [position for position, _ in self._reported]

    def between(self, first: Reading, last: Reading) -> float:
        """Return for how many seconds something else ran between two readings."""
        low = bisect_right(self._orders, first.order)
        high = bisect_right(self._orders, last.order)
        ran: dict[int, float] = {}
        for _, bar, at_s in self._bars[low:high]:
            # One that ran for less than a second ran all the same.
            ran[bar] = max(ran.get(bar, 0.5), at_s)
        low = bisect_right(self._positions, first.position)
        high = bisect_right(self._positions, last.position)
        reported_s = sum(seconds_ for _, seconds_ in self._reported[low:high])
        return max(sum(ran.values()), reported_s)


def span_of(bar: Bar, beside: Beside, start: float | None = None) -> Span:
    """Return the readings of a bar as they are counted.

    Parameters
    ----------
    bar : the bar
    beside : what ran between its readings
    start : of this run, where an earlier one made the steps before; None: the bar
        decides: it began at zero if its first reading is near it
    """
    span = Span()
    begun = start if start is not None else (0.0 if began_at_zero(bar) else None)
    first = bar.first
    if begun is not None and begun < first.number:
        span.add(Point(begun, 0.0, first.line))
    before: Reading | None = None
    for one in bar.readings:
        if begun is not None and one.number < begun:
            continue
        other_s = 0.0 if before is None else beside.between(before, one)
        fine = one.elapsed_s if begun == 0.0 else one.at_s + 0.5
        at_s = 0.0 if one.number == begun and one.at_s == 0.0 else fine
        count = len(span.points)
        span.add(Point(one.number, at_s, one.line, other_s))
        if len(span.points) > count:
            before = one
    return span


def began_at_zero(bar: Bar) -> bool:
    """Say whether a bar began at zero: one of a resumed run may begin at its step.

    The first reading is about where the second one would have it, or its time so far fits
    the rate after it. A reading that stands alone is judged by the rate that it shows: a
    bar that began farther on has more steps than that makes.
    """
    first = bar.first
    if first.number == 0.0:
        return True
    later = next((o for o in bar.readings if o.number > first.number), None)
    if later is None:
        shown = first.rate
        return shown == 0.0 or first.number <= _FASTER * shown * (first.at_s + 1.0)
    step = later.number - first.number
    if first.number <= 1.5 * step:
        return True
    seen = bar.last
    if seen.at_s <= first.at_s or first.at_s == 0.0:
        return False
    s_per_step = (seen.at_s - first.at_s) / (seen.number - first.number)
    return first.at_s + 1.0 >= 0.5 * s_per_step * first.number
