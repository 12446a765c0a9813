"""`advisor record --from-log` on logs as the tools print them, good and bad.

``logs_corpus/expected.json`` says of each log which rate it must give, or why it must
be refused. A log with both leaves it open whether it is evidence enough (it ends in
the middle and nothing says why; it counts tokens, not samples): it may give that rate
or be refused, and any other rate is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.context import Context
from advisor.base.clock import Clock
from advisor.workloads.load import load_workload

CORPUS = Path(__file__).parent / "logs_corpus"
CASES: list[dict[str, Any]] = json.loads(
    (CORPUS / "expected.json").read_text(encoding="utf-8")
)
REASONS = {"no_training", "no_batch", "failed", "unfinished", "disagree", "impossible"}

Advisor = Callable[..., Any]


def refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"no test may reach {request.url.host}")


@pytest.fixture
def advisor(tmp_path: Path, run_command: Callable[..., Any]) -> Advisor:
    """Return a function that runs one command line with a store of its own."""
    context = Context(
        variables={
            "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
            "ADVISOR_DATA_DIR": str(tmp_path / "data"),
        },
        home=tmp_path,
        folder=tmp_path,
        transport=httpx.MockTransport(refuse),
        clock=Clock(now=lambda: datetime(2026, 11, 21, 12, tzinfo=UTC)),
    )
    return lambda *words: run_command(words, context)


def command(case: Mapping[str, Any]) -> Sequence[str]:
    """Return the words that a user types who has this log."""
    words = ["record", "--workload", case["workload"], "--gpu", case["gpu"]]
    words += ["--num-gpus", str(case["num_gpus"])]
    if case["batch"] is not None:
        words += ["--batch", str(case["batch"])]
    return [*words, "--from-log", str(CORPUS / case["log"])]


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["log"].removesuffix(".log"))
def test_a_log_is_believed_or_refused(case: dict[str, Any], advisor: Advisor) -> None:
    """The rate of all GPUs is recorded as counted, or nothing is and it says why."""
    outcome = advisor(*command(case))
    rows = advisor("records", "list", "--json").document["records"]
    if case["refused"] and outcome.exit_code:
        assert (outcome.exit_code, rows) == (2, []), case["why"]
        assert outcome.stderr.strip(), "a refusal says why"
        return
    wanted = case["samples_per_s"]
    assert wanted is not None, f"{rows} of a log that shows none: {case['why']}"
    assert outcome.exit_code == 0, f"{outcome.stderr} {case['why']}"
    rates = [row["samples_per_s"] for row in rows]
    assert rates == [pytest.approx(wanted, rel=case["tolerance"])], case["why"]


def test_every_log_has_its_case() -> None:
    """No log lies in the corpus without a wanted answer, and no case without a log."""
    assert sorted(case["log"] for case in CASES) == sorted(
        path.name for path in CORPUS.glob("*.log")
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["log"].removesuffix(".log"))
def test_a_case_is_whole(case: dict[str, Any]) -> None:
    """A case names a built-in, a rate or a refusal, and the arithmetic behind it."""
    assert load_workload(case["workload"]).name == case["workload"]
    assert case["samples_per_s"] or case["refused"]
    assert case["refused"] is None or case["refused"] in REASONS
    assert 0 < case["tolerance"] <= 0.05
    assert case["why"]
