"""A headless Chromium for tests of pages, and what it must not have to complain of.

A conftest takes the fixtures by name::

    from tests.browser import chromium, open_page  # noqa: F401

Chromium is the system's own (Debian's package `chromium`), driven by Playwright (extra
`browser`); tests are skipped where either is missing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_TIMEOUT_MS = 20_000
"""Machines are shared: what takes half a second alone may take many."""

_STEP_MS = 50


@dataclass
class Tab:
    """A page that is open, and what went wrong on it.

    Attributes
    ----------
    page : Playwright's page
    complaints : errors and warnings of the console, exceptions, dialogs, and requests
        for anything that the page does not come from
    """

    page: Any
    complaints: list[str] = field(default_factory=list)

    def wait_for_charts(self, *names: str) -> None:
        """Wait until charts are drawn."""
        for name in names:
            self.page.wait_for_selector(f'[data-chart="{name}"] svg')

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds; asked from here, for a page may not evaluate."""
        for _ in range(_TIMEOUT_MS // _STEP_MS):
            if holds():
                return
            self.page.wait_for_timeout(_STEP_MS)
        raise AssertionError("it never came")

    def findings(self) -> list[str]:
        """Return what axe finds that is serious or critical."""
        axe = pytest.importorskip(
            "axe_playwright_python.sync_playwright",
            reason="the extra 'browser' is not installed",
        )
        found = axe.Axe().run(self.page).response["violations"]
        return [
            f"{one['id']}: {node['target']} {node['failureSummary']}"
            for one in found
            if one["impact"] in {"serious", "critical"}
            for node in one["nodes"]
        ]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Return the browser, or skip.

    It goes with its module: while it is there, Playwright's event loop runs in this
    thread, in which no test could begin one of its own.
    """
    api = pytest.importorskip(
        "playwright.sync_api", reason="the extra 'browser' is not installed"
    )
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


OpenPage = Callable[..., Tab]


@pytest.fixture
def open_page(chromium: Any) -> Iterator[OpenPage]:
    """Return what opens an address in a tab of its own; nothing may be complained of.

    `width` is in pixels; `dark` is what the user's system asks for; an address that the
    page asks for must begin as its own does.
    """
    tabs: list[Tab] = []

    def open_(url: str, *, width: int = 1280, dark: bool = False) -> Tab:
        page = chromium.new_page(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
        )
        page.set_default_timeout(_TIMEOUT_MS)
        tab = Tab(page)
        tabs.append(tab)
        origin = url if url.startswith("file:") else "/".join(url.split("/")[:3])
        page.on("console", lambda one: _hear(tab, one))
        page.on("pageerror", lambda error: tab.complaints.append(f"exception: {error}"))
        page.on("dialog", lambda dialog: _refuse(tab, dialog))
        page.on("request", lambda request: _see(tab, request.url, origin))
        page.goto(url)
        return tab

    yield open_
    for tab in tabs:
        tab.page.close()
    complaints = [one for tab in tabs for one in tab.complaints]
    if complaints:
        pytest.fail("\n".join(complaints))


def _hear(tab: Tab, message: Any) -> None:
    if message.type in {"error", "warning"}:
        tab.complaints.append(f"{message.type}: {message.text}")


def _refuse(tab: Tab, dialog: Any) -> None:
    tab.complaints.append(f"dialog: {dialog.message}")
    dialog.dismiss()


def _see(tab: Tab, url: str, origin: str) -> None:
    if not url.startswith((origin, "data:", "blob:")):
        tab.complaints.append(f"request: {url}")
