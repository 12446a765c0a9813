"""What each limit allows beside the others, as bars."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from advisor.base.figures import figure
from advisor.report.bars import with_bars
from advisor.report.look import PLAIN, Look
from advisor.throughput.limit import Limit

_SCALE = 5.0
"""Times what the machine reaches that a whole bar stands for."""

_FAR = 10.0
"""Times what the machine reaches from which a limit is only named."""


def limit_lines(
    limits: Mapping[str, float | None],
    known: Sequence[Limit],
    reached: float,
    look: Look = PLAIN,
    *,
    most: int | None = None,
) -> list[str]:
    """Return the limits as bars, the least first, those that are far away named below.

    Parameters
    ----------
    limits : name -> samples/s if it alone held; None or infinite: there is none
    known : the limits, with what each is of
    reached : samples/s of all of them together
    look : where they are shown
    most : limits that are shown as bars at most; None: all
    """
    titles = {one.name: one.title.removeprefix("the ") for one in known}
    rates = {name: math.inf if rate is None else rate for name, rate in limits.items()}
    order = sorted(rates, key=rates.__getitem__)
    near = [name for name in order if rates[name] < _FAR * reached][:most]
    far = [name for name in order if name not in near and math.isfinite(rates[name])]
    rows = [("reached", "all together", figure(reached, 3), "1")]
    rows += [
        (name, titles[name], figure(rates[name], 3), figure(rates[name] / reached, 3))
        for name in near
    ]
    lines = with_bars(
        ("limit", "of", "samples/s", "x"),
        rows,
        ("left", "left", "right", "right"),
        [1.0 / _SCALE, *(rates[name] / reached / _SCALE for name in near)],
        look,
    )
    none = [name for name in order if math.isinf(rates[name])]
    rest = []
    if far:
        least = figure(rates[far[0]] / reached, 2)
        rest.append(f"{least} x or more: {', '.join(far)}")
    if none:
        rest.append(f"no limit: {', '.join(none)}")
    return [*lines, "; ".join(rest)] if rest else lines
