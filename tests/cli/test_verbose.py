"""``-v`` tells what happens, and no key; nothing is told where nobody asks."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from advisor.cli.verbose import Redacting
from tests.cli.test_failures import commands_with_json

Advisor = Callable[..., Any]
KEY = "k-secret-123"
RANK = ("rank", "resnet50", "--market", "vast")


def answering(record: dict[str, Any]) -> httpx.MockTransport:
    """Return a market that repeats the key wherever it can."""

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        return httpx.Response(200, json={"offers": [record], "api_key": KEY})

    return httpx.MockTransport(answer)


def asked(advisor: Advisor, record: dict[str, Any], *words: str) -> Any:
    variables = {"VAST_API_KEY": KEY}
    return advisor(*words, variables=variables, transport=answering(record))


@pytest.mark.parametrize(
    "words", [("-v", *RANK), (*RANK, "-v"), (*RANK, "--verbose"), ("-v", *RANK, "-v")]
)
def test_it_tells_requests_files_and_the_model(
    advisor: Advisor, record: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Before the command or after it; each step once, on stderr alone."""
    quiet = asked(advisor, record, *RANK, "--max-age", "0")
    done = asked(advisor, record, *words, "--max-age", "0")
    assert done.exit_code == 0
    assert done.stdout == quiet.stdout
    lines = done.stderr.splitlines()
    requests = [line for line in lines if "HTTP 200" in line]
    assert len(requests) == 1
    assert "advisor.market: POST console.vast.ai/api/v0/" in requests[0]
    assert any("resnet50.toml read" in line for line in lines)
    assert any(line.startswith("advisor.model: ") for line in lines)
    assert "advisor." not in quiet.stderr


def test_a_stored_answer_is_told(advisor: Advisor, record: dict[str, Any]) -> None:
    """That it was none of the market's."""
    asked(advisor, record, *RANK)
    done = asked(advisor, record, *RANK, "-v")
    assert "stored answer" in done.stderr or "kept answer" in done.stderr
    assert "HTTP" not in done.stderr


def test_twice_tells_more(advisor: Advisor, record: dict[str, Any]) -> None:
    """Also what only a search for a fault needs."""
    line = ("hosts", "block", "7")
    once, twice = (asked(advisor, record, *line, more) for more in ("-v", "-vv"))
    assert "opened" in twice.stderr
    assert "opened" not in once.stderr


@pytest.mark.parametrize(
    "words",
    [
        (*RANK, "-vv"),
        (*RANK, "-vv", "--json"),
        ("explain", "101", "--workload", "resnet50", "--market", "vast", "-vv"),
        ("fetch", "--keep", "--market", "vast", "-vv"),
        ("market", "check", "--market", "vast", "-vv"),
        ("rent", "resnet50", "--dry-run", "-vv"),
        ("rentals", "-vv"),
        ("rank", KEY, "-vv"),
    ],
    ids=" ".join,
)
def test_no_key_is_told(
    advisor: Advisor, record: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Whatever the command does, and however it ends."""
    done = asked(advisor, record, *words)
    logged = [line for line in done.stderr.splitlines() if line.startswith("advisor.")]
    assert KEY not in "\n".join(logged)
    if KEY not in words:
        assert KEY not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "text",
    ["key a/b+c", "key a%2Fb%2Bc", "Authorization: Bearer zzz9", "?api_key=zzz9&x=1"],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    """As it is, as an address has it, and that of somebody else."""
    record = logging.LogRecord("advisor", 20, "", 0, "got %s", (text,), None)
    assert Redacting(["a/b+c"]).filter(record)
    told = record.getMessage()
    assert "[hidden]" in told
    assert not {"a/b+c", "a%2Fb%2Bc", "zzz9"} & set(told.replace("=", " ").split())
    assert "zzz9" not in told


@pytest.mark.parametrize("words", list(commands_with_json()), ids=" ".join)
def test_every_command_has_it(advisor: Advisor, words: tuple[str, ...]) -> None:
    """And says so."""
    assert "-v, --verbose" in advisor(*words, "-h").stdout


def test_the_command_before_is_not_told_of(
    advisor: Advisor, record: dict[str, Any]
) -> None:
    """What one command asks for ends with it."""
    asked(advisor, record, *RANK, "-vv")
    assert not logging.getLogger("advisor").handlers
    assert "advisor." not in asked(advisor, record, *RANK).stderr


def test_who_asks_for_nothing_does_not_import_logging() -> None:
    """Nor waits for it."""
    script = (
        "import sys\n"
        "from advisor.cli.main import run\n"
        "status = run(['rank', 'resnet50', '--market', 'sample'])\n"
        "sys.exit('logging' in sys.modules or status)\n"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    assert run.returncode == 0
