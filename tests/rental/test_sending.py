"""Mistakes show before money does, and `run` says what it would send."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import advisor
from advisor.base.errors import CreditError, UsageError

for program in ("ssh", "ssh-keygen", "rsync"):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed", allow_module_level=True)

JOB = ("--workload", "resnet50", "--epochs", "2", "--set", "dataset_gb=1")
KEY = "test-key-0123456789abcdef"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with what should and what should not go."""
    folder = tmp_path / "project"
    for name, text in {
        ".gitignore": "data/\n",
        "train.py": "print(1)",
        "sub/util.py": "",
        "data/big": "x" * 100,
        ".env": "A=1",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def run(street: Any, project: Path, *words: str, yes: bool = True) -> Any:
    line = ["run", *JOB, *(["--yes"] if yes else []), "--sync", str(project)]
    return street.launch(*line, *words)


def test_a_dry_run_says_what_would_be_rented_and_sent(street: Any, project: Path) -> None:
    """Without asking, on no terminal: the offer, every file, and what stays here."""
    done = run(street, project, "--dry-run", "--json", "python", "train.py", yes=False)
    assert done.exit_code == 0, done.stderr
    document = done.document
    assert document["schema_version"] == 1
    assert document["state"] == "dry_run"
    assert document["offer_id"] > 0
    sync = document["sync"]
    assert sync["files"] == [
        {"path": ".gitignore", "bytes": 6},
        {"path": "sub/util.py", "bytes": 0},
        {"path": "train.py", "bytes": 8},
    ]
    assert sync["bytes"] == 14
    assert [one["path"] for one in sync["held_back"]] == [".env"]
    assert [one["path"] for one in sync["ignored"]] == ["data"]
    in_words = run(street, project, "--dry-run", "python", "train.py", yes=False)
    assert "predicted" in in_words.stdout
    assert "3 files, 14 bytes" in in_words.stderr
    assert "nothing was rented and nothing was sent" in in_words.stderr
    assert street.entries() == []


def test_the_project_of_the_bug_report_keeps_its_secrets(
    street: Any, cases: Path, tmp_path: Path
) -> None:
    """It was sent whole: its key, and all that it ignores."""
    folder = tmp_path / "proj"
    shutil.copytree(cases / "run" / "proj_with_secrets", folder)
    for name in ("", "data", "wandb"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name).chmod(0o755)
    (folder / ".env").write_text("VAST_API_KEY=of-an-account")
    (folder / "data" / "x").write_text("")
    (folder / "wandb" / "y").write_text("")
    line = ("--dry-run", "--json", "python", "train.py")
    done = run(street, folder, *line)
    assert done.exit_code == 0, done.stderr
    sync = done.document["sync"]
    assert [one["path"] for one in sync["files"]] == [".gitignore", "train.py"]
    left = {one["path"] for one in (*sync["held_back"], *sync["ignored"])}
    assert left == {".env", "data", "wandb"}


REFUSED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "an option that is none": (("--buget", "5", "python", "train.py"), "--budget"),
    "an option as a command": (("--", "--budget", "5"), "starts with the option"),
    "a script that is not there": (("python", "tarin.py"), "did you mean train.py?"),
    "a script that is ignored": (("python", "data/x.py"), "there is no data/x.py"),
    "a program that is none": (("pyton", "train.py"), "did you mean python?"),
    "a secret that is needed": (("python", "train.py", ".env"), "--include .env"),
    "a job's name": (("--job", "..", "python", "train.py"), "cannot name a job"),
    "an image": (("--image", "Foo Bar", "python", "train.py"), "can be no Docker image"),
    "no command": ((), "say what to run"),
    "a folder that does not come back": (
        ("--results", "train.py", "python", "train.py"),
        "is no folder",
    ),
    "a folder that programs here obey": (
        ("--checkpoints", ".git/hooks", "python", "train.py"),
        "must not go there",
    ),
    "more than may go": (
        ("--max-sync-gb", "1e-9", "python", "train.py"),
        "raise --max-sync-gb",
    ),
    "nothing to go": (("--exclude", "*", "nvidia-smi"), "nothing of"),
    "an include of nothing": (("--include", "x", "nvidia-smi"), "matches nothing"),
    "two ways to pay": (
        ("--on-demand", "--interruptible", "nvidia-smi"),
        "contradict",
    ),
    "pay ahead": (("--reserved", "nvidia-smi"), "take on-demand"),
    "no time to run": (
        ("--max-lifetime", "1h", "--start-timeout", "2h", "nvidia-smi"),
        "nothing could run",
    ),
    "a life without end": (("--max-lifetime", "9999d", "nvidia-smi"), "lifetime"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_mistake_is_refused_before_anything_is_rented(
    street: Any, project: Path, words: tuple[str, ...], said: str
) -> None:
    """With one line that says what to do, and exit code 2."""
    done = run(street, project, *words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert street.entries() == []
    assert street.world.ledger()["instances"] == []


def test_a_script_that_stays_here_is_refused_with_the_reason(
    street: Any, project: Path
) -> None:
    """It is there, and would not be on the machine."""
    (project / "data" / "prep.py").write_text("")
    done = run(street, project, "python", "data/prep.py")
    assert done.exit_code == 2
    assert "stays here (ignored by .gitignore)" in done.stderr


@pytest.mark.parametrize("where", ["here", "."])
def test_the_home_folder_is_not_sent_unasked(street: Any, where: str) -> None:
    """Nor what holds it; where nobody can be asked it is refused."""
    home = street.context().home
    (home / "train.py").write_text("")
    done = run(street, street.folder / where, "nvidia-smi")
    assert done.exit_code == 2
    assert "has your home folder" in done.stderr
    assert street.entries() == []


@pytest.mark.parametrize(("answer", "code"), [("n", 1), ("y", 0)])
def test_on_a_terminal_it_is_asked_before_much_is_sent(
    street: Any, project: Path, answer: str, code: int
) -> None:
    """What would go is told; without a yes nothing is sent, and nothing is rented."""
    ours, theirs = pty.openpty()
    context = street.context()
    words = [sys.executable, "-m", "advisor", "run", *JOB, "--sync", str(project)]
    words += ["--max-sync-gb", "1e-9", "--dry-run", "nvidia-smi"]
    with subprocess.Popen(
        words,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **context.variables, "HOME": str(context.home)},
        text=True,
    ) as process:
        os.write(ours, f"{answer}\n".encode())
        stdout, stderr = process.communicate()
    os.close(ours)
    os.close(theirs)
    assert process.returncode == code, stderr
    assert "14 bytes of" in stderr
    assert "send it all? [y/N]" in stderr
    assert ("predicted" in stdout) == (answer == "y")
    assert street.entries() == []


def test_folders_of_keys_are_not_sent(street: Any, tmp_path: Path) -> None:
    """Neither advisor's own, nor one that a program keeps its keys in."""
    context = street.context()
    for folder, said in (
        (context.data_folder, "advisor's own folder"),
        (context.data_folder / "ssh", "advisor's own folder"),
        (tmp_path / ".aws" / "sub", "cloud credentials"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        done = run(street, folder, "nvidia-smi")
        assert done.exit_code == 2
        assert said in done.stderr


@pytest.mark.puts_a_key_there
def test_the_key_of_the_market_stays_in_whatever_file(street: Any, project: Path) -> None:
    """Also where no name and no shape tells it; and advisor's folders in the project."""
    (project / "notes.bin").write_bytes(b"\0" + KEY.encode())
    done = run(street, project, "--dry-run", "--json", "nvidia-smi")
    held = {one["path"]: one["reason"] for one in done.document["sync"]["held_back"]}
    assert held["notes.bin"] == "your key of the market"


def test_a_missing_program_is_told_before(
    street: Any, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run` needs ssh and rsync; the message names the package."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ssh", "ssh-keygen"):
        (programs / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(programs))
    done = run(street, project, "nvidia-smi")
    assert done.exit_code == 2
    assert "rsync is missing on this machine: install rsync" in done.stderr
    (programs / "ssh").unlink()
    done = street.rent()
    assert done.exit_code == 2
    assert "ssh is missing on this machine: install openssh-client" in done.stderr


def test_an_account_that_cannot_pay_an_hour_rents_nothing(
    make_street: Callable[..., Any], project: Path
) -> None:
    """Exit code 6, before the market is asked to rent; a dry run says so, too."""
    street = make_street(credit_usd=0.02)
    for words in (("nvidia-smi",), ("--dry-run", "nvidia-smi")):
        done = run(street, project, *words)
        assert done.exit_code == 6
        assert "the account has $0.02 left, and the first hour of offer" in done.stderr
    assert street.rent("--dry-run").exit_code == 6
    with (
        pytest.raises(CreditError),
        advisor.rented("resnet50", epochs=2, context=street.context()),
    ):
        pytest.fail("nothing was to be rented")
    assert street.entries() == []


def test_credit_that_does_not_last_is_told(make_street: Callable[..., Any]) -> None:
    """It may be topped up: that is no error."""
    street = make_street(credit_usd=0.9)
    done = street.rent("--dry-run", "--epochs", "90")
    assert done.exit_code == 0, done.stderr
    assert "the account has $0.90 left, and the job is predicted to cost" in done.stderr


WRONG: Mapping[str, Any] = {
    "budget_usd": [float("nan"), 0, -1.0, float("inf"), "5", True],
    "day_budget_usd": [0.0],
    "max_epoch_usd": [float("nan")],
    "max_usd_per_hour": [-0.1],
    "deadline_s": [0],
    "max_lifetime_s": [float("inf"), -1],
    "lease_s": [0.0],
    "start_timeout_s": [float("nan")],
    "min_duration_s": [0],
    "disk_gb": [0],
    "epochs": [0, 1.5, -3],
    "attempts": [0, 51],
    "min_reliability": [1.1, float("nan")],
    "rental": ["spot"],
    "gpus": ["A100"],
    "regions": ["europe", [3]],
    "num_gpus": [2, [0], ["1"]],
}


@pytest.mark.parametrize("name", WRONG)
def test_the_python_face_refuses_what_the_command_line_does(name: str) -> None:
    """At once, with the argument's name."""
    for value in WRONG[name]:
        with pytest.raises(UsageError, match=name):
            advisor.rented("resnet50", **{name: value})


def test_the_python_face_checks_before_it_rents() -> None:
    """A job's name, an image's, a lifetime."""
    for wrong, said in (
        ({"name": ".."}, "cannot name a job"),
        ({"image": "A B"}, "can be no Docker image"),
        ({"max_lifetime_s": 1e12}, "lifetime"),
    ):
        with pytest.raises(UsageError, match=said):
            advisor.rented("resnet50", **wrong)


def test_a_full_disk_is_told_before(
    street: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is rented could not be written down, and no result come back."""
    full = shutil.disk_usage("/")._replace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: full)
    done = run(street, project, "nvidia-smi")
    assert done.exit_code == 1
    assert "has 5 MB free" in done.stderr
    assert street.entries() == []


def test_a_folder_that_may_not_be_written_is_told_before(
    street: Any, project: Path
) -> None:
    """Results could not come back."""
    if os.getuid() == 0:
        pytest.skip("root may write everywhere")
    project.chmod(0o555)
    done = run(street, project, "nvidia-smi")
    project.chmod(0o755)
    assert done.exit_code == 2
    assert "may not be written" in done.stderr
