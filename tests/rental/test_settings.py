"""Caps and image from `advisor.toml`: a project's file tightens the user's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.app.context import Context
from advisor.base.errors import UsageError
from advisor.workloads.load import load_settings
from advisor.workloads.settings import Settings


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "advisor.toml"
    path.write_text(text)
    return path


def test_the_project_tightens_what_the_user_says(tmp_path: Path) -> None:
    """And never loosens it; what one does not say, the other may."""
    project = written(tmp_path / "a", "[rental]\njob_budget_usd = 30\n")
    own = written(tmp_path / "b", "[rental]\njob_budget_usd = 5\nday_budget_usd = 9.5\n")
    found = load_settings([project, own])
    assert found == Settings(job_budget_usd=5, day_budget_usd=9.5)
    assert load_settings([own, project]) == found


CAPS = st.none() | st.floats(0.0, 1e9, exclude_min=True)
SETTINGS = st.builds(
    Settings,
    image=st.sampled_from((None, "a:1", "b:2")),
    image_cuda=st.sampled_from((None, "12.8")),
    job_budget_usd=CAPS,
    day_budget_usd=CAPS,
    max_lifetime_h=CAPS,
)


@given(project=SETTINGS, own=SETTINGS)
def test_no_project_loosens_a_cap(project: Settings, own: Settings) -> None:
    """Whatever it says; the nearer file tells of the image, all or nothing."""
    both = project.before(own)
    for name in ("job_budget_usd", "day_budget_usd", "max_lifetime_h"):
        caps = [getattr(one, name) for one in (project, own)]
        known = [cap for cap in caps if cap is not None]
        assert getattr(both, name) == (min(known) if known else None)
    teller = project if (project.image or project.image_cuda) else own
    assert (both.image, both.image_cuda) == (teller.image, teller.image_cuda)


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
        ("[rental]\nday_budget_usd = inf", "above 0"),
        ("[rental]\nday_budget_usd = true", "dollars above 0"),
        ("[rental]\nmax_lifetime_h = -1", "hours above 0"),
        ("[rental]\nmax_lifetime_h = '24h'", "hours above 0"),
        ("[rental]\nmarket = 'vast'", "this key is not known"),
        ("market = 3", "advisor.toml:1: market: the name of a market is expected"),
        ("market = ''", "the name of a market is expected"),
        ("market = './offers.json.gz'", "the name of a market is expected"),
        ("market = 'file:offers'", "the name of a market is expected"),
        ("market = 'file'", "the name of a market is expected"),
        (f"[rental]\nday_budget_usd = 1{'0' * 400}", "above 0"),
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


def test_a_file_beside_the_projects_is_not_its_market(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cloned project brings offers of its own, named as if they were a market."""
    written(tmp_path, "market = 'offers'")
    (tmp_path / "offers").write_text('{"offers": [{"id": 1}]}', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    context = Context({"ADVISOR_DATA_DIR": str(tmp_path / "data")}, tmp_path, tmp_path)
    with pytest.raises(UsageError, match="no market or file 'offers'"):
        context.open_market(None)
    assert context.open_market("offers").name == "file"  # who types it means it


@pytest.mark.parametrize("name", ["job", "day"])
def test_a_cap_of_the_file_is_kept(street: Any, name: str) -> None:
    """As if the command line had it; there another one can be given."""
    home = street.folder / "here"
    written(home, f"[rental]\n{name}_budget_usd = 0.0001\n")
    assert street.rent().exit_code == 6
    option = "--budget" if name == "job" else "--day-budget"
    assert street.rent(option, "50").exit_code == 0


def test_a_lifetime_of_the_file_bounds_the_predicted_one(street: Any) -> None:
    """It makes none longer; one that is asked for is the machine's own."""
    home = street.folder / "here"

    def hours(*words: str) -> float:
        done = street.rent(*words)
        assert done.exit_code == 0, done.stderr
        last = street.entries()[-1]
        return float((last.ends_at - last.intended_at) / 3600.0)

    assert hours() > 1.0
    written(home, "[rental]\nmax_lifetime_h = 1000\n")
    assert 1.0 < hours() < 10.0
    written(home, "[rental]\nmax_lifetime_h = 0.75\n")
    assert hours() == pytest.approx(0.75, abs=0.01)
    assert hours("--max-lifetime", "3h") == pytest.approx(3.0, abs=0.01)
    written(home, "[rental]\nmax_lifetime_h = 0.05\n")
    done = street.rent()
    assert "is gone after 0.05 h, the longest lifetime that advisor.toml" in done.stderr
    assert "advisor.toml allows" not in street.rent("--max-lifetime", "3m").stderr
    written(home, "[rental]\nmax_lifetime_h = 1e-6\n")
    done = street.rent()
    assert done.exit_code == 2
    assert "before it has started" in done.stderr


def test_a_project_does_not_lift_the_users_own_cap(street: Any) -> None:
    """Nor for Python; a flag that is typed does."""
    home = street.folder / "here"
    written(home, "[rental]\njob_budget_usd = 99999\n")
    written(home / "data", "[rental]\njob_budget_usd = 0.0001\n")
    assert street.rent().exit_code == 6
    assert street.rent("--budget", "50").exit_code == 0


def test_a_strangers_file_changes_nothing(street: Any) -> None:
    """It lies above a cloned project; it is told once, and the user's own caps hold."""
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    home = street.folder / "here"
    evil = 'day_budget_usd = 99999\nimage = "evil/miner:latest"\n'
    os.chown(written(home, f"[rental]\n{evil}"), 65534, 65534)
    own = written(home / "data", "[rental]\nday_budget_usd = 0.0001\n")
    assert street.rent().exit_code == 6
    own.write_text("[rental]\nday_budget_usd = 1000\n")
    done = street.rent()
    assert done.exit_code == 0
    assert done.document["image"] != "evil/miner:latest"
    assert done.stderr.count("is not obeyed") == 1


def test_nothing_is_rented_past_a_cap_that_others_may_have_lifted(street: Any) -> None:
    """The file is the user's: what it said before is not known."""
    path = written(street.folder / "here", "[rental]\njob_budget_usd = 99999\n")
    path.chmod(0o666)
    done = street.rent()
    assert done.exit_code == 2
    assert "advisor.toml is not obeyed: others may write it" in done.stderr
    assert street.entries() == []
    assert street.rent("--budget", "50", "--day-budget", "50").exit_code == 0
    ranked = street.launch("rank", "--workload", "resnet50")
    assert ranked.exit_code == 0
    assert ranked.stderr.count("is not obeyed") == 1
