"""The served page in a real browser: sliders, filters, links, forms, complaints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from advisor.base.loopback import url_of
from advisor.report.page.view import usd
from advisor.serve.application import application
from advisor.serve.asking import Held
from advisor.serve.offers import Offers
from advisor.serve.releases import Ending
from advisor.serve.server import listen_here, running
from tests.hostile import save_market

pytestmark = pytest.mark.slow

CHARTS = ("scatter", "bill", "limits", "threads")


@pytest.fixture
def start(serving: Callable[..., Any]) -> Iterator[Callable[..., str]]:
    """Return what starts a server; the address that its terminal would show."""
    ends: list[Any] = []

    def begin(**options: Any) -> str:
        served = serving(**options).served
        served.offers.wait(30.0)
        listener = listen_here("127.0.0.1", 0)
        url = url_of(listener)
        server = running(application(served), listener)
        server.__enter__()
        ends.append(server)
        return f"{url}/?token={served.session.address_token}"

    yield begin
    for server in ends:
        server.__exit__(None, None, None)


def page_at(url: str, path: str) -> str:
    return url.partition("/?")[0] + path


def until(tab: Any, holds: Callable[[], bool]) -> None:
    """Wait until something holds; the page's policy lets no test evaluate text there."""
    for _ in range(600):
        if holds():
            return
        tab.page.wait_for_timeout(50)
    raise AssertionError("it does not come to that")


def rows(tab: Any) -> list[list[str]]:
    """Return offer, cost and time of the rows of the table."""
    cells = tab.page.locator("#rows tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.innerText))"
    )
    return [[row[1], row[3], row[4]] for row in cells]


def shows(tab: Any, offers: Any) -> bool:
    """Return whether the table has these offers of `rank --json`, with their figures."""
    found = rows(tab)
    return [row[0] for row in found] == [str(one["offer_id"]) for one in offers] and all(
        dollars(cost) == pytest.approx(one["epoch_usd"], abs=6e-5, rel=5e-4)
        and hours(taken) == pytest.approx(one["epoch_hours"], rel=6e-3)
        for (_, cost, taken), one in zip(found, offers, strict=True)
    )


def dollars(text: str) -> float:
    return float(text.strip().removeprefix("$").replace(",", ""))


def hours(text: str) -> float:
    number, unit = text.split()
    return float(number) * {"s": 1 / 3600, "min": 1 / 60, "h": 1.0, "d": 24.0}[unit]


def test_a_slider_moves_the_figures(
    start: Callable[..., str], open_page: Any, advisor: Callable[..., Any]
) -> None:
    """They are those of `rank --json` before and after; the address has what is asked."""
    tab = open_page(start())
    tab.wait_for_charts(*CHARTS)
    before = advisor("rank", "resnet50", "--market", "sample", "--json").document
    assert shows(tab, before["offers"][:25])
    assert "token" not in tab.page.url
    tab.page.get_by_label("Epochs, slider").fill("300")
    until(tab, lambda: "epochs=8" in tab.page.url)
    epochs = tab.page.locator('input[name="epochs"]').input_value()
    assert epochs == "8"
    after = advisor(
        *("rank", "resnet50", "--epochs", epochs, "--market", "sample", "--json")
    ).document
    assert after["offers"][0]["offer_id"] != before["offers"][0]["offer_id"]
    until(tab, lambda: shows(tab, after["offers"][:25]))
    best = after["offers"][0]
    assert f"Rent {best['offer_id']}" in tab.page.locator("#answer").inner_text()
    assert f"Offer {best['offer_id']}" in tab.page.locator("#offer-name").inner_text()
    tab.page.reload()
    tab.wait_for_charts(*CHARTS)
    assert shows(tab, after["offers"][:25])


def test_every_slider_asks_what_its_option_asks(
    start: Callable[..., str], open_page: Any, advisor: Callable[..., Any]
) -> None:
    """Disk, batch, deadline and risk together, and back to no limit by an empty field."""
    tab = open_page(start())
    tab.wait_for_charts("scatter")
    page = tab.page
    for label, name in (
        ("Disk, GB", "disk"),
        ("Batch per GPU", "batch"),
        ("Deadline, as 24h or 3d", "deadline"),
        ("Risk: quantile of the cost", "risk"),
    ):
        page.get_by_label(f"{label}, slider").fill("600")
        until(tab, lambda name=name: f"{name}=" in page.url)

    def value(name: str) -> str:
        return str(page.locator(f'input[name="{name}"]').input_value())

    words = (
        *("--disk", value("disk"), "--set", f"batch_size={value('batch')}"),
        *("--deadline", value("deadline"), "--risk-averse", value("risk")),
    )
    assert words[3] == "batch_size=128"
    assert words[5].endswith("h")
    asked = ("rank", "resnet50", *words, "--market", "sample", "--json")
    offers = advisor(*asked).document["offers"]
    until(tab, lambda: shows(tab, offers[:25]))
    for name in ("disk", "batch", "deadline", "risk"):
        page.fill(f'input[name="{name}"]', "")
    plain = advisor("rank", "resnet50", "--market", "sample", "--json").document
    until(tab, lambda: shows(tab, plain["offers"][:25]))


def test_another_workload_and_a_wrong_figure(
    start: Callable[..., str], open_page: Any, advisor: Callable[..., Any]
) -> None:
    """What cannot be is a line, and the figures stay, faint, until it can."""
    tab = open_page(start())
    tab.wait_for_charts("scatter")
    page = tab.page
    page.select_option('select[name="workload"]', "bert-base")
    found = advisor("rank", "bert-base", "--market", "sample", "--json").document
    number = found["offers"][0]["offer_id"]
    page.wait_for_selector(f'#rows button:text-is("{number}")')
    usual = str(found["workload"]["epochs"])
    assert page.locator('input[name="epochs"]').get_attribute("placeholder") == usual
    page.fill('input[name="epochs"]', "0")
    page.wait_for_selector(".problem")
    assert "--epochs" in page.locator(".problem").inner_text()
    assert "outdated" in page.locator("#figures").get_attribute("class")
    page.fill('input[name="epochs"]', "2")
    page.wait_for_selector(".problem", state="detached")
    assert page.locator("#figures.outdated").count() == 0
    # The browser itself says in its console that a request was answered by 400.
    assert all("status of 400" in one for one in tab.complaints)
    tab.complaints.clear()


def test_filter_sort_and_pick(
    start: Callable[..., str], open_page: Any, advisor: Callable[..., Any]
) -> None:
    """A picked offer has the bill of `explain --json`, and stays when a slider moves."""
    tab = open_page(start())
    tab.wait_for_charts(*CHARTS)
    page = tab.page
    offers = advisor("rank", "resnet50", "--market", "sample", "--json").document[
        "offers"
    ]
    page.select_option('#filters select[name="gpu"]', "RTX 4090")
    some = [one for one in offers if one["gpu_name"] == "RTX 4090"]
    assert shows(tab, some[:25])
    page.click('th[data-key="usd_per_hour"] button')
    cheap = sorted(some, key=lambda one: one["usd_per_hour"])
    assert rows(tab)[0][0] == str(cheap[0]["offer_id"])
    page.click("#rows button >> nth=1")
    picked = rows(tab)[1][0]
    bill = advisor("explain", picked, "resnet50", "--market", "sample", "--json").document
    assert f"Offer {picked}" in page.locator("#offer-name").inner_text()
    shown = page.locator("#bill-rows tr").evaluate_all(
        "rows => rows.map(row => [row.cells[0].innerText, row.cells[2].innerText])"
    )
    lines = [one for one in bill["bill"] if one["usd"] or one["hours"]]
    assert [name for name, _ in shown[:-1]] == [one["label"] for one in lines]
    total = bill["offer"]["job_usd"]
    assert dollars(shown[-1][1]) == pytest.approx(total, abs=6e-3)
    assert f"advisor explain {picked} " in page.locator("#commands").inner_text()
    assert f"offer={picked}" in page.url
    page.get_by_label("Disk, GB, slider").fill("700")
    until(tab, lambda: "disk=" in page.url and not page.locator("#busy").inner_text())
    assert f"Offer {picked}" in page.locator("#offer-name").inner_text()


def test_the_calculator_moves(
    start: Callable[..., str], open_page: Any, advisor: Callable[..., Any]
) -> None:
    """Its verdict is that of `speedup --json`; of the ways to ask the last one counts."""
    url = start()
    tab = open_page(url)
    page = tab.page
    page.goto(page_at(url, "/speedup"))
    page.get_by_label("Matrix product: N or MxKxN, slider").fill("700")
    until(tab, lambda: "matmul=" in page.url)
    size = page.locator('input[name="matmul"]').input_value()
    words = ("--gpu", "RTX A4000", "--cpu", "Xeon Bronze 3104", "--json")
    document = advisor("speedup", "--matmul", size, *words).document
    assert page.locator("#answer").inner_text().lower() == document["verdict"].lower()
    page.fill('input[name="elements"]', "1e6")
    until(tab, lambda: "elements=" in page.url)
    assert page.locator('input[name="matmul"]').input_value() == ""
    document = advisor("speedup", "--elements", "1e6", *words).document
    assert page.locator("#answer").inner_text().lower() == document["verdict"].lower()
    assert page.locator("svg.bar").count() == 2


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_axe_finds_nothing_serious(
    start: Callable[..., str], open_page: Any, width: int, dark: bool
) -> None:
    """On every page, light, dark and narrow; and no page is wider than its window."""
    url = start()
    tab = open_page(url, width=width, dark=dark)
    tab.wait_for_charts(*CHARTS)
    for path in ("", "/speedup", "/rentals"):
        if path:
            tab.page.goto(page_at(url, path))
        assert tab.findings() == []
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_forms_do(
    start: Callable[..., str], chromium: Any, advisor: Callable[..., Any]
) -> None:
    """The button asks, links choose an offer, and the calculator draws."""
    url = start()
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    page.fill('input[name="epochs"]', "5")
    page.click("button.main")
    found = advisor("rank", "resnet50", "--epochs", "5", "--market", "sample", "--json")
    offers = found.document["offers"]
    assert f"Rent {offers[0]['offer_id']}" in page.locator("#answer").inner_text()
    page.click(f'a:text-is("{offers[3]["offer_id"]}")')
    text = page.locator("main").inner_text()
    assert f"Offer {offers[3]['offer_id']}: " in text
    assert usd(offers[3]["job_usd"]) in text
    assert page.locator("#offer-name").is_hidden()
    page.goto(page_at(url, "/speedup"))
    assert page.locator("svg.bar rect").count() > 1
    context.close()


def test_a_release_is_typed_in_the_browser(
    account: Any,
    start: Callable[..., str],
    open_page: Any,
) -> None:
    """The browser sends the Origin and the cookie that the server asks for."""
    account.rent("lab")
    url = start(market="vast", world=account.context)
    tab = open_page(url)
    page = tab.page
    page.goto(page_at(url, "/rentals"))
    page.click("button:text-is('Ask the market')")
    page.wait_for_selector("text=running")
    page.fill('input[name="typed"]', "lab2")
    page.click("button.danger")
    page.wait_for_selector(".problem")
    assert len(account.instances()) == 1
    tab.complaints.clear()  # the browser says that it was answered by 400
    page.fill('input[name="typed"]', "lab")
    page.click("button.danger")
    page.wait_for_selector("text=is released")
    assert account.instances() == []
    assert page.locator("button.danger").count() == 0


def test_what_is_typed_stays_while_another_job_is_released(
    account: Any, serving: Callable[..., Any], open_page: Any
) -> None:
    """The page follows what goes on; nothing is taken from under the fingers."""
    account.rent("lab")
    account.rent("other")
    served = serving(market="vast", world=account.context).served
    endings = served.releases._endings
    endings["lab"] = Ending("lab", "releasing")
    listener = listen_here("127.0.0.1", 0)
    url = url_of(listener)
    with running(application(served), listener):
        tab = open_page(f"{url}/?token={served.session.address_token}")
        page = tab.page
        page.goto(f"{url}/rentals")
        page.wait_for_selector("text=is being released")
        assert page.locator('input[name="typed"]').count() == 1
        page.fill('input[name="typed"]', "oth")
        endings["lab"] = Ending("lab", "failed", ("the market is away",))
        page.wait_for_selector("text=the market is away")
        until(tab, lambda: page.locator('input[name="typed"]').count() == 2)
        page.keyboard.type("er")
        assert page.locator('input[name="typed"]').nth(1).input_value() == "other"
        assert tab.findings() == []


def test_what_is_typed_stays_while_the_market_is_asked(
    serving: Callable[..., Any], open_page: Any, advisor: Callable[..., Any]
) -> None:
    """Once there is an answer, the figures are those of what was typed meanwhile."""
    served = serving().served
    asking = served.offers._asking
    answered = asking.wait(30.0)
    asking._held = Held(Offers(), is_asked=True)
    listener = listen_here("127.0.0.1", 0)
    url = url_of(listener)
    with running(application(served), listener):
        tab = open_page(f"{url}/?token={served.session.address_token}")
        page = tab.page
        page.wait_for_selector("text=The market is being asked")
        assert tab.findings() == []
        page.fill('input[name="epochs"]', "7")
        page.wait_for_timeout(2500)
        assert page.locator('input[name="epochs"]').input_value() == "7"
        asking._held = answered
        tab.wait_for_charts(*CHARTS)
        assert "epochs=7" in page.url
        words = ("rank", "resnet50", "--epochs", "7", "--market", "sample", "--json")
        assert shows(tab, advisor(*words).document["offers"][:25])


def test_hostile_offers_do_nothing(
    start: Callable[..., str], open_page: Any, tmp_path: Any
) -> None:
    """No dialog, no request elsewhere, no error; each can be looked at."""
    tab = open_page(start(market=save_market(tmp_path)))
    tab.wait_for_charts("scatter")
    page = tab.page
    for place in range(page.locator("#rows button").count()):
        page.locator("#rows button").nth(place).click()
    assert page.locator("main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280
    assert re.match(r"advisor explain \d+ ", page.locator(".words").first.inner_text())
