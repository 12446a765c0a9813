"""A served page in a world of its own: the sample market, no key, no network."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.cli.words import ThisCommandLine
from advisor.serve.application import application
from advisor.serve.served import Served
from advisor.simulator.clock import SimClock
from advisor.simulator.server import serve
from advisor.simulator.world import World
from tests.browser import chromium, open_page  # noqa: F401  (fixtures)

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
HERE = "http://127.0.0.1:8765"


def refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"no test may reach {request.url.host}")


@dataclass
class Browser:
    """Asks the application as a browser would: with its cookies, and an Origin."""

    served: Served
    cookies: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        raises: bool = True,
    ) -> httpx.Response:
        """Send one request; follow nothing.

        `raises` False: what the application raises after its answer goes no further.
        """

        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(application(self.served), raises)
            async with httpx.AsyncClient(
                transport=transport, base_url=HERE, cookies=self.cookies
            ) as client:
                return await client.request(method, path, data=form, headers=headers)

        answer = asyncio.run(send())
        self.cookies |= dict(answer.cookies)
        return answer

    def get(self, path: str, *, raises: bool = True, **headers: str) -> httpx.Response:
        return self.ask("GET", path, headers=headers, raises=raises)

    def post(
        self,
        path: str,
        form: Mapping[str, str] | None = None,
        *,
        token: str | None = None,
        **headers: str,
    ) -> httpx.Response:
        """Send a form as a page of ours does, or with another token and other headers."""
        fields = {"token": self.served.session.form_token if token is None else token}
        return self.ask(
            "POST", path, {**fields, **(form or {})}, headers={"Origin": HERE, **headers}
        )

    def open(self, query: str = "") -> httpx.Response:
        """Open the address that the terminal shows; the browser is known from then on."""
        return self.get(f"/?token={self.served.session.address_token}{query}")


@pytest.fixture(autouse=True)
def extra() -> None:
    """Skip where a part of the extra is missing that the tests' own extra lacks."""
    pytest.importorskip("vl_convert", reason="the extra 'serve' is not installed")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(
        variables={
            "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
            "ADVISOR_DATA_DIR": str(tmp_path / "data"),
        },
        home=tmp_path,
        folder=tmp_path,
        transport=httpx.MockTransport(refuse),
        clock=Clock(now=lambda: NOW),
    )


@pytest.fixture
def serving(context: Context) -> Iterator[Callable[..., Browser]]:
    """Return what serves a workload and a market; a browser that is not known yet."""
    begun: list[Served] = []

    def begin(
        workload: str = "resnet50", market: str = "sample", world: Context | None = None
    ) -> Browser:
        served = Served.of(world or context, ThisCommandLine(), workload, market)
        begun.append(served)
        return Browser(served)

    yield begin
    for one in begun:
        one.close()


@pytest.fixture
def browser(serving: Callable[..., Browser]) -> Browser:
    """Return a browser that the terminal's owner opened, on the sample market."""
    found = serving()
    assert found.open().status_code == 303
    return found


@pytest.fixture
def advisor(context: Context, run_command: Callable[..., Any]) -> Callable[..., Any]:
    """Return what runs a command line in the same world."""
    return lambda *words: run_command(words, context)


START = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
KEY = "test-key-0123456789abcdef"
RENT = ("rent", "resnet50", "--epochs", "2", "--set", "dataset_gb=1", "--yes", "--json")


@dataclass
class Account:
    """An account on a simulated market, and what its owner does there."""

    world: World
    context: Context
    run_command: Callable[..., Any]

    def rent(self, job: str, *words: str) -> int:
        """Rent for a job; return the id of the instance."""
        done = self.run_command((*RENT, "--job", job, *words), self.context)
        assert done.exit_code == 0, done.stderr
        return int(done.document["instance_id"])

    def instances(self) -> list[Any]:
        return [one for one in self.world.ledger()["instances"] if not one["destroyed"]]


@pytest.fixture
def account(tmp_path: Path, run_command: Callable[..., Any]) -> Iterator[Account]:
    clock = SimClock.manual(START.timestamp())
    world = World(offers=60, seed=3, clock=clock, calm=True)
    with serve(world) as market:
        context = Context(
            variables={
                "VAST_URL": market.url,
                "VAST_API_KEY": KEY,
                "ADVISOR_DATA_DIR": str(tmp_path / "data"),
                "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
            },
            home=tmp_path,
            folder=tmp_path,
            clock=Clock(
                now=lambda: datetime.fromtimestamp(world.clock.now(), UTC),
                monotonic=world.clock.now,
                sleep=world.advance,
            ),
        )
        yield Account(world, context, run_command)
