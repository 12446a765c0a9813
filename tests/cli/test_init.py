"""`advisor init`: five answers become a profile and limits; the next command works."""

from __future__ import annotations

import os
import shlex
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.app.context import Context
from advisor.app.init import Answers, Data, closest_workload, draft_of
from advisor.base.errors import AdvisorError, UsageError
from advisor.cli.failure import asked_of, explain
from advisor.cli.main import app
from advisor.workloads.load import Library, load_workload

Advisor = Callable[..., Any]
Init = Callable[..., Any]
ROOT = Path(__file__).parents[2]

FLAGS = ("--samples", "50000", "--dataset-gb", "6", "--epochs", "30", "--budget", "20")
FLAGS += ("--max-lifetime", "1d", "--market", "sample", "--name", "mine")


def refuse(request: httpx.Request) -> httpx.Response:
    raise AssertionError(f"no test may reach {request.url.host}")


@pytest.fixture
def init(tmp_path: Path) -> Init:
    """Return what runs the command in a folder, with answers from a pipe."""

    def run(
        *words: str, answers: str = "", folder: Path = tmp_path, **variables: str
    ) -> Any:
        context = Context(
            variables={
                "ADVISOR_CACHE_DIR": str(tmp_path / "cache"),
                "ADVISOR_DATA_DIR": str(tmp_path / "data"),
                **variables,
            },
            home=tmp_path,
            folder=folder,
            transport=httpx.MockTransport(refuse),
        )
        line = ("init", *words)
        done = click.testing.CliRunner().invoke(app, line, obj=context, input=answers)
        error, code = done.exception, done.exit_code
        stderr = done.stderr
        if isinstance(error, AdvisorError):
            stderr += explain(error, asked_of(app, line)).line
            code = int(error.exit_status)
        elif error and not isinstance(error, SystemExit):
            raise error
        return done.stdout, stderr, code

    return run


def said(folder: Path) -> Any:
    return tomllib.loads((folder / "advisor.toml").read_text("utf-8"))


def test_options_alone(init: Init, advisor: Advisor, tmp_path: Path) -> None:
    """A script asks nothing; what it is told to type next works."""
    stdout, stderr, code = init("resnet50", *FLAGS)
    assert (code, stdout) == (0, "advisor rank mine\n"), stderr
    assert said(tmp_path) == {
        "workloads": {
            "mine": {
                "extends": "resnet50",
                "samples_per_epoch": 50_000,
                "dataset_gb": 6,
                "disk_bytes_per_sample": 120_000,
                "epochs": 30,
            }
        },
        "rental": {"job_budget_usd": 20, "max_lifetime_h": 24},
    }
    done = advisor(*shlex.split(stdout)[1:], "--json")
    assert done.exit_code == 0, done.stderr
    assert done.document["workload"]["epochs"] == 30


def test_answers_from_a_pipe(init: Init, advisor: Advisor, tmp_path: Path) -> None:
    """One per line; an empty one takes the default that is shown."""
    answers = "bert large\n200000\n\n3\n5.5\n36h\n\n"
    stdout, stderr, code = init("--name", "mine", answers=answers)
    assert code == 0, stderr
    assert "closest: bert-large" in stderr
    assert said(tmp_path) == {
        "workloads": {
            "mine": {
                "extends": "bert-large",
                "samples_per_epoch": 200_000,
                "dataset_gb": 3.24,
                "epochs": 3,
            }
        },
        "rental": {"job_budget_usd": 5.5, "max_lifetime_h": 36},
    }
    assert advisor(*shlex.split(stdout)[1:]).exit_code == 0


def test_what_is_as_in_the_profile_keeps_its_source(
    init: Init, advisor: Advisor, tmp_path: Path
) -> None:
    """Defaults alone extend it, and say nothing of their own."""
    _, stderr, code = init("resnet50", "--name", "mine", "--yes")
    assert code == 0, stderr
    assert said(tmp_path) == {"workloads": {"mine": {"extends": "resnet50"}}}
    shown = advisor("workloads", "show", "mine", "--json").document["workload"]
    assert shown["sources"]["epochs"] == load_workload("resnet50").sources["epochs"]


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ("resnet\n", "'resnet' may be resnet101, resnet18, resnet50, simclr-resnet50"),
        ("xyzzy\n", "no workload is like 'xyzzy'"),
        ("./mine.toml\n", "is a path"),
        ("resnet50\nmany\n", "Invalid value for '--samples': 'many'"),
        ("resnet50\n0\n", "Invalid value for '--samples': 0 is not in the range"),
        ("resnet50\n\n-1\n", "Invalid value for '--dataset-gb'"),
        ("resnet50\n\nnan\n", "Invalid value for '--dataset-gb'"),
        ("resnet50\n\n\nnone\n", "Invalid value for '--epochs'"),
        ("resnet50\n\n\n\n-3\n", "Invalid value for '--budget'"),
        ("resnet50\n\n\n\n\n24\n", "Invalid value for '--max-lifetime': '24' is no time"),
        ("resnet50\n\n\n\n\n\nnimbus\n", "no market or file 'nimbus'"),
        ("resnet50\n\n\n\n\n\n./x.json\n", "--market: the name of a market is expected"),
        ("", "No answer: give WORKLOAD"),
        ("resnet50\n\n", "No answer: give --dataset-gb"),
    ],
)
def test_an_answer_that_cannot_be(
    init: Init, tmp_path: Path, answers: str, words: str
) -> None:
    """The error is that of the option, and nothing is written."""
    stdout, stderr, code = init("--name", "mine", answers=answers)
    assert (code, stdout) == (2, "")
    assert words in stderr.splitlines()[-1]
    assert not (tmp_path / "advisor.toml").exists()


def test_without_a_workload_there_is_no_default(init: Init) -> None:
    """Everything else has one."""
    _, stderr, code = init("--yes")
    assert (code, "WORKLOAD" in stderr) == (2, True)


def test_a_folder_of_data_is_counted(init: Init, tmp_path: Path) -> None:
    """As an answer, or as an option; both give samples and bytes."""
    data = tmp_path / "pictures"
    for number in range(4):
        (data / "cats").mkdir(parents=True, exist_ok=True)
        (data / "cats" / f"{number}.jpg").write_bytes(b"x" * 250_000)
    expected = {
        "extends": "resnet50",
        "samples_per_epoch": 4,
        "dataset_gb": 0.001,
        "disk_bytes_per_sample": 250_000,
    }
    _, stderr, code = init(answers="resnet50\npictures\n\n\n\n\n")
    assert code == 0, stderr
    (profile,) = said(tmp_path)["workloads"].values()
    assert profile == expected
    (tmp_path / "advisor.toml").unlink()
    _, stderr, code = init("resnet50", "--dataset", "pictures", "--yes")
    assert code == 0, stderr
    (profile,) = said(tmp_path)["workloads"].values()
    assert profile == expected
    _, stderr, code = init("resnet50", "--dataset", "pictures", "--samples", "3")
    assert (code, "contradict each other" in stderr) == (2, True)
    _, stderr, code = init("resnet50", "--dataset", "none", "--yes")
    assert (code, "there is no folder" in stderr) == (2, True)


BEFORE = """\
# Ours, with a remark.
[rental]
image = "pytorch/pytorch:2.12.1-cuda12.6-cudnn9-runtime"  # the team's
job_budget_usd = 30

[workloads.other]
extends = "resnet18"
batch_size = 64

[workloads.mine]
extends = "resnet50"
epochs = 7
batch_size = 128
"""


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """Return a file that is there already."""
    path = tmp_path / "advisor.toml"
    path.write_text(BEFORE)
    path.chmod(0o640)
    return path


def test_a_file_that_is_there_is_asked_about(init: Init, before: Path) -> None:
    """The change is shown, and made once somebody says yes; the rest stays as it is."""
    answers = "\n\n\n9\n12\n\n\n"
    for last, word in (("no\n", "left as it was"), ("", "No answer: give --force")):
        _, stderr, code = init("--name", "mine", answers=answers + last)
        assert (code, word in stderr) == (2, True)
        assert "-epochs = 7" in stderr
        assert "+epochs = 9" in stderr
        assert before.read_text() == BEFORE
    _, stderr, code = init("--name", "mine", answers=f"{answers}yes\n")
    assert code == 0, stderr
    text = before.read_text()
    assert text == BEFORE.replace("epochs = 7", "epochs = 9").replace("= 30", "= 12")
    assert stat.S_IMODE(before.stat().st_mode) == 0o640


def test_force_changes_and_yes_does_not(init: Init, before: Path) -> None:
    """Neither asks; who takes defaults has not said that a file may change."""
    _, stderr, code = init("--name", "mine", "--epochs", "9", "--yes")
    assert (code, "--force allows that" in stderr) == (2, True)
    assert before.read_text() == BEFORE
    _, stderr, code = init("--name", "mine", "--epochs", "9", "--yes", "--force")
    assert code == 0, stderr
    assert before.read_text() == BEFORE.replace("epochs = 7", "epochs = 9")


def test_the_same_answers_change_nothing(init: Init, before: Path) -> None:
    """What is there is the default of each question."""
    when = before.stat().st_mtime_ns
    _, stderr, code = init("--name", "mine", answers="\n" * 7)
    assert code == 0, stderr
    assert "nothing changed" in stderr
    assert (before.read_text(), before.stat().st_mtime_ns) == (BEFORE, when)


def test_a_limit_is_taken_back(init: Init, before: Path) -> None:
    """By "none"; an answer as in the profile is removed, too."""
    _, stderr, code = init(
        "--name", "mine", "--force", answers="resnet50\n\n\n90\nnone\n\n\n"
    )
    assert code == 0, stderr
    found = tomllib.loads(before.read_text())
    assert found["workloads"]["mine"] == {"extends": "resnet50", "batch_size": 128}
    assert set(found["rental"]) == {"image"}


def test_a_second_profile(init: Init, before: Path) -> None:
    """It is added, the others stay."""
    _, stderr, code = init("bert-base", "--name", "text", "--yes", "--force")
    assert code == 0, stderr
    found = tomllib.loads(before.read_text())["workloads"]
    assert set(found) == {"other", "mine", "text"}


def test_a_market_is_named_where_it_is_not_the_usual_one(
    init: Init, tmp_path: Path
) -> None:
    """It stands before the tables of a file that is there; the key is in no file."""
    path = tmp_path / "advisor.toml"
    key = {"VAST_API_KEY": "k-secret-123"}
    _, stderr, code = init("resnet50", "--name", "mine", "--yes", **key)
    assert code == 0, stderr
    assert "market" not in said(tmp_path)
    _, stderr, code = init("--market", "sample", "--yes", "--force", **key)
    assert code == 0, stderr
    assert said(tmp_path)["market"] == "sample"
    assert said(tmp_path)["workloads"] == {"mine": {"extends": "resnet50"}}
    assert "k-secret" not in path.read_text() + stderr


def test_where_the_key_goes(init: Init) -> None:
    """Who chooses a market without a key of it is told."""
    _, stderr, code = init("resnet50", "--market", "vast", "--yes")
    assert code == 0
    assert "put it in VAST_API_KEY" in stderr


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my net", "my-net"),
        ("resnet50", "resnet50-mine"),
        ("---", "mine"),
        ("net.toml", "net-toml"),
    ],
)
def test_the_name_is_that_of_the_folder(
    init: Init, tmp_path: Path, folder: str, name: str
) -> None:
    """As far as it can be one, and hides no built-in profile."""
    (tmp_path / folder).mkdir()
    stdout, stderr, code = init("resnet50", "--yes", folder=tmp_path / folder)
    assert code == 0, stderr
    assert stdout == f"advisor rank {name}\n"


def test_a_name_that_would_hide_a_profile(init: Init, tmp_path: Path) -> None:
    """It is refused, unless that is meant."""
    _, stderr, code = init("resnet50", "--name", "resnet50", "--yes")
    assert (code, "take another name" in stderr) == (2, True)
    _, stderr, code = init("resnet50", "--name", "no name", "--yes")
    assert (code, "letters, digits" in stderr) == (2, True)
    assert not (tmp_path / "advisor.toml").exists()
    _, stderr, code = init("resnet50", "--name", "resnet50", "--yes", "--force")
    assert code == 0, stderr


def test_a_file_above_is_named(init: Init, before: Path) -> None:
    """Its caps count no longer below: who sets up a folder inside is told."""
    inside = before.parent / "inside"
    inside.mkdir()
    _, stderr, code = init("resnet50", "--yes", folder=inside)
    assert code == 0, stderr
    assert f"{before} does not count in this folder any more" in stderr
    assert before.read_text() == BEFORE


@pytest.mark.parametrize(
    "text", ["[rental", "[rentals]\n", "\0", "[workloads]\nmine = 3\n"]
)
def test_a_broken_file_stays_as_it_is(init: Init, tmp_path: Path, text: str) -> None:
    """It is for the user to repair."""
    path = tmp_path / "advisor.toml"
    path.write_text(text)
    _, stderr, code = init("resnet50", "--yes", "--force")
    assert (code, "advisor.toml" in stderr) == (2, True)
    assert path.read_text() == text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_file_that_is_not_obeyed(init: Init, before: Path) -> None:
    """What is written into it would not count."""
    before.chmod(0o666)
    _, stderr, code = init("--name", "mine", "--epochs", "9", "--yes", "--force")
    assert (code, "is not obeyed" in stderr) == (2, True)
    assert before.read_text() == BEFORE


def test_where_a_link_leads_is_told_before_it_is_changed(
    init: Init, before: Path, tmp_path: Path
) -> None:
    """A cloned project's may lead to a file of the user's that is no part of it."""
    real = before.rename(tmp_path / "elsewhere.toml")
    before.symlink_to(real)
    words = ("--name", "mine", "--epochs", "9")
    _, stderr, code = init(*words, answers="\n" * 6 + "no\n")
    assert (code, f"a link to {real}" in stderr) == (2, True), stderr
    assert real.read_text() == BEFORE


def test_a_link_stays_one(init: Init, before: Path) -> None:
    """What it leads to is written."""
    real = before.rename(before.with_name("real.toml"))
    before.symlink_to(real.name)
    _, stderr, code = init("--name", "mine", "--epochs", "9", "--yes", "--force")
    assert code == 0, stderr
    assert before.is_symlink()
    assert "epochs = 9" in real.read_text()


def test_what_somebody_else_wrote_meanwhile_is_not_lost(tmp_path: Path) -> None:
    """Neither a file that appears, nor one that changes."""
    context = Context({"ADVISOR_DATA_DIR": str(tmp_path / "data")}, tmp_path, tmp_path)
    draft = draft_of(context)
    (tmp_path / "advisor.toml").write_text("[rental]\n")
    with pytest.raises(UsageError, match="changed meanwhile"):
        draft.write("")
    assert (tmp_path / "advisor.toml").read_text() == "[rental]\n"


def test_a_sample_of_less_than_a_byte_is_refused() -> None:
    """Such a data set was mistyped; no profile with it would load again."""
    with pytest.raises(UsageError, match="less than a byte for each of 112 samples"):
        Data.sized(112, 1e-9, load_workload("resnet50"))


@settings(max_examples=30)
@given(
    samples=st.integers(1, 10**12),
    gb=st.none() | st.just(0.0) | st.floats(1e3, 1e6),
    epochs=st.integers(1, 10**6),
    budget_usd=st.none() | st.floats(1e-6, 1e9),
    hours=st.none() | st.floats(1e-6, 1e6),
    market=st.sampled_from([None, "vast", "gpuhunt:aws"]),
    before=st.sampled_from([None, BEFORE, "", "workloads = {}\n", "# alone"]),
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory,
    samples: int,
    gb: float | None,
    epochs: int,
    budget_usd: float | None,
    hours: float | None,
    market: str | None,
    before: str | None,
) -> None:
    """Whatever the answers are, and whatever the file held; once more changes nothing."""
    folder = tmp_path_factory.mktemp("project")
    context = Context({"ADVISOR_DATA_DIR": str(folder / "data")}, folder, folder)
    if before is not None:
        (folder / "advisor.toml").write_text(before)
    parent = load_workload("resnet50")
    data = Data.sized(samples, gb, parent)
    answers = Answers("mine", parent, data, epochs, budget_usd, hours, market)
    draft = draft_of(context)
    draft.write(draft.with_answers(answers))
    again = draft_of(context)
    assert again.with_answers(answers) == again.text
    profile = context.library.load("mine")
    assert (profile.samples_per_epoch, profile.epochs) == (samples, epochs)
    assert profile.dataset_gb == pytest.approx(data.gb)
    assert profile.disk_bytes_per_sample == pytest.approx(data.sample_bytes)
    assert context.settings.job_budget_usd == pytest.approx(budget_usd)
    assert context.settings.max_lifetime_h == pytest.approx(hours)
    assert again.says.market == market


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("resnet50", "resnet50"),
        ("llama 7b with lora", "llama-7b-lora"),
        ("Whisper, large", "whisper-large"),
        ("fine-tune GPT2 124M", "gpt2-124m"),
    ],
)
def test_words_find_a_workload(text: str, name: str) -> None:
    """By its name, its task, or what is said of it."""
    assert closest_workload(Library(), text).name == name


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no pseudo terminals here")
def test_a_terminal_is_asked_again(tmp_path: Path) -> None:
    """The error is shown, and the question comes once more; Ctrl-D ends it by 130."""
    words = [sys.executable, "-m", "advisor", "init", "--name", "mine"]
    places = {"HOME": str(tmp_path), "ADVISOR_DATA_DIR": str(tmp_path / "data")}
    variables = {**os.environ, **places, "PYTHONPATH": str(ROOT)}
    answers = "xyzzy\nresnet50\nmany\n5000\n\n3\n\n\n\n"
    for typed, code in ((answers, 0), ("resnet50\n\x04", 130)):
        ours, theirs = os.openpty()
        os.write(ours, typed.encode())
        process = subprocess.run(
            words,
            stdin=theirs,
            capture_output=True,
            cwd=tmp_path,
            env=variables,
            check=False,
        )
        os.close(theirs)
        os.close(ours)
        told = process.stderr.decode()
        assert process.returncode == code, told
        if code == 0:
            assert "no workload is like 'xyzzy'" in told
            assert "Invalid value for '--samples': 'many'" in told
            assert said(tmp_path)["workloads"]["mine"]["samples_per_epoch"] == 5000
            (tmp_path / "advisor.toml").unlink()
    assert not (tmp_path / "advisor.toml").exists()
