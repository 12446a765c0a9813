"""`advisor market check`: what works, without the key and without spending anything."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

Advisor = Callable[..., Any]
Handler = Callable[[httpx.Request], httpx.Response]

KEY = {"VAST_API_KEY": "k-secret-123"}
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)  # of the command line in these tests


class Market:
    """An account with two instances and credit, and a clock that runs ahead or behind.

    `answers` replaces what a path says.
    """

    def __init__(self, behind_s: int | None = 0, **answers: httpx.Response) -> None:
        self.behind_s, self.answers = behind_s, answers
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer by the last word of the path."""
        self.asked.append((request.method, request.url.path))
        word = request.url.path.rstrip("/").rpartition("/")[2]
        answer = self.answers.get(word) or self.usual(word, request)
        headers = dict(answer.headers)
        if self.behind_s is not None:
            moment = NOW - timedelta(seconds=self.behind_s)
            headers["Date"] = format_datetime(moment, usegmt=True)
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)

    def usual(self, word: str, request: httpx.Request) -> httpx.Response:
        if word == "current" and "Authorization" not in request.headers:
            return httpx.Response(401, json={"error": "auth_error"})
        usual: dict[str, Any] = {
            "current": {"id": 12345, "email": "me@example.org", "credit": 25.5},
            "instances": {"instances": [{"id": 1}, {"id": 2}], "next_token": None},
            "bundles": {"offers": [{"id": 7, "dph_total": 0.5}]},
        }
        return httpx.Response(200, json=usual[word])


@pytest.fixture
def check(advisor: Advisor) -> Callable[..., Any]:
    """Return what checks a market that a test decides."""
    passed = [0.0]

    def sleep(seconds: float) -> None:
        passed[0] += seconds

    def run(market: Handler, *more: str, **variables: str) -> Any:
        return advisor(
            *("market", "check", "--market", "vast", *more),
            variables=variables,
            transport=httpx.MockTransport(market),
            monotonic=lambda: passed[0],
            sleep=sleep,
        )

    return run


Check = Callable[..., Any]


def test_all_works(check: Check) -> None:
    """Everything that a read can tell, in one document; the key and e-mail are not."""
    market = Market()
    done = check(market, "--json", **KEY)
    assert done.exit_code == 0
    assert done.document == {
        "schema_version": 1,
        "market": "vast",
        "key": "VAST_API_KEY",
        "account": {"id": "12345", "credit_usd": 25.5},
        "lists_instances": True,
        "instances": 2,
        "search": {
            "offers": 1,
            "complete": True,
            "simulated": False,
            "origin": "console.vast.ai",
            "notes": [],
        },
        "latency_s": 0.0,
        "clock_ahead_s": -0.5,
        "problems": [],
    }
    assert "k-secret" not in done.stdout + done.stderr
    assert "example.org" not in done.stdout + done.stderr
    assert {method for method, path in market.asked} == {"GET", "POST"}
    assert {path for method, path in market.asked if method == "POST"} == {
        "/api/v0/bundles/"
    }


def test_people_read_lines(check: Check) -> None:
    """Without --json each finding is a line."""
    done = check(Market(), **KEY)
    assert done.exit_code == 0
    for words in (
        "found in VAST_API_KEY",
        "12345, credit $25.50",
        "1 (complete) from console.vast.ai",
        "may list instances",
        "within a second",
    ):
        assert words in done.stdout


def test_no_key_is_no_failure(check: Check) -> None:
    """The check says what is missing and what goes without it."""
    market = Market()
    done = check(market, "--json")
    assert done.exit_code == 0
    assert (done.document["key"], done.document["account"]) == (None, None)
    assert done.document["search"]["complete"] is False
    assert done.document["lists_instances"] is None
    assert done.document["latency_s"] is not None
    assert "VAST_API_KEY" in check(market).stdout


REFUSED = httpx.Response(404, json={"success": False, "msg": "Invalid user key"})
FORBIDDEN = httpx.Response(403, json={"error": "auth_error", "msg": "no permission"})
USED_UP = httpx.Response(429, json={"error": "search_quota_exceeded"})


@pytest.mark.parametrize(
    ("answers", "code", "problem"),
    [
        ({"current": REFUSED}, 4, "Invalid user key"),
        ({"instances": FORBIDDEN}, 4, "no permission"),
        ({"bundles": USED_UP}, 5, "quota"),
        ({"instances": httpx.Response(200, json={})}, 1, "no list of instances"),
    ],
)
def test_what_does_not_work_is_said_and_decides_the_code(
    check: Check, answers: dict[str, httpx.Response], code: int, problem: str
) -> None:
    """The document is whole all the same; the first problem is the exit code."""
    done = check(Market(**answers), "--json", **KEY)
    assert done.exit_code == code
    assert problem in done.document["problems"][0]
    assert problem in done.stderr
    assert "stale" not in done.stderr  # it has no such option


def test_a_refused_key_is_not_shown_around(check: Check) -> None:
    """After the refusal nothing more is asked with it."""
    market = Market(current=REFUSED)
    check(market, **KEY)
    assert {path for _, path in market.asked} == {"/api/v0/users/current/"}


def test_a_key_that_may_not_list_still_searches(check: Check) -> None:
    """What works is told beside what does not."""
    done = check(Market(instances=FORBIDDEN), "--json", **KEY)
    assert done.document["lists_instances"] is False
    assert done.document["search"]["offers"] == 1


@pytest.mark.parametrize(
    ("behind_s", "words"),
    [(0, "within a second"), (90, "89.5 s ahead of"), (-90, "90.5 s behind")],
)
def test_a_clock_that_is_wrong_is_said(check: Check, behind_s: int, words: str) -> None:
    """A Date names a whole second: half of one is nobody's fault."""
    assert words in check(Market(behind_s), **KEY).stdout


def test_a_market_that_tells_no_time_has_no_skew(check: Check) -> None:
    """What is not told is not there."""
    assert check(Market(None), "--json", **KEY).document["clock_ahead_s"] is None


def test_an_empty_account_cannot_rent(check: Check) -> None:
    """No credit is told before a rental fails for it."""
    poor = httpx.Response(200, json={"id": 1, "credit": 0.0})
    assert "no credit" in check(Market(current=poor), **KEY).stdout


def test_lines_fit_the_terminal(check: Check) -> None:
    """What is said of the account is wrapped, and all of it is there."""
    wide = check(Market(), **KEY).stdout
    narrow = check(Market(), **KEY, COLUMNS="60").stdout
    assert max(map(len, wide.splitlines())) > 60
    assert max(map(len, narrow.splitlines())) <= 60
    assert narrow.split() == wide.split()


def test_other_markets_are_only_searched(advisor: Advisor) -> None:
    """The sample has no key, account or clock."""
    done = advisor("market", "check", "--json")
    assert (done.exit_code, done.document["market"]) == (0, "sample")
    assert done.document["search"]["simulated"] is True
    assert done.document["latency_s"] is None


def test_a_market_that_cannot_be_reached_is_an_error(check: Check) -> None:
    """Without any answer there is nothing to check."""

    def refuse(request: httpx.Request) -> httpx.Response:
        message = "refused"
        raise httpx.ConnectError(message, request=request)

    done = check(refuse)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no connection" in done.stderr
