"""The market is asked once, in the background, and again at the user's word."""

from __future__ import annotations

import html.parser
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from advisor.serve.offers import ASK_AGAIN_S, MarketOffers
from tests.hostile import RECORDS, dangers, save_market


def vast(context: Any, answer: Callable[[httpx.Request], httpx.Response]) -> Any:
    """Return a world in which the market answers so."""
    variables = {**context.variables, "VAST_API_KEY": "k-secret-123"}
    return replace(context, variables=variables, transport=httpx.MockTransport(answer))


class Market:
    """Answers with one offer once it may, and counts."""

    def __init__(self, record: dict[str, Any]) -> None:
        self.record = record
        self.searches = 0
        self.may = threading.Event()
        self.may.set()
        self.status = 200

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.method in {"GET", "POST"}
        assert "bundles" in request.url.path, request.url.path
        self.searches += 1
        assert self.may.wait(20.0)
        if self.status != 200:
            return httpx.Response(self.status, json={"error": "no"})
        return httpx.Response(200, json={"success": True, "offers": [self.record]})


@pytest.fixture
def market(record: dict[str, Any]) -> Market:
    return Market(record)


def test_sliders_ask_no_market(
    serving: Callable[..., Any], context: Any, market: Market
) -> None:
    """However many rankings: the market is asked for all that it has, once."""
    browser = serving(market="vast", world=vast(context, market))
    browser.open()
    browser.served.offers.wait(20.0)
    asked = market.searches
    for epochs in range(1, 6):
        answer = browser.get(f"/live?epochs={epochs}&disk={100 + epochs}&gpu=RTX+4090")
        assert answer.status_code == 200, answer.text
    assert market.searches == asked


def test_the_page_does_not_wait_for_the_market(
    serving: Callable[..., Any],
    context: Any,
    market: Market,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It says that the market is asked, and loads itself again; the others are there."""
    monkeypatch.setattr("advisor.serve.ranked._FIRST_WAIT_S", 0.05)
    market.may.clear()
    browser = serving(market="vast", world=vast(context, market))
    browser.open()
    page = browser.get("/")
    assert page.status_code == 200
    assert "The market is being asked" in page.text
    assert 'http-equiv="refresh"' in page.text
    assert browser.get("/?epochs=0").status_code == 400  # this needs no market
    assert browser.get("/rentals").status_code == 200
    market.may.set()
    browser.served.offers.wait(20.0)
    page = browser.get("/")
    assert 'id="page-data"' in page.text
    assert 'http-equiv="refresh"' not in page.text


def test_a_market_that_hangs_keeps_no_page_waiting(
    serving: Callable[..., Any], context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rentals are asked for at the user's word; the page says so, and comes again."""
    monkeypatch.setattr("advisor.serve.application._MOMENT_S", 0.05)
    may_end = threading.Event()

    def hang(request: httpx.Request) -> httpx.Response:
        assert may_end.wait(20.0)
        return httpx.Response(401, json={"error": "no"})

    browser = serving(world=vast(context, hang))
    browser.open()
    assert browser.post("/rentals/look").status_code == 303
    page = browser.get("/rentals")
    assert "The market is being asked." in page.text
    assert 'http-equiv="refresh"' in page.text
    assert browser.get("/speedup").status_code == 200
    may_end.set()
    browser.served.looks.wait(20.0)
    page = browser.get("/rentals")
    assert "gave no answer: " in page.text
    assert 'http-equiv="refresh"' not in page.text
    assert "k-secret-123" not in page.text


def test_what_the_market_refuses_is_a_line(
    serving: Callable[..., Any], context: Any, market: Market
) -> None:
    """With its status; no key is in it."""
    market.status = 401
    browser = serving(market="vast", world=vast(context, market))
    browser.open()
    page = browser.get("/")
    assert page.status_code == 502
    assert 'class="problem"' in page.text
    assert "k-secret-123" not in page.text


def test_it_is_asked_again_by_a_form_and_not_too_often(
    serving: Callable[..., Any], context: Any, market: Market
) -> None:
    """The ranking that was shown is shown again; a second press comes too early."""
    browser = serving(market="vast", world=vast(context, market))
    browser.open()
    offers = browser.served.offers
    first = offers.wait(20.0).known.answer
    assert first is not None
    offers._asking._asked_at -= ASK_AGAIN_S  # time has passed
    answer = browser.post("/market", {"query": "workload=resnet50&epochs=3"})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?workload=resnet50&epochs=3"
    second = offers.wait(20.0).known.answer
    assert second is not first
    browser.post("/market")
    assert offers.wait(20.0).known.answer is second


def test_an_older_answer_stays_where_there_is_no_newer(
    context: Any, market: Market
) -> None:
    """The page says that the market could not be asked."""
    offers = MarketOffers(vast(context, market), "vast")
    assert offers.ask()
    first = offers.wait(20.0).known
    market.status = 500
    offers._asking._asked_at -= ASK_AGAIN_S
    assert offers.ask(max_age_s=0.0)
    second = offers.wait(60.0).known
    assert second.answer is first.answer
    assert second.problem is not None


@pytest.mark.slow
def test_hostile_offers_are_text(serving: Callable[..., Any], tmp_path: Any) -> None:
    """Scripts, templates, escapes, ten kilobytes: nothing of it is obeyed."""
    browser = serving(market=save_market(tmp_path))
    browser.open()
    first = browser.get("/")
    assert first.status_code == 200
    ids = browser.get("/live").json()["data"]["columns"]["offer_id"]
    assert set(ids) >= {one["id"] for one in RECORDS[:5]}
    for number in ids[::6]:
        page = Page(browser.get(f"/?offer={number}").text)
        assert page.scripts <= {"sliders.js", "charts.js", "page.js", "live.js", "data"}
        assert not page.strange
        assert dangers(page.text) == []
    live = browser.get("/live").json()
    for name in ("told", "form", "filters"):
        page = Page(live[name])
        assert page.scripts == set()
        assert not page.strange
        assert dangers(page.text) == []


class Page(html.parser.HTMLParser):
    """Reads a page as a browser would.

    Attributes
    ----------
    scripts : names of its scripts; ``data`` for what is none
    strange : elements and attributes that no template of ours has
    text : what a person reads, and what attributes hold
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts: set[str] = set()
        self.strange: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.text += " ".join(value or "" for value in given.values())
        if tag == "script":
            is_data = given.get("type") == "application/json"
            name = "data" if is_data else str(given.get("src")).rpartition("/")[2]
            self.scripts.add(name)
        if tag in {"img", "iframe", "object", "style", "base", "textarea"}:
            self.strange.append(tag)
        self.strange += [name for name in given if name.startswith("on")]
        if str(given.get("href", "")).startswith("javascript"):
            self.strange.append("javascript")
