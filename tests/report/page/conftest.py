"""The page of the bundled sample, made once, and what `rank --json` says of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
import pytest

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.cli.main import app
from tests.browser import chromium, open_page  # noqa: F401  (fixtures)

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Report:
    """A page, and what the same words give `rank` to print."""

    path: Path
    document: dict[str, Any]

    @property
    def url(self) -> str:
        return self.path.as_uri()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def offers(self) -> list[dict[str, Any]]:
        offers: list[dict[str, Any]] = self.document["offers"]
        return offers


MakeReport = Callable[..., Report]


def run_in(folder: Path, *words: str) -> click.testing.Result:
    """Run a command line in a world of its own."""
    context = Context(
        variables={
            "ADVISOR_CACHE_DIR": str(folder / "cache"),
            "ADVISOR_DATA_DIR": str(folder / "data"),
        },
        home=folder,
        folder=folder,
        clock=Clock(now=lambda: NOW),
    )
    return click.testing.CliRunner().invoke(
        app, words, obj=context, catch_exceptions=False
    )


@pytest.fixture(scope="session")
def make_report(tmp_path_factory: pytest.TempPathFactory) -> MakeReport:
    """Return what makes the page of a ranking, once for the same words."""
    pytest.importorskip("vl_convert", reason="the extra 'page' is not installed")
    pytest.importorskip("jinja2", reason="the extra 'page' is not installed")
    made: dict[tuple[str, ...], Report] = {}

    def make(*words: str, folder: Path | None = None) -> Report:
        if words not in made:
            here = folder or tmp_path_factory.mktemp("report")
            path = here / "report.html"
            assert run_in(here, "report", *words, "-o", str(path)).exit_code == 0
            ranked = run_in(here, "rank", *words, "--json")
            made[words] = Report(path, json.loads(ranked.stdout))
        return made[words]

    return make


@pytest.fixture(scope="session")
def sample(make_report: MakeReport) -> Report:
    """Return the page of ResNet-50 on the bundled sample."""
    return make_report("resnet50", "--market", "sample")
