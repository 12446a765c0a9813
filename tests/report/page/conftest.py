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
from advisor.rental.jobs import save_job
from advisor.store.ledger import Entry, Ledger
from tests.app.test_jobs import JOB
from tests.browser import chromium, open_page  # noqa: F401  (fixtures)
from tests.conftest import RECORD

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


@pytest.fixture(scope="session")
def own(tmp_path_factory: pytest.TempPathFactory, make_report: MakeReport) -> Report:
    """Return a page beside which the user has stored prices, runs and a rental."""
    folder = tmp_path_factory.mktemp("own")
    market = folder / "market.json"
    for day in range(14, 21):
        offers = [
            {
                **RECORD,
                "id": 100 + number,
                "machine_id": 7 + number,
                "gpu_ids": [11 + number],
                "dph_base": 0.30 + 0.02 * number + 0.01 * (day % 3),
            }
            for number in range(5)
        ]
        document = {
            "schema_version": 1,
            "market": "vast",
            "origin": "test",
            "fetched_at": f"2026-11-{day}T10:00:00Z",
            "complete": True,
            "simulated": False,
            "notes": [],
            "offers": offers,
        }
        market.write_text(json.dumps(document), encoding="utf-8")
        kept = run_in(folder, "fetch", "--keep", "--market", str(market))
        assert kept.exit_code == 0
    for gpu, rate in (("RTX 3090", 900), ("RTX 4090", 1700), ("A100 SXM4 40GB", 2600)):
        words = ("record", "resnet50", "--gpu", gpu, "--throughput", str(rate))
        assert run_in(folder, *words).exit_code == 0
    rented_at = NOW.timestamp() - 30 * 3600
    ledger = Ledger(folder / "data")
    save_job(folder / "data", JOB)
    for number, job in enumerate(("<b>job</b>", JOB.name)):
        label = f"advisor:job:{number:08}-0000000000000000"
        entry = Entry(
            label=label,
            market="market.test/1",
            job=job,
            state="intended",
            offer_id=5,
            machine_id=7 + number,
            gpu_ids=(1 + number,),
            gpu_name="RTX 4090",
            num_gpus=1,
            usd_per_hour=0.5,
            traffic_usd=0.1,
            intended_at=rented_at,
            ends_at=rented_at + 24 * 3600,
        )
        ledger.intend(entry, lambda _: None)
        for hours, state in ((0.1, "held"), (0.2, "handed"), (11.9, "releasing")):
            at = rented_at + 3600 * hours
            ledger.advance(label, state, at, instance_id=9 + number)
        ledger.advance(label, "released", rented_at + 12 * 3600)
    return make_report("resnet50", "--market", str(market), folder=folder)
