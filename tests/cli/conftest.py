"""A command line in a world of its own: no key, a fixed clock, no network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.context import Context
from advisor.base.clock import Clock

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"no test may reach {request.url.host}")


@pytest.fixture
def advisor(tmp_path: Path, run_command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs one command line as the process would."""

    def run(
        *arguments: str,
        variables: dict[str, str] | None = None,
        transport: httpx.BaseTransport | None = None,
        **time: Callable[..., Any],
    ) -> Any:
        context = Context(
            variables={
                "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
                "ADVISOR_DATA_DIR": str(tmp_path / "data"),
                **(variables or {}),
            },
            home=tmp_path,
            folder=tmp_path,
            transport=transport or httpx.MockTransport(refuse),
            clock=Clock(**{"now": lambda: NOW, **time}),
        )
        return run_command(arguments, context)

    return run
