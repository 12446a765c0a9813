"""How `advisor model evaluate` runs its folds: as many as asked, a bar on a terminal."""

from __future__ import annotations

import io
import sys

import joblib
import pytest

from advisor.cli.model import _folds


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def tell() -> None:
    with _folds(1) as progress:
        for what in ("GPUs", "regressors"):
            for done in range(3):
                progress(what, done, 2)


def test_a_terminal_shows_what_is_held_out_and_how_much_is_done(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bar per kind, on stderr, each to its end."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    tell()
    shown = terminal.getvalue()
    assert shown.index("GPUs") < shown.index("regressors")
    assert shown.count("100%") >= 2
    assert capsys.readouterr().out == ""


def test_elsewhere_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A file or a pipe gets no bar and no label."""
    tell()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("asked", "jobs"), [(3, 3), (None, joblib.cpu_count())])
def test_as_many_folds_run_at_once_as_were_asked_for(
    asked: int | None, jobs: int
) -> None:
    """One per core unless something else is said, inside the block alone."""
    with _folds(asked):
        assert joblib.Parallel().n_jobs == jobs
    assert joblib.Parallel().n_jobs in (None, 1)
