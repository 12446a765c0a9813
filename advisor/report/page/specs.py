"""What the charts of a page have in common: settings, encodings, colors and marks.

Colors are variables of `page.css`, so that a chart follows light, dark and print by
itself.
"""

from __future__ import annotations

from typing import Any

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

# Labels of axes, as expressions of Vega: times, dollars, rates.

HOURS = (
    "datum.value >= 48 ? format(datum.value / 24, '.3~g') + ' d' : "
    "datum.value >= 1 ? format(datum.value, '.3~g') + ' h' : "
    "datum.value * 60 >= 1 ? format(datum.value * 60, '.3~g') + ' min' : "
    "format(datum.value * 3600, '.3~g') + ' s'"
)
USD = "'$' + format(datum.value, datum.value < 1000 ? '.3~g' : ',.0f')"
RATE = "format(datum.value, datum.value < 10 ? '.3~g' : ',.0f')"

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


def chart(spec: Spec, height: int) -> Spec:
    """Return a chart as wide as its place and so many pixels high."""
    return {
        "width": "container",
        "height": height,
        "autosize": {"type": "fit", "contains": "padding"},
        "config": _CONFIG,
        **spec,
    }


def encoding(
    name: str, title: str | None, labels: str | None = None, **more: Any
) -> Spec:
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


def named(dataset: str) -> Spec:
    """Return data that the page gives under a name."""
    return {"name": dataset}


def told(field: str, title: str, form: str | None = None) -> Spec:
    """Return what a tip says of a field."""
    if form is None:
        return {"field": field, "type": "nominal", "title": title}
    return {"field": field, "type": "quantitative", "title": title, "format": form}


def rows_of(field: str, by: Spec) -> Spec:
    """Return the encoding of rows with names, in the order of a field."""
    return {
        "field": field,
        "type": "nominal",
        "title": None,
        "sort": {**by, "op": "min"},
        "axis": {"grid": False, "labelColor": "var(--ink)", "labelLimit": 170},
    }
