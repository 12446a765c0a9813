"""A ranking as a plot in the terminal: time against cost per epoch, a mark per offer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from advisor.base.arrays import BoolArray, FloatArray, IntArray, ObjectArray
from advisor.base.figures import figure
from advisor.base.units import SECONDS_PER_HOUR, SECONDS_PER_MINUTE
from advisor.ranking.policy import pareto_front
from advisor.ranking.ranking import Ranking
from advisor.report.cells import wrapped
from advisor.report.plots import need, round_ticks
from advisor.report.tables import Column, fitted
from advisor.throughput.limit import Limit, Side
from advisor.throughput.limits import LIMITS

_WIDTH, _WIDEST = 80, 160
"""Characters of a line where the plot goes to no terminal, and of the longest one."""

_SHORTEST, _TALLEST = 8, 40
"""Lines of a plot with its axes, whatever the screen has room for."""

_WIDER_THAN_TALL = 3
"""Characters of a plot per line where no screen says how tall it is."""

_FAR_OUT = 3.0
"""Interquartile ranges of the logarithms, above the upper quartile, beyond which an offer
is not drawn: what Tukey calls far out ("Exploratory Data Analysis", 1977, section 2D)."""

_DECADE = 10.0
"""Most over least above which an axis is logarithmic; what is within it is drawn."""

_MARGIN = 0.02
"""Share of an axis that is left free at each end."""

_CHARACTERS_PER_TICK, _LINES_PER_TICK = 12, 3

_SHORTEST_NAME = 12
"""Cells of a GPU's name in the table of the front, at least."""

_COLORS: Mapping[Side, int] = {"gpu": 2, "cpu": 3, "link": 5, "disk": 1}
"""Side of a limit -> color of its marks, of the terminal's own: green, yellow, magenta,
red."""

_UNITS = {
    "h": 1.0,
    "min": SECONDS_PER_HOUR / SECONDS_PER_MINUTE,
    "s": SECONDS_PER_HOUR,
}
"""Units of time -> of them in an hour."""

_LEAST = 0.5
"""Median of the times in a unit below which they are shown in the next smaller one."""


def rank_plot(
    ranking: Ranking, width: int | None, height: int | None, *, color: bool
) -> str:
    """Return the offers of a ranking as a plot, and those of its Pareto front as a table.

    A mark is the letter of what bounds the offer; a capital, where no other offer of the
    ranking is both cheaper and faster. Where several meet, the rarest is seen.

    Parameters
    ----------
    ranking : of one offer at least
    width, height : characters of a line and lines that there is room for; None: it goes
        to no terminal
    color : whether marks are colored by what they stand for, too

    Raises
    ------
    advisor.base.errors.UsageError
        if what draws is not installed
    """
    need("plotext", "the plot of a ranking")
    points = Points.of(ranking)
    columns = min(width or _WIDTH, _WIDEST)
    axes = points.axes()
    in_axes = axes[0].holds(points.usd) & axes[1].holds(points.time)
    drawn = points.may_be & in_axes
    words = [*_legend(points, drawn), *_not_drawn(points, axes, in_axes)]
    below = [line for text in words for line in wrapped(text, columns)]
    shown = len(points.front)
    lines = columns // _WIDER_THAN_TALL
    if height is not None:
        shown = min(shown, max(height // 4 - 2, 1))
        lines = height - 2 - len(below) - 2 - shown - (shown < len(points.front))
    lines = min(max(lines, _SHORTEST), _TALLEST)
    drawing = _drawing(points, drawn, axes, (columns, lines), color=color)
    front = _front(points, ranking, shown, columns)
    title = f"{axes[1].label}, of {int(drawn.sum()):,} offers"
    return "\n".join([title, *drawing, axes[0].label.center(columns), *below, *front])


@dataclass(frozen=True, slots=True)
class Axis:
    """What an axis shows.

    Attributes
    ----------
    label : what it is of
    low, high : its ends
    is_log : whether equal ratios are equally long
    """

    label: str
    low: float
    high: float
    is_log: bool

    @classmethod
    def of(cls, label: str, values: FloatArray, must: BoolArray) -> Self:
        """Return the axis on which values can be told apart, those of `must` among them.

        Parameters
        ----------
        values : shape (N,), 0 or more
        must : which are drawn wherever they are, shape (N,)
        """
        most = max(_most(values), values[must].max())
        low, high = values.min(), values[values <= most].max()
        return cls(label, float(low), float(high), bool(0.0 < low * _DECADE < high))

    def holds(self, values: FloatArray) -> BoolArray:
        """Say which values are on it."""
        found: BoolArray = (values >= self.low) & (values <= self.high)
        return found

    def at(self, values: FloatArray) -> list[float]:
        """Return where values are on it: plotext 6.1 takes no ticks of a logarithm's."""
        found: list[float] = (np.log10(values) if self.is_log else values).tolist()
        return found

    @property
    def ends(self) -> tuple[float, float]:
        """Its ends with the margins."""
        if self.is_log:
            factor = (self.high / self.low) ** _MARGIN
            return self.low / factor, self.high * factor
        margin = _MARGIN * ((self.high - self.low) or self.high or 1.0)
        return self.low - margin, self.high + margin

    def ticks(self, most: int) -> list[float]:
        """Return round values on it, no more than `most` but for decades."""
        return round_ticks(self.ends, most, is_log=self.is_log)


@dataclass(frozen=True, slots=True)
class Points:
    """What is drawn of N offers, in the order of the ranking.

    Attributes
    ----------
    usd : cost per epoch, $, shape (N,)
    time : per epoch, in `unit`, shape (N,)
    unit : of `_UNITS`
    bound_by : name of the limit that binds, shape (N,)
    may_be : which may be drawn: not those that may well fail to run the job, which come
        last in a ranking; where all of them may, all; shape (N,)
    front : positions of these that no other of them beats on both, the cheapest first
    """

    usd: FloatArray
    time: FloatArray
    unit: str
    bound_by: ObjectArray
    may_be: BoolArray
    front: IntArray

    @classmethod
    def of(cls, ranking: Ranking) -> Self:
        """Take them of a ranking: the figures that its offers have."""
        at, bill = ranking.order, ranking.bill
        usd, hours = bill.epoch_usd[at], bill.epoch_hours[at]
        unit = _unit(hours)
        may_be = ~ranking.flags["start_doubtful"][at]
        may_be |= not may_be.any()
        order = np.argsort(usd, kind="stable")
        front = pareto_front(order[may_be[order]], usd, hours)
        bound_by = ranking.throughput.bound_by[at]
        return cls(usd, hours * _UNITS[unit], unit, bound_by, may_be, front)

    @property
    def is_front(self) -> BoolArray:
        """Which offers are on the front, shape (N,)."""
        found = np.zeros(len(self.usd), dtype=bool)
        found[self.front] = True
        return found

    def axes(self) -> tuple[Axis, Axis]:
        """Return the axes of cost and of time."""
        at, must, unit = self.may_be, self.is_front[self.may_be], self.unit
        return (
            Axis.of("$ per epoch", self.usd[at], must),
            Axis.of(f"{unit} per epoch", self.time[at], must),
        )


def letters(limits: Sequence[Limit] = LIMITS) -> dict[str, str]:
    """Return name of a limit -> the first letter of it that no limit before it has."""
    found: dict[str, str] = {}
    for limit in limits:
        found[limit.name] = next(c for c in limit.name if c not in found.values())
    return found


def _unit(hours: FloatArray) -> str:
    """Return the largest unit that most of the times have some of."""
    median = float(np.median(hours))
    return next((name for name, of in _UNITS.items() if median * of >= _LEAST), "s")


def _most(values: FloatArray) -> float:
    """Return the most that is not far out, nor beyond a decade; infinite without any."""
    known = values[values > 0.0]
    if not len(known):
        return float("inf")
    lower, upper = np.quantile(known, (0.25, 0.75), method="nearest")
    return float(max(upper * (upper / lower) ** _FAR_OUT, _DECADE * known.min()))


def _drawing(
    points: Points,
    drawn: BoolArray,
    axes: tuple[Axis, Axis],
    size: tuple[int, int],
    *,
    color: bool,
) -> list[str]:
    """Return the lines of the plot itself, of `size` characters and lines."""
    import plotext  # noqa: PLC0415 (an optional extra)

    columns, lines = size
    cost_axis, time_axis = axes
    figure_ = plotext.figure  # the library has one
    plotext.terminal.limit(width=False, height=False)
    figure_.clear()
    figure_.plot_size(columns, lines)
    figure_.theme("colorless")
    room = (columns // _CHARACTERS_PER_TICK, lines // _LINES_PER_TICK)
    for number, (axis, most) in enumerate(zip(axes, room, strict=True)):
        ruler, ticks = figure_.ruler(number, 0), axis.ticks(most)
        ruler.lim(*axis.at(np.array(axis.ends)))
        ruler.ticks(axis.at(np.array(ticks)), [figure(tick, 3) for tick in ticks])
    for letter, side, places in _series(points, drawn):
        style = "bold" if letter.isupper() else None
        pixel = plotext.pixel(foreground=_COLORS[side], style=style)
        marker = plotext.marker(letter, pixel)
        usd, time = cost_axis.at(points.usd[places]), time_axis.at(points.time[places])
        figure_.draw(figure_.signal(usd, time, marker=marker))
    text: str = figure_.build().string(colorless=not color)
    figure_.clear()
    return text.splitlines()


def _series(points: Points, drawn: BoolArray) -> Iterator[tuple[str, Side, IntArray]]:
    """Yield what is drawn with one mark: the mark, its side, positions of its offers.

    The commonest first, which what is drawn later covers; the front last.
    """
    names, on_front = points.bound_by, points.is_front
    of_name = {limit.name: limit for limit in LIMITS}
    count = Counter(names[drawn].tolist())
    for is_front in (False, True):
        for name, _ in count.most_common():
            (places,) = np.nonzero(drawn & (names == name) & (on_front == is_front))
            letter = letters()[name]
            if len(places):
                mark = letter.upper() if is_front else letter
                yield mark, of_name[name].side, places


def _legend(points: Points, drawn: BoolArray) -> Iterator[str]:
    """Yield what the marks mean."""
    count = Counter(points.bound_by[drawn].tolist())
    marks = ", ".join(
        f"{letters()[name]} {name} ({number:,})" for name, number in count.most_common()
    )
    yield (
        f"bound by: {marks}; in capitals the Pareto front: no offer is both cheaper and "
        "faster"
    )


def _not_drawn(
    points: Points, axes: tuple[Axis, Axis], in_axes: BoolArray
) -> Iterator[str]:
    """Yield how many offers are left out for what, if any are."""
    doubtful = int((~points.may_be).sum())
    far = int((points.may_be & ~in_axes).sum())
    cost, time = (figure(axis.high, 3) for axis in axes)
    reasons = [
        (doubtful, "that may fail to run"),
        (far, f"far out, of more than ${cost} or {time} {points.unit} per epoch"),
    ]
    told = [f"{n:,} offer{'s' * (n != 1)} {why}" for n, why in reasons if n]
    if told:
        yield f"not drawn: {'; '.join(told)}"


def _front(points: Points, ranking: Ranking, shown: int, width: int) -> list[str]:
    """Return the offers of the front, from left to right, as a table.

    Parameters
    ----------
    shown : how many of them
    width : cells of a line
    """
    rows = []
    for place in points.front[:shown].tolist():
        offer = ranking[place]
        rows.append(
            [
                str(offer.rank),
                str(offer.offer_id),
                offer.name,
                figure(offer.cost_usd_per_epoch, 3),
                figure(float(points.time[place]), 3),
                offer.bound_by,
            ]
        )
    columns = [
        Column("#", "right", dispensable=1),
        Column("offer", "right"),
        Column("GPU", least=_SHORTEST_NAME),
        Column("$/epoch", "right"),
        Column(f"{points.unit}/epoch", "right"),
        Column("bound by", dispensable=2),
    ]
    lines = fitted(columns, rows, width, breaks_heads=False).text.splitlines()
    if more := len(points.front) - shown:
        lines += wrapped(f"and {more:,} more of the front, faster", width)
    return lines
