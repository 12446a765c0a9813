"""A training runs with the hooks; its streams, status and signals are its own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest

from advisor.base.errors import AdvisorError, UsageError
from advisor.measure.hooks import SITE
from advisor.measure.hooks.observation import Ended
from advisor.measure.profiling import (
    Patience,
    Watch,
    chained,
    check_command,
    run_watched,
)
from tests.measure.observations import of_pictures

PYTHON = sys.executable
OUTSIDE = {"PATH": os.defpath}


def watched(tmp_path: Path, program: str, **more: object) -> tuple[int, Path]:
    folder = tmp_path / "seen"
    folder.mkdir()
    done = run_watched(Watch((PYTHON, "-c", program), **more), folder, OUTSIDE)  # type: ignore[arg-type]
    return done.status, folder


def test_the_program_gets_the_hooks_first(tmp_path: Path) -> None:
    """Then what was on the user's path; and what it is asked for."""
    watch = Watch((PYTHON,), steps=30, seconds=2.5, redirect_cuda=True)
    variables = watch.variables({"PYTHONPATH": "/mine"}, str(tmp_path))
    assert variables["PYTHONPATH"].split(os.pathsep) == [str(SITE), "/mine"]
    assert variables["ADVISOR_PROFILE_FOLDER"] == str(tmp_path)
    assert variables["ADVISOR_PROFILE_STEPS"] == "30"
    assert variables["ADVISOR_PROFILE_SECONDS"] == "2.5"
    assert variables["ADVISOR_PROFILE_REDIRECT"] == "1"


def test_what_nobody_asked_for_is_not_set(tmp_path: Path) -> None:
    """A user's path that is empty adds no folder: that would be the working one."""
    variables = Watch((PYTHON,)).variables({}, str(tmp_path))
    assert variables == {
        "PYTHONPATH": str(SITE),
        "ADVISOR_PROFILE_FOLDER": str(tmp_path),
    }


@pytest.mark.parametrize("status", [0, 3])
def test_its_exit_status_is_told(tmp_path: Path, status: int) -> None:
    """As it was."""
    assert watched(tmp_path, f"import sys; sys.exit({status})")[0] == status


def test_its_output_is_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Byte by byte, on the stream that it wrote to."""
    watched(tmp_path, "import sys; print('loss 1'); print('slow', file=sys.stderr)")
    assert capfd.readouterr() == ("loss 1\n", "slow\n")


def test_its_output_may_go_to_stderr(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where stdout is for a program."""
    watch = Watch((PYTHON, "-c", "print('loss 1')"))
    run_watched(watch, tmp_path, OUTSIDE, stdout=2)
    assert capfd.readouterr() == ("", "loss 1\n")


def test_what_ends_us_ends_it(tmp_path: Path) -> None:
    """It gets the signal, and has time for what it does then."""
    program = f"""
import os, pathlib, signal, sys
def end(*_):
    pathlib.Path({str(tmp_path)!r}, "ended").touch()
    sys.exit(7)
signal.signal(signal.SIGTERM, end)
os.kill(os.getppid(), signal.SIGTERM)
signal.pause()
"""
    assert watched(tmp_path, program)[0] == 7
    assert (tmp_path / "ended").exists()


def test_who_was_ended_by_the_user_did_not_fail(tmp_path: Path) -> None:
    """That is an interruption."""
    program = """
import os, signal
os.kill(os.getppid(), signal.SIGTERM)
signal.pause()
"""
    folder = tmp_path / "seen"
    folder.mkdir()
    done = run_watched(Watch((PYTHON, "-c", program)), folder, OUTSIDE)
    assert (done.interrupted, done.failed) == (True, False)


def stopped(**more: object) -> str:
    """Return a program that was stopped by the hooks, as it says, and goes on."""
    document = of_pictures()
    document.ended = Ended("running", "steps")
    text = json.dumps(document.document())
    return f"""
import os, pathlib, signal
folder = pathlib.Path(os.environ["ADVISOR_PROFILE_FOLDER"])
(folder / "observation-1.json").write_text({text!r})
signal.pause()
"""


def test_who_goes_on_after_the_stop_is_ended(tmp_path: Path) -> None:
    """By SIGTERM, once it had its time; it did not fail by that."""
    told: list[str] = []
    watch = Watch((PYTHON, "-c", stopped()), patience_s=0.0)
    done = run_watched(watch, tmp_path, OUTSIDE, notify=told.append)
    assert (done.status, done.was_stopped, done.failed) == (-15, True, False)
    assert told == ["the training was stopped and goes on: it is sent SIGTERM"]


def test_who_a_shell_leaves_behind_is_ended_too(tmp_path: Path) -> None:
    """The shell goes at once; the program that trains in it is told as well."""
    program = tmp_path / "train.py"
    body = stopped().replace("signal.pause()", "")
    program.write_text(
        f"{body}\n"
        "import sys\n"
        "text = (folder / 'observation-1.json').read_text()\n"
        "text = text.replace('\"pid\": 7', f'\"pid\": {os.getpid()}', 1)\n"
        "def end(*_):\n"
        f"    pathlib.Path({str(tmp_path)!r}, 'told').touch(); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "(folder / 'observation-1.json').write_text(text)\n"
        "signal.pause()\n"
    )
    shell = ("sh", "-c", f"{PYTHON} {program}; exit 3")
    run_watched(Watch(shell, patience_s=1.0), tmp_path, OUTSIDE)
    assert (tmp_path / "told").exists()


def test_patience_has_an_end() -> None:
    """First it may end by itself, then it is told to, once, then it is killed."""
    patience = Patience(60.0)
    looks = [
        *((0.0, False), (1000.0, False)),
        *((1001.0, True), (1060.0, True), (1061.5, True), (1065.0, True)),
        (1071.5, True),
    ]
    verdicts = [patience.verdict(now, partial(bool, at_stop)) for now, at_stop in looks]
    assert verdicts == ["wait", "wait", "wait", "wait", "terminate", "wait", "kill"]


@pytest.mark.parametrize(
    "words", [["-I"], ["-E"], ["-u", "-S"], ["-uE"], ["-sI"], ["-W", "ignore", "-I"]]
)
def test_a_python_without_hooks_is_refused(words: list[str]) -> None:
    """It would train for a minute and nobody would see it."""
    with pytest.raises(UsageError, match="ignore the hooks"):
        check_command([PYTHON, *words, "train.py"], None)


@pytest.mark.parametrize(
    "words",
    [
        ["train.py", "-E"],
        ["-u", "train.py"],
        ["-m", "train", "-I"],
        ["-c", "S"],
        ["-mIPython"],
        ["-WError"],
        ["-X", "importtime", "SI.py"],
    ],
)
def test_words_of_the_program_are_its_own(words: list[str]) -> None:
    """After its name nothing is Python's."""
    check_command([PYTHON, *words], None)


def test_a_program_that_is_not_there_is_refused() -> None:
    """Before anything is run."""
    with pytest.raises(UsageError, match="there is no program trian"):
        check_command(["trian"], os.defpath)


def test_another_program_is_not_looked_into() -> None:
    """Its options are its own: a launcher starts the Python."""
    shell = shutil.which("sh")
    assert shell is not None
    check_command([shell, "-E"], None)


def test_a_program_that_cannot_be_run_is_an_error(tmp_path: Path) -> None:
    """In one line."""
    program = tmp_path / "train"
    program.write_bytes(b"\x7fELF no")
    program.chmod(0o755)
    with pytest.raises(AdvisorError, match="cannot be started"):
        run_watched(Watch((str(program),)), tmp_path, OUTSIDE)


def test_the_sitecustomize_that_is_chained_is_known(tmp_path: Path) -> None:
    """The first of the user's path."""
    first, second = tmp_path / "a", tmp_path / "b"
    for folder in (first, second):
        folder.mkdir()
    (second / "sitecustomize.py").touch()
    outside = {"PYTHONPATH": os.pathsep.join(map(str, (first, second)))}
    assert chained(outside) == [second / "sitecustomize.py"]
    assert chained({}) == []
