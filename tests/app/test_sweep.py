"""What a sweep asks for: its file, its document, and the jobs that follow from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.app.constraints import Constraints
from advisor.app.job import JobSpec
from advisor.app.sweep import SweepSpec, jobs_of, load_sweep
from advisor.app.sweep_parts import ListedJob
from advisor.app.templates import cleaned
from advisor.base.errors import AdvisorError, UsageError

GRID = """
command = "python train.py --rate {rate} --fold {fold} --out {results}"
deadline_h = 24
[job]
workload = "resnet18"
epochs = 5
[grid]
rate = [0.1, 0.01]
fold = [1, 2, 3]
[offers]
gpus = ["RTX 4090"]
"""
LIST = """
command = "python train.py --rate {rate}"
results = "out/{job}"
[job]
workload = "resnet18"
[[jobs]]
name = "large"
epochs = 20
settings = { batch_size = 64 }
variables = { rate = 0.1 }
[[jobs]]
workload = "bert-base"
variables = { rate = "1e-3" }
"""

Load = Callable[..., SweepSpec]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Return what writes a file and loads it."""

    def from_text(text: str, **replaced: Any) -> SweepSpec:
        (tmp_path / "sweep.toml").write_text(text, encoding="utf-8")
        return load_sweep(tmp_path / "sweep.toml", **replaced)

    return from_text


def spec_of(**changed: Any) -> SweepSpec:
    usual: dict[str, Any] = {
        "job": JobSpec("resnet18"),
        "command": "python train.py --rate {rate}",
        "folder": "/work",
        "grid": (("rate", (0.1, 0.01)),),
    }
    return SweepSpec(**{**usual, **changed})


def test_a_grid_is_a_job_for_each_combination(load: Load) -> None:
    """The last variable changes first; names, commands and folders are filled in."""
    jobs = jobs_of(load(GRID))
    assert [one.name for one in jobs[:3]] == [
        "rate-0.1_fold-1",
        "rate-0.1_fold-2",
        "rate-0.1_fold-3",
    ]
    assert len(jobs) == 6
    first = jobs[0]
    words = ("--rate", "0.1", "--fold", "1", "--out", "results/rate-0.1_fold-1")
    assert first.argv == ("python", "train.py", *words)
    assert first.checkpoints == "checkpoints/rate-0.1_fold-1"
    assert first.job == JobSpec("resnet18", epochs=5)


def test_a_listed_job_has_what_is_its_own(load: Load) -> None:
    """Epochs, settings and workload of its own; the rest is that of all."""
    large, other = jobs_of(load(LIST))
    assert large.name == "large"
    assert large.results == "out/large"
    assert large.job == JobSpec("resnet18", settings=(("batch_size", 64),), epochs=20)
    assert (other.name, other.job) == ("rate-1e-3", JobSpec("bert-base"))


def test_the_folder_is_looked_for_from_the_file(load: Load, tmp_path: Path) -> None:
    """And is the file's own where none is named."""
    assert load(GRID).folder == str(tmp_path)
    assert load(f'folder = "../code"\n{GRID}').folder == str(tmp_path.parent / "code")


def test_what_is_given_beside_the_file_counts_instead(load: Load) -> None:
    """A deadline of the command line goes before the file's."""
    assert load(GRID).deadline_s == 24 * 3600.0
    assert load(GRID, deadline_s=3600.0).deadline_s == 3600.0
    assert load(GRID).offers == Constraints(gpus=("RTX 4090",))


@pytest.mark.parametrize("text", [GRID, LIST])
def test_a_document_is_read_as_it_was_written(load: Load, text: str) -> None:
    """Through JSON, with everything in it."""
    spec = load(text)
    assert SweepSpec.from_document(json.loads(json.dumps(spec.to_document()))) == spec


def test_no_value_breaks_a_word() -> None:
    """A value is filled in after the command is split: it stays one word."""
    spec = spec_of(grid=(("rate", ("a b; rm -rf 'x", "$(id)")),))
    assert [one.argv[-1] for one in jobs_of(spec)] == ["a b; rm -rf 'x", "$(id)"]


def test_braces_are_written_twice() -> None:
    """A brace that is meant as such."""
    spec = spec_of(command="sh -c 'echo ${{HOME}} {rate}'")
    assert jobs_of(spec)[0].argv == ("sh", "-c", "echo ${HOME} 0.1")


@given(
    st.lists(
        st.one_of(
            st.text(min_size=1, max_size=90).filter(lambda text: text.strip()),
            st.integers(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.booleans(),
        ),
        min_size=1,
        max_size=12,
        unique_by=lambda value: str(value).lower(),
    )
)
def test_names_and_folders_are_always_apart(values: list[Any]) -> None:
    """Whatever the values: no two names are alike, no folder holds another."""
    try:
        jobs = jobs_of(spec_of(grid=(("rate", tuple(values)),)))
    except UsageError:
        return  # such as a NUL, which no command can hold
    names = [one.name.lower() for one in jobs]
    assert len({*names}) == len(jobs)
    assert all(cleaned(one.name) == one.name and len(one.name) <= 60 for one in jobs)
    folders = [one.results for one in jobs] + [one.checkpoints for one in jobs]
    parts = sorted(PurePosixPath(folder.lower()).parts for folder in folders)
    assert all(b[: len(a)] != a for a, b in pairwise(parts))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"command": "python train.py"}, "does not use rate"),
        ({"command": "python t.py {rate} {seed}"}, "names {seed}"),
        ({"command": "python t.py {rate:.2f}"}, "stands in braces"),
        ({"command": "python t.py {rate} {}"}, "stands in braces"),
        ({"command": "python 't.py {rate}"}, "command"),
        ({"results": "results"}, "would hold"),
        ({"results": "out/{job}", "checkpoints": "out"}, "would hold"),
        ({"results": "../{job}"}, "inside the one that is copied"),
        ({"results": "{fold}"}, "names {fold}"),
        (
            {"grid": (), "jobs": (ListedJob("a"), ListedJob("A")), "command": "true"},
            "another job has that name",
        ),
        ({"grid": (), "jobs": (ListedJob("a/b"),), "command": "true"}, "cannot be"),
        (
            {"grid": tuple((f"v{at}", tuple(range(100))) for at in range(3))},
            "1,000,000 jobs",
        ),
    ],
)
def test_jobs_that_cannot_be_are_refused(changed: dict[str, Any], words: str) -> None:
    """In one line that says what is wrong."""
    with pytest.raises(UsageError) as found:
        jobs_of(spec_of(**changed))
    assert words in str(found.value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"grid": ()}, "either grid or jobs"),
        ({"jobs": (ListedJob(),)}, "either grid or jobs"),
        ({"grid": (("rate", ()),)}, "a list of values"),
        ({"grid": (("rate", (0.1, "0.1")),)}, "expected once"),
        ({"grid": (("job", (1,)),)}, "cannot name a variable"),
        ({"grid": (("a-b", (1,)),)}, "cannot name a variable"),
        ({"folder": "here"}, "a whole path"),
        ({"retries": -1}, "retries"),
        ({"gpus": 0}, "gpus"),
        ({"deadline_probability": 1.0}, "deadline_probability"),
        ({"job": JobSpec("resnet18", rental="reserved")}, "paid ahead"),
        ({"name": "a b"}, "cannot name a job"),
    ],
)
def test_a_spec_that_cannot_be_is_refused(changed: dict[str, Any], words: str) -> None:
    """As it is made."""
    with pytest.raises(UsageError, match=words):
        spec_of(**changed)


def test_a_sweep_may_go_without_a_second_try() -> None:
    """Retries may be none."""
    assert spec_of(retries=0).retries == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("command = \nfolder = 1\n", "line 1"),
        (GRID + "[jobss]\n", "'jobss' is not known"),
        (GRID.replace("deadline_h", "deadline_s"), "write deadline_h"),
        (GRID.replace('workload = "resnet18"', ""), "workload is missing"),
        (GRID.replace("epochs = 5", 'epochs = "5"'), "epochs"),
        (LIST.replace("variables", "variable"), "'variable' is not known"),
    ],
)
def test_a_file_that_is_wrong_is_named(load: Load, text: str, words: str) -> None:
    """With the key, or the line."""
    with pytest.raises(UsageError) as found:
        load(text)
    assert "sweep.toml: " in str(found.value)
    assert words in str(found.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """In one line."""
    with pytest.raises(AdvisorError, match=r"sweep\.toml"):
        load_sweep(tmp_path / "sweep.toml")


def test_a_document_of_a_newer_advisor_is_refused() -> None:
    """Rather than read without what it means."""
    document = {**spec_of().to_document(), "version": 99}
    with pytest.raises(UsageError, match="newer advisor"):
        SweepSpec.from_document(document)


FLAT = """
command = "python train.py --rate {rate}"
workload = "resnet18"
epochs = 5
settings = { batch_size = 64 }
image = "pytorch/pytorch"
"""


def test_what_all_jobs_train_may_stand_at_the_top(load: Load) -> None:
    """As in a table of its own, and beside one that says something else."""
    spec = load(FLAT + "[grid]\nrate = [1]\n")
    wanted = JobSpec(
        "resnet18",
        settings=(("batch_size", 64),),
        epochs=5,
        image="pytorch/pytorch",
    )
    assert spec.job == wanted
    both = load(
        FLAT.replace("epochs = 5", "") + "[job]\nepochs = 5\n[grid]\nrate = [1]\n"
    )
    assert both.job == wanted


def test_listed_jobs_are_flat_too(load: Load) -> None:
    """What the command names is a variable; epochs that it names are trained, too."""
    text = """
command = "python train.py --rate {rate} --epochs {epochs}"
[[jobs]]
workload = "resnet18"
epochs = 3
rate = 0.1
[[jobs]]
workload = "bert-base"
variables = { rate = 0.2 }
epochs = 1
"""
    first, second = jobs_of(load(text))
    assert first.argv[-3:] == ("0.1", "--epochs", "3")
    assert first.job == JobSpec("resnet18", epochs=3)
    assert second.job == JobSpec("bert-base", epochs=1)


def test_a_grid_of_epochs_is_planned_with_them() -> None:
    """The plan knows what the command is told."""
    spec = spec_of(command="t {epochs}", grid=(("epochs", (2, 8)),))
    assert [one.job.epochs for one in jobs_of(spec)] == [2, 8]
    with pytest.raises(UsageError, match="epochs"):
        jobs_of(spec_of(command="t {epochs}", grid=(("epochs", ("many",)),)))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (FLAT.replace("epochs", "epoch"), "did you mean epochs?"),
        ("budget = 5\n" + FLAT, "did you mean budget_usd?"),
        ("min_reliability = 0.9\n" + FLAT, "it belongs in [offers]"),
        (FLAT + "[job]\ndeadline_h = 2\n", "it belongs at the top of the file"),
        (FLAT + "[job]\nepochs = 2\n", "epochs stands at the top and in [job]"),
        (FLAT + "[offers]\nmin_reliabilty = 1\n", "did you mean min_reliability?"),
        (FLAT + "[grid]\nrate = [1]\nretries = 2\n", "retries stands below [grid]"),
        (FLAT + "[[jobs]]\nrat = 2\n", "did you mean rate?"),
        (FLAT + "[[jobs]]\nepoch = 2\n", "the command has no {epoch}"),
        (FLAT + "[[jobs]]\nrate = 2\nvariables = { rate = 1 }\n", "stands there twice"),
        ("jobs = [1]\n" + FLAT, "[[jobs]]"),
        ("job = 1\n" + FLAT, "job: a table is expected"),
        (FLAT + "[grid]\nrate = [nan]\n", "a finite number"),
        (FLAT + "[grid]\nrate = [inf]\n", "a finite number"),
    ],
)
def test_a_slip_in_a_file_is_told_with_what_was_meant(
    load: Load, text: str, words: str
) -> None:
    """In the words of the file, never in those of the program."""
    with pytest.raises(UsageError) as found:
        load(text)
    assert words in str(found.value)
    assert "Spec" not in str(found.value)


def test_many_values_that_no_name_can_hold_have_names_in_time() -> None:
    """Five thousand of them, which all would be called the same."""
    values = tuple(chr(0x4E00 + at) for at in range(5_000))
    names = [one.name for one in jobs_of(spec_of(grid=(("rate", values),)))]
    assert len({*names}) == 5_000
