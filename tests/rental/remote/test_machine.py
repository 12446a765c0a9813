"""Folders go to a rented machine and come back, and what is wrong is told before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from advisor.base.errors import ArgumentError, RemoteError, TooMuchError, UsageError
from advisor.rental.machine import Machine, heartbeats
from advisor.rental.outgoing.decide import Private


@pytest.fixture
def said() -> list[str]:
    """Return what is told."""
    return []


@pytest.fixture
def rented(machine: Any, said: list[str], tmp_path: Path) -> Machine:
    """Return a machine that was rented; advisor's own folder is beside the project."""
    (tmp_path / "own").mkdir()
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.txt").write_text("hello")
    private = Private(folders=(tmp_path / "own",), home=tmp_path)
    return Machine(None, machine.ssh, private, said.append)  # type: ignore[arg-type]


def test_what_goes_is_told_before_it_goes(
    rented: Machine, machine: Any, said: list[str], tmp_path: Path
) -> None:
    """How much it is, and what is left out of it."""
    (tmp_path / "p" / "b.log").write_text("x")
    rented.put(tmp_path / "p", excludes=["*.log"])
    assert said[0].startswith("1 file, 5 bytes, of ")
    assert any("b.log" in line for line in said[1:])
    assert (machine.home / "work" / "a.txt").read_text() == "hello"
    assert not (machine.home / "work" / "b.log").exists()


def test_a_machine_without_rsync_is_told_before_anything_goes(
    rented: Machine, machine: Any, tmp_path: Path
) -> None:
    """It is put there where that can be done, and asked for first in any case."""
    asked: list[str] = []
    run = machine.ssh.run

    class Other:
        """A machine on which nothing can be installed."""

        def run(self, script: str, timeout_s: float) -> Any:
            asked.append(script)
            return run("echo 'no such package' >&2; exit 3", timeout_s)

    other = Machine(None, Other(), rented.private, rented.notify)  # type: ignore[arg-type]
    with pytest.raises(RemoteError, match=r"no rsync and it cannot .*: no such package"):
        other.put(tmp_path / "p")
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [(".", "has your home folder"), ("own", "advisor's own"), ("no", "no folder")],
)
def test_what_is_not_for_a_machine_stays(
    rented: Machine, tmp_path: Path, name: str, words: str
) -> None:
    """The home folder as a whole, advisor's own, and what is not there."""
    with pytest.raises(UsageError, match=words):
        rented.put(tmp_path / name)


def test_more_than_may_go_stays(rented: Machine, tmp_path: Path) -> None:
    """To the byte; the way out is told."""
    rented.put(tmp_path / "p", max_gb=5e-9)
    with pytest.raises(UsageError, match=r"more than 4e-09 GB .* or raise max_gb"):
        rented.put(tmp_path / "p", max_gb=4e-9)
    for wrong in (0.0, float("nan")):
        with pytest.raises(ArgumentError):
            rented.put(tmp_path / "p", max_gb=wrong)


def test_more_than_may_come_in_all_stays_there(
    rented: Machine, machine: Any, tmp_path: Path
) -> None:
    """Of all folders of the machine together; advisor's own is for none of it."""
    for name in ("one", "two"):
        (machine.home / "work" / name).mkdir(parents=True, exist_ok=True)
        (machine.home / "work" / name / "f").write_bytes(b"12345")
    rented.get(tmp_path / "one", "one", max_gb=9e-9)
    assert (tmp_path / "one" / "f").read_bytes() == b"12345"
    with pytest.raises(TooMuchError, match="raise max_gb"):
        rented.get(tmp_path / "two", "two", max_gb=9e-9)
    rented.get(tmp_path / "two", "two", max_gb=10e-9)
    with pytest.raises(UsageError, match="must not reach advisor's own"):
        rented.get(tmp_path / "own")


def test_a_command_that_fails_is_an_error_unless_that_is_asked(rented: Machine) -> None:
    """It runs in the job's folder; words of a list arrive as they are."""
    assert rented.run("pwd").stdout.endswith(b"/work\n")
    assert rented.run(["echo", "a  b"]).stdout == b"a  b\n"
    with pytest.raises(RemoteError, match=r"'exit 3' ended with 3"):
        rented.run("exit 3")
    assert rented.run("exit 3", check=False).code == 3


def test_a_machine_that_does_not_hear_is_told_once_in_a_row(
    said: list[str], soon: Callable[[Callable[[], bool]], bool]
) -> None:
    """It waits for several beats; one that arrives begins another row."""
    answers = [RemoteError("no"), RemoteError("no"), None, RemoteError("again")]

    class Deaf:
        """A machine that fails as it is told to."""

        def ask(self, *_: object) -> str:
            error = answers.pop(0) if answers else None
            if error is not None:
                raise error
            return ""

    with heartbeats(Deaf(), said.append, 0.04):  # type: ignore[arg-type]
        assert soon(lambda: not answers and len(said) == 2)
    told = "the machine does not hear us"
    assert said == [f"{told}: no", f"{told}: again"]
