"""With ``--json`` every command that fails says why on stdout, in one form."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import httpx
import pytest

import advisor.serve.workers  # noqa: F401  (an error of its own)
from advisor.app.context import Context
from advisor.base import errors
from advisor.base.errors import AdvisorError
from advisor.cli import main
from advisor.cli.failure import asked_of, explain
from advisor.cli.main import app
from advisor.report.failure import INTERNAL, INTERRUPTED, SYSTEM

Advisor = Callable[..., Any]
RANK = ("rank", "--workload", "resnet50", "--market", "sample")
KEY = {"VAST_API_KEY": "k-secret-123"}

CODES = {
    "AdvisorError": "failed",
    "UsageError": "usage",
    "StoreTornError": "store_torn",
    "ArgumentError": "usage",
    "NothingFitsError": "nothing_fits",
    "MarketError": "market",
    "KeyRefusedError": "key_refused",
    "RateLimitedError": "rate_limited",
    "QuotaError": "quota",
    "NotSentError": "not_sent",
    "BadAnswerError": "bad_answer",
    "OfferGoneError": "offer_gone",
    "PlacementError": "placement",
    "CreditError": "no_credit",
    "RegistryError": "registry",
    "RemoteError": "remote",
    "UnreachableError": "unreachable",
    "ResultsLeftError": "results_left",
    "TooMuchError": "too_much_data",
    "StoreError": "store",
    "StoreFullError": "store_full",
    "MachineLeftError": "machine_left",
    "LeaseLostError": "lease_lost",
    "NotShownError": "not_shown",
    "ReleasedError": "released",
    "OverBudgetError": "over_budget",
    "CommandFailedError": "command_failed",
    "RentalStateUnknownError": "rental_state_unknown",
    "BusyError": "busy",
}


def tree(root: type[AdvisorError]) -> Iterator[type[AdvisorError]]:
    """Yield the kinds that programs know; one of fleets alone is told as its parent."""
    if not root.__module__.startswith("advisor.fleet."):
        yield root
    for child in root.__subclasses__():
        yield from tree(child)


FailureOf = Callable[[Any], dict[str, Any]]


@pytest.fixture
def failure_of(conforms: Callable[[str, Any], None]) -> FailureOf:
    """Return what reads the part ``error`` of the one document on stdout.

    The document is as the published schema has it, and its words are for people.
    """

    def read(outcome: Any) -> dict[str, Any]:
        document = json.loads(outcome.stdout)
        if document.keys() == {"schema_version", "error"}:  # else of the command's own
            conforms("error", document)
        error: dict[str, Any] = document["error"]
        assert list(error) == ["code", "message", "hint"]
        assert error["message"]
        assert "\n" not in error["message"]
        assert error["hint"] is None or error["hint"].endswith(".")
        return error

    return read


def test_the_codes_of_all_errors_are_pinned() -> None:
    """Programs tell failures apart by them: a code is never changed or used anew."""
    assert {one.__name__: one.code for one in tree(AdvisorError)} == CODES
    others = {INTERRUPTED.code, INTERNAL, SYSTEM}
    assert others == {"interrupted", "internal", "system"}
    assert not others & set(CODES.values())


def test_no_two_kinds_of_error_share_a_code() -> None:
    """But for a wrong argument, which the command line calls a wrong option."""
    own = {*tree(AdvisorError)} - {errors.ArgumentError}
    assert all("code" in vars(one) for one in own)
    assert len({one.code for one in own}) == len(own)


def test_an_error_of_another_package_is_told_whatever_it_is_made_of() -> None:
    """A market of somebody else's may hand on what it caught: no traceback hides that."""
    asked = asked_of(app, ["rank", "--json"])
    explained = explain(errors.MarketError(OSError("no route")), asked)  # type: ignore[arg-type]
    assert explained.line == explained.failure.message == "no route"
    assert explained.status == 1


@pytest.mark.parametrize(
    ("words", "said", "command"),
    [
        ((*RANK, "--jsn", "--json"), "No such option", "rank"),
        (("rank", "--json"), "Missing the workload", "rank"),
        ((*RANK, "--json", "--epochs", "none"), "Invalid value", "rank"),
        ((*RANK, "--max-price", "-1", "--json"), "Invalid value", "rank"),
        ((*RANK, "--json", "--gpu"), "requires an argument", "rank"),
        ((*RANK, "--format=json", "--deadline", "5"), "no time with a unit", "rank"),
        ((*RANK, "--format", "json", "--gpu", "x"), "", "rank"),
        (("rank", "no-such", "--json"), "no-such", "rank"),
        (("explain", "--json", "resnet50"), "Invalid value", "explain"),
        (("compare", "1", "--workload", "resnet50", "--json"), "two offers", "compare"),
        (("bid", "--workload", "x", "--reserved", "--json"), "--reserved", "bid"),
        (("predict", "resnet50", "--gpu", "nonsense", "--json"), "nonsense", "predict"),
        (("speedup", "--gflop", "1", "--gpu", "T4", "--json"), "CPU", "speedup"),
        (("fetch", "--json"), "say where to save", "fetch"),
        (("market", "check", "--market", "no-such", "--json"), "no-such", "market check"),
        (("rent", "resnet50", "--json", "--budget", "x"), "Invalid value", "rent"),
        (("rent", "resnet50", "--json"), "no terminal to ask", "rent"),
        (("run", "--json", "--dry-run"), "say what to run", "run"),
        (("run", "--resume", "none", "--json", "--yes"), "no job", "run"),
        (("rentals", "--json", "--market", "sample"), "only lists", "rentals"),
        (("reconcile", "--json", "--market", "sample"), "only lists", "reconcile"),
        (("records", "show", "7", "--json"), "7", "records show"),
        (("records", "show", "--json"), "Missing argument", "records show"),
        (("workloads", "show", "no-such", "--json"), "no-such", "workloads show"),
        (("image", "A B", "--json"), "no Docker image", "image"),
        (("sample", "--json"), "Missing option", "sample"),
        (("model", "train", "x", "--json"), "unexpected extra", "model train"),
        (("gpus", "--json", "--csv"), "No such option", "gpus"),
        (("cpus", "x", "--json"), "unexpected extra argument", "cpus"),
        (("hosts", "list", "--json", "--format", "csv"), "contradict", "hosts list"),
        (("history", "--by", "age", "--json"), "Invalid value", "history"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_wrong_command_line(
    advisor: Advisor,
    words: tuple[str, ...],
    said: str,
    command: str,
    failure_of: FailureOf,
) -> None:
    """Where `--json` stands is of no account, nor whether the line can be read at all."""
    outcome = advisor(*words)
    assert outcome.exit_code == 2
    error = failure_of(outcome)
    assert error["code"] == "usage"
    assert said in error["message"]
    assert error["hint"] == f"See 'advisor {command} -h'."
    assert outcome.stderr


def commands_with_json() -> Iterator[tuple[str, ...]]:
    def inside(group: click.Group, *words: str) -> Iterator[tuple[str, ...]]:
        for name in group.list_commands(click.Context(group)):
            command = group.get_command(click.Context(group), name)
            assert command is not None
            if isinstance(command, click.Group):
                yield from inside(command, *words, name)
            elif any("--json" in one.opts for one in command.params):
                yield (*words, name)

    return inside(app)


@pytest.mark.parametrize("words", list(commands_with_json()), ids=" ".join)
def test_every_command_with_json_tells_a_wrong_option(
    advisor: Advisor, words: tuple[str, ...], failure_of: FailureOf
) -> None:
    """None is forgotten."""
    error = failure_of(advisor(*words, "--no-such-option", "--json"))
    assert error["code"] == "usage"
    assert "--no-such-option" in error["message"]
    assert error["hint"] == f"See 'advisor {' '.join(words)} -h'."


@pytest.mark.parametrize(
    "words",
    [
        (*RANK, "--gpu", "x"),
        ("run", "--workload", "resnet50", "true", "--json"),
        ("run", "--workload", "resnet50", "--", "train", "--json"),
        (*RANK, "--no-such", "--", "--json"),
        ("no-such", "--json"),
    ],
    ids=" ".join,
)
def test_stdout_is_empty_where_no_json_is_asked(
    advisor: Advisor, words: tuple[str, ...]
) -> None:
    """The words of the user's own command are not ours; nor is a command that is none."""
    outcome = advisor(*words)
    assert (outcome.exit_code, outcome.stdout) == (2, "")


@pytest.mark.parametrize(
    ("status", "body", "code", "exit_code"),
    [
        (401, {"error": "auth"}, "key_refused", 4),
        (429, {"error": "search_quota_exceeded"}, "quota", 5),
        (500, {"error": "down"}, "market", 1),
        (200, {"offers": "none"}, "bad_answer", 1),
        (200, {"offers": []}, "nothing_fits", 3),
    ],
)
def test_what_a_market_refuses(
    advisor: Advisor,
    status: int,
    body: Any,
    code: str,
    exit_code: int,
    failure_of: FailureOf,
) -> None:
    """By its code, whatever its words are."""
    time = {"monotonic": lambda: 0.0, "sleep": lambda _: None}
    outcome = advisor(
        *("rank", "resnet50", "--market", "vast", "--json"),
        variables=KEY,
        transport=httpx.MockTransport(lambda _: httpx.Response(status, json=body)),
        **time,
    )
    assert outcome.exit_code == exit_code
    assert failure_of(outcome)["code"] == code


def test_a_document_of_its_own_has_the_error_added(
    advisor: Advisor, failure_of: FailureOf
) -> None:
    """`rank` without an offer still counts what was left out; there is one document."""
    outcome = advisor(*RANK, "--max-price", "0.0001", "--json")
    document = outcome.document
    assert document["offers"] == []
    assert document["excluded"]
    error = failure_of(outcome)
    assert (error["code"], outcome.exit_code) == ("nothing_fits", 3)
    assert error["message"] in outcome.stderr


def test_a_check_that_finds_something_says_what(
    advisor: Advisor, failure_of: FailureOf
) -> None:
    """`market check` prints all that it found, and why its exit code is not 0."""
    outcome = advisor(
        *("market", "check", "--market", "vast", "--json"),
        variables=KEY,
        transport=httpx.MockTransport(lambda _: httpx.Response(401, json={})),
    )
    assert outcome.document["problems"]
    assert failure_of(outcome)["code"] == "key_refused"
    assert outcome.exit_code == 4


def test_a_success_has_no_error(advisor: Advisor) -> None:
    """So that a program may ask for the key alone."""
    assert "error" not in advisor(*RANK, "--json").document
    assert (
        "error" not in advisor("market", "check", "--market", "sample", "--json").document
    )


@pytest.mark.parametrize(
    ("raised", "code", "exit_code"),
    [
        (KeyboardInterrupt(), "interrupted", 130),
        (OSError(28, "No space left on device"), "system", 1),
    ],
)
def test_what_is_no_error_of_ours(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    raised: BaseException,
    code: str,
    exit_code: int,
) -> None:
    """Ctrl-C and the system's errors have codes as well; the world raises them here."""

    def end(_: httpx.Request) -> httpx.Response:
        raise raised

    context = world(tmp_path, httpx.MockTransport(end))
    status = main.run(["rank", "resnet50", "--market", "vast", "--json"], context)
    printed = capsys.readouterr()
    assert status == exit_code
    assert json.loads(printed.out)["error"]["code"] == code
    assert printed.err


def test_a_fault_of_the_program_is_told_too(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The traceback stays, for whoever mends it."""

    def end(_: httpx.Request) -> httpx.Response:
        message = "no such attribute"
        raise AttributeError(message)

    context = world(tmp_path, httpx.MockTransport(end))
    with pytest.raises(AttributeError):
        main.run(["rank", "resnet50", "--market", "vast", "--json"], context)
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "internal"
    assert error["message"] == "AttributeError: no such attribute"


def world(folder: Path, transport: httpx.BaseTransport) -> Context:
    variables = {
        "ADVISOR_CACHE_DIR": str(folder / "cache"),
        "ADVISOR_DATA_DIR": str(folder / "data"),
        **KEY,
    }
    return Context(variables, folder, folder, transport)


def test_the_process_prints_it_too(failure_of: FailureOf) -> None:
    """The people's line stays on stderr."""
    command = [sys.executable, "-m", "advisor", "rank", "--json", "--no-such"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert failure_of(run)["code"] == "usage"
    assert run.stderr.startswith("advisor: No such option")
    assert run.stderr.endswith("? See 'advisor rank -h'.\n")


def test_a_hint_is_a_sentence_of_its_own() -> None:
    """Also after a message of click's that ends without a stop."""
    line = explain(click.UsageError("unexpected argument (x)"), asked_of(app, [])).line
    assert line == "unexpected argument (x). See 'advisor -h'."


def test_an_error_of_several_lines_is_one_line() -> None:
    """Whatever a message quotes."""
    assert explain(AdvisorError("a\n  b"), asked_of(app, [])).failure.message == "a b"
