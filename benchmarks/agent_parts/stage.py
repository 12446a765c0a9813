"""A simulated market over a socket, the server of tools over its pipes, and a client."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import mcp_types as types
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from advisor.simulator.clock import SimClock
from advisor.simulator.faults import Fault
from advisor.simulator.server import serve
from advisor.simulator.world import World

KEY = "agent-benchmark-key-0123456789"
WRONG_KEY = "another-key-0123456789"
SPEED = 200.0
"""Simulated seconds in a real one: a machine boots in less than a second."""

SHORT = {"workload": "resnet50", "epochs": 2, "settings": {"dataset_gb": 1}}
"""A job of minutes."""

CAPS = {"budget_usd": 5.0, "max_lifetime_s": 7200.0}
RENT = {**SHORT, **CAPS}

YES = types.ElicitResult(action="accept", content={"confirm": True})
UNTICKED = types.ElicitResult(action="accept", content={"confirm": False})
NO = types.ElicitResult(action="decline")
CANCEL = types.ElicitResult(action="cancel")

Check = Callable[[str, bool], None]
"""Notes whether something holds."""

_ROOT = Path(__file__).parents[2]
_GONE_WITHIN_S = 30.0


@dataclass
class Talk:
    """A client's session with the server.

    Attributes
    ----------
    client : of the SDK
    questions : what the user was asked
    answers : what the user says, one after the other; none left: yes
    """

    client: Client
    questions: list[str] = field(default_factory=list)
    answers: list[types.ElicitResult] = field(default_factory=list)

    async def call(self, tool: str, **arguments: Any) -> types.CallToolResult:
        """Call a tool."""
        return await self.client.call_tool(tool, arguments)

    async def document(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what a tool answers."""
        result = await self.call(tool, **arguments)
        found: dict[str, Any] = result.structured_content
        return found


@dataclass
class Stage:
    """One market, one user, and the server that an agent's client starts.

    Attributes
    ----------
    world : of the market
    url : of the market
    folder : the user's home
    """

    world: World
    url: str
    folder: Path

    def variables(self, key: str = KEY) -> dict[str, str]:
        """Return the environment of the user's programs."""
        return {
            **os.environ,
            "VAST_URL": self.url,
            "VAST_API_KEY": key,
            "HOME": str(self.folder),
            "ADVISOR_DATA_DIR": str(self.folder / "data"),
            "ADVISOR_CACHE_DIR": str(self.folder / "cache"),
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)]),
        }

    def advisor(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command line."""
        return subprocess.run(
            [sys.executable, "-m", "advisor", *words],
            env=self.variables(),
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def printed(self, *words: str) -> dict[str, Any]:
        """Return the document that a command line prints."""
        done = self.advisor(*words, "--json")
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def typed(self, line: str) -> int:
        """Run dry what somebody was told to type; return its exit code."""
        words = shlex.split(line)
        return self.advisor(*words[1:], "--dry-run").returncode

    @asynccontextmanager
    async def talk(
        self,
        *answers: types.ElicitResult,
        mode: str = "legacy",
        can_ask: bool = True,
        key: str = KEY,
        options: Sequence[str] = (),
    ) -> AsyncIterator[Talk]:
        """Start a server and talk to it.

        Parameters
        ----------
        answers : of the user
        mode : of the protocol: ``"legacy"``, or ``"auto"`` for its newest version
        can_ask : the client can ask its user
        key : of the account
        options : of `advisor mcp`
        """
        said: list[Talk] = []

        async def asked(_context: Any, params: Any) -> types.ElicitResult:
            said[0].questions.append(params.message)
            return said[0].answers.pop(0) if said[0].answers else YES

        started = StdioServerParameters(
            command=sys.executable,
            args=["-m", "advisor", "mcp", *options],
            env=self.variables(key),
            cwd=self.folder,
        )
        with (self.folder / "stderr.txt").open("a") as log:
            client = Client(
                stdio_client(started, log),
                mode=mode,
                elicitation_callback=asked if can_ask else None,
            )
            async with client:
                said.append(Talk(client, answers=list(answers)))
                yield said[0]

    def instances(self) -> list[Mapping[str, Any]]:
        """Return the contracts that bill."""
        return [one for one in self.world.ledger()["instances"] if not one["destroyed"]]

    def is_bare(self) -> bool:
        """Wait until nothing is rented; return whether that comes."""
        return self.comes(lambda: not self.instances())

    def comes(
        self, happens: Callable[[], bool], within_s: float = _GONE_WITHIN_S
    ) -> bool:
        """Wait for something; return whether it comes."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            if happens():
                return True
            time.sleep(0.05)
        return False

    def attacked_by(self, text: str) -> None:
        """Let every host write something into the texts of its offers."""
        with self.world.looked_at():
            for box in self.world.fleet.boxes.values():
                machine = box.machine
                cpu = replace(machine.brain.cpu, cpu_name=text)
                box.machine = replace(
                    machine,
                    host=replace(machine.host, geolocation=text),
                    brain=replace(machine.brain, cpu=cpu),
                    cpu_named=True,
                    cpu_known=True,
                )
                self.world.fleet.relist(box)


@contextmanager
def stage(faults: Sequence[Fault] = ()) -> Iterator[Stage]:
    """Open a market with a user who has rented nothing yet."""
    world = World(150, 7, SimClock(SPEED), calm=True, faults=faults, key=KEY)
    with tempfile.TemporaryDirectory() as folder, serve(world) as server:
        yield Stage(world, server.url, Path(folder))


class Wire:
    """A client without an SDK, for what an SDK does not do.

    Parameters
    ----------
    stage : with the server
    """

    def __init__(self, stage: Stage) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "advisor", "mcp"],
            env=stage.variables(),
            cwd=stage.folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {"elicitation": {}},
            "clientInfo": {"name": "wire", "version": "1"},
        }
        self.send(id=0, method="initialize", params=hello)
        self.read()
        self.send(method="notifications/initialized")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the server, if it has not ended, and close its pipes."""
        self.process.kill()
        with self.process:
            pass

    def send(self, **message: Any) -> None:
        """Send a message."""
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def read(self) -> dict[str, Any]:
        """Wait for the next message."""
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def call(self, tool: str, **arguments: Any) -> None:
        """Call a tool, and say yes to its question; its answer is not waited for."""
        params = {"name": tool, "arguments": arguments}
        self.send(id=1, method="tools/call", params=params)
        while (asked := self.read()).get("method") != "elicitation/create":
            pass
        answer = {"action": "accept", "content": {"confirm": True}}
        self.send(id=asked["id"], result=answer)
