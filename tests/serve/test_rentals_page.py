"""The page of rentals: the ledger, the market when asked, a release that is typed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from advisor.app.context import Context
from advisor.serve.releases import Ending
from advisor.serve.rented import watched
from advisor.store.ledger import Entry, Ledger
from tests.serve.conftest import KEY, Account


@pytest.fixture
def page(account: Account, serving: Callable[..., Any]) -> Any:
    """Return a browser that knows the account's server."""
    browser = serving(market="vast", world=account.context)
    browser.open()
    browser.served.offers.wait(30.0)
    return browser


def settled(page: Any) -> str:
    """Return the page once nothing is being released any more."""
    for _ in range(200):
        if not page.served.releases.is_at_work:
            return str(page.get("/rentals?all=1").text)
        time.sleep(0.05)
    raise AssertionError("it does not end")


def test_the_ledger_is_shown_and_no_market_asked(account: Account, page: Any) -> None:
    """What `rentals --offline --json` says; the market's word comes when it is asked."""
    number = account.rent("lab")
    row = account.run_command(
        ("rentals", "--offline", "--json"), account.context
    ).document["rentals"][0]
    text = page.get("/rentals").text
    assert "1 rental that may bill" in text
    assert "The market has not been asked" in text
    assert f">{number}<" in text
    for word in (row["job"], row["gpu"], row["state"], row["ends_at"]):
        assert word in text
    assert "not asked" in text
    assert page.post("/rentals/look").status_code == 303
    text = page.get("/rentals").text
    assert "The market's word is of" in text
    assert "running" in text
    assert KEY not in text


def test_the_account_may_have_more(account: Account, page: Any) -> None:
    """What the ledger does not know is a line, as the command has it."""
    account.rent("lab")
    Ledger(account.context.data_folder)
    (account.context.data_folder / "advisor.sqlite3").unlink()
    page.post("/rentals/look")
    text = page.get("/rentals").text
    assert "1 machine that advisor rented from another computer" in text
    assert "No rentals." in text


def test_a_release_needs_the_name_of_the_job(account: Account, page: Any) -> None:
    """Nothing ends by a press alone, or by another job's name."""
    account.rent("lab")
    account.rent("other")
    for typed in ("", "Lab", "other", "lab2"):
        answer = page.post("/rentals/release", {"job": "lab", "typed": typed})
        assert answer.status_code == 400
        assert "nothing was released: type lab" in answer.text
    answer = page.post("/rentals/release", {"job": "none", "typed": "none"})
    assert answer.status_code == 400
    assert "no rental that may bill" in answer.text
    assert len(account.instances()) == 2


def test_a_release_that_is_typed_ends_that_job_alone(account: Account, page: Any) -> None:
    """Its machines are gone and the ledger says so; the page tells it."""
    account.rent("lab")
    kept = account.rent("other")
    answer = page.post("/rentals/release", {"job": "lab", "typed": " lab "})
    assert answer.status_code == 303
    assert answer.headers["location"] == "/rentals"
    text = settled(page)
    assert re.search(r"Job <bdi[^>]*>lab</bdi> is released", text)
    assert [one["id"] for one in account.instances()] == [kept]
    states = {one.job: one.state for one in Ledger(account.context.data_folder).entries()}
    assert states == {"lab": "released", "other": "handed"}
    assert KEY not in text


def test_a_refusal_while_another_job_is_released_leads_back(
    account: Account, page: Any
) -> None:
    """The page that follows is that of the rentals: a form's address is none to ask."""
    account.rent("lab")
    page.served.releases._endings["other"] = Ending("other", "releasing")
    answer = page.post("/rentals/release", {"job": "lab", "typed": "la"})
    assert "nothing was released: type lab" in answer.text
    found = re.findall(r'content="3; url=([^"]*)"|data-again="([^"]*)"', answer.text)
    assert found == [("/rentals", ""), ("", "/rentals")]
    assert page.get("/rentals").status_code == 200


def test_who_ends_the_server_meanwhile_ends_no_release(
    account: Account, page: Any
) -> None:
    """What has begun comes to its end before the process does."""
    account.rent("lab")
    page.post("/rentals/release", {"job": "lab", "typed": "lab"})
    page.served.close()
    assert account.instances() == []


def test_what_another_computer_rented_for_the_job_is_not_ended(
    account: Account, page: Any
) -> None:
    """Its name is the same, and nobody was shown it: the terminal lists both and asks."""
    there = replace(
        account,
        context=replace(
            account.context,
            variables={
                **account.context.variables,
                "ADVISOR_DATA_DIR": str(account.context.home / "another"),
            },
        ),
    )
    account.rent("lab")
    there.rent("lab")
    page.post("/rentals/release", {"job": "lab", "typed": "lab"})
    text = settled(page)
    assert "the market has 2 rentals of this job, and this page showed 1" in text
    assert len(account.instances()) == 2


def test_a_release_that_fails_is_told(account: Account, page: Any) -> None:
    """The machine may still bill: the page says so, with the reason."""
    account.rent("lab")
    object.__setattr__(
        page.served.releases,
        "_context",
        _elsewhere(account.context),
    )
    page.post("/rentals/release", {"job": "lab", "typed": "lab"})
    text = settled(page)
    assert "is not released, and may still bill" in text
    assert len(account.instances()) == 1
    assert KEY not in text


def _elsewhere(context: Context) -> Context:
    """Return the same world with a market at which nobody listens."""
    variables = {**context.variables, "VAST_URL": "http://127.0.0.1:9"}
    return Context(variables, context.home, context.folder, clock=context.clock)


def test_the_command_to_rent_is_shown_and_nothing_rented(
    account: Account, page: Any
) -> None:
    """The page offers the words, the terminal asks before it pays."""
    text = page.get("/?epochs=2&disk=40").text
    (data,) = re.findall(r'"offer_id":\[(\d+)', text)
    words = "advisor rent --workload resnet50 --epochs 2 --disk 40 --market vast"
    assert f"{words} --where id={data}" in text
    assert account.instances() == []


def test_an_unreadable_ledger_is_a_line(context: Context, serving: Any) -> None:
    """The page comes all the same."""
    context.data_folder.mkdir(parents=True)
    (context.data_folder / "advisor.sqlite3").write_bytes(b"no database at all" * 100)
    browser = serving()
    browser.open()
    answer = browser.get("/rentals")
    assert answer.status_code == 200
    assert 'class="problem"' in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"state": "released"}, "ended"),
        ({"state": "handed", "holder": "x", "lease_until": 50.0}, "by you"),
        ({}, "by no process"),
        ({"holder": "x", "lease_until": 200.0}, "whose lease runs until"),
        ({"holder": "x", "lease_until": 50.0}, "by nobody since 1970-01-01T00:00:50Z"),
    ],
)
def test_who_watches_is_what_the_lease_says(changes: dict[str, Any], words: str) -> None:
    """A launcher that no longer renews is told from one that does."""
    entry = Entry(
        **{
            "label": "advisor:a:b",
            "market": "m",
            "job": "lab",
            "state": "working",
            "offer_id": 1,
            "machine_id": 2,
            "gpu_ids": (3,),
            "gpu_name": "T4",
            "num_gpus": 1,
            "usd_per_hour": 0.1,
            "traffic_usd": 0.0,
            "intended_at": 0.0,
            "ends_at": 1000.0,
            **changes,
        }
    )
    assert words in watched(entry, now=100.0)
