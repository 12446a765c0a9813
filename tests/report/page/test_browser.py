"""The page in a real browser: what it shows, what it does, and what it leaves alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from advisor.report.page.view import time
from tests.app.test_jobs import JOB
from tests.browser import OpenPage, Tab
from tests.conftest import RECORD
from tests.hostile import record_of, save_market
from tests.report.page.conftest import MakeReport, Report

POINTS = '[data-chart="scatter"] .points_marks path'
CHARTS = ("scatter", "bill", "limits", "threads", "choices")


def cells(tab: Tab, column: int) -> list[str]:
    """Return what the table shows in a column, the first is 1."""
    found: list[str] = tab.page.locator(
        f"#rows tr td:nth-child({column})"
    ).all_inner_texts()
    return found


def dollars(text: str) -> float:
    return float(text.strip().removeprefix("$").replace(",", ""))


@pytest.fixture
def tab(sample: Report, open_page: OpenPage) -> Tab:
    """Return the page of the sample with its charts drawn."""
    found = open_page(sample.url)
    found.wait_for_charts(*CHARTS)
    return found


@pytest.mark.slow
def test_table_shows_what_rank_prints(tab: Tab, sample: Report) -> None:
    """Ids, costs, prices and limits, in the order of the ranking."""
    first = sample.offers[:25]
    assert cells(tab, 2) == [str(one["offer_id"]) for one in first]
    for shown, one in zip(cells(tab, 4), first, strict=True):
        assert dollars(shown) == pytest.approx(one["epoch_usd"], abs=6e-5)
    for shown, one in zip(cells(tab, 8), first, strict=True):
        assert dollars(shown) == pytest.approx(one["usd_per_hour"], abs=6e-4)


def test_filter_leaves_what_rank_would(tab: Tab, sample: Report) -> None:
    """The table, the count and the points follow; a reset brings all of them back."""
    wanted = [
        one
        for one in sample.offers
        if one["gpu_name"] == "RTX 4090" and one["num_gpus"] == 1
    ]
    assert wanted
    tab.page.select_option("select[name=gpu]", "RTX 4090")
    tab.page.select_option("select[name=count]", "1")
    all_of = f"{len(wanted)} of {len(sample.offers)} offers"
    tab.wait_until(lambda: tab.page.locator("#count").inner_text() == all_of)
    assert cells(tab, 2) == [str(one["offer_id"]) for one in wanted[:25]]
    points = tab.page.locator(POINTS)
    tab.wait_until(lambda: points.count() == len(wanted))
    tab.page.click("button[type=reset]")
    tab.wait_until(lambda: points.count() == len(sample.offers))


def test_filters_together_may_leave_nothing(tab: Tab) -> None:
    """Which is said, and not an error."""
    tab.page.select_option("select[name=region]", "south-america")
    tab.page.select_option("select[name=gpu]", "H200")
    tab.page.select_option("select[name=count]", "8")
    tab.page.wait_for_selector("#none:not([hidden])")
    assert cells(tab, 2) == []


def test_heads_sort_both_ways(tab: Tab, sample: Report) -> None:
    """Pressed with a key, and told to a screen reader."""
    head = tab.page.locator('th[data-key="usd_per_hour"] button')
    head.focus()
    tab.page.keyboard.press("Enter")
    prices = sorted(one["usd_per_hour"] for one in sample.offers)
    shown = [dollars(one) for one in cells(tab, 8)]
    assert shown == pytest.approx(prices[:25], abs=6e-4)
    assert head.locator("..").get_attribute("aria-sort") == "ascending"
    tab.page.keyboard.press("Enter")
    assert dollars(cells(tab, 8)[0]) == pytest.approx(prices[-1], abs=6e-4)
    assert head.locator("..").get_attribute("aria-sort") == "descending"


@pytest.mark.slow
def test_more_rows_come_when_asked_for(tab: Tab, sample: Report) -> None:
    """A hundred at a time, until all are there."""
    more = tab.page.locator("#more")
    more.click()
    assert len(cells(tab, 2)) == 125
    while more.is_visible():
        more.click()
    assert cells(tab, 2) == [str(one["offer_id"]) for one in sample.offers]


def test_a_pick_shows_its_bill_limits_and_curve(tab: Tab, sample: Report) -> None:
    """The lines of the bill are those of the page's data, their sum is the job's cost."""
    third = sample.offers[2]
    tab.page.locator("#rows .pick").nth(2).press("Enter")
    named = tab.page.locator("#offer-name")
    tab.wait_until(lambda: str(third["offer_id"]) in named.inner_text())
    bill = tab.page.locator("#bill-rows tr td:last-child").all_inner_texts()
    *lines, total = [dollars(one) for one in bill]
    assert total == pytest.approx(third["job_usd"], abs=6e-3)
    assert sum(lines) == pytest.approx(total, abs=0.02)
    assert named.evaluate("one => one === document.activeElement")
    pressed = tab.page.locator('.pick[aria-pressed="true"]').all_inner_texts()
    assert pressed == [str(third["offer_id"])]
    bars = tab.page.locator('[data-chart="bill"]')
    tab.wait_until(lambda: "This offer" in bars.inner_text())
    assert "this offer" in tab.page.locator('[data-chart="threads"]').inner_text()


def test_a_point_tells_its_interval_and_is_picked(tab: Tab, sample: Report) -> None:
    """Under the pointer; a click shows its bill."""
    points = tab.page.locator(POINTS)
    last = points.nth(len(sample.offers) - 1)
    last.hover(force=True)
    tab.page.wait_for_selector("#tip:not([hidden])")
    told = tab.page.locator("#tip").inner_text()
    named = re.search(r"\d{6,}", told)
    assert named is not None
    one = next(one for one in sample.offers if str(one["offer_id"]) == named[0])
    assert f"${one['epoch_usd_low']:.4f} to ${one['epoch_usd_high']:.4f}" in told or (
        one["epoch_usd_high"] >= 1.0
    )
    last.click(force=True)
    name = tab.page.locator("#offer-name")
    tab.wait_until(lambda: named[0] in name.inner_text())


def test_front_has_no_offer_that_is_beaten(tab: Tab, sample: Report) -> None:
    """The line goes through the offers that none beats, by what `rank --json` says."""
    on_line = tab.page.evaluate(
        "document.querySelector('[data-chart=\"scatter\"] .front_marks path')"
        ".__data__.mark.items.map(one => one.datum.i)"
    )
    unbeaten = [
        row
        for row, one in enumerate(sample.offers)
        if not any(
            other["epoch_usd"] <= one["epoch_usd"]
            and other["epoch_hours"] <= one["epoch_hours"]
            and other is not one
            for other in sample.offers
        )
    ]
    assert sorted(on_line) == unbeaten


def test_an_old_page_says_so(sample: Report, own: Report, open_page: OpenPage) -> None:
    """Where it is of a real market, by the clock of who looks."""
    tab = open_page(own.url)
    tab.wait_for_charts(*CHARTS)
    assert (
        "ago: offers and prices have changed" in tab.page.locator("#stale").inner_text()
    )
    simulated = open_page(sample.url)
    simulated.wait_for_charts(*CHARTS)
    assert not simulated.page.locator("#stale").is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_nothing_serious(
    sample: Report, open_page: OpenPage, dark: bool, width: int
) -> None:
    """In either color scheme, on a desk and on a phone; all details open."""
    tab = open_page(sample.url, dark=dark, width=width)
    tab.wait_for_charts(*CHARTS)
    tab.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert tab.findings() == []


def test_nothing_is_wider_than_a_phone(sample: Report, open_page: OpenPage) -> None:
    """The page itself is never moved sideways; the table is."""
    tab = open_page(sample.url, width=390)
    tab.wait_for_charts(*CHARTS)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_answer_and_table_need_no_script(sample: Report, chromium: Any) -> None:
    """They are there before any chart, and where scripts are off."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(sample.url)
    assert page.locator("h1").inner_text().startswith("Rent ")
    assert page.locator("#rows tr").count() == 25
    context.close()


def test_rows_of_the_page_and_of_its_script_are_the_same(
    sample: Report, open_page: OpenPage, chromium: Any
) -> None:
    """What is there at first is what sorting makes of it later, to the letter."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(sample.url)
    first = page.locator("#rows tr").all_inner_texts()
    context.close()
    tab = open_page(sample.url)
    tab.wait_for_charts(*CHARTS)
    assert tab.page.locator("#rows tr").all_inner_texts() == first


@pytest.mark.slow
def test_hostile_offers_are_harmless(
    make_report: MakeReport, open_page: OpenPage, tmp_path_factory: Any
) -> None:
    """No script of theirs runs, no element of theirs is made, no mark turns the page."""
    folder: Path = tmp_path_factory.mktemp("hostile")
    market = save_market(folder)
    report = make_report("resnet50", "--market", market, folder=folder)
    tab = open_page(report.url)
    tab.wait_for_charts(*CHARTS)
    while tab.page.locator("#more").is_visible():
        tab.page.locator("#more").click()
    picks = tab.page.locator("#rows .pick")
    assert picks.count() == len(report.offers)
    for at in range(picks.count()):
        picks.nth(at).click()
    strange = "main img, main iframe, main script, main a:not([href='#offers'])"
    assert tab.page.locator(strange).count() == 0
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert tab.page.evaluate("getComputedStyle(document.body).direction") == "ltr"
    assert tab.findings() == []


def test_data_of_the_page_are_those_of_the_file(tab: Tab, sample: Report) -> None:
    """Offers are read back from columns as `rank --json` has them."""
    data = json.loads(tab.page.locator("#page-data").inner_text())
    assert data["count"] == len(sample.offers)
    assert data["columns"]["offer_id"] == [one["offer_id"] for one in sample.offers]


def test_own_runs_rentals_and_prices_are_shown(own: Report, open_page: OpenPage) -> None:
    """Predicted beside measured, planned beside held, and prices by day."""
    tab = open_page(own.url)
    tab.wait_for_charts(*CHARTS, "runs", "prices")
    text = tab.page.locator("section:has(#kept-title)").inner_text()
    assert "A100-SXM4-40GB" in text
    assert "<b>job</b>" in text
    hours = JOB.predicted["samples_per_s"] * 3600
    trained = time(90 * 1281167 / hours)
    assert re.search(r"released\s+\$0\.500\s+24 h\s+\?\s+12 h\s+\$6\.00", text)
    assert re.search(rf"\$0\.500\s+24 h\s+{trained}\s+12 h\s+\$6\.00", text)
    points = tab.page.locator('[data-chart="prices"] .mark-symbol path')
    assert points.count() == 7
    assert tab.findings() == []


def saved(folder: Path, *records: dict[str, Any]) -> str:
    """Write a market of these offers; return the file's path."""
    path = folder / "market.json"
    path.write_text(json.dumps({"offers": records}), encoding="ascii")
    return str(path)


def test_offers_that_hardly_differ_have_axes(
    tmp_path: Path, make_report: MakeReport, open_page: OpenPage
) -> None:
    """No round figure need lie between them; both axes have some all the same."""
    dearer = {**RECORD, "id": 102, "machine_id": 8, "gpu_ids": [12]}
    dearer["dph_base"] = 1.02 * RECORD["dph_base"]
    market = saved(tmp_path, RECORD, dearer)
    tab = open_page(make_report("resnet50", "--market", market, folder=tmp_path).url)
    tab.wait_for_charts("scatter")
    shown = tab.page.locator('[data-chart="scatter"] .role-axis-label text')
    found = [one for one in shown.all_text_contents() if one]
    assert sum(one.startswith("$") for one in found) >= 3
    assert sum(one.endswith(" min") for one in found) >= 3


@pytest.mark.slow
def test_thousands_of_dollars_are_written_out(
    make_report: MakeReport, open_page: OpenPage
) -> None:
    """As in the table below: $2,000, and no power of ten."""
    words = ("resnet50", "--market", "sample", "--epochs", "100000")
    tab = open_page(make_report(*words).url)
    tab.wait_for_charts("bill")
    shown = tab.page.locator('[data-chart="bill"] .role-axis-label text')
    found = [one for one in shown.all_text_contents() if one.startswith("$")]
    assert any(re.fullmatch(r"\$\d,000", one) for one in found)
    assert not any("e" in one for one in found)


@pytest.mark.slow
def test_a_name_without_end_leaves_room_for_the_figures(
    tmp_path: Path, make_report: MakeReport, open_page: OpenPage
) -> None:
    """Of an offer that stands alone; and one is no "offers"."""
    market = saved(tmp_path, record_of("long"))
    tab = open_page(make_report("resnet50", "--market", market, folder=tmp_path).url)
    tab.wait_for_charts(*CHARTS)
    assert tab.page.locator("#count").inner_text() == "All 1 offer"
    assert "RTX 4090 AAA" in tab.page.locator("#offer-name").inner_text()
    assert tab.page.locator("#offer-name").bounding_box()["height"] < 250
    assert tab.page.locator("h1").bounding_box()["height"] < 250
