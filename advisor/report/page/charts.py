"""The charts of a page, as Vega-Lite specifications without data.

Data come under the names of datasets, which `page.js` fills. Colors are variables of
`page.css`, so that a chart follows light, dark and print by itself. Of the texts of an
offer none is in a chart but the market's name of a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping

from advisor.report.page.offer_charts import bill, limits, threads
from advisor.report.page.other_charts import choices, prices, runs
from advisor.report.page.specs import (
    HOURS,
    HUES,
    SHAPES,
    USD,
    Spec,
    chart,
    encoding,
    named,
)
from advisor.throughput.limits import LIMITS


def charts() -> Mapping[str, Spec]:
    """Return every chart of a page by its name; ``height`` is in pixels."""
    return {
        "scatter": chart(_scatter(), 380),
        "bill": chart(bill(), 112),
        "limits": chart(limits(), 230),
        "threads": chart(threads(), 230),
        "runs": chart(runs(), 280),
        "prices": chart(prices(), 220),
        "choices": chart(choices(), 160),
    }


def _scatter() -> Spec:
    """Return cost against time: every offer, the front, and what is looked at.

    Datasets: ``offers`` (``i``, ``hours``, ``usd``, ``bound_by``), ``front`` (``hours``,
    ``usd``), ``focus`` (with ``_low`` and ``_high`` of either), ``chosen``. Signals: the
    ends of both axes, ``hours_from``, ``hours_to``, ``usd_from``, ``usd_to``, and
    the figures at both, ``hours_ticks``, ``usd_ticks``.
    """
    x = encoding(
        "hours",
        "Training time per epoch",
        HOURS,
        scale=_log_between("hours"),
        axis={"values": {"expr": "hours_ticks"}},
    )
    y = encoding(
        "usd",
        "Cost per epoch",
        USD,
        scale=_log_between("usd"),
        axis={"values": {"expr": "usd_ticks"}},
    )
    by = {"field": "bound_by", "type": "nominal", "legend": None}
    names = [one.name for one in LIMITS]
    color = {**by, "scale": {"domain": names, "range": list(HUES)}}
    shape = {**by, "scale": {"domain": names, "range": list(SHAPES)}}
    front: Spec = {
        "name": "front",
        "data": named("front"),
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "stroke": "var(--accent)",
            "strokeWidth": 2,
            "opacity": 0.85,
        },
        "encoding": {"x": x, "y": y, "order": {"field": "hours"}},
    }
    offers: Spec = {
        "data": named("offers"),
        "name": "points",
        "mark": {
            "type": "point",
            "size": 46,
            "filled": False,
            "fill": "transparent",  # so that it is pointed at within, too
            "strokeWidth": 1.5,
            "opacity": 0.75,
            "cursor": "pointer",
        },
        "encoding": {"x": x, "y": y, "color": color, "shape": shape},
    }
    whisker: Spec = {"strokeWidth": 2, "color": "var(--ink)", "opacity": 0.75}
    whisker["clip"] = True  # an interval may be wider than what the offers span
    rule_x: Spec = {
        "name": "over_hours",
        "data": named("focus"),
        "mark": {"type": "rule", **whisker},
        "encoding": {
            "x": {**x, "field": "hours_low"},
            "x2": {"field": "hours_high"},
            "y": y,
        },
    }
    rule_y: Spec = {
        "name": "over_usd",
        "data": named("focus"),
        "mark": {"type": "rule", **whisker},
        "encoding": {"x": x, "y": {**y, "field": "usd_low"}, "y2": {"field": "usd_high"}},
    }
    chosen: Spec = {
        "name": "over_chosen",
        "data": named("chosen"),
        "mark": {
            "type": "point",
            "size": 190,
            "filled": False,
            "stroke": "var(--ink)",
            "strokeWidth": 2.5,
        },
        "encoding": {"x": x, "y": y},
    }
    return {
        "params": [
            {"name": f"{name}_{end}", "value": value}
            for name in ("hours", "usd")
            for end, value in (("from", 0.1), ("to", 1.0))
        ]
        + [{"name": name, "value": []} for name in ("hours_ticks", "usd_ticks")],
        "layer": [front, offers, rule_x, rule_y, chosen],
    }


def _log_between(name: str) -> Spec:
    """Return a scale whose ends are signals: what is looked at does not move it."""
    return {
        "type": "log",
        "nice": False,
        "domain": [{"expr": f"{name}_from"}, {"expr": f"{name}_to"}],
    }
