"""A command line in a world of its own: no key, a fixed clock, no network."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
import httpx
import pytest

from advisor.cli.environment import Environment
from advisor.cli.main import app
from advisor.errors import AdvisorError

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Outcome:
    """What a run printed and how it ended."""

    stdout: str
    stderr: str
    exit_code: int

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)


def refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"no test may reach {request.url.host}")


@pytest.fixture
def advisor(tmp_path: Path) -> Callable[..., Outcome]:
    """Return a function that runs one command line as the process would."""

    def run(
        *arguments: str,
        variables: dict[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        **time: Callable[..., Any],
    ) -> Outcome:
        environment = Environment(
            variables={
                "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
                "ADVISOR_DATA_DIR": str(tmp_path / "data"),
                **(variables or {}),
            },
            home=tmp_path,
            now=lambda: NOW,
            folder=tmp_path,
            transport=transport or httpx.MockTransport(refuse),
            **time,
        )
        runner = click.testing.CliRunner()
        result = runner.invoke(app, arguments, obj=environment)
        stderr, exit_code = result.stderr, result.exit_code
        if isinstance(result.exception, AdvisorError):
            stderr += str(result.exception)
            exit_code = int(result.exception.exit_status)
        elif result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.stdout, stderr, exit_code)

    return run
