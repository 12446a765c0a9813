"""The charts beside the offers: own runs, past prices, what a choice costs."""

from __future__ import annotations

from advisor.report.page.specs import RATE, USD, Spec, encoding, named, rows_of, told


def runs() -> Spec:
    """Return measured against predicted throughput.

    Dataset ``runs``: ``predicted``, ``low``, ``high``, ``measured``; ``diagonal``:
    ``value``.
    """
    log = {"type": "log", "nice": False, "padding": 12}
    x = encoding("predicted", "Predicted, samples/s", RATE, scale=log)
    y = encoding("measured", "Measured, samples/s", RATE, scale=log)
    return {
        "layer": [
            {
                "data": named("diagonal"),
                "mark": {"type": "line", "strokeDash": [4, 4], "color": "var(--muted)"},
                "encoding": {"x": {**x, "field": "value"}, "y": {**y, "field": "value"}},
            },
            {
                "data": named("runs"),
                "mark": {"type": "rule", "opacity": 0.6},
                "encoding": {
                    "x": {**x, "field": "low"},
                    "x2": {"field": "high"},
                    "y": y,
                },
            },
            {
                "data": named("runs"),
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
                        told("gpu", "GPU"),
                        told("predicted", "Predicted", ",.4~r"),
                        told("measured", "Measured", ",.4~r"),
                    ],
                },
            },
        ]
    }


def prices() -> Spec:
    """Return the prices of a GPU by day: the middle, and where most are.

    Dataset ``prices``: ``start``, ``p10``, ``p50``, ``p90``.
    """
    x = encoding("start", None, type="temporal", axis={"grid": False})
    y = encoding("p50", "$/h per GPU", USD, scale={"zero": False})
    return {
        "layer": [
            {
                "data": named("prices"),
                "mark": {"type": "area", "color": "var(--hue-1)", "opacity": 0.18},
                "encoding": {"x": x, "y": {**y, "field": "p10"}, "y2": {"field": "p90"}},
            },
            {
                "data": named("prices"),
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
                        {**told("start", "Day"), "type": "temporal"},
                        told("p50", "Middle", "$.3f"),
                        told("p10", "Tenth", "$.3f"),
                        told("p90", "Nine tenths", "$.3f"),
                    ],
                },
            },
        ]
    }


def choices() -> Spec:
    """Return what the first pick of each chooser costs more than the best.

    Dataset ``choices``: ``who``, ``extra``, ``place``, ``label``, ``own``.
    """
    y = rows_of("who", {"field": "place"})
    return {
        "data": named("choices"),
        "layer": [
            {
                "mark": {"type": "bar", "cornerRadius": 2, "height": {"band": 0.62}},
                "encoding": {
                    "x": encoding(
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
