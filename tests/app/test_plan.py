"""What is refused before a market is asked; where an instance's host keys are kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from advisor.app.context import Context
from advisor.app.job import JobSpec
from advisor.app.jobs import load_job
from advisor.app.plan import known_hosts_of, ssh_to
from advisor.app.rent import RentSpec
from advisor.app.run import RunSpec
from advisor.base.clock import Clock
from advisor.base.errors import AdvisorError
from advisor.market.vast.instances import read_instance
from advisor.rental.jobs import JobRecord, save_job
from advisor.rental.labels import new_label


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Return a world without a market, in which nothing is told twice."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise AssertionError(f"nothing was to be asked of {request.url.host}")

    return Context(
        variables={
            "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
            "ADVISOR_DATA_DIR": str(tmp_path / "data"),
            "VAST_API_KEY": "k-secret-123",
        },
        home=tmp_path,
        folder=tmp_path,
        transport=httpx.MockTransport(refuse),
        clock=Clock(now=lambda: datetime(2026, 11, 21, tzinfo=UTC)),
    )


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--max-lifetime", "36500d"),
        ("--max-lifetime", "3000000d"),
        ("--max-lifetime", "99999999999d"),
        ("--max-lifetime", "0.001s"),
        ("--start-timeout", "36500d"),
        ("--deadline", "36500d"),
        ("--budget", "nan"),
        ("--budget", "1e400"),
        ("--day-budget", "0"),
        *(("--job", name) for name in ("..", ".", ".hidden", "a" * 101, "a:b", "é", "")),
    ],
)
@pytest.mark.parametrize("command", ["rent", "run"])
def test_absurd_values_are_refused_before_anything_is_asked(
    context: Context,
    run_command: Callable[..., Any],
    command: str,
    option: str,
    value: str,
) -> None:
    """In one line, with what was typed; nothing is written down either."""
    line = [command, "--workload", "resnet50", "--yes", f"{option}={value}"]
    line += ["--", "true"] if command == "run" else []
    done = run_command(line, context)
    assert done.exit_code == 2
    assert not (context.data_folder / "advisor.sqlite3").exists()
    assert not (context.data_folder / "jobs").exists()


@pytest.mark.parametrize("command", ["rent", "run"])
def test_a_disk_that_the_data_do_not_fit_on_is_not_rented(
    context: Context, run_command: Callable[..., Any], command: str
) -> None:
    """A full disk would end the job, paid for by then; the message says what fits."""
    line = [command, "--workload", "resnet50", "--yes", "--disk", "10"]
    line += ["--", "true"] if command == "run" else []
    done = run_command(line, context)
    assert done.exit_code == 2
    words = "--disk 10 is less than the 164 GB that resnet50 needs"
    assert done.stderr.count(words) == 1
    assert "dataset_gb" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--budget", "1e12"), "--budget: a number of dollars above 0 and at most"),
        (("--grace", "1s"), "--grace: a time from 60 seconds"),
        (("--gpu", "A100", "--exclude-gpu", "A100"), "--gpu and --exclude-gpu"),
        (("--epochs", "3"), "--epochs cannot be given with it"),
    ],
)
def test_a_change_that_cannot_be_is_told_in_the_words_of_its_option(
    context: Context,
    run_command: Callable[..., Any],
    words: tuple[str, ...],
    said: str,
) -> None:
    """And leaves the job as it was kept."""
    rent = RentSpec(JobSpec("resnet50"), name="mine")
    kept = JobRecord("mine", RunSpec(rent, ("true",), str(context.home)))
    save_job(context.data_folder, kept)
    done = run_command(("run", "--yes", "--resume", "mine", *words), context)
    assert done.exit_code == 2
    assert said in done.stderr
    job, _ = load_job(context.data_folder, "mine")
    assert job.spec == kept.spec


def known_hosts(context: Context, label: str) -> Path:
    return known_hosts_of(context, read_instance({"id": 7, "label": label}))


def test_host_keys_are_named_by_the_token_of_our_label(context: Context) -> None:
    """Two rentals of one job have two files, below our own folder."""
    folder = context.data_folder / "known_hosts"
    first, second = (new_label("lab", 1.8e9) for _ in range(2))
    assert known_hosts(context, first).parent == folder
    assert known_hosts(context, first).name == first.rpartition(":")[2]
    assert known_hosts(context, first) != known_hosts(context, second)


@pytest.mark.parametrize(
    "label",
    [
        "advisor:../../../.ssh/authorized_keys:6b49d200-0123456789abcdef",
        "../../.bashrc",
        "advisor:lab:6b49d200-0123456789abcdef/..",
        "advisor:lab:6b49d200-0123456789abcdef\n",
        "mine",
        "",
    ],
)
def test_a_label_that_is_not_ours_is_no_path(context: Context, label: str) -> None:
    """The market's text names no file of the user's: nothing is sent there."""
    instance = read_instance({"id": 7, "label": label})
    with pytest.raises(AdvisorError, match="none of ours"):
        ssh_to(context, context.home / "key", instance)


def test_host_keys_of_before_are_used_while_they_are_the_only_ones(
    context: Context,
) -> None:
    """A machine that was rented by an older version must show the same key."""
    label = new_label("lab", 1.8e9)
    old = context.data_folder / "known_hosts" / label.replace(":", "+")
    old.parent.mkdir(parents=True)
    old.write_text("")
    assert known_hosts(context, label) == old
    new = old.with_name(label.rpartition(":")[2])
    new.write_text("")
    assert known_hosts(context, label) == new


def test_a_line_is_told_once(context: Context) -> None:
    """In one world; another one tells it again."""
    told: list[str] = []
    world = replace(context, notify=told.append)
    for _ in range(2):
        world.notify_once("a")
    world.notify_once("b")
    replace(world).notify_once("a")
    assert told == ["a", "b", "a"]
