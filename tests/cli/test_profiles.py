"""`advisor workloads`: one's own profiles, the project's, and broken ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Advisor = Callable[..., Any]
NEW = ("workloads", "new", "mine", "--extends", "resnet50")


def saved(tmp_path: Path, name: str = "mine") -> Path:
    return tmp_path / "data" / "workloads" / f"{name}.toml"


def test_a_new_profile_inherits_and_overrides(advisor: Advisor, tmp_path: Path) -> None:
    """It has the parent's figures, its own where given, and ranks offers."""
    outcome = advisor(*NEW, "--set", "epochs=3", "--set", "reference.framework=JAX")
    assert outcome.exit_code == 0
    assert saved(tmp_path).read_text().startswith('extends = "resnet50"')
    shown = advisor("workloads", "show", "mine", "--format", "json").document
    profile = shown["workload"]
    assert (profile["name"], profile["epochs"]) == ("mine", 3)
    assert profile["reference"]["framework"] == "JAX"
    assert profile["sources"]["epochs"] == "set by the user"
    assert profile["parameters_m"] == 25.56
    ranked = advisor("rank", "--workload", "mine", "--top", "1", "--json").document
    assert ranked["workload"]["epochs"] == 3
    assert "mine" in advisor("workloads", "list").stdout


def test_show_marks_what_is_guessed_and_what_is_yours(advisor: Advisor) -> None:
    """Assumptions and the user's own figures are told apart from published ones."""
    advisor(*NEW, "--set", "epochs=3")
    lines = advisor("workloads", "show", "mine").stdout.splitlines()
    assert "epochs = 3  # yours" in lines
    assert any(line.startswith("batch_size") and "# guessed" in line for line in lines)
    assert "parameters_m = 25.56" in lines


def test_a_name_is_not_taken_twice(advisor: Advisor, tmp_path: Path) -> None:
    """A profile is replaced only with --force."""
    advisor(*NEW)
    outcome = advisor(*NEW, "--set", "epochs=5")
    assert outcome.exit_code == 2
    assert "--force" in outcome.stderr
    assert "epochs" not in saved(tmp_path).read_text()
    assert advisor(*NEW, "--set", "epochs=5", "--force").exit_code == 0
    assert "epochs = 5" in saved(tmp_path).read_text()


@pytest.mark.parametrize(
    ("setting", "words"),
    [("epoch=3", "epochs"), ("epochs=2.5", "whole number"), ("batch_size=-1", "greater")],
)
def test_nothing_wrong_is_saved(
    advisor: Advisor, tmp_path: Path, setting: str, words: str
) -> None:
    """A figure that cannot be right is told with its key, and no file is made."""
    outcome = advisor(*NEW, "--set", setting)
    assert outcome.exit_code == 2
    assert words in outcome.stderr
    assert not saved(tmp_path).exists()


def test_an_edit_keeps_comments(advisor: Advisor, tmp_path: Path) -> None:
    """--set changes one figure and leaves the rest of the text alone."""
    advisor(*NEW)
    path = saved(tmp_path)
    path.write_text(path.read_text() + "# my note\nepochs = 7\n")
    assert advisor("workloads", "edit", "mine", "--set", "epochs=9").exit_code == 0
    assert "# my note" in path.read_text()
    assert "epochs = 9" in path.read_text()
    before = path.read_text()
    assert advisor("workloads", "edit", "mine", "--set", "epochs=0").exit_code == 2
    assert path.read_text() == before


def test_an_editor_that_breaks_a_profile_loses_nothing(
    advisor: Advisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile stays as it was, and the user's text is kept beside it."""
    advisor(*NEW)
    before = saved(tmp_path).read_text()
    editor = tmp_path / "editor.sh"
    editor.write_text('#!/bin/sh\necho "epochs = nonsense" >> "$1"\n')
    editor.chmod(0o755)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    outcome = advisor("workloads", "edit", "mine")
    assert outcome.exit_code == 2
    assert "your text is in" in outcome.stderr
    assert saved(tmp_path).read_text() == before
    draft = saved(tmp_path).with_suffix(".toml.draft")
    assert "nonsense" in draft.read_text()


def test_copy_export_import_delete(advisor: Advisor, tmp_path: Path) -> None:
    """A profile goes out and comes back the same, and away when asked."""
    assert advisor("workloads", "copy", "bert-base", "mine").exit_code == 0
    exported = tmp_path / "out.toml"
    assert advisor("workloads", "export", "mine", "-o", str(exported)).exit_code == 0
    assert exported.read_text() == saved(tmp_path).read_text()
    assert advisor("workloads", "import", str(exported), "--name", "other").exit_code == 0
    both = [
        advisor("workloads", "show", name, "--format", "json").document["workload"]
        for name in ("mine", "other")
    ]
    assert both[0] | {"name": "other"} == both[1]
    assert advisor("workloads", "delete", "mine", "--yes").exit_code == 0
    assert not saved(tmp_path).exists()
    assert advisor("workloads", "delete", "mine", "--yes").exit_code == 2


def test_delete_asks_first(advisor: Advisor, tmp_path: Path) -> None:
    """Without an answer nothing is deleted."""
    advisor(*NEW)
    assert advisor("workloads", "delete", "mine").exit_code != 0
    assert saved(tmp_path).exists()


@pytest.mark.parametrize("words", [("edit", "--set", "epochs=1"), ("delete", "--yes")])
def test_a_built_in_profile_is_copied_first(
    advisor: Advisor, words: tuple[str, ...]
) -> None:
    """What ships with the tool cannot be changed, and the way out is told."""
    verb, *options = words
    outcome = advisor("workloads", verb, "resnet50", *options)
    assert outcome.exit_code == 2
    assert "advisor workloads copy resnet50" in outcome.stderr


def test_a_project_has_its_own_workloads(advisor: Advisor, tmp_path: Path) -> None:
    """advisor.toml of the working folder goes before the user's and the built-in."""
    advisor(*NEW, "--set", "epochs=3")
    (tmp_path / "advisor.toml").write_text(
        '[workloads.mine]\nextends = "bert-base"\n'
        '[workloads.resnet50]\nextends = "resnet50"\nepochs = 7\n'
    )
    rows = advisor("workloads", "list", "--json").document["workloads"]
    of = {row["name"]: (row["of"], row["task"], row["epochs"]) for row in rows}
    assert of["mine"][0] == "project"
    assert of["mine"][1].startswith("question answering")
    assert of["resnet50"][::2] == ("project", 7)
    assert advisor("workloads", "validate").exit_code == 0


def test_a_broken_file_names_line_and_key_and_hides_no_other(
    advisor: Advisor, tmp_path: Path
) -> None:
    """The others are listed; validate counts and exits with 2."""
    advisor(*NEW)
    (tmp_path / "data" / "workloads" / "torn.toml").write_text('extends = "resnet50"\nep')
    (tmp_path / "advisor.toml").write_text(
        '[workloads.good]\nextends = "bert-base"\n\n'
        '[workloads.bad]\nextends = "bert-base"\nepochs = -1\n'
    )
    outcome = advisor("workloads", "list")
    assert outcome.exit_code == 0
    for name in ("mine", "good", "resnet50"):
        assert f"\n{name} " in outcome.stdout
    assert "advisor.toml:6: workloads.bad.epochs" in outcome.stderr
    assert "torn.toml" in outcome.stderr
    checked = advisor("workloads", "validate")
    assert checked.exit_code == 2
    assert "2 of the profiles cannot be used" in checked.stderr
    assert advisor("rank", "--workload", "good", "--top", "1").exit_code == 0


def test_a_broken_project_file_is_told_where_it_matters(
    advisor: Advisor, tmp_path: Path
) -> None:
    """A name that may be in it says so, and so may the image; named, neither matters."""
    (tmp_path / "advisor.toml").write_text("[workloads.mine\n")
    outcome = advisor("rank", "--workload", "mine")
    assert outcome.exit_code == 2
    assert "advisor.toml: this is not valid TOML" in outcome.stderr
    line = ("rank", "--workload", "resnet50", "--top", "1")
    assert "advisor.toml: this is not valid TOML" in advisor(*line).stderr
    image = "pytorch/pytorch:2.12.1-cuda12.6-cudnn9-runtime"
    assert advisor(*line, "--image", image).exit_code == 0
    (tmp_path / "advisor.toml").write_text("workload = 3\n")
    outcome = advisor("workloads", "show", "mine")
    assert "advisor.toml:1: workload: this key is not known" in outcome.stderr


def test_one_file_holds_profiles_and_rental_of_project_and_user(
    advisor: Advisor, tmp_path: Path
) -> None:
    """The project's goes before the user's own; each may extend what comes after it."""
    (tmp_path / "advisor.toml").write_text(
        '[workloads.mine]\nextends = "mine"\nepochs = 7\n[rental]\njob_budget_usd = 30\n'
    )
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "data" / "advisor.toml").write_text(
        '[workloads.mine]\nextends = "resnet50"\nbatch_size = 32\n'
        '[workloads.own]\nextends = "bert-base"\n[rental]\nday_budget_usd = 9\n'
    )
    shown = advisor("workloads", "show", "mine", "--format", "json").document["workload"]
    assert (shown["epochs"], shown["batch_size"]) == (7, 32)
    assert "\nown " in advisor("workloads", "list").stdout
    (tmp_path / "data" / "advisor.toml").write_text("[rentals]\nday_budget_usd = 9\n")
    broken = advisor("rank", "--workload", "resnet50", "--top", "1")
    assert broken.exit_code == 2
    assert "advisor.toml:1: rentals: this key is not known" in broken.stderr


def test_profiles_that_extend_one_another(advisor: Advisor, tmp_path: Path) -> None:
    """A chain works, a circle is told."""
    advisor(*NEW, "--set", "epochs=3")
    advisor("workloads", "new", "second", "--extends", "mine", "--set", "batch_size=32")
    shown = advisor("workloads", "show", "second", "--format", "json").document
    assert (shown["workload"]["epochs"], shown["workload"]["batch_size"]) == (3, 32)
    path = saved(tmp_path)
    path.write_text(path.read_text().replace("resnet50", "second"))
    outcome = advisor("workloads", "show", "second")
    assert outcome.exit_code == 2
    assert "circle" in outcome.stderr


@pytest.mark.parametrize("content", ["<html>", "name = ", "x", "\0"])
def test_a_bad_file_is_not_imported(
    advisor: Advisor, tmp_path: Path, content: str
) -> None:
    """It is named, the exit code is 2, and nothing is saved."""
    bad = tmp_path / "bad.toml"
    bad.write_text(content)
    outcome = advisor("workloads", "import", str(bad))
    assert outcome.exit_code == 2
    assert "bad.toml" in outcome.stderr
    assert not saved(tmp_path, "bad").exists()


def test_the_market_of_a_project(advisor: Advisor, tmp_path: Path) -> None:
    """It is asked where nobody names one, before the one that there is a key of."""
    key = {"VAST_API_KEY": "any-word"}
    path = tmp_path / "advisor.toml"
    path.write_text('market = "sample"\n')
    done = advisor("rank", "resnet50", "--top", "1", variables=key)
    assert done.exit_code == 0, done.stderr
    assert "market sample" in done.stderr
    path.write_text('market = "nimbus"\n')
    assert "no market or file 'nimbus'" in advisor("rank", "resnet50").stderr
    named = advisor("rank", "resnet50", "--top", "1", "--market", "sample")
    assert named.exit_code == 0
    own = tmp_path / "data" / "advisor.toml"
    own.parent.mkdir(exist_ok=True)
    own.write_text('market = "cirrus"\n')
    assert "nimbus" in advisor("rank", "resnet50").stderr
    path.unlink()
    assert "cirrus" in advisor("rank", "resnet50").stderr
