"""Who gets in: this machine, a browser that the terminal opened, forms of our own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest

REBOUND = (
    "evil.example",
    "evil.example:8765",
    "127.0.0.1.evil.example",
    "localhost@evil.example",
    "192.0.2.7",
    "[2001:db8::1]",
    "[::1",
    "",
)
PAGES = ("/", "/live", "/speedup", "/rentals", "/nowhere")
FORMS = ("/market", "/rentals/look", "/rentals/release")


@pytest.mark.parametrize("host", REBOUND)
@pytest.mark.parametrize("path", ["/", "/static/page.css", "/rentals"])
def test_another_name_is_not_answered(browser: Any, host: str, path: str) -> None:
    """A page of somebody else may let its name stand for this address (DNS rebinding)."""
    assert browser.get(path, Host=host).status_code == 421
    token = browser.served.session.address_token
    assert browser.get(f"{path}?token={token}", Host=host).status_code == 421


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9000", "localhost:8765", "[::1]:1", "LocalHost"]
)
def test_this_machine_may_forward_a_port(browser: Any, host: str) -> None:
    """``ssh -L`` shows the page at another port; the name is still this machine's."""
    assert browser.get("/speedup", Host=host).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_without_the_token_nothing_is_shown(
    serving: Callable[..., Any], path: str
) -> None:
    """Other users of the machine reach the port as well."""
    stranger = serving()
    answer = stranger.get(path)
    assert answer.status_code == 403
    assert "advisor serve" in answer.text
    assert stranger.served.session.form_token not in answer.text
    assert stranger.get(f"/?token={'x' * 43}").status_code == 403
    assert stranger.get("/?token=").status_code == 403
    assert stranger.get("/?token=%C3%A9").status_code == 403
    assert "set-cookie" not in answer.headers


def test_the_token_becomes_a_cookie_at_once(serving: Callable[..., Any]) -> None:
    """It is in no address after that, and scripts cannot read the cookie."""
    stranger = serving()
    answer = stranger.open("&workload=resnet50&epochs=3")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/?workload=resnet50&epochs=3"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    token = stranger.served.session.address_token
    assert token not in answer.headers["set-cookie"]
    for path in PAGES:
        shown = stranger.get(path)
        assert shown.status_code in {200, 404}
        assert token not in shown.text
        assert stranger.cookies[stranger.served.session.cookie_name] not in shown.text


def test_the_address_after_the_token_is_ours(serving: Callable[..., Any]) -> None:
    """Whatever path it comes with: no redirect leads to another server."""
    stranger = serving()
    token = stranger.served.session.address_token
    for path in ("//evil.example/", "/\\evil.example", "/%2f%2fevil.example"):
        answer = stranger.get(f"{path}?token={token}")
        assert answer.headers["location"] == "/"


def test_two_servers_have_cookies_of_their_own(serving: Callable[..., Any]) -> None:
    """Browsers send a cookie to every port of this machine."""
    one, other = serving(), serving()
    one.open()
    other.cookies = one.cookies
    assert other.get("/speedup").status_code == 403


@pytest.mark.parametrize("path", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://127.0.0.1:8765"},
        {"Origin": "http://localhost:8765"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_of_another_page_is_not_obeyed(
    browser: Any, path: str, headers: dict[str, str]
) -> None:
    """Another port of this machine is another origin, though it has our cookie."""
    assert browser.post(path, **headers).status_code == 403


@pytest.mark.parametrize("path", FORMS)
def test_a_form_needs_the_token_of_this_run(browser: Any, path: str) -> None:
    """The token in the address and the cookie are not it."""
    session = browser.served.session
    cookie = browser.cookies[session.cookie_name]
    for token in ("", "x", session.address_token, cookie, "é"):
        assert browser.post(path, token=token).status_code == 403
    assert (
        browser.ask("POST", path, headers={"Origin": "http://127.0.0.1:8765"}).status_code
        == 403
    )


@pytest.mark.parametrize("path", FORMS)
def test_nothing_is_done_by_looking(browser: Any, path: str) -> None:
    """What writes is a form: an image or a link elsewhere can send none."""
    assert browser.get(path).status_code == 405
    for method in ("PUT", "DELETE", "OPTIONS"):
        assert browser.ask(method, path).status_code == 403


def test_a_stranger_sends_no_form(serving: Callable[..., Any]) -> None:
    """Even with the token of the forms, without the cookie."""
    assert serving().post("/rentals/look").status_code == 403


def test_a_form_larger_than_any_is_refused(browser: Any) -> None:
    """Nothing is held in memory for it."""
    assert browser.post("/market", {"query": "x" * 10_000}).status_code == 413


def test_an_address_longer_than_any_is_refused(browser: Any) -> None:
    """As are values that no command takes."""
    answer = browser.get(f"/?gpu={'x' * 9000}")
    assert answer.status_code == 414
    assert "longer than 8,192 characters" in answer.text
    assert len(answer.text) < 5000


@pytest.mark.parametrize("value", ["0", "false", "x"])
def test_a_box_is_ticked_or_it_is_not_there(browser: Any, value: str) -> None:
    """An address that says no to it would else be read as yes."""
    answer = browser.get(f"/?verified={value}")
    assert answer.status_code == 400
    assert "one of 1 is expected" in answer.text


@pytest.mark.parametrize("path", [*PAGES, "/static/page.js", "/static/serve.css"])
def test_every_answer_binds_the_browser(browser: Any, path: str) -> None:
    """No script or style but our files, no frame, no guess of a type, no copy kept."""
    headers = browser.get(path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "style-src 'self';" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "same-origin"


def test_pages_have_no_script_or_style_within(browser: Any) -> None:
    """The policy would not run it; data that are no script may stand there."""
    for path in ("/", "/speedup", "/rentals"):
        text = browser.get(path).text
        scripts = [part.split(">")[0] for part in text.split("<script")[1:]]
        assert all("src=" in one or "application/json" in one for one in scripts)
        assert "<style" not in text
        assert " style=" not in text
        assert " on" + "click=" not in text


def test_refusals_are_as_bound(serving: Callable[..., Any]) -> None:
    """The page of a refusal is a page."""
    answer = serving().get("/")
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_static_files_are_ours_alone(browser: Any) -> None:
    """No path leads out of the folder."""
    for name in ("conf", "..%2f..%2fcli%2fserve.py", "%2e%2e/served.py", "page.css/x"):
        assert browser.get(f"/static/{name}").status_code == 404


def test_what_is_asked_is_escaped(browser: Any) -> None:
    """Markup in an address is text on the page."""
    evil = '"><script>alert(1)</script>'
    for query in (
        urlencode({"gpu": evil}),
        urlencode({"workload": evil}),
        urlencode({evil: "1"}),
        urlencode({"offer": evil}),
    ):
        for path in ("/", "/speedup"):
            answer = browser.get(f"{path}?{query}")
            assert answer.status_code == 400
            assert evil not in answer.text
