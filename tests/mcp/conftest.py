"""The tools for agents in a world of their own, over a client of the SDK."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mcp", reason="the extra 'mcp' is not installed")
pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

import anyio
import httpx
from mcp import Client, types

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.cli.mcp import typed
from advisor.mcp.server import Calls
from tests.rental.conftest import (  # noqa: F401  (fixtures)
    host,
    inhabited,
    make_street,
    project,
    street,
)

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

YES = types.ElicitResult(action="accept", content={"confirm": True})
NO = types.ElicitResult(action="decline")


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a world with a fixed clock, no key and no network."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(request.url)

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


@dataclass
class Agent:
    """A client and its user.

    Attributes
    ----------
    client : of the SDK
    calls : of the server
    answers : what the user says, one after the other; none left: no
    questions : what the user was asked
    thinks : the user answers once this is set
    """

    client: Client
    calls: Calls
    answers: list[types.ElicitResult] = field(default_factory=list)
    questions: list[str] = field(default_factory=list)
    thinks: anyio.Event = field(default_factory=anyio.Event)

    async def call(self, tool: str, **arguments: Any) -> types.CallToolResult:
        return await self.client.call_tool(tool, arguments)

    async def document(self, tool: str, **arguments: Any) -> Any:
        return (await self.call(tool, **arguments)).structured_content


Script = Callable[[Agent], Awaitable[None]]
Play = Callable[..., Agent]


@pytest.fixture
def play() -> Play:
    """Return what plays a script with the tools in a world; what was begun has ended."""

    def run(
        world: Context,
        script: Script,
        *answers: types.ElicitResult,
        mode: str = "legacy",
        can_ask: bool = True,
        read_only: bool = False,
        thinks: bool = False,
    ) -> Agent:
        quiet = replace(world, notify=lambda _: None)
        calls = Calls(quiet, typed, read_only)
        agents: list[Agent] = []

        async def asked(_context: Any, params: Any) -> types.ElicitResult:
            agents[0].questions.append(params.message)
            if thinks:
                await agents[0].thinks.wait()
            return agents[0].answers.pop(0) if agents[0].answers else NO

        async def main() -> None:
            client = Client(
                calls.server(),
                mode=mode,
                elicitation_callback=asked if can_ask else None,
            )
            async with client:
                agents.append(Agent(client, calls, list(answers)))
                await script(agents[0])

        anyio.run(main)
        calls.leave()
        assert calls.join(30.0)
        return agents[0]

    return run
