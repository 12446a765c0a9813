"""The charts of a page, as Vega-Lite specifications without data.

Data come under the names of datasets, which `page.js` fills. Colors are variables of
`page.css`, so that a chart follows light, dark and print by itself. Of the texts of an
offer none is in a chart but the market's name of a GPU.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from advisor.throughput.limits import LIMITS

Spec = dict[str, Any]

PARTS = (
    "training",
    "checkpoints",
    "start and end",
    "failures",
    "storage",
    "traffic",
    "dearer machines after it",
)
"""Bars of a bill, in the order in which they are stacked."""

HUES = tuple(f"var(--hue-{number})" for number in range(1, 8))
"""Colors of limits, and of parts of a bill, each in their order."""

SHAPES = (
    *("circle", "triangle-up", "diamond", "square"),
    *("cross", "triangle-down", "triangle-right"),
)
"""Marks of limits, so that color alone says nothing."""

_HOURS = (
    "datum.value >= 48 ? format(datum.value / 24, '.3~g') + ' d' : "
    "datum.value >= 1 ? format(datum.value, '.3~g') + ' h' : "
    "datum.value * 60 >= 1 ? format(datum.value * 60, '.3~g') + ' min' : "
    "format(datum.value * 3600, '.3~g') + ' s'"
)
_USD = "'$' + format(datum.value, ',.3~g')"
_RATE = "format(datum.value, datum.value < 10 ? '.3~g' : ',.0f')"

_CONFIG: Spec = {
    "background": "transparent",
    "font": "system-ui, sans-serif",
    "padding": 4,
    "aria": False,
    "view": {"stroke": None},
    "axis": {
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titlePadding": 8,
        "gridColor": "var(--line)",
        "domain": False,
        "ticks": False,
        "labelPadding": 6,
        "labelOverlap": True,
    },
    "text": {"color": "var(--ink)", "fontSize": 12},
    "rule": {"color": "var(--muted)"},
}


def charts() -> Mapping[str, Spec]:
    """Return every chart of a page by its name; ``height`` is in pixels."""
    return {
        "scatter": _chart(_scatter(), 380),
        "bill": _chart(_bill(), 112),
        "limits": _chart(_limits(), 230),
        "threads": _chart(_threads(), 230),
        "runs": _chart(_runs(), 280),
        "prices": _chart(_prices(), 220),
        "choices": _chart(_choices(), 160),
    }


def _chart(spec: Spec, height: int) -> Spec:
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": _CONFIG,
        **spec,
    }


def _field(name: str, title: str | None, labels: str | None = None, **more: Any) -> Spec:
    """Return the encoding of a figure."""
    axis: Spec = more.pop("axis", {})
    if labels is not None:
        axis = {"labelExpr": labels, **axis}
    return {
        "field": name,
        "type": more.pop("type", "quantitative"),
        "title": title,
        "axis": axis,
        **more,
    }


def _named(dataset: str) -> Spec:
    return {"name": dataset}


def _scatter() -> Spec:
    """Return cost against time: every offer, the front, and what is looked at.

    Datasets: ``offers`` (``i``, ``hours``, ``usd``, ``bound_by``), ``front`` (``hours``,
    ``usd``), ``focus`` (with ``_low`` and ``_high`` of either), ``chosen``. Signals: the
    ends of both axes, ``hours_from``, ``hours_to``, ``usd_from``, ``usd_to``, and
    the figures at both, ``hours_ticks``, ``usd_ticks``.
    """
    x = _field(
        "hours",
        "Training time per epoch",
        _HOURS,
        scale=_log_between("hours"),
        axis={"values": {"expr": "hours_ticks"}},
    )
    y = _field(
        "usd",
        "Cost per epoch",
        _USD,
        scale=_log_between("usd"),
        axis={"values": {"expr": "usd_ticks"}},
    )
    by = {"field": "bound_by", "type": "nominal", "legend": None}
    names = [one.name for one in LIMITS]
    color = {**by, "scale": {"domain": names, "range": list(HUES)}}
    shape = {**by, "scale": {"domain": names, "range": list(SHAPES)}}
    front: Spec = {
        "name": "front",
        "data": _named("front"),
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
        "data": _named("offers"),
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
        "data": _named("focus"),
        "mark": {"type": "rule", **whisker},
        "encoding": {
            "x": {**x, "field": "hours_low"},
            "x2": {"field": "hours_high"},
            "y": y,
        },
    }
    rule_y: Spec = {
        "name": "over_usd",
        "data": _named("focus"),
        "mark": {"type": "rule", **whisker},
        "encoding": {"x": x, "y": {**y, "field": "usd_low"}, "y2": {"field": "usd_high"}},
    }
    chosen: Spec = {
        "name": "over_chosen",
        "data": _named("chosen"),
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


def _bill() -> Spec:
    """Return the bill of the selected offer above that of the best one.

    Dataset ``bill``: ``offer``, ``place`` (its row), ``label``, ``part``, ``order``,
    ``usd``.
    """
    return {
        "data": _named("bill"),
        "mark": {
            "type": "bar",
            "cornerRadius": 2,
            "height": 22,
            "stroke": "var(--card)",
        },
        "encoding": {
            "x": _field("usd", "Cost of the job", _USD, stack=True),
            "y": _rows("offer", {"field": "place"}),
            "color": {
                "field": "part",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(PARTS), "range": list(HUES)},
                "legend": None,
            },
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [_told("label", "Item"), _told("usd", "Cost", "$,.4~f")],
        },
    }


def _limits() -> Spec:
    """Return what each limit would allow, over what the GPUs compute.

    Dataset ``limits``: ``title``, ``place``, ``share`` (cut at 3), ``label``, ``kind``
    (``"gpu"``, ``"short"`` where the GPUs wait for it, else ``"enough"``). Dataset
    ``reached``: ``share`` of what the GPUs compute that the machine reaches.
    """
    x = _field(
        "share",
        "over what the GPUs compute",
        "datum.value >= 3 ? '3× +' : format(datum.value, '.2~g') + '×'",
        scale={"domain": [0, 4.2]},  # room for the figures beside the bars
        axis={"values": [0, 1, 2, 3]},
    )
    y = _rows("title", {"field": "place"})
    bars: Spec = {
        "mark": {"type": "bar", "cornerRadius": 2, "height": {"band": 0.62}},
        "encoding": {
            "x": x,
            "y": y,
            "color": {
                "field": "kind",
                "type": "nominal",
                "legend": None,
                "scale": {
                    "domain": ["gpu", "short", "enough"],
                    "range": ["var(--hue-1)", "var(--warn)", "var(--faint)"],
                },
            },
        },
    }
    text: Spec = {
        "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 11},
        "encoding": {
            "x": {"datum": 3, "type": "quantitative"},
            "y": y,
            "text": {"field": "label"},
        },
    }
    reached: Spec = {
        "data": _named("reached"),
        "mark": {"type": "rule", "color": "var(--ink)", "strokeWidth": 2},
        "encoding": {"x": {**x, "field": "share"}},
    }
    return {
        "data": _named("limits"),
        "layer": [bars, reached, text],
    }


def _threads() -> Spec:
    """Return throughput against threads, and where the offer is.

    Datasets ``curve`` (``threads``, ``rate``), ``here`` (the same, with ``label``),
    ``enough`` (``threads``), ``ceiling`` (``rate``: what the GPUs compute).
    """
    x = _field(
        "threads",
        "Hardware threads",
        scale={"type": "log", "base": 2, "nice": False, "padding": 8},
        axis={"format": "~g", "values": [2**power for power in range(10)]},
    )
    y = _field("rate", "samples/s", _RATE, scale={"zero": True})
    line: Spec = {
        "data": _named("curve"),
        "mark": {
            "type": "line",
            "color": "var(--hue-2)",
            "strokeWidth": 2.5,
            "point": {"color": "var(--hue-2)", "size": 24},
        },
        "encoding": {
            "x": x,
            "y": y,
            "tooltip": [
                _told("threads", "Threads", ",.4~r"),
                _told("rate", "samples/s", ",.4~r"),
            ],
        },
    }
    enough: Spec = {
        "data": _named("enough"),
        "mark": {"type": "rule", "strokeDash": [4, 4]},
        "encoding": {"x": x},
    }
    ceiling: Spec = {
        "data": _named("ceiling"),
        "mark": {"type": "rule", "strokeDash": [2, 3], "color": "var(--hue-1)"},
        "encoding": {"y": y},
    }
    here: Spec = {
        "data": _named("here"),
        "mark": {
            "type": "point",
            "filled": True,
            "size": 110,
            "opacity": 1,
            "fill": "var(--accent)",
            "stroke": "var(--card)",
            "strokeWidth": 2,
        },
        "encoding": {"x": x, "y": y},
    }
    label: Spec = {
        "data": _named("here"),
        "mark": {"type": "text", "dy": 18},
        "encoding": {"x": x, "y": y, "text": {"field": "label"}},
    }
    return {"layer": [ceiling, enough, line, here, label]}


def _runs() -> Spec:
    """Return measured against predicted throughput.

    Dataset ``runs``: ``predicted``, ``low``, ``high``, ``measured``; ``diagonal``:
    ``value``.
    """
    log = {"type": "log", "nice": False, "padding": 12}
    x = _field("predicted", "Predicted, samples/s", _RATE, scale=log)
    y = _field("measured", "Measured, samples/s", _RATE, scale=log)
    return {
        "layer": [
            {
                "data": _named("diagonal"),
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "var(--muted)"},
                "encoding": {"x": {**x, "field": "value"}, "y": {**y, "field": "value"}},
            },
            {
                "data": _named("runs"),
                "mark": {"type": "rule", "opacity": 0.6},
                "encoding": {
                    "x": {**x, "field": "low"},
                    "x2": {"field": "high"},
                    "y": y,
                },
            },
            {
                "data": _named("runs"),
                "mark": {
                    "type": "point",
                    "filled": True,
                    "size": 70,
                    "opacity": 1,
                    "color": "var(--hue-1)",
                },
                "encoding": {
                    "x": x,
                    "y": y,
                    "tooltip": [
                        _told("gpu", "GPU"),
                        _told("predicted", "Predicted", ",.4~r"),
                        _told("measured", "Measured", ",.4~r"),
                    ],
                },
            },
        ]
    }


def _prices() -> Spec:
    """Return the prices of a GPU by day: the middle, and where most are.

    Dataset ``prices``: ``start``, ``p10``, ``p50``, ``p90``.
    """
    x = _field("start", None, type="temporal", axis={"grid": False})
    y = _field("p50", "$/h per GPU", _USD, scale={"zero": False})
    return {
        "layer": [
            {
                "data": _named("prices"),
                "mark": {"type": "area", "color": "var(--hue-1)", "opacity": 0.18},
                "encoding": {"x": x, "y": {**y, "field": "p10"}, "y2": {"field": "p90"}},
            },
            {
                "data": _named("prices"),
                "mark": {
                    "type": "line",
                    "color": "var(--hue-1)",
                    "strokeWidth": 2,
                    "point": {"color": "var(--hue-1)", "size": 30},
                },
                "encoding": {
                    "x": x,
                    "y": y,
                    "tooltip": [
                        {**_told("start", "Day"), "type": "temporal"},
                        _told("p50", "Middle", "$.3f"),
                        _told("p10", "Tenth", "$.3f"),
                        _told("p90", "Nine tenths", "$.3f"),
                    ],
                },
            },
        ]
    }


def _choices() -> Spec:
    """Return what the first pick of each chooser costs more than the best.

    Dataset ``choices``: ``who``, ``extra``, ``place``, ``label``, ``own``.
    """
    y = _rows("who", {"field": "place"})
    return {
        "data": _named("choices"),
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadius": 2, "height": {"band": 0.62}},
                "encoding": {
                    "x": _field(
                        "extra",
                        "over the best in hindsight",
                        axis={"format": ".0%", "tickCount": 4},
                    ),
                    "y": y,
                    "color": {
                        "field": "own",
                        "type": "nominal",
                        "legend": None,
                        "scale": {
                            "domain": [True, False],
                            "range": ["var(--accent)", "var(--faint)"],
                        },
                    },
                },
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6},
                "encoding": {
                    "x": {"field": "extra", "type": "quantitative"},
                    "y": y,
                    "text": {"field": "label"},
                },
            },
        ],
    }


def _told(field: str, title: str, form: str | None = None) -> Spec:
    """Return what a tip says of a field."""
    if form is None:
        return {"field": field, "type": "nominal", "title": title}
    return {"field": field, "type": "quantitative", "title": title, "format": form}


def _rows(field: str, by: Spec) -> Spec:
    """Return the encoding of rows with names, in the order of a field."""
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "sort": {**by, "op": "min"},
        "axis": {"grid": False, "labelColor": "var(--ink)", "labelLimit": 170},
    }
