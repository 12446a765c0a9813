"""The process: exit codes, one-line errors, closed pipes, and what it imports."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import advisor.serve.workers  # noqa: F401  (an error of its own)
from advisor import __version__
from advisor.base.errors import AdvisorError, ExitStatus
from advisor.cli.main import app

Advisor = Callable[..., Any]
RANK = ("rank", "--workload", "resnet50", "--market", "sample")


def commands_of(group: click.Group, *words: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command below a group, its own first."""
    yield words
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_of(command, *words, name)
        else:
            yield (*words, name)


COMMANDS = tuple(commands_of(app))
WORKS_ALONE = {("bench",), ("history",)}
"""Groups that do their main job without a command."""

GROUPS = [
    (),
    *sorted({words[:-1] for words in COMMANDS if len(words) > 1} - WORKS_ALONE),
]


def process(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "advisor", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_the_version() -> None:
    """`--version` prints the package's version."""
    assert process("--version").stdout == f"advisor, version {__version__}\n"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help_is_everywhere(advisor: Advisor, words: tuple[str, ...]) -> None:
    """`-h` and `--help` print the same help and exit with 0."""
    short, long = advisor(*words, "-h"), advisor(*words, "--help")
    assert short.exit_code == 0
    assert short.stdout == long.stdout
    assert short.stdout.startswith("Usage: ")


@pytest.mark.parametrize("words", GROUPS, ids=" ".join)
def test_no_words_print_the_help(advisor: Advisor, words: tuple[str, ...]) -> None:
    """`advisor` alone, and a group alone, say what they can do."""
    alone = advisor(*words)
    assert alone.exit_code == 0
    inside = [one[-1] for one in COMMANDS if one and one[:-1] == words]
    assert inside
    assert all(f"\n  {command} " in alone.stdout for command in inside)


def test_the_process_calls_itself_advisor() -> None:
    """However it is started, usage and help name the command that is installed."""
    alone = process()
    assert alone.returncode == 0
    assert alone.stdout.startswith("Usage: advisor [OPTIONS]")


@pytest.mark.parametrize(
    "arguments",
    [("rnak",), ("rank",), ("rank", "--workload", "no-such"), (*RANK, "--gpu", "x")],
)
def test_a_usage_error_is_one_line(arguments: tuple[str, ...]) -> None:
    """What the user typed wrong is said in one line on stderr, with exit code 2."""
    run = process(*arguments)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.startswith("advisor: ")
    assert run.stderr.count("\n") == 1


def test_a_closed_pipe_is_quiet() -> None:
    """`advisor rank --json | head -1` prints one line and no complaint."""
    python = shlex.quote(sys.executable)
    pipe = f"{python} -m advisor {' '.join(RANK)} --json 2>/dev/null | head -1"
    run = subprocess.run(
        ["bash", "-o", "pipefail", "-c", pipe],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "{\n", "")


@pytest.mark.parametrize("words", [(*RANK, "--json"), ("-h",), ("rank", "-h")])
def test_a_reader_that_is_gone_is_none_of_ours(words: tuple[str, ...]) -> None:
    """`advisor ... | true` is done, however much it would have printed."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as gone:  # noqa: PTH123  (a descriptor)
        run = subprocess.run(
            [sys.executable, "-m", "advisor", *words],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == 0
    assert "advisor:" not in run.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize(("words", "code"), [(RANK, 0), (("rank", "--no-such"), 2)])
def test_what_nobody_is_told_changes_no_exit_code(
    words: tuple[str, ...], code: int
) -> None:
    """Remarks and errors that cannot be written are lost, and nothing else is."""
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "advisor", *words],
            stdout=subprocess.PIPE,
            stderr=full,
            check=False,
        )
    assert run.returncode == code
    assert bool(run.stdout) == (code == 0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_an_error() -> None:
    """A result that cannot be written is exit code 1 and one line."""
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "advisor", *RANK, "--json"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert run.returncode == 1
    assert "No space left" in run.stderr
    assert "Traceback" not in run.stderr


def test_ctrl_c_is_130(tmp_path: Path) -> None:
    """An interrupt while the market is read ends with 130 and one line."""
    fifo = tmp_path / "market.json"
    os.mkfifo(fifo)
    # A job in the background of a shell inherits an ignored SIGINT, and so would
    # the process here: it starts as one in the foreground does.
    script = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from advisor.__main__ import main\n"
        "main()\n"
    )
    command = [sys.executable, "-c", script, *RANK[:3], "--market", str(fifo)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        try:
            writer = opened_by_its_reader(fifo, run)
            run.send_signal(signal.SIGINT)
            _, stderr = run.communicate(timeout=20)
            os.close(writer)
        finally:
            run.kill()
    assert run.returncode == 130
    assert stderr.split() == ["advisor:", "interrupted"]


def opened_by_its_reader(fifo: Path, run: subprocess.Popen[str]) -> int:
    """Return the pipe's end for writing, once the process reads: past its imports."""
    while run.poll() is None:
        try:
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            time.sleep(0.05)
    raise AssertionError(run.communicate()[1])


def test_ranking_imports_no_heavy_package() -> None:
    """Neither pandas nor scikit-learn nor SciPy is imported to rank the sample."""
    script = (
        "import sys\n"
        "from advisor.cli.main import run\n"
        f"status = run({list(RANK)!r})\n"
        "heavy = {'pandas', 'sklearn', 'scipy', 'httpx'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else status)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_every_error_has_a_named_exit_code() -> None:
    """The codes of the error tree are the documented ones."""

    def tree(root: type[AdvisorError]) -> dict[str, int]:
        codes = {root.__name__: int(root.exit_status)}
        for child in root.__subclasses__():
            if child.__module__.startswith("advisor.fleet."):  # told as its parent
                continue
            codes |= tree(child)
        return codes

    assert tree(AdvisorError) == {
        "AdvisorError": 1,
        "UsageError": 2,
        "ArgumentError": 2,
        "NothingFitsError": 3,
        "MarketError": 1,
        "KeyRefusedError": 4,
        "RateLimitedError": 5,
        "QuotaError": 5,
        "BadAnswerError": 1,
        "BusyError": 1,
        "OfferGoneError": 3,
        "PlacementError": 1,
        "CreditError": 6,
        "NotSentError": 1,
        "TooMuchError": 1,
        "StoreError": 1,
        "StoreFullError": 1,
        "StoreTornError": 2,
        "MachineLeftError": 1,
        "LeaseLostError": 1,
        "NotShownError": 1,
        "ReleasedError": 1,
        "CommandFailedError": 8,
        "RegistryError": 1,
        "RemoteError": 1,
        "UnreachableError": 1,
        "ResultsLeftError": 1,
        "OverBudgetError": 6,
        "RentalStateUnknownError": 7,
    }
    assert ExitStatus.INTERRUPTED == 130


def test_shell_completion_knows_the_commands() -> None:
    """The completion script that the README names offers the commands."""
    run = subprocess.run(
        [sys.executable, "-m", "advisor"],
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "_ADVISOR_COMPLETE": "bash_complete",
            "COMP_WORDS": "advisor ra",
            "COMP_CWORD": "1",
        },
    )
    assert run.stdout.split() == ["plain,rank"]
