"""Caps and image from `advisor.toml`: the project's, else the user's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from advisor.errors import UsageError
from advisor.workloads.load import load_settings
from advisor.workloads.settings import Settings


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "advisor.toml"
    path.write_text(text)
    return path


def test_the_project_comes_before_the_user(tmp_path: Path) -> None:
    """What one does not say, the other may."""
    project = written(tmp_path / "a", "[rental]\njob_budget_usd = 30\n")
    own = written(tmp_path / "b", "[rental]\njob_budget_usd = 5\nday_budget_usd = 9.5\n")
    found = load_settings([project, own])
    assert found == Settings(job_budget_usd=30, day_budget_usd=9.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[rental]\nbudget = 3", "rental.budget: this key is not known"),
        ("[rental]\njob_budget = 3", "did you mean job_budget_usd?"),
        ("[rentals]\njob_budget_usd = 3", "did you mean rental?"),
        ("[rental]\nbatch_size = 3", r"it belongs in \[workloads.NAME\]"),
        ("job_budget_usd = 3", r"it belongs in \[rental\] of advisor.toml"),
        ("[workload.mine]\nextends = 'resnet50'", "did you mean workloads?"),
        ("[rental]\njob_budget_usd = 0", "above 0"),
        ("[rental]\njob_budget_usd = '30'", "above 0"),
        ("[rental]\nday_budget_usd = nan", "above 0"),
        ("[rental]\nday_budget_usd = true", "above 0"),
        ("[rental]\nimage = 3", "a text"),
        ("[rental]\nimage_archs = 8.0", "a text"),
        ("rental = 3", "a table .rental. is expected"),
        ("[rental", "advisor.toml"),
    ],
)
def test_what_cannot_be_is_told(tmp_path: Path, text: str, words: str) -> None:
    """Nobody wants a cap that is not kept for a slip."""
    with pytest.raises(UsageError, match=words):
        load_settings([written(tmp_path, text)])


@pytest.mark.parametrize("name", ["job", "day"])
def test_a_cap_of_the_file_is_kept(street: Any, name: str) -> None:
    """As if the command line had it; there another one can be given."""
    home = street.folder / "here"
    written(home, f"[rental]\n{name}_budget_usd = 0.0001\n")
    assert street.rent().exit_code == 6
    option = "--budget" if name == "job" else "--day-budget"
    assert street.rent(option, "50").exit_code == 0
