"""The charts of the offer that is selected: its bill, its limits, other threads."""

from __future__ import annotations

from advisor.report.page.specs import (
    HUES,
    PARTS,
    RATE,
    USD,
    Spec,
    encoding,
    named,
    rows_of,
    told,
)


def bill() -> Spec:
    """Return the bill of the selected offer above that of the best one.

    Dataset ``bill``: ``offer``, ``place`` (its row), ``label``, ``part``, ``order``,
    ``usd``.
    """
    return {
        "data": named("bill"),
        "mark": {
            "type": "bar",
            "cornerRadius": 2,
            "height": 22,
            "stroke": "var(--card)",
        },
        "encoding": {
            "x": encoding("usd", "Cost of the job", USD, stack=True),
            "y": rows_of("offer", {"field": "place"}),
            "color": {
                "field": "part",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(PARTS), "range": list(HUES)},
                "legend": None,
            },
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [told("label", "Item"), told("usd", "Cost", "$,.4~f")],
        },
    }


def limits() -> Spec:
    """Return what each limit would allow, over what the GPUs compute.

    Dataset ``limits``: ``title``, ``place``, ``share`` (cut at 3), ``label``, ``kind``
    (``"gpu"``, ``"short"`` where the GPUs wait for it, else ``"enough"``). Dataset
    ``reached``: ``share`` of what the GPUs compute that the machine reaches.
    """
    x = encoding(
        "share",
        "over what the GPUs compute",
        "datum.value >= 3 ? '3× +' : format(datum.value, '.2~g') + '×'",
        scale={"domain": [0, 4.2]},  # room for the figures beside the bars
        axis={"values": [0, 1, 2, 3]},
    )
    y = rows_of("title", {"field": "place"})
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
        "data": named("reached"),
        "mark": {"type": "rule", "color": "var(--ink)", "strokeWidth": 2},
        "encoding": {"x": {**x, "field": "share"}},
    }
    return {
        "data": named("limits"),
        "layer": [bars, reached, text],
    }


def threads() -> Spec:
    """Return throughput against threads, and where the offer is.

    Datasets ``curve`` (``threads``, ``rate``), ``here`` (the same, with ``label`` and
    where that stands, ``align``, ``dx``, ``dy``), ``enough`` (``threads``), ``ceiling``
    (``rate``: what the GPUs compute).
    """
    x = encoding(
        "threads",
        "Hardware threads",
        scale={"type": "log", "base": 2, "nice": False, "padding": 8},
        axis={"format": "~g", "values": [2**power for power in range(10)]},
    )
    y = encoding("rate", "samples/s", RATE, scale={"zero": True})
    line: Spec = {
        "data": named("curve"),
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
                told("threads", "Threads", ",.4~r"),
                told("rate", "samples/s", ",.4~r"),
            ],
        },
    }
    enough: Spec = {
        "data": named("enough"),
        "mark": {"type": "rule", "strokeDash": [4, 4]},
        "encoding": {"x": x},
    }
    ceiling: Spec = {
        "data": named("ceiling"),
        "mark": {"type": "rule", "strokeDash": [2, 3], "color": "var(--hue-1)"},
        "encoding": {"y": y},
    }
    here: Spec = {
        "data": named("here"),
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
        "data": named("here"),
        "name": "label",
        "mark": {
            "type": "text",
            **{name: {"expr": f"datum.{name}"} for name in ("align", "dx", "dy")},
        },
        "encoding": {"x": x, "y": y, "text": {"field": "label"}},
    }
    return {"layer": [ceiling, enough, line, here, label]}
