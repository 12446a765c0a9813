"""Machines are ended also where the ledger cannot be read or written."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("uvicorn", reason="the extra 'simulator' is not installed")

from advisor.base.resources import STORE


def flat(path: Path) -> None:
    """Fold what is beside the file into it."""
    with sqlite3.connect(path) as store:
        store.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    store.close()


def lose(path: Path) -> None:
    for one in path.parent.glob(f"{STORE}*"):
        one.unlink()


def tear(path: Path) -> None:
    flat(path)
    path.write_bytes(path.read_bytes()[:3000])


def age(path: Path) -> None:
    with sqlite3.connect(path) as store:
        store.execute("PRAGMA user_version = 99")
    store.close()


def spoil_a_row(path: Path) -> None:
    with sqlite3.connect(path) as store:
        store.execute("UPDATE rental SET gpu_ids = '-1' WHERE job = 'a'")
    store.close()


HARMS: dict[str, Callable[[Path], None]] = {
    "lost": lose,
    "torn": tear,
    "newer": age,
    "one wrong row": spoil_a_row,
}


@pytest.fixture
def two(street: Any) -> Any:
    """Return a market where the user has two machines for two hours."""
    for job in ("a", "b"):
        assert street.rent("--job", job, "--max-lifetime", "2h").exit_code == 0
    return street


def ledger_of(street: Any) -> Path:
    path: Path = street.folder / "here" / "data" / STORE
    return path


@pytest.mark.parametrize("harm", HARMS)
def test_reconcile_ends_what_is_past_its_end_and_nothing_else(
    two: Any, harm: str
) -> None:
    """By labels and the market's time; that the ledger is of no use is told."""
    HARMS[harm](ledger_of(two))
    assert two.launch("reconcile").exit_code in (0, 1, 2)
    assert len(two.instances()) == 2
    two.sleep(7300.0)
    done = two.launch("reconcile")
    assert two.instances() == [], done.stderr
    if harm in ("torn", "newer"):
        assert "the market's labels alone" in done.stderr
        assert done.exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
@pytest.mark.parametrize("words", [("--all",), ("--job", "a"), ()])
def test_release_ends_what_is_named_all_the_same(
    two: Any, harm: str, words: tuple[str, ...]
) -> None:
    """All, a job's, or one by its id; the exit code is that of done."""
    HARMS[harm](ledger_of(two))
    number = next(one["id"] for one in two.instances() if ":a:" in one["label"])
    done = two.launch("release", *(words or (str(number),)), "--yes")
    assert done.exit_code == 0, done.stderr
    left = [label.split(":")[1] for label in two.labels()]
    assert left == ([] if words == ("--all",) else ["b"])


def test_nothing_is_rented_without_a_ledger(two: Any) -> None:
    """What is wrong with it is told, with the exit code of a file that is wrong."""
    tear(ledger_of(two))
    assert two.rent().exit_code == 2
    assert len(two.instances()) == 2


@pytest.mark.slow  # each look at the ledger waits ten seconds
def test_a_locked_ledger_keeps_no_machine(two: Any) -> None:
    """Another program holds it: what is past its end is ended."""
    two.sleep(7300.0)
    store = sqlite3.connect(ledger_of(two), isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    try:
        done = two.launch("release", "--job", "a", "--yes")
    finally:
        store.execute("ROLLBACK")
        store.close()
    assert done.exit_code == 0, done.stderr
    assert two.instances() == []


def test_another_computer_without_the_ledger_can_end_all(two: Any) -> None:
    """By the labels of the account."""
    done = two.launch("release", "--all", "--yes", machine="there")
    assert done.exit_code == 0, done.stderr
    assert two.instances() == []
    assert two.launch("reconcile").exit_code == 0


def test_what_is_not_advisors_is_not_ended_by_its_number(street: Any) -> None:
    """A machine of the market's console is refused."""
    number = street.rent().document["instance_id"]
    with street.world.lock:
        street.world.rentals.contracts[number].label = "mine"
    lose(ledger_of(street))
    assert street.launch("release", str(number), "--yes").exit_code == 2
    assert street.launch("release", "--all", "--yes").exit_code == 2
    assert street.labels() == ["mine"]


@pytest.mark.parametrize("at", range(1, 8))
def test_a_ledger_that_fails_after_any_commit_leaves_no_machine(
    street: Any, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """The disk fails at the n-th commit and from then on: handed over, or nothing."""
    commits = 0

    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
            nonlocal commits
            if sql == "COMMIT":
                commits += 1
                if commits >= at:
                    message = "disk I/O error"
                    raise sqlite3.OperationalError(message)
            return super().execute(sql, *arguments)

    connect = sqlite3.connect

    def failing(*arguments: Any, **options: Any) -> sqlite3.Connection:
        return connect(*arguments, **{**options, "factory": Failing})

    monkeypatch.setattr(sqlite3, "connect", failing)
    done = street.rent()
    monkeypatch.undo()
    if done.exit_code == 0:
        assert [entry.state for entry in street.entries()] == ["handed"]
        assert len(street.instances()) == 1
    else:
        assert street.instances() == []


@pytest.mark.parametrize(
    ("state", "reason"), [("handed", ""), ("handed", "it runs a job"), ("held", "")]
)
def test_the_ledger_of_an_older_advisor_is_understood(
    street: Any, state: str, reason: str
) -> None:
    """Of schema 5: what somebody has is kept, the rest ended; a copy is kept, too."""
    number = street.rent("--job", "lab", "--max-lifetime", "2h").document["instance_id"]
    (new,) = street.entries()
    path = ledger_of(street)
    lose(path)
    shutil.copy(Path(__file__).parents[1] / "store" / "old" / "data" / STORE, path)
    with sqlite3.connect(path) as store:
        store.execute(
            "UPDATE rental SET label = ?, market = ?, job = 'lab', state = ?, "
            "reason = ?, instance_id = ?, ends_at = ? WHERE number = 1",
            (new.label, new.market, state, reason, number, new.ends_at),
        )
    store.close()
    done = street.launch("reconcile", "--format", "json")
    assert done.exit_code == 0, done.stderr
    (row,) = done.document["rentals"]
    assert row["action"] == ("released" if state == "held" else "kept")
    assert list(path.parent.glob(f"{STORE}*.bak"))
    left = street.launch("release", "--job", "lab", "--yes").exit_code
    assert left == (2 if state == "held" else 0)
    assert street.instances() == []
