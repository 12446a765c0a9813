"""A launcher that gets signals leaves nothing, or says so; who is not told has none."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

KEY = "test-key-0123456789abcdef"
RENT = ("rent", "--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
RENT += ("--yes", "--json", "--job", "mine")
INT, TERM, HUP = signal.SIGINT, signal.SIGTERM, signal.SIGHUP
PUT = "^PUT .*/asks/"
DELETE = "^DELETE .*/instances/"
SHOW = "^GET .*/instances/[0-9]"
POINTS = 10

IN_THE_FOREGROUND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from advisor.__main__ import main
main()
"""

Launch = Callable[..., dict[str, Any]]


@pytest.fixture
def launch(street: Any, launching: Callable[[Any], Launch]) -> Launch:
    """Return what launches command lines on a market that nobody lives in."""
    return launching(street)


def states(street: Any) -> list[str]:
    return [one.state for one in street.entries()]


def clear(street: Any, launch: Launch) -> None:
    """End all, as the user and time do."""
    if not street.instances():
        return
    launch("release", "--all", "--yes")
    for _ in range(8):
        street.sleep(61.0)
        launch("reconcile")
        if not street.instances():
            return


def check_honest(street: Any, done: dict[str, Any]) -> None:
    """Nothing is rented; or exit code 7; or 0, and the user has been told of it all."""
    alive = street.instances()
    where = f"{done['place']}: exit {done['code']}, {states(street)}, {done['stderr']}"
    if done["code"] == 0:
        (instance,) = alive
        assert json.loads(done["stdout"])["instance_id"] == instance["id"], where
        assert states(street)[-1] == "handed", where
    elif alive:
        assert done["code"] == 7, where
        assert "advisor reconcile" in done["stderr"], where


def check_lines(
    street: Any, launch: Launch, first: int, step: int, last: int | None = None
) -> int:
    """Let signals arrive before every `step`-th line; return how many did."""
    calm = launch(*RENT)
    assert calm["code"] == 0, calm["stderr"]
    clear(street, launch)
    came = 0
    for line in range(first, last or calm["lines"], step):
        number = (INT, TERM, HUP)[came % 3]
        done = launch(*RENT, signals=(number,), line=line)
        check_honest(street, done)
        clear(street, launch)
        assert street.instances() == [], done
        came += 1
    return came


def test_a_signal_at_a_line_leaves_nothing_that_nobody_knows(
    street: Any, launch: Launch
) -> None:
    """A few of all lines, with SIGINT, SIGTERM and SIGHUP in turn."""
    lines = launch(*RENT, "--max-price", "0.000001")["lines"]  # those before it rents
    calm = launch(*RENT)["lines"]
    clear(street, launch)
    step = (calm - lines) // POINTS
    assert check_lines(street, launch, lines + step // 2, step) >= POINTS


@pytest.mark.parametrize("first", range(1, 64, 21))
def test_a_signal_at_any_line_leaves_nothing_that_nobody_knows(
    street: Any, launch: Launch, first: int
) -> None:
    """Every 21st line of all that `rent` runs, each with one of the three signals."""
    assert check_lines(street, launch, first, 63) > 10


@pytest.mark.parametrize("number", [INT, TERM, HUP])
@pytest.mark.parametrize("late", [False, True])
def test_a_signal_in_the_request_that_rents(
    street: Any, launch: Launch, number: int, late: bool
) -> None:
    """What it has rented is released, and the exit code is that of an interrupt."""
    done = launch(*RENT, signals=(number,), request=PUT, late=late)
    assert done["place"].startswith("PUT")
    assert done["code"] == 130, done["stderr"]
    assert street.instances() == []
    assert states(street) == ["released"]
    assert done["stderr"].splitlines()[-1] == "advisor: interrupted"


@pytest.mark.parametrize("number", [INT, TERM, HUP])
def test_a_signal_while_the_machine_starts(
    street: Any, launch: Launch, number: int
) -> None:
    """It is released."""
    done = launch(*RENT, signals=(number,), request=SHOW)
    assert done["code"] == 130, done["stderr"]
    assert street.instances() == []
    assert states(street) == ["released"]


def test_a_second_signal_asks_and_a_third_leaves_it(street: Any, launch: Launch) -> None:
    """In the request that rents: exit code 7, and reconcile ends what that rented."""
    done = launch(*RENT, signals=(INT, INT), request=PUT, late=True)
    assert done["code"] == 130, done["stderr"]
    assert done["stderr"].count("once more") == 1
    assert street.instances() == []
    done = launch(*RENT, signals=(INT, TERM, INT), request=PUT, late=True)
    assert done["code"] == 7, done["stderr"]
    assert "advisor reconcile" in done["stderr"].splitlines()[-1]
    assert len(street.instances()) == 1
    clear(street, launch)
    assert street.instances() == []


def test_the_end_of_a_rental_is_waited_for(street: Any, launch: Launch) -> None:
    """`release` ends what it has begun, or says that it has not."""
    assert launch(*RENT)["code"] == 0
    words = ("release", "--all", "--yes")
    done = launch(*words, signals=(INT, INT, INT), request=DELETE)
    assert done["code"] == 7, done["stderr"]
    assert "advisor reconcile" in done["stderr"].splitlines()[-1]
    assert states(street) == ["releasing"]
    done = launch(*words, signals=(TERM, HUP, HUP), request=DELETE)
    assert street.instances() == [], done["stderr"]
    assert states(street) == ["released"]


@pytest.mark.parametrize("number", [INT, TERM])
def test_a_release_that_has_not_begun_is_none(
    street: Any, launch: Launch, number: int
) -> None:
    """Interrupted while it looks at what there is: all of it stays."""
    assert launch(*RENT)["code"] == 0
    words = ("release", "--all", "--yes")
    done = launch(*words, signals=(number,), request="^GET .*/instances/", late=True)
    assert done["code"] == 130, done["stderr"]
    assert states(street) == ["handed"]
    assert len(street.instances()) == 1


def test_ctrl_c_answers_a_question(street: Any, launch: Launch, tmp_path: Path) -> None:
    """With no: on a terminal, where `release` asks before it ends anything."""
    assert launch(*RENT)["code"] == 0
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", IN_THE_FOREGROUND, "release", "--all"],
        stdin=theirs,
        stderr=subprocess.PIPE,
        env={
            **os.environ,
            "VAST_URL": street.url,
            "VAST_API_KEY": KEY,
            "ADVISOR_DATA_DIR": str(tmp_path / "here" / "data"),
            "ADVISOR_CACHE_DIR": str(tmp_path / "here" / "cache"),
        },
    ) as process:
        os.close(theirs)
        said = b""
        assert process.stderr is not None
        while b"lose its disk?" not in said and (piece := process.stderr.read(1)):
            said += piece
        time.sleep(0.3)  # it has asked, and begins to read
        process.send_signal(INT)
        said += process.stderr.read()
        os.close(ours)
    assert process.returncode == 130, said
    assert said.splitlines()[-1] == b"advisor: interrupted"
    assert states(street) == ["handed"]


@pytest.mark.parametrize("stdout", ["full", "gone", "closed"])
@pytest.mark.parametrize("form", ["--json", "--yes"])
def test_who_cannot_be_told_of_a_machine_has_none(
    street: Any, launch: Launch, stdout: str, form: str
) -> None:
    """It is released, the exit code is not 0, and one line says why."""
    words = [word for word in RENT if word != "--json"]
    done = launch(*words, form, stdout=stdout)
    assert done["code"] == 1, done["stderr"]
    assert street.instances() == []
    assert "handed" not in states(street)
    last = done["stderr"].splitlines()[-1]
    assert "printed" in last or "nowhere to print" in last
    if stdout == "closed":
        assert states(street) == []


@pytest.mark.parametrize("stderr", ["full", "gone", "closed"])
def test_who_reads_no_remarks_has_the_machine(
    street: Any, launch: Launch, stderr: str
) -> None:
    """And the exit code is honest where it fails."""
    done = launch(*RENT, stderr=stderr)
    assert done["code"] == 0
    (instance,) = street.instances()
    assert json.loads(done["stdout"])["instance_id"] == instance["id"]
    assert launch("release", "--all", "--yes", stderr=stderr)["code"] == 0
    assert street.instances() == []
    done = launch(*RENT, stderr=stderr, signals=(HUP,), request=PUT, late=True)
    assert done["code"] == 130
    assert street.instances() == []


def test_a_hand_over_that_cannot_be_written_is_none(street: Any, launch: Launch) -> None:
    """The reader has a document by then: exit code and stderr say that it is void."""
    done = launch(*RENT, unwritable="handed")
    assert done["code"] == 1, done["stderr"]
    assert json.loads(done["stdout"])["state"] == "rented"
    number = json.loads(done["stdout"])["instance_id"]
    assert f"instance {number}: released" in done["stderr"]
    assert street.instances() == []


def test_a_job_goes_on_where_nobody_reads_what_it_prints(
    inhabited: Any, launching: Callable[[Any], Launch], project: Path
) -> None:
    """As with `| head`: it is told once, the log has all, the results come back."""
    script = "for n in 1 2 3 4 5 6; do echo $n; sleep 0.4; done; mkdir results; "
    script += "echo done >results/x"
    words = [word for word in RENT[1:] if word != "--json"]
    words += ["--sync", str(project), "--", "sh", "-c", script]
    done = launching(inhabited)("run", *words, stdout="gone")
    assert done["code"] == 0, done["stderr"]
    assert done["stderr"].count("cannot be shown any more (Broken pipe)") == 1
    assert (project / "results" / "x").read_text() == "done\n"
    (log,) = (inhabited.folder / "here" / "data" / "jobs" / "mine").glob("*.log")
    assert log.read_text().splitlines() == list("123456")
    assert inhabited.instances() == []


def test_a_job_whose_end_cannot_be_told_has_no_machine(
    inhabited: Any, launching: Callable[[Any], Launch], project: Path
) -> None:
    """The exit code says that its reader knows nothing; what it wrote is here."""
    words = [*RENT[1:], "--sync", str(project), "--", "sh", "-c", "exit 0"]
    done = launching(inhabited)("run", *words, stdout="full")
    assert done["code"] == 1, done["stderr"]
    assert "cannot be printed" in done["stderr"].splitlines()[-1]
    assert inhabited.instances() == []
