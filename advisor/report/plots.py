"""Plots in files, PNG or SVG: price history, predicted against measured.

What draws is an extra (`EXTRA`); it is imported where something is drawn. The same data
make the same file under one version of matplotlib: no settings of the user's, identifiers
by content, neither version nor date. The text of an SVG stays text, which can be read
aloud. The background is white, so that it reads the same on a light and a dark page.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from advisor.base.arrays import FloatArray
from advisor.base.errors import UsageError
from advisor.base.resources import installing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from advisor.store.market_statistics import PriceBucket

EXTRA = "plots"

KINDS = ("png", "svg")
"""What a file of a plot may be, as its suffix says."""

STYLES = (
    ("#0072b2", "o"),
    ("#d55e00", "s"),
    ("#009e73", "^"),
    ("#cc79a7", "D"),
    ("#e69f00", "v"),
    ("#56b4e9", "P"),
    ("#000000", "X"),
    ("#999999", "*"),  # not of the eight, for the eighth curve
)
"""Okabe and Ito's colors, which people with a color deficiency tell apart; a marker each,
so that curves need no color."""

_PRICE, _BID, _GRAY, _LIGHT = "#0072b2", "#d55e00", "#666666", "#dddddd"
_SETTINGS = {"svg.hashsalt": "advisor", "svg.fonttype": "none"}
_METADATA: Mapping[str, Mapping[str, None]] = {
    "png": {"Software": None},
    "svg": {"Creator": None, "Date": None},
}
_DPI = 150
_PANELS_ACROSS = 4
_PANEL_TICKS = 6
_DIGITS = ((1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
"""First digits of what is marked on a logarithmic axis: as many as there is room for."""

_THOUSANDS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_FEW = 60
"""Points of a curve up to which each is marked."""


def need(library: str, what: str) -> None:
    """Refuse to draw without what draws, before there is work that would be lost.

    Parameters
    ----------
    library : name of the module
    what : needs it

    Raises
    ------
    UsageError
        if it is not installed
    """
    if importlib.util.find_spec(library) is None:
        message = f"{what} needs {library}: {installing(EXTRA)}"
        raise UsageError(message)


def is_drawable(path: Path) -> bool:
    """Say whether the suffix of a file says one of `KINDS`."""
    return _suffix(path) in KINDS


def _suffix(path: Path) -> str:
    return path.suffix.lower().removeprefix(".")


def rendered(
    draw: Callable[[Figure], None], size: tuple[float, float], kind: str
) -> bytes:
    """Return what is drawn on a figure, as a file has it.

    Parameters
    ----------
    draw : draws on an empty figure
    size : of the figure, inches
    kind : of `KINDS`

    Raises
    ------
    UsageError
        if matplotlib is not installed
    """
    need("matplotlib", "the plot")
    from matplotlib import style  # noqa: PLC0415 (an optional extra)
    from matplotlib.figure import Figure  # noqa: PLC0415

    file = BytesIO()
    with style.context(["default", _SETTINGS]):
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(
            file, format=kind, dpi=_DPI, facecolor="white", metadata=_METADATA[kind]
        )
    if kind == "png":
        return file.getvalue()
    lines = (line.rstrip() for line in file.getvalue().splitlines())
    return b"\n".join(lines) + b"\n"


def round_ticks(ends: tuple[float, float], most: int, *, is_log: bool) -> list[float]:
    """Return round values between two ends, no more than `most` but for decades."""
    from matplotlib.ticker import (  # noqa: PLC0415 (an optional extra)
        Locator,
        LogLocator,
        MaxNLocator,
    )

    locators: list[Locator] = [MaxNLocator(max(most - 1, 1), steps=[1, 2, 5, 10])]
    if is_log:
        locators = [LogLocator(subs=digits, numticks=99) for digits in _DIGITS]
    low, high = ends
    for locator in locators:
        every = np.asarray(locator.tick_values(low, high))
        ticks: list[float] = every[(every >= low) & (every <= high)].tolist()
        if len(ticks) <= most:
            break
    return ticks


def price_plot(buckets: Sequence[PriceBucket], title: str, path: Path) -> bytes:
    """Return prices and least bids over time, and how many listings they are of.

    The median, and a band from the 10 % to the 90 % quantile. A curve breaks where the
    record does.

    Parameters
    ----------
    buckets : one at least, in the order of their time
    title : which GPUs, of which market
    path : of the file, whose suffix is one of `KINDS`

    Raises
    ------
    UsageError
        if matplotlib is not installed
    """

    def draw(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True, height_ratios=(4, 1))
        # One $ is a sign, two of them would begin and end a formula.
        above.set(title=title.replace("$", r"\$"), ylabel="$/h per GPU")
        whole = _without_gaps(buckets)
        for name, color, line in (("price", _PRICE, "-"), ("least bid", _BID, "--")):
            _band(above, whole, name, color, line)
        above.set_ylim(bottom=0.0)
        above.legend(loc="best")
        starts = [one.start for one in whole]
        counts = [float(one.listings) or math.nan for one in whole]
        below.plot(
            starts,
            counts,
            color=_GRAY,
            marker=_marker(whole),
            markersize=3.0,
            gid="listings",
        )
        below.set(ylabel="listings", xlabel="time (UTC)", ylim=(0.0, None))
        for axes in (above, below):
            axes.grid(color=_LIGHT, linewidth=0.6)
        _dates(below)

    return rendered(draw, (9.0, 5.4), _suffix(path))


def _band(
    axes: Axes, buckets: Sequence[PriceBucket], name: str, color: str, line: str
) -> None:
    """Draw the quantiles of prices or of bids, if any are known."""
    rows = [
        one.usd_per_gpu_hour if name == "price" else one.bid_usd_per_gpu_hour
        for one in buckets
    ]
    low, middle, high = np.array(rows).T
    if not np.isfinite(middle).any():
        return
    starts = [one.start for one in buckets]
    axes.fill_between(starts, low, high, color=color, alpha=0.15, linewidth=0)  # type: ignore[arg-type]
    axes.plot(
        starts,  # type: ignore[arg-type]
        middle,
        color=color,
        linestyle=line,
        label=f"{name}, median; band: 10 to 90 %",
        marker=_marker(buckets),
        markersize=3.0,
        gid=name.replace(" ", "-"),
    )


def _marker(buckets: Sequence[PriceBucket]) -> str:
    """Return what marks each point of a curve, if they are few."""
    return "o" if len(buckets) <= _FEW else ""


def _without_gaps(buckets: Sequence[PriceBucket]) -> list[PriceBucket]:
    """Return the buckets with an empty one wherever the record has a gap."""
    from advisor.store.market_statistics import PriceBucket  # noqa: PLC0415 (SQLite)

    starts = [one.start for one in buckets]
    steps = [later - one for one, later in pairwise(starts)]
    usual = min(steps, default=timedelta())
    nothing = (math.nan,) * 3
    found = []
    for bucket, step in zip(buckets, [*steps, usual], strict=True):
        found.append(bucket)
        if step > usual:
            found.append(PriceBucket(bucket.start + usual, 0, nothing, nothing))
    return found


def _dates(axes: Axes) -> None:
    """Write the dates of the horizontal axis as short as they can be told apart."""
    from matplotlib.dates import (  # noqa: PLC0415 (an optional extra)
        AutoDateLocator,
        ConciseDateFormatter,
    )

    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    words = ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(words)


@dataclass(frozen=True, slots=True)
class Panel:
    """What was predicted of rows that were held out in one way.

    Attributes
    ----------
    name : of the split
    caption : what its errors sum up to
    unit : of what was measured
    measured, predicted : (N,), above zero
    """

    name: str
    caption: str
    unit: str
    measured: FloatArray
    predicted: FloatArray


def prediction_plot(panels: Sequence[Panel], path: Path) -> bytes:
    """Return predicted against measured, a panel per split, and below it their ratio.

    Rates span many powers of ten, beside which an error is small: the ratio shows it.

    Parameters
    ----------
    panels : one at least
    path : of the file, whose suffix is one of `KINDS`

    Raises
    ------
    UsageError
        if matplotlib is not installed
    """
    across = min(len(panels), _PANELS_ACROSS)
    down = math.ceil(len(panels) / across)

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(2 * down, across, height_ratios=(3, 1) * down)
        for number, panel in enumerate(panels):
            row, column = divmod(number, across)
            above = figure.add_subplot(grid[2 * row, column])
            below = figure.add_subplot(grid[2 * row + 1, column], sharex=above)
            _compare(above, below, panel)

    return rendered(draw, (3.2 * across, 4.2 * down), _suffix(path))


def _compare(above: Axes, below: Axes, panel: Panel) -> None:
    """Draw one panel: predicted over measured, and their ratio over measured."""
    measured, predicted = panel.measured, panel.predicted
    both, ratio = np.concatenate([measured, predicted]), predicted / measured
    ends = 0.8 * float(both.min()), 1.25 * float(both.max())
    above.set_title(f"{panel.name}\n{panel.caption}", fontsize=9)
    ticks = round_ticks(ends, _PANEL_TICKS, is_log=True)
    labels = [_short(tick) for tick in ticks]
    above.set(xscale="log", yscale="log")
    for axis in (above.xaxis, above.yaxis):
        axis.set_ticks(ticks, labels)
        axis.set_ticks([], minor=True)
    above.set(xlim=ends, ylim=ends)
    above.set_ylabel(f"predicted, {panel.unit}")
    above.tick_params(labelbottom=False)
    below.set(ylim=(0.0, max(2.0, 1.05 * float(ratio.max()))), ylabel="ratio")
    below.set_xlabel(f"measured, {panel.unit}")
    right = ((above, ends, predicted, "split"), (below, (1.0, 1.0), ratio, "ratio"))
    for axes, line, values, of in right:
        axes.grid(color=_LIGHT, linewidth=0.6)
        axes.plot(ends, line, color=_GRAY, linestyle="--", linewidth=1.0)
        axes.plot(
            measured,
            values,
            color=_PRICE,
            linestyle="none",
            marker="o",
            markersize=2.0,
            alpha=0.4,
            markeredgewidth=0.0,
            gid=f"{of}-{panel.name}",
        )


def _short(value: float) -> str:
    """Return a rate in as few characters as there are on an axis."""
    of, prefix = next(((of, to) for of, to in _THOUSANDS if value >= of), (1.0, ""))
    return f"{value / of:g}{prefix}"
