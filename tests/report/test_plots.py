"""Plots in files show each figure where it belongs, and are the same every time."""

from __future__ import annotations

import re
import struct
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from advisor.base.errors import UsageError
from advisor.report.plots import Panel, is_drawable, prediction_plot, price_plot
from advisor.store.market_statistics import PriceBucket

SVG = Path("plot.svg")
START = datetime(2026, 11, 1, tzinfo=UTC)
NAN = (float("nan"),) * 3


@pytest.fixture
def mpl() -> Any:
    return pytest.importorskip("matplotlib", reason="the extra 'plots' is not installed")


@pytest.fixture
def buckets() -> list[PriceBucket]:
    """Return days of prices that rise and fall, two of them missing."""
    rng = np.random.default_rng(1)
    found = []
    for day in (0, 1, 2, 3, 6, 7, 8, 9):
        price = 0.3 + 0.3 * rng.random()
        bids = (0.1, 0.2 * price, 0.3)
        listings = int(rng.integers(5, 50))
        prices = (0.5 * price, price, 2.0 * price)
        found.append(PriceBucket(START + timedelta(days=day), listings, prices, bids))
    return found


def group(svg: bytes, name: str) -> ET.Element | None:
    """Return the group of an SVG with an id."""
    every = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}g")  # noqa: S314
    return next((one for one in every if one.get("id") == name), None)


def curve(svg: bytes, name: str) -> tuple[list[str], np.ndarray]:
    """Return the commands of a curve's path and its (N, 2) places."""
    found = group(svg, name)
    assert found is not None, name
    path = found.find("{http://www.w3.org/2000/svg}path")
    assert path is not None
    steps = re.findall(r"([ML]) (\S+) (\S+)", path.get("d", ""))
    return [s[0] for s in steps], np.array([[float(x), float(y)] for _, x, y in steps])


def marks(svg: bytes, name: str) -> np.ndarray:
    """Return the (N, 2) places of a group's marks."""
    found = group(svg, name)
    assert found is not None, name
    uses = list(found.iter("{http://www.w3.org/2000/svg}use"))
    return np.array([[float(str(one.get(at))) for at in "xy"] for one in uses])


def in_line(place: np.ndarray, value: np.ndarray) -> bool:
    """Say whether places are a rising linear function of values, down being less."""
    slope, offset = np.polyfit(value, place, 1)
    return bool(np.allclose(place, slope * value + offset, atol=0.01))


def words(svg: bytes) -> set[str]:
    return {text.strip() for text in ET.fromstring(svg).itertext()}  # noqa: S314


@pytest.mark.usefixtures("mpl")
def test_prices_are_where_they_belong(buckets: list[PriceBucket]) -> None:
    """Medians of prices and bids, and listings, at their days."""
    svg = price_plot(buckets, "RTX 4090", SVG)
    days = np.array([(one.start - START).days for one in buckets], dtype=float)
    series = {
        "price": [one.usd_per_gpu_hour[1] for one in buckets],
        "least-bid": [one.bid_usd_per_gpu_hour[1] for one in buckets],
        "listings": [float(one.listings) for one in buckets],
    }
    for name, values in series.items():
        _, places = curve(svg, name)
        assert len(places) == len(buckets)
        assert in_line(places[:, 0], days)
        assert in_line(places[:, 1], np.array(values))
        assert places[:, 1].argmin() == np.argmax(values)  # up is more
    assert {"RTX 4090", "$/h per GPU", "listings", "time (UTC)"} <= words(svg)
    legend = {f"{one}, median; band: 10 to 90 %" for one in ("price", "least bid")}
    assert legend <= words(svg)


@pytest.mark.usefixtures("mpl")
def test_a_gap_in_the_record_is_a_gap_in_the_curve(buckets: list[PriceBucket]) -> None:
    """Nobody knows what was between: no line claims to."""
    commands, _ = curve(price_plot(buckets, "", SVG), "price")
    assert "".join(commands) == "MLLLMLLL"


@pytest.mark.usefixtures("mpl")
def test_bids_that_nobody_told_are_not_drawn(buckets: list[PriceBucket]) -> None:
    """Nor named in the legend; one period alone is a point."""
    silent = [PriceBucket(b.start, b.listings, b.usd_per_gpu_hour, NAN) for b in buckets]
    svg = price_plot(silent[:1], "", SVG)
    assert group(svg, "least-bid") is None
    assert not any("least bid" in text for text in words(svg))
    assert len(marks(svg, "price")) == 1


@pytest.mark.usefixtures("mpl")
def test_predictions_are_where_they_belong() -> None:
    """On logarithmic axes, each split in a panel of its own, above their ratio."""
    rng = np.random.default_rng(2)
    panels = [
        Panel(
            name=f"split{number}",
            caption=f"{number} rows",
            unit="units/s",
            measured=(measured := np.exp(rng.normal(3.0, 2.0, 20))),
            predicted=measured * np.exp(rng.normal(0.0, 0.3, 20)),
        )
        for number in range(5)
    ]
    svg = prediction_plot(panels, SVG)
    for panel in panels:
        places = marks(svg, f"split-{panel.name}")
        assert in_line(places[:, 0], np.log(panel.measured))
        assert in_line(places[:, 1], np.log(panel.predicted))
        ratios = marks(svg, f"ratio-{panel.name}")
        assert in_line(ratios[:, 0], np.log(panel.measured))
        assert in_line(ratios[:, 1], panel.predicted / panel.measured)
        assert {panel.name, panel.caption} <= words(svg)
    assert {"measured, units/s", "predicted, units/s"} <= words(svg)


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_data_make_the_same_file(
    mpl: Any, buckets: list[PriceBucket], suffix: str
) -> None:
    """Whatever the user's settings are: no date and no version is in it."""
    path = Path(f"x.{suffix}")
    plot = price_plot(buckets, "all GPUs", path)
    with mpl.rc_context({"font.size": 30.0, "svg.hashsalt": None}):
        assert price_plot(buckets, "all GPUs", path) == plot
    assert mpl.__version__.encode() not in plot
    if suffix == "png":
        assert struct.unpack(">II", plot[16:24]) == (1350, 810)


@pytest.mark.usefixtures("mpl")
def test_a_title_is_text_and_no_formula(buckets: list[PriceBucket]) -> None:
    """Two signs of a dollar are two, and a tag is none."""
    title = "$1$ <script>"
    assert title in words(price_plot(buckets, title, SVG))


def test_a_suffix_says_what_a_file_is() -> None:
    """In either case."""
    assert [is_drawable(Path(name)) for name in ("a.PNG", "a.svg", "svg", "a.pdf")] == [
        *(True, True, False, False)
    ]


def test_a_missing_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line, before anything is drawn."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"^the plot needs matplotlib: .*\[plots\]'"):
        prediction_plot([Panel("a", "", "", np.ones(1), np.ones(1))], SVG)
