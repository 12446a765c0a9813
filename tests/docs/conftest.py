"""A command line in a world of its own, and the folder of the pages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.context import Context
from advisor.base.clock import Clock

DOCS = Path(__file__).parents[2] / "docs"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


def refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"no test may reach {request.url.host}")


@pytest.fixture(scope="session")
def docs() -> Path:
    """Return the folder of the pages."""
    return DOCS


@pytest.fixture
def advisor(tmp_path: Path, run_command: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that runs one command line as the process would."""

    def run(*words: str, **variables: str) -> Any:
        context = Context(
            variables={
                "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
                "ADVISOR_DATA_DIR": str(tmp_path / "data"),
                **variables,
            },
            home=tmp_path,
            folder=tmp_path,
            transport=httpx.MockTransport(refuse),
            clock=Clock(now=lambda: NOW),
        )
        return run_command(words, context)

    return run
